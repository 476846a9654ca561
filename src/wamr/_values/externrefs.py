"""Externrefs: the Python objects that wasm code refers to.

To wasm, an externref is a number. A store's `ExternrefTable` maps numbers to objects, and gives an
object the same number as long as it holds the object (its base `ExternrefTableBase` is in
src/native/cpython/externrefs.c). wasm code doesn't report when it drops a reference, so unused
objects are found by collecting: C marks the numbers that tables, globals and running calls can
reach (src/native/runtime/externrefs.c), and the table drops the other objects.

A number on its way between Python and wasm, packed but not yet passed, or returned but not yet
looked up, would not be marked. Code that handles such numbers therefore does so in a `with` block
of the table (`Store._passing_refs`), and collections are deferred until no thread is in one.
"""

from __future__ import annotations

from .._backend.binding import ExternrefTableBase, ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

NULL_REF = 0xFFFFFFFF
FIRST_COLLECTION = 1024  # objects; after that, when their number has doubled


class ExternrefTable(ExternrefTableBase):
    """The externrefs of one store. A collection is due when there are `limit` objects."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.limit = FIRST_COLLECTION

    def postpone(self) -> None:
        """Raise the limit after a collection that was deferred, so that not every object tries."""
        self.limit = len(self) + len(self) // 4

    def collect(self, handles: Iterable[Any]) -> bool:
        """Drop the objects that none of `handles`, which must cover all groups, can reach.

        Return False, and change nothing, if references are being passed or another thread is in a
        call.
        """
        count = self.begin()
        if count < 0:
            return False
        try:
            marks = ffi.new("uint8_t[]", count or 1)
            seen = set()
            for c in handles:
                group = lib.wpy_group_id(c)
                if group not in seen:
                    seen.add(group)
                    if lib.wpy_mark_externrefs(c, marks, count):
                        return False
            dropped = self.sweep(bytes(ffi.buffer(marks, count)))
        finally:
            self.end()
        if dropped is None:
            return False
        self.limit = max(FIRST_COLLECTION, 2 * len(self))
        return True  # `dropped` goes here, which may run destructors
