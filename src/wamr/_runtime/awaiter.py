"""Awaiting something that may be cancelled although the task that awaits it isn't.

`Stepped` passes on what an awaitable yields, and tells its `Awaiter` which future that is, so that
a timeout, or another thread, can cancel it. This module knows neither calls nor executions.
"""

from __future__ import annotations

import asyncio

from .awaitables import Begun, coroutine_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any


class Awaiter:
    """Awaits something that may be cancelled although its task isn't."""

    __slots__ = ("__weakref__", "_cancelled", "_future", "_woken")

    def __init__(self) -> None:
        self._cancelled = False  # what is awaited: once, so that it can await while it cleans up
        self._future: Any = None  # that the awaitable has yielded
        self._woken = False

    def step(self, step: Callable[[Any], Any], value: Any) -> Any:
        """Call a method of the coroutine that is awaited."""
        return step(value)

    def wake(self) -> None:
        """Cancel what is awaited; in the thread of the loop."""
        if not self._woken:
            self._woken = True
            self._cancel()

    def _cancel(self) -> None:
        if self._woken and not self._cancelled and self._future is not None:
            # a future that is done can't be cancelled: then the next one is
            self._cancelled = self._future.cancel() is not False


def cancellations() -> int:
    """Return how often the task was cancelled, where asyncio counts that (3.11)."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return 0 if cancelling is None else cancelling()


class Stepped:
    """Awaits something for an Awaiter, and tells it what future that waits for."""

    __slots__ = ("_awaitable", "_call")

    def __init__(self, call: Awaiter, awaitable: Any) -> None:
        self._call = call
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        call, awaitable = self._call, self._awaitable
        self._awaitable = None
        try:
            if isinstance(awaitable, Begun):
                coroutine, item = awaitable.take()
            else:
                coroutine = coroutine_of(awaitable)
                item = call.step(coroutine.send, None)
            del awaitable
            call._cancelled = False
            while True:
                call._future = item if hasattr(item, "cancel") else None
                call._cancel()
                try:
                    sent = yield item
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the coroutine gets it
                    step, value = coroutine.throw, error
                else:
                    step, value = coroutine.send, sent
                call._future = None
                try:
                    item = call.step(step, value)
                finally:
                    del step, value  # no cycle through the traceback
        except StopIteration as end:
            return end.value
        finally:
            call._future = None
