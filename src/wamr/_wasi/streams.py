"""Python's part in a program's stdio: bytes, callables and file objects, a piece at a time.

Streams that have no descriptor are collected in a `Streams`, which C calls by its number for each
read and write (src/native/wasi/stdio.c). What they raise is kept as callbacks.py keeps what host
functions raise, and comes out of the call that ran the program. What can't be read or written yet
is tried again by C, which looks in between at what stops the program.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from io import RawIOBase
from operator import index
from weakref import WeakValueDictionary

from .._backend.binding import ffi, keep_raised, lib
from .._base.callables import refuse_unrun
from .._runtime.callbacks import NOT_KEPT
from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .files import Read

    # Answers how many bytes it has taken; 0: none for now.
    Write: TypeAlias = Callable[[bytes], int]

_PATIENCE = 250  # times that nothing is taken, 20 ms apart, until that is an error
_LATER: int = lib.WPY_WOULD_BLOCK


# ------------------------------------------------------------------ reading
def reader(source: Any) -> Read:
    """Return what reads from bytes, a file object or a callable."""
    if isinstance(source, bytes):
        rest = memoryview(source)

        def read_bytes(size: int) -> bytes:
            nonlocal rest
            piece, rest = rest[:size], rest[size:]
            return bytes(piece)

        return read_bytes
    if hasattr(source, "read"):
        return files.reader(source)

    def read_answer(size: int) -> bytes:
        data = source(size)
        if data is None:
            raise TypeError("stdin gave NoneType where bytes are needed, b'' at the end")
        return data  # type: ignore[no-any-return]

    return read_answer


def text_reader(
    source: Callable[[int], object], encoding: str, errors: str
) -> Callable[[int], bytes]:
    """Return what reads from a callable that gives str."""
    left = b""

    def read_text(size: int) -> bytes:
        nonlocal left
        if not left:
            text = source(size)
            if not isinstance(text, str):
                refuse_unrun("stdin", text)
                raise TypeError(
                    f"stdin gave {type(text).__name__} where str is needed, in text mode"
                )
            left = text.encode(encoding, errors)
        piece, left = left[:size], left[size:]
        return piece

    return read_text


# ------------------------------------------------------------------ writing
class Sink:
    """Something to write to, and what its answers mean.

    A number: so much was taken. None: all of it, or nothing yet, if it is a raw file. What else a
    callable answers means nothing.
    """

    __slots__ = ("_idle", "_name", "_none", "_strict", "_units", "_write")

    def __init__(self, name: str, write: Callable[[Any], object], file: Any, units: str) -> None:
        self._name = name
        self._write = write
        self._strict = file is not None
        self._none = isinstance(file, RawIOBase)
        self._units = units
        self._idle = 0

    def put(self, piece: Any) -> int:
        """Return how much was taken; 0: nothing yet."""
        size = len(piece)
        try:
            taken = self._understood(self._write(piece), size)
        except BlockingIOError as error:
            if not self._strict or self._idle >= _PATIENCE:
                raise
            taken = getattr(error, "characters_written", 0)
        if taken:
            self._idle = 0
            return taken
        self._idle += 1
        if self._idle > _PATIENCE:
            import errno

            self._idle = 0
            raise BlockingIOError(
                errno.EAGAIN, f"{self._name} has taken none of {size} {self._units} for too long"
            )
        return 0

    def _understood(self, answer: object, size: int) -> int:
        if answer is None:
            return 0 if self._none else size
        if isinstance(answer, bool) or not hasattr(answer, "__index__"):
            refuse_unrun(self._name, answer)
            if self._strict:
                raise TypeError(
                    f"{self._name}'s write returned {type(answer).__name__}: it must return the "
                    f"number of {self._units} that it has written, or None"
                )
            return size
        taken = index(answer)
        if not 0 <= taken <= size:
            raise ValueError(f"{self._name} says that it has taken {taken} of {size} {self._units}")
        return taken


class TextWriter:
    """Bytes to something that takes str, which get there as characters are complete."""

    __slots__ = ("_decoder", "_rest", "_sink")

    def __init__(self, sink: Sink, decoder: Any) -> None:
        self._sink = sink
        self._decoder = decoder
        self._rest = ""

    def __call__(self, data: bytes) -> int:
        if not self._rest:  # else these are the bytes that it is of, once more
            self._rest = self._decoder.decode(data)
        return len(data) if self._put() else 0

    def _put(self) -> bool:
        rest, self._rest = self._rest, ""
        while rest:
            taken = self._sink.put(rest)
            if not taken:
                self._rest = rest
                return False
            rest = rest[taken:]
        return True

    def end(self) -> None:
        """Write what was left of a character that never was complete."""
        self._rest = self._decoder.decode(b"", True)
        while not self._put():
            from time import sleep

            sleep(0.02)


def text_decoder(encoding: str, errors: str, *, newlines: bool = False) -> Any:
    """Return an incremental decoder. newlines: every line ending becomes a single newline."""
    decoder = getincrementaldecoder(encoding)(errors)
    if newlines:
        from io import IncrementalNewlineDecoder

        return IncrementalNewlineDecoder(decoder, translate=True)
    return decoder


def writer(name: str, source: Any) -> Write:
    """Return what writes to a file object or a callable."""
    if isinstance(source, TextWriter):
        return source
    if not hasattr(source, "write"):
        return Sink(name, source, None, "bytes").put
    below = files.bytes_below(source, "write")
    if below is not None:
        source.flush()
        return writer(name, below)
    if files.is_text(source):
        sink = Sink(name, source.write, source, "characters")
        return TextWriter(sink, text_decoder("utf-8", "replace"))
    return Sink(name, source.write, source, "bytes").put


# ------------------------------------------------------------------ called by C
class Streams:
    """The stdio of one instance that is Python's."""

    __slots__ = ("__weakref__", "read", "writers")

    def __init__(self) -> None:
        self.read: Read = bytes
        self.writers: dict[int, Write] = {}

    def end(self) -> None:
        """The program has ended: write what is left."""
        for write in {id(write): write for write in self.writers.values()}.values():
            if isinstance(write, TextWriter):
                write.end()


streams_by_number: WeakValueDictionary[int, Streams] = WeakValueDictionary()


@ffi.def_extern(error=NOT_KEPT, onerror=keep_raised)
def wpy_py_wasi_read(who: int, data: Any, size: int) -> int:
    """Read at most `size` bytes for the program; 0: the end."""
    piece = streams_by_number[who].read(size)
    if piece is None:
        return _LATER
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
    """Take what the program has written; how much, 0: nothing yet."""
    return streams_by_number[who].writers[fd](bytes(ffi.buffer(data, size)))
