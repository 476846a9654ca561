"""The objects that wasm code knows as externrefs.

To wasm an externref is a number. A store's `ExternrefTable` knows the object behind the number, and
gives the same object the same number while the object is held (its base `ExternrefTableBase` is in
src/native/cpython/externrefs.c). wasm code does not say when it drops a reference, so the objects
are collected: C marks those that tables, globals and running calls can reach
(src/native/runtime/externrefs.c), and the others are let go. A number that is on its way between
Python and wasm at that moment, packed but not yet passed, or returned but not yet looked up, would
be missed: whoever has one says so (`enter`, `leave`), and the collection waits.
"""

from __future__ import annotations

from .._backend.binding import ExternrefTableBase, ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

NULL_REF = 0xFFFFFFFF
FIRST_COLLECTION = 1024  # objects; later ones when their number has doubled


class ExternrefTable(ExternrefTableBase):
    """The objects of one store."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.limit = FIRST_COLLECTION

    @property
    def crowded(self) -> bool:
        """Whether so many are held that it is worth looking which are needed."""
        return len(self) >= self.limit

    def postpone(self) -> None:
        """After a collection that was put off: do not try again with each new object."""
        self.limit = len(self) + len(self) // 4

    def collect(self, things: Iterable[Any]) -> bool:
        """Let go of what none of `things` (handles in C) can reach.

        False if references are being passed, or another thread's call is in the way; then nothing
        was done.
        """
        count = self.begin()
        if count < 0:
            return False
        try:
            marks = ffi.new("uint8_t[]", count or 1)
            seen = set()
            for c in things:
                group = lib.wpy_group_id(c)
                if group not in seen:
                    seen.add(group)
                    if lib.wpy_mark_externrefs(c, marks, count):
                        return False
            gone = self.sweep(bytes(ffi.buffer(marks, count)))
        finally:
            self.end()
        if gone is None:
            return False
        self.limit = max(FIRST_COLLECTION, 2 * len(self))
        return True  # destructors run from here on
