"""Turns of programs in asyncio.

By default, code runs in threads of the event loop's executor, in slices, so that many programs take
turns in few threads. While a program waits, it has no thread. Only public parts of asyncio are
used, so every event loop works.
"""

from __future__ import annotations

import asyncio
from _thread import allocate_lock
from contextvars import copy_context
from functools import partial

from .._base.clock import monotonic
from .._runtime.event import Event
from .._runtime.event_loops import running_loop
from .._runtime.event_waits import wait_for_event
from .._runtime.executor import Work, outcome
from .._runtime.limits import checked_slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .running import Turn

    T = TypeVar("T")

_PAUSE = 0.02  # seconds until a stream of Python is tried again
_SLICE_NS = 20_000_000  # in a thread: a cancelled task waits for the end of a slice


def check_loop() -> None:
    """Raise RuntimeError if another framework than asyncio runs."""
    running_loop(
        "awaiting a program",
        "Call `run`, `feed` or `end` in a thread there, as `trio.to_thread.run_sync` does",
    )


async def drive_async(turn: Turn, slice: float | None = None) -> None:  # noqa: A002
    """Run the program to the end of the turn, which has begun.

    slice: None to run code in the executor; otherwise seconds: code runs in the thread of the event
    loop, which runs once after each slice. Raises CancelledError when no code runs any more; the
    program stays where it is. Raises RuntimeError if no event loop of asyncio runs.
    """
    check_loop()
    step: Callable[[], Event | None]
    if slice is None:
        step = partial(copy_context().run, turn.step, _SLICE_NS)
        while (event := await in_executor(step)) is not None:
            await _wait(event, turn)
    else:
        slice_ns = checked_slice(slice)
        while (event := turn.step(slice_ns)) is not None:
            await _wait(event, turn)


async def _wait(event: Event, turn: Turn) -> None:
    """Wait until the program can go on, until the end of the turn, or until it is closed."""
    if event.kind == "slice":
        await asyncio.sleep(0)
        return
    loop, now = asyncio.get_running_loop(), monotonic()
    woken = loop.create_future()
    undo: list[Callable[[], object]] = []
    ends = [time for time in (event.until, turn.until) if time is not None]
    if event.kind != "sleep" and not event._descriptors:
        ends.append(now + _PAUSE)
    if ends:
        undo.append(loop.call_later(max(0.0, min(ends) - now), _wake, woken).cancel)
    if event._descriptors:
        event = Event(event.kind, None, (), None, event._descriptors)
        watcher = loop.create_task(wait_for_event(event))
        watcher.add_done_callback(partial(_watched, woken))
        undo.append(watcher.cancel)
    turn.wake_on_close(partial(loop.call_soon_threadsafe, _wake, woken))
    try:
        turn.check()
        await woken
    finally:
        turn.wake_on_close(None)
        for function in undo:
            function()
    turn.check()


def _watched(waiter: asyncio.Future[None], watcher: asyncio.Task[None]) -> None:
    if not watcher.cancelled():
        watcher.exception()  # reading or writing will report it
    _wake(waiter)


class _Step(Work):
    """A step of a turn, which nothing stops: it ends with its slice."""

    __slots__ = ("_ended",)

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(function)
        self._ended = allocate_lock()
        self._ended.acquire()

    def _call(self) -> Any:
        try:
            return self._function()
        finally:
            self._ended.release()

    def leave(self) -> None:
        """Wait for the thread, since whoever closes the coroutine may close the program next."""
        self._ended.acquire()


async def in_executor(function: Callable[[], T]) -> T:
    """Call a function in a thread of the event loop's executor; return its result.

    If the task is cancelled, raise CancelledError when the function has returned, or at once if it
    has not begun.
    """
    step = _Step(function)
    result: T = await outcome(step, step.run)
    return result


def _wake(waiter: asyncio.Future[None], _: object = None) -> None:
    if not waiter.done():
        waiter.set_result(None)
