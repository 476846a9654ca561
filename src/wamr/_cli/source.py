"""Reading the module of a command from a file or stdin, binary or text."""

from __future__ import annotations

import os
import sys

from .._base.opening import opened
from .._base.printable import printable
from .output import Failure, fail, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wamr import Engine, Module, Store


def read(path: str) -> bytes:
    """Return the contents of a file, or of stdin for "-"; raise Failure if it can't be read."""
    try:
        if path != "-":
            with opened(path) as file:
                return file.read()
        if sys.stdin is None:
            fail("there is no stdin to read the module from")
        return sys.stdin.buffer.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise Failure(os_error(error) if isinstance(error, OSError) else str(error)) from None


def binary(path: str) -> bytes:
    """Return the bytes of a module, converted from text if needed. Raises CompileError, Failure."""
    from wamr import UnavailableError
    from wamr._runtime.source import source_bytes

    data = read(path)
    try:
        return source_bytes(data)
    except UnavailableError as error:
        raise Failure(f"{shown(path)}: {error}") from None


def compiled(store: Store | Engine, path: str) -> Module:
    """Return the compiled module; raise Failure if it can't be read or compiled."""
    from wamr import CompileError, Module

    try:
        return Module(store, binary(path))
    except CompileError as error:
        raise Failure(f"{shown(path)}: {error}") from None


def file_name(path: str) -> str:
    """Return the path, or "stdin" for "-"."""
    return "stdin" if path == "-" else path


def shown(path: str) -> str:
    """Return the path as messages show it, on one line: `in_one_line` cuts at a line break."""
    return printable(file_name(path))


def name_of(path: str) -> str:
    """Return the program's argv[0], without directories of the host."""
    return "program" if path == "-" else os.path.basename(path)  # noqa: PTH119
