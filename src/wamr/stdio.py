"""The standard streams of a WASI program: what users give, checked, and Python's part in them.

A `Stream` is one of the three as it was given; whoever opens it for an instance asks it what from.
Streams that have no descriptor (bytes, callables, files that are not the system's) are collected in
a `Streams`, which C calls by its number for each read and write (src/wamr/_native/wasi_io.c). What
they raise is kept as host.py keeps what host functions raise, and comes out of the call that ran
the program. Nothing here knows of configurations, directories or instances.
"""

from __future__ import annotations

import os
from io import TextIOBase
from weakref import WeakValueDictionary

from ._binding import ffi, keep_raised
from .callables import checked_plain, refuse_unrun
from .host import NOT_KEPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Read: TypeAlias = Callable[[int], bytes]
    Write: TypeAlias = Callable[[bytes], object]

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


def _descriptor(file: Any) -> int | None:
    """Return the descriptor of a file object, if it has one."""
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return None
    try:
        number = fileno()
    except OSError:  # io.UnsupportedOperation
        return None
    return number if isinstance(number, int) and number >= 0 else None


class Stream:
    """One of the three, checked: what to open it from when the time comes.

    descriptor: a number. path: to be opened. file: whose descriptor to ask for. source: what Python
    reads from or writes to. None of them: nothing.
    """

    __slots__ = ("descriptor", "file", "inherits", "path", "source")

    def __init__(self, name: str, value: object, fd: int) -> None:
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
        elif _descriptor(value) is not None:
            self.file = value
        elif hasattr(value, "write" if fd else "read") or callable(value):
            checked_plain(name, getattr(value, "write" if fd else "read", value))
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


def reader(source: Any) -> Read:
    """Return what reads from bytes, a file without a descriptor or a callable."""
    if isinstance(source, bytes):
        rest = memoryview(source)

        def read_bytes(size: int) -> bytes:
            nonlocal rest
            piece, rest = rest[:size], rest[size:]
            return bytes(piece)

        return read_bytes
    if not hasattr(source, "read"):
        return source  # type: ignore[no-any-return]
    if not isinstance(source, TextIOBase):
        return getattr(source, "read1", source.read)  # type: ignore[no-any-return]
    left = b""

    def read_text(size: int) -> bytes:
        nonlocal left
        if not left:
            left = source.read(size).encode("utf-8", "surrogateescape")
        piece, left = left[:size], left[size:]
        return piece

    return read_text


def writer(source: Any) -> Write:
    """Return what writes to a file without a descriptor or a callable."""
    if not hasattr(source, "write"):
        return source  # type: ignore[no-any-return]
    if isinstance(source, TextIOBase):
        if not hasattr(source, "buffer"):
            from codecs import getincrementaldecoder

            decoder = getincrementaldecoder("utf-8")("replace")
            return lambda data: source.write(decoder.decode(data))
        source.flush()
        source = source.buffer

    def write_all(data: bytes) -> None:
        written = source.write(data)
        while isinstance(written, int) and 0 < written < len(data):
            data = data[written:]
            written = source.write(data)

    return write_all


# ------------------------------------------------------------------ Python's part
class Streams:
    """The stdio of one instance that is Python's."""

    __slots__ = ("__weakref__", "read", "writers")

    def __init__(self) -> None:
        self.read: Read = bytes
        self.writers: dict[int, Write] = {}


streams_by_number: WeakValueDictionary[int, Streams] = WeakValueDictionary()


@ffi.def_extern(error=NOT_KEPT, onerror=keep_raised)
def wpy_py_wasi_read(who: int, data: Any, size: int) -> int:
    """Read at most `size` bytes for the program; 0: the end."""
    piece = streams_by_number[who].read(size)
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        refuse_unrun("stdin", piece)
        raise TypeError(f"stdin gave {type(piece).__name__} where bytes are needed")
    got = memoryview(piece).nbytes
    if got > size:
        raise ValueError(f"stdin gave {got} bytes where at most {size} were asked for")
    ffi.memmove(data, piece, got)
    return got


@ffi.def_extern(error=NOT_KEPT, onerror=keep_raised)
def wpy_py_wasi_write(who: int, fd: int, data: Any, size: int) -> int:
    """Take what the program has written."""
    written = streams_by_number[who].writers[fd](bytes(ffi.buffer(data, size)))
    if written is not None and type(written) is not int:
        refuse_unrun("stdout" if fd == 1 else "stderr", written)
    return 0
