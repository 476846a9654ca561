"""The two drivers of turns: one in the calling thread, one in asyncio."""

from __future__ import annotations

from _thread import allocate_lock
from contextlib import suppress
from threading import Event

from ._tools import drop_awaitable, is_awaitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    from ._machine import Machine
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
            _sleep(machine, seconds)
            machine.slept(seconds)
        elif then == "call":
            turn.check_synchronous()
            try:
                value = turn.call()
            except Exception as error:  # noqa: BLE001 - the code gets it
                turn.failed(error)
            else:
                turn.answer(value)
    return turn.result


async def drive_async(turn: Turn, first: Callable[[], object]) -> Result:
    """Run a turn to its end: code in threads of the loop's executor, tools on the loop.

    first: called in the thread before the code runs. Raises RuntimeError without an event loop.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "run_async needs an event loop of asyncio, and none runs here: call `run`, in other "
            "frameworks in a thread"
        ) from None

    def begin() -> Next:
        first()
        return turn.advance()

    step: Callable[[], Next] = begin
    while turn.result is None:
        then = await _in_thread(step, turn.interrupt)
        step = turn.advance
        if then == "sleep":
            seconds = turn.machine.nap()
            await _until_woken(turn.machine, asyncio.sleep(seconds))
            turn.machine.slept(seconds)
        elif then == "call":
            try:
                value = turn.call()
                if is_awaitable(value):
                    value = await _until_woken(turn.machine, value)
            except Exception as error:  # noqa: BLE001 - the code gets it
                turn.failed(error)
            else:
                turn.answer(value, awaited=True)
    return turn.result


def _sleep(machine: Machine, seconds: float) -> None:
    """Sleep, unless the machine is interrupted."""
    woken = Event()
    machine.wake = woken.set
    try:
        if not machine.interrupted:
            woken.wait(seconds)
    finally:
        machine.wake = None


async def _until_woken(machine: Machine, awaitable: Awaitable[T]) -> T | None:
    """Await in this task; if the machine is interrupted, cancel what is awaited and return None."""
    import asyncio

    task: asyncio.Task[Any] | None = asyncio.current_task()
    loop = asyncio.get_running_loop()
    waits, woken = True, False

    def cancel() -> None:
        nonlocal woken
        if waits and not woken and task is not None:
            woken = True
            task.cancel()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(cancel)

    machine.wake = wake
    try:
        if machine.interrupted:
            drop_awaitable(awaitable)
            return None
        return await awaitable
    except asyncio.CancelledError:
        if not woken:
            raise
        woken = False
        if _uncancelled(task):  # somebody else has cancelled the task, too
            raise
        return None
    finally:
        machine.wake, waits = None, False
        if woken:
            _uncancelled(task)


def _uncancelled(task: asyncio.Task[Any] | None) -> int:
    """Take back one cancellation; return how many there are besides. 0 before Python 3.11."""
    uncancel = getattr(task, "uncancel", None)
    return 0 if uncancel is None else int(uncancel())


async def _in_thread(function: Callable[[], T], interrupt: Callable[[], object]) -> T:
    """Call a function in a thread; if the task is cancelled, interrupt it and wait for its end."""
    import asyncio

    begun = allocate_lock()  # by the thread, or by a cancellation that comes first
    ended = Event()
    lost: list[BaseException] = []

    def call() -> T:
        try:
            if not begun.acquire(blocking=False):
                raise asyncio.CancelledError
            try:
                return function()
            except BaseException as error:
                lost.append(error)
                raise
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
        if lost and lost[0] is not error:
            raise error from lost[0]
        raise
    finally:
        lost.clear()  # no cycle through the traceback


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
