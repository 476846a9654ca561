"""Drivers of turns: in the calling thread, and in asyncio."""

from __future__ import annotations

import inspect
import time
from _thread import allocate_lock
from contextlib import suppress
from threading import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._results import Result
    from ._turn import Next, Turn

    T = TypeVar("T")


def drive(turn: Turn) -> Result:
    """Run a turn to its end in this thread.

    Raises what a tool raises if it isn't an Exception, and RuntimeError where the code calls a tool
    whose result has to be awaited.
    """
    machine = turn.machine
    while turn.result is None:
        then = turn.advance()
        if then == "sleep":
            seconds = machine.nap()
            time.sleep(seconds)
            machine.slept(seconds)
        elif then == "call":
            turn.check_synchronous()
            try:
                value = turn.call()
            except Exception as error:  # noqa: BLE001 - the code gets it
                turn.failed(error)
            else:
                try:
                    turn.answer(value)
                except TypeError:
                    turn.refuse_awaitable(value)
                    raise
    return turn.result


async def drive_async(turn: Turn, first: Callable[[], object]) -> Result:
    """Run a turn to its end: code in threads of the loop's executor, tools on the loop.

    first: called in the thread before the code runs.
    """
    import asyncio

    def begin() -> Next:
        first()
        return turn.advance()

    step: Callable[[], Next] = begin
    while turn.result is None:
        then = await _in_thread(step, turn.interrupt)
        step = turn.advance
        if then == "sleep":
            seconds = turn.machine.nap()
            await asyncio.sleep(seconds)
            turn.machine.slept(seconds)
        elif then == "call":
            try:
                value = turn.call()
                if inspect.isawaitable(value):
                    value = await value
            except Exception as error:  # noqa: BLE001 - the code gets it
                turn.failed(error)
            else:
                try:
                    turn.answer(value)
                except TypeError:
                    turn.refuse_awaitable(value)
                    raise
    return turn.result


async def _in_thread(function: Callable[[], T], interrupt: Callable[[], object]) -> T:
    """Call a function in a thread; if the task is cancelled, interrupt it and wait for its end."""
    import asyncio

    begun = allocate_lock()  # taken by the thread, or by who wants it not to begin
    ended = Event()

    def call() -> T:
        if not begun.acquire(blocking=False):
            raise asyncio.CancelledError
        try:
            return function()
        finally:
            ended.set()

    future = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except BaseException as error:
        future.add_done_callback(_seen)
        while not ended.is_set() and not begun.acquire(blocking=False):
            interrupt()
            if isinstance(error, GeneratorExit):  # nothing can be awaited
                ended.wait(0.05)
                continue
            with suppress(asyncio.CancelledError):  # cancelled once more
                await asyncio.wait([future], timeout=0.05)
        raise


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
