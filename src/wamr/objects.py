"""The objects that wasm code knows as externrefs.

To wasm an externref is a number; a store's `Objects` knows the object behind it and gives the same
object the same number while it is held. wasm code does not say when it drops a reference, so the
objects are collected: C marks what tables, globals and running calls can reach
(src/wamr/_native/externs.c), the rest is let go. A number between Python and wasm at that moment,
packed but not yet passed or returned but not yet looked up, would be missed: whoever has one says
so (`passing`), and collecting is put off meanwhile.
"""

from __future__ import annotations

from _thread import RLock, get_ident

from ._binding import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

NULL_REF = 0xFFFFFFFF
FIRST_COLLECTION = 1024  # objects; later ones when their number has doubled


class Objects:
    """The objects of one store."""

    __slots__ = ("_free", "_indices", "_lock", "_next", "_objects", "_touched", "passing")

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._indices: dict[int, int] = {}  # id(object) -> number
        self._free: list[int] = []
        self._touched: set[int] | None = None  # numbers given out during a collection
        self._next = FIRST_COLLECTION
        self._lock = RLock()  # a signal handler may come in between
        self.passing: dict[int, int] = {}  # thread -> how many of its calls pass references

    def __len__(self) -> int:
        return len(self._indices)

    def number(self, value: object) -> int:
        """Return the number of an object, which is held from now on."""
        if value is None:
            return NULL_REF
        with self._lock:
            number = self._indices.get(id(value))
            if number is None:
                if self._free:
                    number = self._free.pop()
                    self._objects[number] = value
                else:
                    number = len(self._objects)
                    self._objects.append(value)
                self._indices[id(value)] = number
            if self._touched is not None:
                self._touched.add(number)
            return number

    def object(self, number: int) -> Any:
        """Return the object of a number that came out of wasm."""
        return None if number == NULL_REF else self._objects[number]

    def enter(self) -> None:
        """Say that this thread passes references from here on."""
        thread = get_ident()
        self.passing[thread] = self.passing.get(thread, 0) + 1

    def leave(self) -> None:
        """Say that it has done so."""
        thread = get_ident()
        left = self.passing[thread] - 1
        if left:
            self.passing[thread] = left
        else:
            del self.passing[thread]

    @property
    def crowded(self) -> bool:
        """Whether so many are held that it is worth looking which are needed."""
        return len(self._indices) >= self._next

    def postpone(self) -> None:
        """After a collection that was put off: do not try again with each new object."""
        self._next = len(self._indices) + len(self._indices) // 4

    def collect(self, things: Iterable[Any]) -> bool:
        """Let go of what none of `things` (handles in C) can reach.

        False if references are being passed, or another thread's call is in the way; then nothing
        was done.
        """
        with self._lock:
            if self._touched is not None or self.passing:
                return False
            touched: set[int] = set()
            self._touched = touched
            held = dict(self._indices)
            count = len(self._objects)
        try:
            marks = ffi.new("uint8_t[]", count or 1)
            seen = set()
            for c in things:
                group = lib.wpy_group_id(c)
                if group not in seen:
                    seen.add(group)
                    if lib.wpy_mark_externrefs(c, marks, count):
                        return False
            reached = bytes(ffi.buffer(marks))
            gone = []  # destructors run when the lock is free again
            with self._lock:
                if self.passing:
                    return False
                for identity, number in held.items():
                    if not reached[number] and number not in touched:
                        del self._indices[identity]
                        gone.append(self._objects[number])
                        self._objects[number] = None
                        self._free.append(number)
                self._next = max(FIRST_COLLECTION, 2 * len(self._indices))
            return True
        finally:
            self._touched = None
