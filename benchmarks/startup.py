"""Start-up: the time of the import, and the size of the installation."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from .installed import peers
from .lines import EXTISM, US, WASM3, WASMER, WASMTIME, Goal, Line, Samples
from .timing import Pace, Sample

IMPORTS = {US: "wamr", WASMTIME: "wasmtime", WASM3: "wasm3", WASMER: "wasmer", EXTISM: "extism"}
CLOCK = "from time import perf_counter as t; s = t(); {}; print(t() - s)"


def _installed() -> dict[str, str]:
    return {peer.name: IMPORTS[peer.name] for peer in peers()}


def _seconds(statement: str) -> float:
    """Return the seconds of a statement in a new process."""
    command = [sys.executable, "-c", CLOCK.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@cache
def _compiled() -> None:
    """Compile our modules to bytecode, as an installation does; a checkout may lack bytecode."""
    home = Path(str(importlib.import_module("wamr").__file__)).parent
    command = [sys.executable, "-m", "compileall", "-q", str(home)]
    subprocess.run(command, check=False, capture_output=True)


def _import(pace: Pace) -> Samples:
    _compiled()
    values: dict[str, list[float]] = {name: [] for name in _installed()}
    for _ in range(pace.processes):
        for name, package in _installed().items():
            values[name].append(_seconds(f"import {package}"))
    return {name: Sample.of(found) for name, found in values.items()}


def _first_call(pace: Pace) -> Samples:
    """Return the seconds of a script that makes one call, import included."""
    from .modules import small

    _compiled()
    code = f"import wamr; wamr.load({small()!r}).exports.add(2, 3)"
    return {US: Sample.of([_seconds(code) for _ in range(pace.processes)])}


def _size(pace: Pace) -> Samples:
    sizes = {}
    for name, package in _installed().items():
        module = importlib.import_module("wamr._wamr" if name == US else package)
        home = Path(str(module.__file__))
        if name == EXTISM:  # the package is one thing, its library another
            home = Path(str(importlib.import_module("extism_sys").__file__))
        libraries = [home] if home.suffix != ".py" else [*home.parent.rglob("*.so")]
        if libraries:
            sizes[name] = Sample.one(sum(_stripped(path) for path in libraries))
    return sizes


def _stripped(library: Path) -> int:
    """Return the library's size without symbols, if `strip` is installed."""
    with TemporaryDirectory() as folder:
        copy = Path(folder, library.name)
        shutil.copy(library, copy)
        if shutil.which("strip"):
            subprocess.run(["strip", copy], check=False, capture_output=True)
        return copy.stat().st_size


LINES = (
    Line("startup.import", "import", _import, Goal(15e-3, times={WASMTIME: 1})),
    Line("startup.call", "import, load, first call", _first_call),
    Line("startup.size", "the extension, stripped", _size, unit="B"),
)
