"""Waiting until a suspended execution can go on: for the descriptors and the clock of its event.

`wait_for_event` waits in the calling thread. It returns when the execution may go on, or when
`until` has come. It waits in pieces, so that signal handlers run, and another thread can stop the
wait. This module runs no code of an execution.
"""

from __future__ import annotations

import select
from time import sleep

from .._base.clock import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._runtime.event import Event

PIECE = 0.05  # seconds between two checks
_RETRY = 0.02  # seconds until a stream of Python, which can't be waited for, is tried again


def wait_for_event(
    event: Event, until: float | None = None, check: Callable[[], object] | None = None
) -> None:
    """Wait until the execution that has stopped with `event` can go on, or until `until`.

    until: a time of time.monotonic(), or None. check: a function to call from time to time; what it
    raises ends the wait. Raises KeyboardInterrupt and what other signal handlers raise.
    """
    if event.kind not in ("stdin", "stdout", "sleep"):
        return
    ends = [time for time in (event.until, until) if time is not None]
    descriptors = event._descriptors
    if event.kind != "sleep" and not descriptors:
        ends.append(monotonic() + _RETRY)
    end = min(ends) if ends else None
    while True:
        left = PIECE if end is None else min(PIECE, end - monotonic())
        if left <= 0:
            return
        if not descriptors:
            sleep(left)
        elif _ready(descriptors, left):
            return
        if check is not None:
            check()


def _ready(descriptors: tuple[tuple[int, bool], ...], seconds: float) -> bool:
    """Wait for the descriptors, each with whether it is for writing; return whether one is ready.

    A descriptor that was closed is ready, since the program will be told.
    """
    if not hasattr(select, "poll"):
        return _selected(descriptors, seconds)
    poll = select.poll()
    for descriptor, output in descriptors:
        poll.register(descriptor, select.POLLOUT if output else select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _selected(descriptors: tuple[tuple[int, bool], ...], seconds: float) -> bool:
    """As `_ready`, where the system has no poll()."""
    readers = [descriptor for descriptor, output in descriptors if not output]
    writers = [descriptor for descriptor, output in descriptors if output]
    try:
        return any(select.select(readers, writers, [], seconds))
    except (OSError, ValueError):  # as on Windows, for what is no socket
        sleep(min(seconds, _RETRY))
        return True
