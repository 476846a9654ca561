"""Turns: which of the awaited calls of a group may run, in the order in which they came.

Awaited calls must not block an event loop, so they don't wait for the lock of a group in C: they
wait in a `CallQueue`, whose first call has its turn. A call keeps its turn until it ends, also
while it awaits a host function. Calls that this host function makes can't wait for that: they run
above the suspended call, and wait in a queue of its own, which the call itself joins to go on.
Event loops of several threads use a queue without a lock: to join or leave is one atomic operation
of its list. An exception of a signal handler can at most prevent that the next call is woken, and
each call looks at the queue by itself from time to time.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from weakref import ref

from .._base.locks import renewed_in_children
from .._base.shared_objects import SharedObjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Caller(Protocol):
        """A call that takes turns."""

        loop: asyncio.AbstractEventLoop
        over: bool  # whether it will do nothing more

        def abandon(self) -> None:
            """End the call, whose loop is closed."""


_LOOK_AGAIN = 0.5  # seconds after which a call looks whether the loop of another one is closed


class Place:
    """The place of a call in a queue."""

    __slots__ = ("_caller", "_woken")

    def __init__(self, caller: Caller) -> None:
        self._caller = ref(caller)  # weak: a loop that is dropped drops its calls
        self._woken: asyncio.Future[None] | None = None  # None: it doesn't wait

    def wake(self) -> None:
        """Wake the call, if it waits; in any thread."""
        woken, self._woken = self._woken, None  # which refers to the task and the call
        if woken is not None:
            with suppress(RuntimeError):  # its loop is closed: the queue goes on without it
                woken.get_loop().call_soon_threadsafe(_set, woken)

    def wake_here(self) -> None:
        """Wake the call, in the thread of its loop."""
        woken, self._woken = self._woken, None
        if woken is not None:
            _set(woken)

    def sleep(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Return a new future, which `wake` sets; in the thread of the loop."""
        self._woken = woken = loop.create_future()
        return woken

    def is_alive(self) -> bool:
        """Tell whether the call still exists, and can run."""
        caller = self._caller()
        if caller is None or caller.over:
            return False
        if caller.loop.is_closed():
            caller.abandon()
            return False
        return True


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class CallQueue:
    """A queue of calls, of which the first one has its turn."""

    __slots__ = ("__weakref__", "_places", "ended")

    def __init__(self) -> None:
        self._places: list[Place] = []
        self.ended = False

    def join(self, place: Place) -> bool:
        """Take the last place; return whether the call has its turn, or the queue has ended."""
        self._places.append(place)
        return self.ended or self.is_first(place)

    def is_first(self, place: Place) -> bool:
        """Tell whether a place has its turn."""
        for first in iter(self._first, None):
            if first is place:
                return True
            if first.is_alive():
                return False
            self._remove(first)
        return False

    def _first(self) -> Place | None:
        for place in self._places[:1]:
            return place
        return None

    def leave(self, place: Place) -> None:
        """Give the place away, and the turn to the next call if it was the first."""
        self._remove(place)
        first = self._first()
        if first is not None:
            first.wake()

    def _remove(self, place: Place) -> None:
        with suppress(ValueError):  # it isn't in the queue
            self._places.remove(place)

    def end(self) -> None:
        """Wake all calls, which look for another queue."""
        self.ended = True
        for place in [*self._places]:
            place.wake()

    async def wait(self, place: Place, loop: asyncio.AbstractEventLoop) -> bool:
        """Wait for the turn, or until something else wakes the place; return whether it came."""
        woken = place.sleep(loop)
        if not self.ended and not self.is_first(place):  # it may have come before `sleep`
            timer = loop.call_later(_LOOK_AGAIN, _set, woken)
            try:
                await woken
            finally:
                timer.cancel()
        return not self.ended and self.is_first(place)


class _Queues(SharedObjects):
    __slots__ = ("__weakref__",)

    def renew(self) -> None:
        """Forget the queues, in the child of a fork: the loops of their calls don't run there."""
        self._references.clear()


_queues = renewed_in_children(_Queues())  # by group


def queue_of(group: int) -> CallQueue:
    """Return the queue of a group, which lives as long as somebody is in it."""
    queue = _queues.get(group)
    if queue is None:
        queue = _queues.setdefault(group, CallQueue())
    found: CallQueue = queue
    return found
