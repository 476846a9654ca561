"""The prelude of a Program: what it wrote before it first waited, which each run writes again."""

from __future__ import annotations

import os
import select
from errno import EBADF
from functools import partial
from time import sleep

from .._runtime.event import Event
from .._wasi.stdio import open_for_output
from .waiting import wait_for_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .._base.aliases import Stdio
    from .._wasi.stdio import Stream
    from .._wasi.streams import Streams

    # Pieces in the order in which they were written, each with the guest's descriptor, 1 or 2.
    Prelude: TypeAlias = "tuple[tuple[int, bytes], ...]"

_RETRY = 0.02  # seconds until a stream that has taken nothing is tried again
_PIECE = getattr(select, "PIPE_BUF", 0)  # what a pipe takes that poll() calls writable; 0: no poll


def recorder(pieces: list[tuple[int, bytes]], fd: int) -> Callable[[bytes], object]:
    """Return a function that appends to the pieces."""

    def record(data: bytes) -> None:
        if pieces and pieces[-1][0] == fd:
            data = pieces.pop()[1] + data
        pieces.append((fd, data))

    return record


def output_of(prelude: Prelude, fd: int) -> bytes:
    """Return what was written to the guest's descriptor."""
    return b"".join([data for number, data in prelude if number == fd])


def opened(value: Stdio, to_close: list[int]) -> Stdio:
    """Return an argument for WasiConfig to which the prelude can be written, too.

    A path is opened; its descriptor is appended to `to_close`.
    """
    if isinstance(value, (str, os.PathLike)) and value != "inherit":
        to_close.append(open_for_output(os.fspath(value)))
        return to_close[-1]
    return value


def write_prelude(
    prelude: Prelude,
    stdio: tuple[Stream, ...],
    streams: Streams,
    check: Callable[[], object],
) -> None:
    """Write the prelude where the program's output goes, before the program goes on.

    check: called while a stream takes nothing; what it raises ends the writing.
    """
    for fd, data in prelude:
        write = streams.writers.get(fd)
        if write is not None:
            _write_all(write, data, check)
            continue
        stream: Any = stdio[fd]
        descriptor = stream.descriptor
        if stream.file is not None:
            descriptor = stream.file.fileno()
        if descriptor is not None:
            try:
                _write_all(partial(_write_piece, descriptor, check), data, check)
            except BrokenPipeError:
                pass  # nobody reads: what the program writes next has the errno PIPE
            except OSError as error:
                if not stream.inherits or error.errno != EBADF:
                    raise  # else this process has no such stream


def _write_piece(descriptor: int, check: Callable[[], object], data: bytes) -> int:
    """Write some of the data when the descriptor takes it: os.write could wait for ever."""
    if not _PIECE:
        return os.write(descriptor, data)
    wait_for_event(Event("stdout", descriptors=((descriptor, True),)), check=check)
    return os.write(descriptor, data[:_PIECE])


def _write_all(write: Callable[[bytes], int], data: bytes, check: Callable[[], object]) -> None:
    while data:
        try:
            taken = write(data)
        except BlockingIOError:
            taken = 0
        data = data[taken:]
        if data and not taken:
            sleep(_RETRY)
            check()
