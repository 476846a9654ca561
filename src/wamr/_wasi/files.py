"""File objects as stdio: which are a plain view of a descriptor, and how the others are read.

A file object may have a `fileno` that its `read` and `write` don't go through as it is: that of a
GzipFile is the compressed file's. So a descriptor stands only for objects whose every layer is
known, and only where none of them holds bytes that have been read ahead. All other objects are read
and written by their methods. Nothing here knows of streams, programs or C.
"""

from __future__ import annotations

import codecs
import os
import sys
from functools import partial
from io import (
    BufferedIOBase,
    BufferedRandom,
    BufferedReader,
    BufferedWriter,
    FileIO,
    IOBase,
    RawIOBase,
    StringIO,
    TextIOBase,
    TextIOWrapper,
    UnsupportedOperation,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    # At most so many bytes, b"" at the end; None: nothing is there yet, ask again.
    Read: TypeAlias = Callable[[int], "bytes | None"]

_BUFFERED = (BufferedReader, BufferedWriter, BufferedRandom)
_STUBS = tuple(base for class_ in (BufferedIOBase, TextIOBase) for base in class_.__mro__)
_METHODS = frozenset(
    ("fileno", "flush", "peek", "read", "read1", "readinto", "readline", "tell", "write")
)


# ------------------------------------------------------------------ what a file object is
def check_direction(name: str, file: Any, output: bool) -> None:
    """Raise ValueError (UnsupportedOperation) if the file is closed, or open the other way only."""
    if getattr(file, "closed", False) is True:
        raise ValueError(f"{name} is a closed file: {file!r}")
    able, method = ("writable", "write") if output else ("readable", "read")
    if not isinstance(file, IOBase) or getattr(file, able)():
        return
    # IOBase's own answer is no, whatever methods a class has
    says = getattr(type(file), able) is not getattr(IOBase, able)
    if says or getattr(type(file), method, None) in [vars(c).get(method) for c in _STUBS]:
        raise UnsupportedOperation(
            f"{name} is not open for {'writing' if output else 'reading'}: {file!r}"
        )


def is_text(file: Any) -> bool:
    """Tell whether its `read` and `write` are about str."""
    if isinstance(file, (TextIOBase, RawIOBase, BufferedIOBase)):
        return isinstance(file, TextIOBase)
    if isinstance(file, codecs.StreamRecoder):
        return False
    if isinstance(file, (codecs.StreamWriter, codecs.StreamReader, codecs.StreamReaderWriter)):
        return True
    return isinstance(getattr(file, "encoding", None), str)


def bytes_below(file: Any, method: str) -> Any:
    """Return what has the bytes of a text file whose own `method` does not come in between."""
    plain = getattr(type(file), method, None) is getattr(TextIOWrapper, method)
    if isinstance(file, TextIOWrapper) and plain and method not in vars(file):
        return file.buffer
    return None


def _unwrapped(file: Any) -> Any:
    """Return what tempfile has wrapped: it adds nothing but the removal."""
    tempfile = sys.modules.get("tempfile")
    wrapper = getattr(tempfile, "_TemporaryFileWrapper", None)
    return file.file if wrapper is not None and type(file) is wrapper else file


def _as_made(file: Any) -> bool:
    """Tell whether nobody has given the object methods of its own."""
    return not _METHODS & vars(file).keys()


def descriptor_of(file: Any, output: bool) -> int | None:
    """Return the descriptor that is as good as the file object now; None: its methods are needed.

    What it has buffered for writing is written first. Raises OSError, ValueError.
    """
    if not hasattr(file, "write" if output else "read"):
        fileno = getattr(file, "fileno", None)  # a socket, a Connection: it is all they have
        return None if fileno is None else int(fileno())
    raw = _raw(file)
    if raw is None:
        return None
    if output:
        file.flush()
    elif not _nothing_ahead(_unwrapped(file)):
        return None
    return int(raw.fileno())


def _raw(file: Any) -> Any:
    """Return the descriptor's own object below a file whose layers are all known, or None."""
    file = _unwrapped(file)
    if type(file) is TextIOWrapper and _as_made(file):
        file = file.buffer
    if type(file) in _BUFFERED and _as_made(file):
        file = file.raw
    if type(file) is FileIO and _as_made(file):
        return file
    return file if _is_plain_socket(file) else None


def _is_plain_socket(raw: Any) -> bool:
    """Tell whether it is what `socket.makefile` makes of a socket that blocks, without TLS."""
    socket = sys.modules.get("socket")
    if socket is None or os.name != "posix" or type(raw) is not socket.SocketIO:
        return False
    below = raw._sock
    return type(below) is socket.socket and below.gettimeout() is None and _as_made(raw)


# ------------------------------------------------------------------ what was read ahead
def _nothing_ahead(file: Any) -> bool:
    """Tell whether the descriptor is where the file object is."""
    if type(file) is TextIOWrapper:
        if not _text_unread(file):
            return False
        file = file.buffer
    if type(file) is BufferedRandom:
        file.flush()  # puts the descriptor where the file is
        return True
    if type(file) is not BufferedReader:
        return True
    if file.seekable():
        return bool(file.tell() == file.raw.tell())
    return not _ahead(file)


def _text_unread(file: Any) -> bool:
    """Tell whether nothing is decoded that has not been asked for."""
    try:
        if file.seekable():
            return bool(file.tell() == file.buffer.tell())
        file.reconfigure(errors=file.errors)  # changes nothing, and is refused after a read
    except (OSError, ValueError):
        return False
    return True


def _ahead(file: Any) -> bytes:
    """Return what a BufferedReader has read ahead, without reading: for a moment, its raw file
    says that reading would block.
    """
    raw = file.raw
    raw.readinto = lambda _: None
    try:
        ahead: bytes = file.peek(1)
    finally:
        del raw.readinto
    return ahead


def _ready(descriptor: int) -> bool:
    """Tell whether reading it would not wait."""
    import select

    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


# ------------------------------------------------------------------ reading by methods
def reader(file: Any) -> Read:
    """Return what reads a file object by its methods.

    Where the descriptor below is known, what would wait for it answers None instead.
    """
    known = _unwrapped(file)
    raw = None if _raw(file) is None or file.seekable() else _raw(file)
    if is_text(known):
        return _text_reader(known, raw)
    if raw is not None and type(known) is BufferedReader:
        return _waiting_reader(known, raw)
    return _bytes_reader(known)


def _bytes_reader(file: Any) -> Read:
    read = file.read1 if _read1_is_read(file) else file.read
    waits = isinstance(file, IOBase)

    def read_bytes(size: int) -> bytes | None:
        data = read(size)
        if data is None and not waits:
            raise TypeError("stdin's read returned None where bytes are needed, b'' at the end")
        return data  # type: ignore[no-any-return]

    return read_bytes


def _read1_is_read(file: Any) -> bool:
    """Tell whether `read1` is known to give what `read` would: that it stands beside it."""
    if not isinstance(file, BufferedIOBase) or "read" in getattr(file, "__dict__", ()):
        return False
    for class_ in type(file).__mro__:
        if "read1" in vars(class_):
            return class_ is not BufferedIOBase
        if "read" in vars(class_):
            return False
    return False


def _waiting_reader(file: BufferedReader, raw: Any) -> Read:
    def read_waiting(size: int) -> bytes | None:
        ahead = _ahead(file)
        if ahead:
            return file.read1(min(size, len(ahead)))
        return file.read1(size) if _ready(raw.fileno()) else None

    return read_waiting


class _Nothing(Exception):
    """Nothing is decoded."""


def _text_reader(file: Any, raw: Any) -> Read:
    """Text comes as UTF-8; that of a TextIOWrapper, as the bytes that it was."""
    own = type(file) is TextIOWrapper
    encoding, errors = (file.encoding, file.errors) if own else ("utf-8", "surrogateescape")
    lines = isinstance(file, TextIOBase) and type(file) is not StringIO
    read = file.readline if lines else file.read  # a line is there as soon as it is typed
    if type(file) is codecs.StreamReaderWriter:
        read = file.reader.read
    if isinstance(getattr(read, "__self__", None), codecs.StreamReader):
        read = partial(_characters, read)
    left = b""

    def read_text(size: int) -> bytes | None:
        nonlocal left
        if not left:
            text = read(size) if raw is None else _decoded(file, raw, size)
            if text is None:
                return None
            if isinstance(text, bytes) and not isinstance(file, IOBase):
                left = text  # it only looked like text
            elif not isinstance(text, str):
                raise TypeError(f"stdin's read returned {type(text).__name__} where str is needed")
            else:
                left = text.encode(encoding, errors)
        piece, left = left[:size], left[size:]
        return piece

    return read_text


def _characters(read: Any, most: int) -> Any:
    """Read from a codecs.StreamReader, for which a few bytes that are no character are the end."""
    return read(most, most)


def _decoded(file: TextIOWrapper, raw: Any, most: int) -> str | None:
    """Return what is decoded, or comes with one read; None: that would wait."""
    text = _pending(file, most)
    if text:
        return text
    if not _ready(raw.fileno()):
        return None
    first = file.read(1)
    return first + _pending(file, most - 1) if first else ""


def _pending(file: TextIOWrapper, most: int) -> str:
    """Return what is decoded, without reading: what would read fails, for a moment."""

    def nothing(size: int) -> bytes:
        raise _Nothing

    text: list[str] = []
    buffer: Any = file.buffer
    buffer.read1 = nothing
    try:
        while len(text) < most:
            text.append(file.read(1))
    except _Nothing:
        pass
    finally:
        del buffer.read1
    return "".join(text)
