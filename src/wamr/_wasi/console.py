"""Descriptors of Windows' consoles, which take and give text, not bytes.

Writing bytes to such a descriptor shows each byte in the console's own encoding. Python's file
class for consoles converts UTF-8, so a program's stream of a console is a stream of Python.
"""

from __future__ import annotations

import codecs
import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

# The class of Python's files for consoles; None on other systems.
CONSOLE: type[io.RawIOBase] | None = getattr(io, "_WindowsConsoleIO", None)


def console_writer(descriptor: int) -> Callable[[bytes], None] | None:
    """Return a function that writes UTF-8 to a console; None if the descriptor is none."""
    file: Any = _opened(descriptor, "wb", 0)
    if file is None or type(file) is not CONSOLE:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(data: bytes) -> None:
        left = decoder.decode(data).encode()  # whole characters only
        while left:
            left = left[file.write(left) :]

    return write


def console_reader(descriptor: int) -> Callable[[int], bytes] | None:
    """Return a function that reads UTF-8 from a console; None if the descriptor is none."""
    file: Any = _opened(descriptor, "rb", -1)
    return file.read1 if file is not None and type(file.raw) is CONSOLE else None


def _opened(descriptor: int, mode: str, buffering: int) -> IO[Any] | None:
    """Return a file for the descriptor; None where there are no consoles, or it isn't open."""
    if CONSOLE is None:
        return None
    try:
        return open(descriptor, mode, buffering, closefd=False)
    except OSError:  # duplicating the descriptor reports it
        return None
