"""Calls beside an event loop: made in a thread, awaited, stopped when their task is cancelled.

`in_thread` is what Func.call_async is made of. A `Work` is one such call: the loop's thread and the
executor's share it. Cancelling never gives a running call up. It sets a number that the C side
looks at (`wpy_thread_set_stop` in native/runtime/activation.c), so all wasm code of that thread
ends, and then waits for the thread: CancelledError comes out when nothing runs any more. Only
public parts of asyncio are used, so any event loop will do. Nothing here knows what is called.
"""

from __future__ import annotations

import asyncio
from _thread import allocate_lock, get_ident
from contextvars import copy_context
from functools import partial

from .._backend.binding import ffi, lib
from .callbacks import looks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Work:
    """One call, which a thread of an executor is to make.

    What it ends with is kept here and not in a future: futures refuse StopIteration, and replace
    some exceptions by others.
    """

    __slots__ = ("_function", "_loop", "_stop", "_taken", "error", "result")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[Any], Any]) -> None:
        self._loop = loop
        self._function = function
        self._stop = ffi.new("uint32_t *")
        self._taken = allocate_lock()  # by the thread that makes the call, or by who gives it up
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Make the call, in this thread, unless it was given up."""
        if not self._taken.acquire(blocking=False):
            return
        thread = get_ident()
        outer = looks.get(thread)  # an executor may make calls in the thread that asks for them
        before = lib.wpy_thread_set_stop(self._stop)
        looks[thread] = self._look
        try:
            self.result = self._function(self._stop)
        except BaseException as error:  # noqa: BLE001 - whoever awaits it raises it
            self.error = error
        finally:
            lib.wpy_thread_set_stop(before)
            if outer is None:
                del looks[thread]
            else:
                looks[thread] = outer

    def stop(self) -> bool:
        """End the call; whether it had not begun, and never will."""
        self._stop[0] = 1
        return self._taken.acquire(blocking=False)

    def _look(self) -> None:
        """End it if nobody can wait for it any more; C asks for this look every 50 ms."""
        if self._loop.is_closed():
            self._stop[0] = 1


def _wake(waiter: asyncio.Future[None], _: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def in_thread(function: Callable[[Any], Any]) -> Any:
    """Return what `function` returns, called in a thread of the event loop's, or raise its error.

    It is called with what ends the call once set (a uint32_t in C), in a copy of this task's
    context.
    """
    loop = asyncio.get_running_loop()
    work = Work(loop, function)
    future = loop.run_in_executor(None, copy_context().run, work.run)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        waiter = loop.create_future()  # what may be cancelled: a cancelled `future` tells no end
        future.add_done_callback(partial(_wake, waiter))
        try:
            await waiter
        except asyncio.CancelledError as error:
            if work.stop():
                future.cancel()
                raise
            cancelled = error
        except BaseException:  # this coroutine is closed, or Ctrl-C: there is no more waiting
            if work.stop():
                future.cancel()
            raise
    raised, work.error = cancelled or work.error, None  # frames of what is raised lead to `work`
    try:
        if raised is not None:
            raise raised
        future.result()  # the executor's own error, or its shutdown
        return work.result
    finally:
        del raised, cancelled  # and its traceback to this frame
