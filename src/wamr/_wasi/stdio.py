"""The standard streams of a WASI program: what users give, checked.

A `Stream` is one of the three as it was given; whoever opens it for an instance asks it what from:
a descriptor, a path, or what Python reads and writes (files.py, streams.py). Nothing here knows of
configurations, directories or instances.
"""

from __future__ import annotations

import os

from .._base.callables import checked_plain
from .files import check_direction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# As in subprocess, which is not imported for three numbers.
PIPE, STDOUT, DEVNULL = -1, -2, -3


# ------------------------------------------------------------------ what users give
def checked_path(what: str, path: object) -> str:
    """Return a path as text without NUL; TypeError, ValueError."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{what} must be a path, not {type(path).__name__}")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a path of type str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    return text


class Stream:
    """One of the three, checked: what to open it from when the time comes.

    descriptor: a number. path: to be opened. file: a file object, which may have a descriptor that
    is as good. source: what Python reads from or writes to. None of them: nothing.
    """

    __slots__ = ("descriptor", "file", "inherits", "name", "path", "source")

    def __init__(self, name: str, value: object, fd: int) -> None:
        self.name = name
        self.descriptor: int | None = None
        self.file: Any = None
        self.path: str | None = None
        self.source: Any = None
        self.inherits = isinstance(value, str) and value == "inherit"
        if self.inherits:
            self.descriptor = fd
        elif value is None:
            pass
        elif isinstance(value, int) and not isinstance(value, bool):
            self.descriptor = _checked_number(name, value)
        elif isinstance(value, (str, os.PathLike)):
            self.path = os.path.abspath(checked_path(name, value))  # noqa: PTH100
            _check_file(self.path, fd)
        elif hasattr(value, "write" if fd else "read") or hasattr(value, "fileno"):
            method = getattr(value, "write" if fd else "read", None)
            if method is not None:
                checked_plain(name, method)
            check_direction(name, value, fd > 0)
            self.file = value
        elif callable(value):
            checked_plain(name, value)
            self.source = value
        elif fd == 0 and isinstance(value, (bytes, bytearray, memoryview)):
            self.source = bytes(value)
        else:
            wanted = "None" if fd else "bytes"
            raise TypeError(
                f'{name} must be {wanted}, a file, a path, a descriptor, "inherit" or a callable, '
                f"not {type(value).__name__}"
            )


def _checked_number(name: str, value: int) -> int | None:
    if value == DEVNULL:
        return None
    if value == PIPE:
        raise ValueError(f"{name}=PIPE is for wamr.run; a callable gets what comes")
    if value < 0:
        raise ValueError(f"{name} must be a descriptor, not {value}")
    os.fstat(value)  # OSError
    return value


def _check_file(path: str, fd: int) -> None:
    """Raise the OSError that opening `path` for the guest's `fd` would end in, as far as we see."""
    if fd == 0:
        os.close(open_for_input(path))
        return
    if os.path.isdir(path):  # noqa: PTH112
        raise _is_a_directory(path)
    os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120


def _is_a_directory(path: str) -> IsADirectoryError:
    import errno

    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def open_for_input(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    if os.path.isdir(path):  # noqa: PTH112
        os.close(descriptor)
        raise _is_a_directory(path)
    return descriptor


def open_for_output(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666)
