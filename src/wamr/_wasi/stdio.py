"""The standard streams of a WASI program: checks of the arguments.

A `Stream` is one of the three streams before it is opened: it has a descriptor, a path, a file
object, or something that Python reads and writes (streams.py). This module knows nothing about
configurations, directories or instances.
"""

from __future__ import annotations

import os
from errno import ENOENT
from stat import S_ISFIFO

from .._base.arguments import shown_number
from .._base.callables import checked_plain
from .._base.opening import directory_error
from .files import check_direction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The numbers of subprocess, whose import takes long.
PIPE, STDOUT, DEVNULL = -1, -2, -3


def checked_path(label: str, path: object) -> str:
    """Return a path as a str without NUL; TypeError, ValueError."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{label} must be a path, not {type(path).__name__}")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"{label} must be a path of type str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{label} contains a NUL character: {text!r}")
    return text


def absolute_path(path: str) -> str:
    """Return the path from the root on; FileNotFoundError if it is empty, as `open` raises it.

    `os.path.abspath` would return the current directory, which nobody has named.
    """
    if not path:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path)
    return os.path.abspath(path)  # noqa: PTH100


class Stream:
    """A standard stream before it is opened. At most one of the attributes isn't None.

    descriptor: a descriptor of this process. path: of a file to open. file: a file object, whose
    descriptor may be used in its place. source: bytes or a callable.
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
            self.path = absolute_path(checked_path(name, value))
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
        raise ValueError(f"{name} must be a descriptor, not {shown_number(value)}")
    try:
        os.fstat(value)
    except OverflowError:
        raise ValueError(f"{name} must be a descriptor, not {shown_number(value)}") from None
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({name}={value})") from None
    return value


def _check_file(path: str, fd: int) -> None:
    """Raise the OSError that opening `path` for the guest's descriptor `fd` is likely to raise."""
    if fd == 0:
        mode = os.stat(path).st_mode  # noqa: PTH116
        if not S_ISFIFO(mode):  # whose writer would take this for its reader
            os.close(open_for_input(path))
        return
    if os.path.isdir(path):  # noqa: PTH112
        raise directory_error(path)
    os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120


def open_for_input(path: str) -> int:
    """Return a new descriptor for reading. Raises OSError, also for a directory."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except PermissionError:
        if os.path.isdir(path):  # noqa: PTH112 - as Windows says it
            raise directory_error(path) from None
        raise
    if os.path.isdir(path):  # noqa: PTH112
        os.close(descriptor)
        raise directory_error(path)
    return descriptor


def open_for_output(path: str) -> int:
    """Return a new descriptor for writing; the file is created or truncated. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666)
