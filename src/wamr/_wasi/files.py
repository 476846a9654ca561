"""File objects as standard streams: use of their descriptors, or of their methods.

The descriptor of a file object may have other contents than its methods read and write: `fileno` of
a GzipFile is that of the compressed file. So the descriptor is used only if the class of each layer
is known and no layer has buffered input. Otherwise the methods of the file object are used. This
module knows nothing about streams, programs or C.
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

    # Returns at most that many bytes, b"" at the end; None: nothing available yet.
    Read: TypeAlias = Callable[[int], "bytes | None"]

_BUFFERED = (BufferedReader, BufferedWriter, BufferedRandom)
_STUBS = tuple(base for class_ in (BufferedIOBase, TextIOBase) for base in class_.__mro__)
_METHODS = frozenset(
    ("fileno", "flush", "peek", "read", "read1", "readinto", "readline", "tell", "write")
)


# ------------------------------------------------------------------ kinds of file objects
def check_direction(name: str, file: Any, output: bool) -> None:
    """Raise ValueError if the file is closed, or open in the other direction only.

    The latter is an UnsupportedOperation. name: of the stream, for messages. output: whether the
    program writes to the file.
    """
    if getattr(file, "closed", False) is True:
        raise ValueError(f"{name} is a closed file: {file!r}")
    able, method = ("writable", "write") if output else ("readable", "read")
    if not isinstance(file, IOBase) or getattr(file, able)():
        return
    # IOBase.readable and writable return False even if a subclass has a read or write method
    says = getattr(type(file), able) is not getattr(IOBase, able)
    if says or getattr(type(file), method, None) in [vars(c).get(method) for c in _STUBS]:
        raise UnsupportedOperation(
            f"{name} is not open for {'writing' if output else 'reading'}: {file!r}"
        )


def is_text(file: Any) -> bool:
    """Tell whether `read` and `write` of a file object use str."""
    if isinstance(file, (TextIOBase, RawIOBase, BufferedIOBase)):
        return isinstance(file, TextIOBase)
    if isinstance(file, codecs.StreamRecoder):
        return False
    if isinstance(file, (codecs.StreamWriter, codecs.StreamReader, codecs.StreamReaderWriter)):
        return True
    return isinstance(getattr(file, "encoding", None), str)


def bytes_below(file: Any, method: str) -> Any:
    """Return the binary file below a text file, or None if the text file overrides `method`."""
    plain = getattr(type(file), method, None) is getattr(TextIOWrapper, method)
    if isinstance(file, TextIOWrapper) and plain and method not in vars(file):
        return file.buffer
    return None


def _unwrapped(file: Any) -> Any:
    """Return the file in a wrapper of tempfile, which only adds the removal; others unchanged."""
    tempfile = sys.modules.get("tempfile")
    wrapper = getattr(tempfile, "_TemporaryFileWrapper", None)
    return file.file if wrapper is not None and type(file) is wrapper else file


def _as_made(file: Any) -> bool:
    """Tell whether the object has no methods in its own `__dict__`."""
    return not _METHODS & vars(file).keys()


def descriptor_of(file: Any, output: bool) -> int | None:
    """Return the descriptor to use in place of a file object, or None if its methods are needed.

    Flushes buffered output. Raises OSError, ValueError.
    """
    if not hasattr(file, "write" if output else "read"):
        fileno = getattr(file, "fileno", None)  # of a socket or Connection
        return None if fileno is None else int(fileno())
    raw = _raw(file)
    if raw is None:
        return None
    if output:
        file.flush()
    elif not _no_bytes_ahead(_unwrapped(file)):
        return None
    return int(raw.fileno())


def _raw(file: Any) -> Any:
    """Return the raw file at the bottom, or None if a layer's class isn't known."""
    file = _unwrapped(file)
    if type(file) is TextIOWrapper and _as_made(file):
        file = file.buffer
    if type(file) in _BUFFERED and _as_made(file):
        file = file.raw
    if type(file) is FileIO and _as_made(file):
        return file
    return file if _is_plain_socket(file) else None


def _is_plain_socket(raw: Any) -> bool:
    """Tell whether this is a raw file of `socket.makefile`, of a blocking socket without TLS."""
    socket = sys.modules.get("socket")
    if socket is None or os.name != "posix" or type(raw) is not socket.SocketIO:
        return False
    below = raw._sock
    return type(below) is socket.socket and below.gettimeout() is None and _as_made(raw)


# ------------------------------------------------------------------ buffered input
def _no_bytes_ahead(file: Any) -> bool:
    """Tell whether the descriptor has the same position as the file object."""
    if type(file) is TextIOWrapper:
        if not _no_text_ahead(file):
            return False
        file = file.buffer
    if type(file) is BufferedRandom:
        file.flush()  # moves the descriptor to the position of the file
        return True
    if type(file) is not BufferedReader:
        return True
    if file.seekable():
        return bool(file.tell() == file.raw.tell())
    return not _ahead(file)


def _no_text_ahead(file: Any) -> bool:
    """Tell whether a text file has no decoded text that wasn't read."""
    try:
        if file.seekable():
            return bool(file.tell() == file.buffer.tell())
        file.reconfigure(errors=file.errors)  # changes nothing; raises after a read
    except (OSError, ValueError):
        return False
    return True


def _ahead(file: Any) -> bytes:
    """Return what a BufferedReader has buffered, without reading from its raw file.

    Meanwhile, reads from the raw file report that they would block.
    """
    raw = file.raw
    raw.readinto = lambda _: None
    try:
        ahead: bytes = file.peek(1)
    finally:
        del raw.readinto
    return ahead


def _ready(descriptor: int) -> bool:
    """Tell whether a read from the descriptor wouldn't block."""
    import select

    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


# ------------------------------------------------------------------ reading with methods
def reader(file: Any) -> Read:
    """Return a function that reads a file object with its methods.

    If the descriptor is known, the function returns None where reading would block.
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
    """Tell whether `read1` returns what `read` would: no subclass has overridden `read` alone."""
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
    """No decoded text is left."""


def _text_reader(file: Any, raw: Any) -> Read:
    """Return a function that reads text as UTF-8; from a TextIOWrapper, in its own encoding."""
    own = type(file) is TextIOWrapper
    encoding, errors = (file.encoding, file.errors) if own else ("utf-8", "surrogateescape")
    lines = isinstance(file, TextIOBase) and type(file) is not StringIO
    read = file.readline if lines else file.read  # a line is available when it is typed
    if type(file) is codecs.StreamReaderWriter:
        read = file.reader.read
    if isinstance(getattr(read, "__self__", None), codecs.StreamReader):
        read = partial(_characters, read)

    def read_text(size: int) -> Any:
        text = read(size) if raw is None else _decoded(file, raw, size)
        if text is None or isinstance(text, str):
            return text
        if isinstance(text, bytes) and not isinstance(file, IOBase):
            return text  # it isn't text after all
        raise TypeError(f"stdin's read returned {type(text).__name__} where str is needed")

    return encoded(read_text, encoding, errors)


def encoded(read: Callable[[int], Any], encoding: str, errors: str) -> Read:
    """Return a function that reads bytes from a function that returns str, "" at the end.

    One encoder has all pieces: the byte order mark of UTF-16 precedes the first, and not the end.
    """
    encoder = codecs.getincrementalencoder(encoding)(errors)
    has_begun = False
    left = b""

    def read_encoded(size: int) -> bytes | None:
        nonlocal has_begun, left
        while not left:  # `errors` may leave nothing of a piece, which isn't the end
            text = read(size)
            if text is None:
                return None
            if not text:
                left = encoder.encode("", final=True) if has_begun else b""
                break
            has_begun = True
            left = text if isinstance(text, bytes) else encoder.encode(text)
        piece, left = left[:size], left[size:]
        return piece

    return read_encoded


def _characters(read: Any, most: int) -> Any:
    """Read from a codecs.StreamReader, without taking an incomplete character for the end."""
    return read(most, most)


def _decoded(file: TextIOWrapper, raw: Any, most: int) -> str | None:
    """Return decoded text, or text from one read; None if that would block."""
    text = _pending(file, most)
    if text:
        return text
    if not _ready(raw.fileno()):
        return None
    first = file.read(1)
    return first + _pending(file, most - 1) if first else ""


def _pending(file: TextIOWrapper, most: int) -> str:
    """Return decoded text, without reading. Meanwhile, reads from the buffer raise an exception."""

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
