"""Waiting in an event loop until an execution can go on after an event.

`wait_for_event` uses public parts of asyncio only, so every event loop works. It blocks no thread:
descriptors are watched by the loop, or, where the loop can't, looked at again after a while. This
module runs no wasm code.
"""

from __future__ import annotations

import asyncio
import os

from .._base.clock import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .event import Event

# Seconds between two looks at what nothing tells about: streams of Python, and descriptors that
# the loop can't watch.
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02


async def wait_for_event(event: Event, *, pause: float = FIRST_PAUSE) -> Any:
    """Wait until the execution that stopped with `event` may go on; return what to send to it.

    "call": await the event's awaitable, and return its result. "sleep": wait until `event.until`.
    "stdin", "stdout": wait until one of the descriptors is ready, or until `event.until`; for a
    stream of Python, wait for `pause` seconds, since only trying again tells. "slice": let the
    event loop run once.
    Raises RuntimeError for a call of a host function that has returned SUSPEND, and what the
    awaitable raises.
    """
    if event.kind == "call":
        if event.awaitable is None:
            raise unanswered(event)
        return await event.awaitable
    if event.kind == "slice":
        await asyncio.sleep(0)
    elif event._descriptors:
        await _wait_for_descriptors(event)
    elif event.kind == "sleep":
        # at least once through the loop; without an end until it is cancelled
        await asyncio.sleep(_seconds_to(event.until, 3600.0))
    else:
        await asyncio.sleep(min(pause, _seconds_to(event.until, pause)))
    return None


def unanswered(event: Event) -> RuntimeError:
    """Return the error for a host function that returned SUSPEND where nobody answers."""
    advice = "make it an `async def`"
    if event.awaitable is not None or getattr(event._host, "is_async", False):
        advice = "return the result"
    return RuntimeError(
        f"{event._host} returned SUSPEND, and nobody gives its result to a call that is awaited: "
        f"{advice}, or use Func.execution"
    )


def _seconds_to(until: float | None, otherwise: float) -> float:
    return otherwise if until is None else max(0.0, until - monotonic())


async def _wait_for_descriptors(event: Event) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    undo: list[Callable[[], object]] = []
    polled: list[tuple[int, bool]] = []
    if event.until is not None:
        undo.append(loop.call_later(_seconds_to(event.until, 0.0), _set, ready).cancel)
    try:
        for fd, output in event._descriptors:
            try:
                undo.append(_watch(loop, fd, output, ready))
            except PermissionError:  # a file, which is always ready
                _set(ready)
            except (OSError, NotImplementedError, RuntimeError):
                polled.append((fd, output))
        if polled and not ready.done():
            poller = loop.create_task(_poll(polled, ready))
            undo.append(poller.cancel)
        await ready
        if not undo:
            await asyncio.sleep(0)  # nothing waited: let the loop run
    finally:
        for function in undo:
            function()


def _watch(
    loop: asyncio.AbstractEventLoop, fd: int, output: bool, ready: asyncio.Future[None]
) -> Callable[[], object]:
    """Let the loop complete `ready` when the descriptor is; return a function that undoes it.

    A copy of the descriptor is watched: others may watch the descriptor itself, or close it.
    """
    copy = os.dup(fd)
    try:
        if output:
            loop.add_writer(copy, _set, ready)
        else:
            loop.add_reader(copy, _set, ready)
    except BaseException:
        os.close(copy)
        raise

    def unwatch() -> None:
        try:
            if not loop.is_closed():
                (loop.remove_writer if output else loop.remove_reader)(copy)
        finally:
            os.close(copy)

    return unwatch


async def _poll(descriptors: list[tuple[int, bool]], ready: asyncio.Future[None]) -> None:
    """Complete `ready` when one of the descriptors is, or has an error, which using it reports."""
    pause = FIRST_PAUSE
    while not _any_is_ready(descriptors):
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    _set(ready)


def _any_is_ready(descriptors: list[tuple[int, bool]]) -> bool:
    import select

    if not hasattr(select, "poll"):  # Windows, where C waits for no descriptor
        return True
    poll = select.poll()
    for fd, output in descriptors:
        poll.register(fd, select.POLLOUT if output else select.POLLIN)
    return bool(poll.poll(0))


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
