"""The table of a store's externrefs, for implementations of Python without CPython's C API.

src/native/cpython/externrefs.c has the same in C, externref_collection.c explains the collection.
"""

from __future__ import annotations

import builtins
import os
from _thread import get_ident

from .._base.locks import ByThread, locked, new_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NULL_REF = 0xFFFFFFFF
NOT_COLLECTING, DRAINING, MARKING, MARKED = range(4)


class PassingRefs:
    """A block of code in which a thread passes references: collections wait.

    If an exception of a signal handler prevents `__exit__`, the end of this object ends the block.
    """

    __slots__ = ("_begun", "_table", "_thread")

    def __init__(self, table: ExternrefTableBase) -> None:
        self._begun, self._table, self._thread = False, table, get_ident()

    def __enter__(self) -> None:
        self._begun = True
        self._table.resume(1)

    def __exit__(self, *args: object) -> None:
        if self._begun:
            self._begun = False
            locked(self._table._lock, self._table._end_one, self._thread)

    __del__ = __exit__


class ExternrefTableBase:
    """The base of ExternrefTable: objects by number."""

    __slots__ = (
        "_indices",
        "_limit",
        "_lock",
        "_marker",
        "_marks",
        "_objects",
        "_passing",
        "_process",
        "_spare",
        "_state",
        "_touched",
        "_tries",
    )

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._indices: dict[int, int] = {}  # id(object) -> number
        self._spare: list[int] = []
        self._lock = new_lock()  # reentrant, for signal handlers
        self._limit = 0
        self._state = NOT_COLLECTING
        self._tries = 0
        self._process = os.getpid()
        self._touched: set[int] = set()  # numbers that were asked for since the collection began
        self._marker: builtins.object = None  # who marks
        self._marks = b""  # of a collection that has MARKED
        # thread -> how many of its operations pass references: those that began while a collection
        # was draining or marking, and the others
        self._passing = ByThread()

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def count(self) -> int:
        """The number of numbers, free ones included."""
        return len(self._objects)

    @property
    def passing(self) -> int:
        """The number of operations that are passing references."""
        return sum(late + other for late, other in list(self._passing.values()))

    @property
    def collecting(self) -> bool:
        """Whether a collection has begun and not ended."""
        return self._state != NOT_COLLECTING

    @property
    def limit(self) -> int:
        """The number of objects at which a collection is due; 0: calls are to go on with one."""
        return 0 if self._state in {DRAINING, MARKING} else self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit

    def number(self, value: object) -> int:
        """Return the number of an object, and hold the object."""
        if value is None:
            return NULL_REF
        number: int = locked(self._lock, self._number, value)
        return number

    def _number(self, value: builtins.object) -> int:
        number = self._indices.get(id(value))
        if number is None:
            if self._spare:
                number = self._spare.pop()
                self._objects[number] = value
            else:
                number = len(self._objects)
                self._objects.append(value)
            self._indices[id(value)] = number
        if self._state != NOT_COLLECTING:
            self._touched.add(number)
        return number

    def object(self, number: int) -> Any:
        """Return the object of a number that came from wasm."""
        return None if number == NULL_REF else self._objects[number]

    # -- operations that pass references -----------------------------------------------------------

    def block(self) -> PassingRefs:
        """Return a context manager for a block in which this thread passes references."""
        return PassingRefs(self)

    def suspend(self) -> int:
        """Allow collections although this thread passes references; return a count for `resume`."""
        return sum(self._passing.pop(get_ident(), ()))

    def resume(self, count: int) -> None:
        """End what `suspend` allowed."""
        if count:
            locked(self._lock, self._add, count)

    def _add(self, count: int) -> None:
        late, other = self._passing.get(get_ident(), (0, 0))
        if self._state in {DRAINING, MARKING} and not other:
            late += count
        else:
            other += count
        self._passing[get_ident()] = late, other

    def _end_one(self, thread: int) -> None:
        late, other = self._passing.get(thread, (0, 0))
        if late + other > 1:
            self._passing[thread] = (late, other - 1) if other else (late - 1, other)
        else:
            self._passing.pop(thread, None)

    def _late(self) -> bool:
        return any(late for late, _ in list(self._passing.values()))

    # -- collections -------------------------------------------------------------------------------

    def collection(self, mark: Callable[[int], bytes | None]) -> list[Any] | None:
        """Go on with a collection, or begin one.

        Return the objects that it dropped at its end, or None. `mark` returns None, too: not now.
        """
        me = builtins.object()
        marks: bytes | None = None
        failed = True
        try:
            count = locked(self._lock, self._begin_marking, me)
            if count >= 0:
                marks = mark(count)
                if not isinstance(marks, (bytes, type(None))):
                    raise TypeError("mark() must return bytes or None")
            failed = False
        finally:
            locked(self._lock, self._end_marking, me, marks, failed)
        dropped: list[Any] | None = locked(self._lock, self._sweep)
        return dropped

    def _begin_marking(self, marker: builtins.object) -> int:
        if self._process != os.getpid():  # forked: who marked may be gone
            self._process = os.getpid()
            if self._state != MARKED:
                self._state = NOT_COLLECTING
        if self._state == NOT_COLLECTING and not self._late():
            self._touched.clear()
            self._set_state(DRAINING)
        if self._state == DRAINING and not any(other for _, other in list(self._passing.values())):
            self._marker = marker
            self._state = MARKING  # and the tries stay
            return len(self._objects)
        if self._state in {NOT_COLLECTING, DRAINING}:
            self._have_tried(1)
        return -1

    def _end_marking(self, marker: builtins.object, marks: bytes | None, failed: bool) -> None:
        if self._marker is not marker:
            return
        if failed:
            self._postpone()
        elif marks is None:  # it has waited 50 ms for another thread's call
            self._state = DRAINING
            self._have_tried(self._limit // 8 + 1)
        else:
            self._marks = marks
            self._set_state(MARKED)
        self._marker = None

    def _sweep(self) -> list[Any] | None:
        if self._state != MARKED:
            return None
        if self._late():
            self._have_tried(1)
            return None
        gone = []
        for identity, number in list(self._indices.items()):
            marked = number >= len(self._marks) or self._marks[number]
            if not marked and number not in self._touched:
                del self._indices[identity]
                gone.append(self._objects[number])
                self._objects[number] = None
                self._spare.append(number)
        self._set_state(NOT_COLLECTING)
        return gone

    def _set_state(self, state: int) -> None:
        self._state = state
        self._tries = 0

    def _have_tried(self, weight: int) -> None:
        self._tries += weight
        if self._tries > self._limit:
            self._postpone()

    def _postpone(self) -> None:
        if self._state != MARKED:
            self._state = NOT_COLLECTING
        self._tries = 0
        self._limit = max(self._limit, 2 * len(self))
