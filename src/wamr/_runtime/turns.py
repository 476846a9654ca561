"""Turns: which of the awaited calls of a group may run, in the order in which they came.

Awaited calls must not block an event loop, so they don't wait for the lock of a group in C: they
stand in a `Line`. A call that came first keeps its turn until it ends, also while it awaits a host
function. What that host function calls itself can't wait for this: its calls run above the
suspended one, and stand in a line of that call, which the call itself joins to go on.
Lines are used from several threads with event loops; `lock` guards them.
"""

from __future__ import annotations

import asyncio
from _thread import RLock
from collections import deque
from contextlib import suppress
from weakref import WeakValueDictionary, ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Caller(Protocol):
        """A call that takes turns."""

        loop: asyncio.AbstractEventLoop

        def abandon(self) -> None:
            """End the call, whose loop is closed."""


lock = RLock()  # the collector may end a call, which leaves its line, in the middle of anything
_lines: WeakValueDictionary[int, Line] = WeakValueDictionary()  # by group
_LOOK_AGAIN = 0.5  # seconds after which a call looks whether the loop of another one is closed


class _Place:
    """A place in a line."""

    __slots__ = ("caller", "granted", "woken")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.granted = False
        self.woken: asyncio.Future[None] = caller.loop.create_future()

    def wake(self) -> None:
        """Wake the call; in any thread."""
        loop = self.caller.loop
        with suppress(RuntimeError):  # its loop is closed: `Line` goes on without it
            loop.call_soon_threadsafe(self.wake_here)

    def wake_here(self) -> None:
        """Wake the call, in the thread of its loop."""
        if not self.woken.done():
            self.woken.set_result(None)


class Line:
    """A line of calls, of which one has its turn, the holder."""

    __slots__ = ("__weakref__", "_holder", "_places", "ended")

    def __init__(self) -> None:
        self._holder: ref[Caller] | None = None  # weak: a loop that is dropped drops its calls
        self._places: deque[_Place] = deque()
        self.ended = False

    def _is_free(self) -> bool:
        holder = None if self._holder is None else self._holder()
        if holder is None:
            return True
        if not holder.loop.is_closed():
            return False
        holder.abandon()
        return True

    def try_take(self, caller: Caller) -> bool:
        """Take the turn if nobody else has it or waits for it."""
        with lock:
            return self._try_take(caller)

    def _try_take(self, caller: Caller) -> bool:
        if self._places or not self._is_free():
            return False
        self._holder = ref(caller)
        return True

    def leave(self, caller: Caller) -> None:
        """Give the turn to the next call."""
        with lock:
            if self._holder is not None and self._holder() is caller:
                self._holder = None
                self._next()

    def _next(self) -> None:
        while self._places:
            place = self._places.popleft()
            if not place.caller.loop.is_closed():
                self._holder = ref(place.caller)
                place.granted = True
                place.wake()
                return

    def end(self) -> None:
        """Wake all calls, which look for another line."""
        with lock:
            self.ended = True
            self._holder = None
            places, self._places = self._places, deque()
        for place in places:
            place.wake()

    def join(self, caller: Caller) -> _Place | None:
        """Take the turn, or a place in the line, which is returned."""
        with lock:
            if self.ended or self._try_take(caller):
                return None
            place = _Place(caller)
            self._places.append(place)
            return place

    def drop(self, place: _Place) -> None:
        """Leave the line."""
        with lock:
            if place.granted:
                if self._holder is not None and self._holder() is place.caller:
                    self._holder = None
                    self._next()
            elif place in self._places:
                self._places.remove(place)

    async def wait(self, place: _Place) -> bool:
        """Wait for the turn, or until something else wakes the place; return whether it came.

        The place stays in the line unless it was granted or the line has ended.
        """
        loop = place.caller.loop
        timer = loop.call_later(_LOOK_AGAIN, place.wake_here)
        try:
            await place.woken
        except BaseException:
            self.drop(place)
            raise
        finally:
            timer.cancel()
        with lock:
            if not place.granted and not self.ended:
                place.woken = loop.create_future()
                if self._is_free():
                    self._next()
            return place.granted


def line_of(group: int) -> Line:
    """Return the line of a group, which lives as long as somebody is in it."""
    with lock:
        line = _lines.get(group)
        if line is None:
            line = _lines[group] = Line()
        return line
