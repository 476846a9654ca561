"""Externrefs: the Python objects that wasm code refers to.

To wasm, an externref is a number. A store's `ExternrefTable` maps numbers to objects, and gives an
object the same number as long as it holds the object (its base `ExternrefTableBase` is in
src/native/cpython/externrefs.c). wasm code doesn't report when it drops a reference, so unused
objects are found by collecting: C marks the numbers that tables, globals and running calls can
reach (src/native/runtime/externrefs.c), and the table drops the other objects.

A number on its way between Python and wasm, packed but not yet passed, or returned but not yet
looked up, would not be marked. Code that handles such numbers therefore does so in a `with` block
of the table (`Store._passing_refs`). A collection waits for the blocks that are open, not for those
that begin meanwhile, so threads that pass references all the time can't keep it from its end
(src/native/cpython/externref_collection.c).
"""

from __future__ import annotations

from .._backend.binding import ExternrefTableBase, ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

NULL_REF = 0xFFFFFFFF
FIRST_COLLECTION = 1024  # objects; after that, when their number has doubled


class ExternrefTable(ExternrefTableBase):
    """The externrefs of one store. A collection is due when there are `limit` objects."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.limit = FIRST_COLLECTION

    def collect(self, handles: Callable[[], Iterable[Any]]) -> None:
        """Drop the objects that none of `handles()`, which must cover all groups, can reach.

        Where references are being passed, or another thread is in a call, later calls of this
        method go on.
        """
        dropped = self.collection(lambda count: marks(handles(), count))
        if dropped is not None:
            self.limit = max(FIRST_COLLECTION, 2 * len(self))
        # `dropped` goes here, which may run destructors


def marks(handles: Iterable[Any], count: int) -> bytes | None:
    """Return which of the first `count` numbers the handles' groups can reach; None: not now."""
    reached = ffi.new("uint8_t[]", count or 1)
    seen = set()
    for c in handles:
        group = lib.wpy_group_id(c)
        if group not in seen:
            seen.add(group)
            if lib.wpy_mark_externrefs(c, reached, count):
                return None
    return bytes(ffi.buffer(reached, count))
