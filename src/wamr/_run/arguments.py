"""Checks of arguments that `run`, `Session` and `Program` share: the program, limits, stdin."""

from __future__ import annotations

import os
from codecs import getincrementalencoder
from collections.abc import Sequence

from .._base.callables import checked_plain
from .._runtime.limits import ResourceLimits
from .._runtime.module import Module
from .._runtime.source import is_text
from .._runtime.store import Store
from .._wasi.stdio import DEVNULL, PIPE
from .._wasi.streams import text_reader
from ..errors import LinkError
from ..types import FuncType, described
from .captured import check_encoding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Stdio

_NO_ARGUMENTS = FuncType(())


# ------------------------------------------------------------------ the program
class Command:
    """The `args` of a program, checked, and, once it is loaded, its module.

    args: what the caller has passed. argv: the program's, with its name first.
    """

    __slots__ = ("_program", "args", "argv", "module")
    module: Module

    def __init__(self, args: object) -> None:
        self._program, arguments = _checked_args(args)
        self.args: Any = args
        self.argv = [_name(self._program), *arguments]

    def load(self) -> Store:
        """Compile the module if that is needed, and return a new store for an instance."""
        program = self._program
        store = Store(program.engine) if isinstance(program, Module) else Store()
        self.module = program if isinstance(program, Module) else Module(store, program)
        _check_command(self.module)
        return store


def _checked_args(args: object) -> tuple[Any, list[str]]:
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(
            f'args must be a sequence, as ["program.wasm", "argument"], not {type(args).__name__}'
        )
    if not args:
        raise ValueError("args is empty: its first item is the program")
    program = args[0]
    if not isinstance(program, (str, os.PathLike, Module)):
        made = ""
        if isinstance(program, (bytes, bytearray, memoryview)):
            made = "; wamr.Module(wamr.Engine(), data) makes one of bytes"
        raise TypeError(f"args[0] must be a path or a Module, not {type(program).__name__}{made}")
    rest = [os.fspath(arg) if isinstance(arg, os.PathLike) else arg for arg in args[1:]]
    for i, arg in enumerate(rest, 1):
        if not isinstance(arg, str):
            raise TypeError(f"args[{i}] must be a str or a path, not {type(arg).__name__}")
    return program, rest


def _name(program: Any) -> str:
    """Return the program's argv[0], without directories of the host."""
    if isinstance(program, Module):
        return (program.name or "program").replace("\0", "")
    if isinstance(program, str) and is_text(program):
        return "program"
    path: str = os.fspath(program)
    return os.path.basename(path)  # noqa: PTH119


def _check_command(module: Module) -> None:
    """Raise LinkError if the module isn't a WASI command."""
    exports = {export.name: export.type for export in module.exports}
    start = exports.get("_start")
    if start == _NO_ARGUMENTS:
        return
    if start is not None:
        raise LinkError(
            f"the program's _start must be a function () -> (), not a {described(start)}"
        )
    if "_initialize" in exports:
        raise LinkError(
            "the program has no _start: it is a reactor, whose functions are called: "
            "wamr.load(…, wasi=wamr.WasiConfig())"
        )
    raise LinkError("the program has no function _start: it is not a WASI command")


# ------------------------------------------------------------------ limits
def checked_limits(limits: object) -> ResourceLimits | None:
    """Return the argument `limits`; TypeError."""
    if limits is not None and not isinstance(limits, ResourceLimits):
        raise TypeError(f"limits must be ResourceLimits or None, not {type(limits).__name__}")
    return limits


def timeout_ns(limits: ResourceLimits | None) -> int:
    """Return the timeout of the limits in nanoseconds, 0 for none."""
    return 0 if limits is None else limits._timeout_ns()


def with_timeout(limits: ResourceLimits | None, timeout: float | None) -> ResourceLimits | None:
    """Return the limits with the smaller timeout, so that it covers the start function, too."""
    checked_limits(limits)
    if timeout is None or (limits and limits.timeout is not None and limits.timeout < timeout):
        return limits
    if limits is None:
        return ResourceLimits(timeout=timeout)
    given = dict(zip(limits._fields, limits._values(), strict=True))
    return ResourceLimits(**{**given, "timeout": timeout})


# ------------------------------------------------------------------ stdin
def text_encoder(encoding: str | None, errors: str | None) -> Any:
    """Return an incremental encoder for text mode. Raises TypeError, LookupError."""
    encoding, errors = encoding or "utf-8", errors or "strict"
    check_encoding(encoding, errors)
    return getincrementalencoder(encoding)(errors)


def checked_input(
    value: object, encoder: Any, name: str = "input", *, final: bool = False
) -> bytes:
    """Return the bytes of the argument `name`; TypeError, UnicodeEncodeError.

    encoder: of text_encoder; None: the argument is bytes. final: whether the text ends with it.
    """
    if encoder is not None:
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str in text mode, not {type(value).__name__}")
        encoded: bytes = encoder.encode(value, final)
        return encoded
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{name} must be bytes, or str with text=True, not {type(value).__name__}")


def checked_stdin(value: Stdio, as_text: bool, encoding: str | None, errors: str | None) -> Stdio:
    """Return the argument for WasiConfig for the argument `stdin` of `run`."""
    if value is None:
        return "inherit"
    if isinstance(value, int) and not isinstance(value, bool) and value in (PIPE, DEVNULL):
        return b""  # a pipe that nobody writes to
    if not callable(value) or hasattr(value, "read") or hasattr(value, "fileno"):
        return value
    source: Any = value
    checked_plain("stdin", source)
    if as_text:
        return text_reader(source, encoding or "utf-8", errors or "strict")

    def read(size: int) -> Any:
        data = source(size)
        if data is None:  # in an execution it would mean that there is nothing yet
            raise TypeError("stdin gave NoneType where bytes are needed, b'' at the end")
        return data

    return read
