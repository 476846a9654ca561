"""Standard streams that Python reads and writes: bytes, callables and file objects.

The streams of an instance that have no descriptor are in a `Streams`, which C calls by its number
for each read and write (src/native/wasi/streams.c). Exceptions are stored as those of host
functions are (callbacks.py), and raised by the call that runs the program. When nothing can be read
or written yet, C tries again, and checks limits and interruptions in between.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from io import RawIOBase
from operator import index
from weakref import WeakValueDictionary

from .._backend.binding import ffi, keep_raised, lib
from .._base.arguments import shown_number
from .._base.callables import refuse_unrun
from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .files import Read

    # Returns how many bytes it has taken; 0: none yet.
    Write: TypeAlias = Callable[[bytes], int]

_MAX_RETRIES = 250  # writes in a row that take nothing, 20 ms apart, before that is an error
_LATER: int = lib.WPY_WOULD_BLOCK
_NOT_KEPT: int = lib.WPY_EXCEPTION_LOST


# ------------------------------------------------------------------ reading
def reader(source: Any) -> Read:
    """Return a function that reads from bytes, a file object or a callable."""
    if isinstance(source, bytes):
        rest = memoryview(source)

        def read_bytes(size: int) -> bytes:
            nonlocal rest
            piece, rest = rest[:size], rest[size:]
            return bytes(piece)

        return read_bytes
    if hasattr(source, "read"):
        return files.reader(source)

    def read_result(size: int) -> bytes:
        may_suspend = lib.wpy_may_suspend()  # first: `source` may switch to another greenlet
        data = source(size)
        if data is None and not may_suspend:
            raise TypeError("stdin gave NoneType where bytes are needed, b'' at the end")
        return data  # type: ignore[no-any-return]

    return read_result


def text_reader(source: Callable[[int], object], encoding: str, errors: str) -> Read:
    """Return a function that reads bytes from a callable that returns str."""

    def read_text(size: int) -> str:
        text = source(size)
        if not isinstance(text, str):
            refuse_unrun("stdin", text)
            raise TypeError(f"stdin gave {type(text).__name__} where str is needed, in text mode")
        return text

    return files.encoded(read_text, encoding, errors)


# ------------------------------------------------------------------ writing
class Sink:
    """A `write` function, and the meaning of its results.

    An int is how much was taken. None means everything, or nothing yet if it is a raw file. Other
    results of a callable are ignored; from a file they are an error.
    """

    __slots__ = ("_is_file", "_is_raw", "_name", "_retries", "_units", "_write")

    def __init__(self, name: str, write: Callable[[Any], object], file: Any, units: str) -> None:
        self._name = name
        self._write = write
        self._is_file = file is not None
        self._is_raw = isinstance(file, RawIOBase)
        self._units = units
        self._retries = 0

    def put(self, piece: Any) -> int:
        """Write, and return how much was taken; 0: nothing yet."""
        size = len(piece)
        try:
            taken = self._amount_taken(self._write(piece), size)
        except BlockingIOError as error:
            if not self._is_file or self._retries >= _MAX_RETRIES:
                raise
            taken = getattr(error, "characters_written", 0)
        if taken:
            self._retries = 0
            return taken
        self._retries += 1
        if self._retries > _MAX_RETRIES:
            import errno

            self._retries = 0
            raise BlockingIOError(
                errno.EAGAIN, f"{self._name} has taken none of {size} {self._units} for too long"
            )
        return 0

    def _amount_taken(self, result: object, size: int) -> int:
        if result is None:
            return 0 if self._is_raw else size
        if isinstance(result, bool) or not hasattr(result, "__index__"):
            refuse_unrun(self._name, result)
            if self._is_file:
                raise TypeError(
                    f"{self._name}'s write returned {type(result).__name__}: it must return the "
                    f"number of {self._units} that it has written, or None"
                )
            return size
        taken = index(result)
        if not 0 <= taken <= size:
            raise ValueError(
                f"{self._name} says that it has taken {shown_number(taken)} of {size} {self._units}"
            )
        return taken


class TextWriter:
    """Writes bytes to a sink of str, each character when its bytes are complete."""

    __slots__ = ("_decoder", "_rest", "_sink")

    def __init__(self, sink: Sink, decoder: Any) -> None:
        self._sink = sink
        self._decoder = decoder
        self._rest = ""

    def __call__(self, data: bytes) -> int:
        if not self._put():
            return 0
        before = self._decoder.getstate()
        self._rest = text = self._decoder.decode(data)
        return len(data) if self._put() else self._go_back(before, data, len(text))

    def _go_back(self, state: Any, data: bytes, size: int) -> int:
        """Forget what the sink hasn't taken of the text of `data`; return how many bytes it has.

        C writes the others again, unless the call ends before. What is left of the text of one byte
        stays in `_rest`.
        """
        left, self._rest = size - len(self._rest), ""
        self._decoder.setstate(state)
        count = 0
        while left > 0:
            text = self._decoder.decode(data[count : count + 1])
            count += 1
            left -= len(text)
            self._rest = text[left:] if left < 0 else ""
        return count

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
        """Write the bytes of an incomplete character at the end."""
        self._rest += self._decoder.decode(b"", True)
        while not self._put():
            from time import sleep

            sleep(0.02)


def text_decoder(encoding: str, errors: str, *, newlines: bool = False) -> Any:
    """Return an incremental decoder; newlines: whether to convert line endings to LF."""
    decoder = getincrementaldecoder(encoding)(errors)
    if newlines:
        from io import IncrementalNewlineDecoder

        return IncrementalNewlineDecoder(decoder, translate=True)
    return decoder


def writer(name: str, source: Any) -> Write:
    """Return a function that writes to a file object or a callable."""
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
def _always() -> bool:
    return True


class Streams:
    """The standard streams of one instance that Python reads and writes.

    ready: returns whether `read` would return something at once, for a program that polls its stdin
    in an execution.
    """

    __slots__ = ("__weakref__", "read", "ready", "writers")

    def __init__(self) -> None:
        self.read: Read = bytes
        self.ready: Callable[[], object] = _always
        self.writers: dict[int, Write] = {}

    def end(self) -> None:
        """Write what is buffered, when the program has ended."""
        for write in {id(write): write for write in self.writers.values()}.values():
            if isinstance(write, TextWriter):
                write.end()


streams_by_number: WeakValueDictionary[int, Streams] = WeakValueDictionary()


@ffi.def_extern(error=_NOT_KEPT, onerror=keep_raised)
def wpy_py_wasi_read(number: int, data: Any, size: int) -> int:
    """Read at most `size` bytes to `data`; return how many, 0 at the end.

    A size of 0 asks whether there is something to read.
    """
    streams = streams_by_number[number]
    if not size:
        return 0 if streams.ready() else _LATER
    piece = streams.read(size)
    if piece is None:
        return _LATER
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        refuse_unrun("stdin", piece)
        raise TypeError(f"stdin gave {type(piece).__name__} where bytes are needed")
    count = memoryview(piece).nbytes
    if count > size:
        raise ValueError(f"stdin gave {count} bytes where at most {size} were asked for")
    if isinstance(piece, memoryview) and not piece.c_contiguous:
        piece = piece.tobytes()
    ffi.memmove(data, piece, count)
    return count


@ffi.def_extern(error=_NOT_KEPT, onerror=keep_raised)
def wpy_py_wasi_write(number: int, fd: int, data: Any, size: int) -> int:
    """Write to the guest's descriptor `fd`; return how many bytes were taken, 0 for none yet."""
    return streams_by_number[number].writers[fd](bytes(ffi.buffer(data, size)))
