"""The module that a command is given: a file or stdin, binary or text."""

from __future__ import annotations

import os
import sys

from .output import Failure, fail, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wamr import Engine, Module, Store


def read(path: str) -> bytes:
    """Return what is in the file, or comes from stdin."""
    try:
        if path != "-":
            with open(path, "rb") as file:  # noqa: PTH123
                return file.read()
        if sys.stdin is None:
            fail("there is no stdin to read the module from")
        return sys.stdin.buffer.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise Failure(os_error(error) if isinstance(error, OSError) else str(error)) from None


def binary(path: str) -> bytes:
    """Return the bytes of a module; text is translated. CompileError: it is none."""
    from wamr import UnavailableError
    from wamr._runtime.source import source_bytes

    data = read(path)
    try:
        return source_bytes(data)
    except UnavailableError as error:
        raise Failure(f"{shown(path)}: {error}") from None


def compiled(store: Store | Engine, path: str) -> Module:
    """Return the module, ready to be instantiated."""
    from wamr import CompileError, Module

    try:
        return Module(store, binary(path))
    except CompileError as error:
        raise Failure(f"{shown(path)}: {error}") from None


def shown(path: str) -> str:
    """Return how messages call it."""
    return "stdin" if path == "-" else path


def name_of(path: str) -> str:
    """Return what the program is told as its own name: nothing of the host's folders."""
    return "program" if path == "-" else os.path.basename(path)  # noqa: PTH119
