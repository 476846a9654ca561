"""Calls in a thread of an event loop's executor: awaited, stopped on cancellation.

`in_thread` runs what an awaited call does in another thread. A `Work` is one function, shared by
the thread of the event loop and the thread of the executor. Cancelling the task never abandons a
running call. It sets a flag that C checks (`wpy_thread_set_stop` in
src/native/runtime/activation.c), which stops all wasm code of the thread, and waits for the thread:
CancelledError is raised when nothing runs any more. Only public parts of asyncio are used, so every
event loop works. This module doesn't know what the calls do.
"""

from __future__ import annotations

import asyncio
from _thread import allocate_lock
from contextvars import copy_context
from functools import partial

from .._backend.binding import ffi, lib
from ..errors import Trap, TrapCode
from .callbacks import checks_of_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Work:
    """A function that runs once in a thread of an executor, unless it is stopped before.

    Its result or exception is kept here, not in a future: futures reject StopIteration and replace
    some exceptions, and one that was cancelled has none.
    """

    __slots__ = ("_function", "_taken", "error", "result")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._taken = allocate_lock()  # by the thread, or by `stop`
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call the function in this thread, unless `stop` came first."""
        if not self._taken.acquire(blocking=False):
            return
        try:
            self.result = self._call()
        except BaseException as error:  # noqa: BLE001 - `outcome` raises it
            self.error = error

    def _call(self) -> Any:
        return self._function()

    def stop(self) -> bool:
        """Return whether the function has not begun, in which case it never will."""
        return self._taken.acquire(blocking=False)

    def lost(self) -> BaseException | None:
        """Return the exception that is lost if the task was cancelled meanwhile, or None."""
        return self.error

    def leave(self) -> None:
        """Nobody waits for the thread any more, in which the function runs."""


class _Call(Work):
    """A call of wasm code, which can be stopped."""

    __slots__ = ("_loop", "_stop")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[Any], Any]) -> None:
        super().__init__(function)
        self._loop = loop
        self._stop = ffi.new("uint32_t *")

    def _call(self) -> Any:
        # an executor may use the submitting thread
        return checks_of_code.during(self._check_loop, self._call_stoppable)

    def _call_stoppable(self) -> Any:
        before = lib.wpy_thread_set_stop(ffi.NULL)
        try:
            lib.wpy_thread_set_stop(self._stop)
            return self._function(self._stop)
        finally:
            lib.wpy_thread_set_stop(before)

    def stop(self) -> bool:
        """Stop the call; return whether it had not begun, in which case it never will."""
        self._stop[0] = 1
        return super().stop()

    def lost(self) -> BaseException | None:
        """As of Work; not the trap of a call that was stopped."""
        error = self.error
        interrupted = isinstance(error, Trap) and error.code is TrapCode.INTERRUPTED
        return None if interrupted else error

    def _check_loop(self) -> None:
        """Stop the call if its event loop is closed; C calls this every 50 ms."""
        if self._loop.is_closed():
            self._stop[0] = 1


def _wake(waiter: asyncio.Future[None], _: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def outcome(work: Work, run: Callable[[], object]) -> Any:
    """Call `run`, which runs the work, in a thread of the event loop's executor; return its result.

    Raises what the work raises. If the task is cancelled, stops the work, and raises CancelledError
    when it has ended, or at once if it has not begun. Its cause is what the work has raised.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, run)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        waiter = loop.create_future()  # cancelled in place of `future`, which must report the end
        future.add_done_callback(partial(_wake, waiter))
        try:
            await waiter
        except asyncio.CancelledError as error:
            if work.stop():
                future.cancel()
                raise
            cancelled = error
        except BaseException:  # the coroutine was closed, or Ctrl-C: waiting is over
            if work.stop():
                future.cancel()
            else:
                work.leave()
            raise
    lost = None if cancelled is None else work.lost()
    raised, work.error = cancelled or work.error, None  # no cycle through the frames of `raised`
    try:
        if lost is not None:
            raise cancelled from lost  # type: ignore[misc]
        if raised is not None:
            raise raised
        future.result()  # raises an error of the executor, as after a shutdown
        return work.result
    finally:
        del raised, cancelled, lost  # no cycle through the traceback, which has this frame


async def in_thread(function: Callable[[Any], Any]) -> Any:
    """Call `function` in a thread of the event loop's executor; return its result.

    The function runs in a copy of the task's context. Its argument is a uint32_t *, which stops the
    wasm code of the thread once it is set. Raises what the function raises, and CancelledError.
    """
    work = _Call(asyncio.get_running_loop(), function)
    return await outcome(work, partial(copy_context().run, work.run))
