"""Lifetimes: what keeps the Python objects alive that C refers to.

C holds no references to Python objects. Objects that are linked in C therefore keep each other
alive in Python, through the `Lifetime` of each. The references are plain Python references, so the
garbage collector finds the cycles.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Lifetime:
    """The state that the externs of one origin share: their store, and what they keep alive.

    An instance is the origin of everything that it exports; a host-made extern is its own. Linked
    lifetimes keep each other, since their C objects are in one group, which is freed as a whole. A
    host function is in no group (`grouped`): it is kept alive by others and keeps none of them.
    """

    __slots__ = ("__weakref__", "_keep", "closed", "grouped", "store")
    _c: Any = None  # the handle in C, where there is one: an instance's
    store: Any  # a Store; this layer doesn't know the class
    closed: bool

    def __init__(self, store: Any, *, grouped: bool = True) -> None:
        self.store = store
        self.grouped = grouped
        self.closed = False
        self._keep: dict[int, object] = {}  # by id(); src/native/cpython/reference_slot.c reads it

    def keep(self, value: object) -> None:
        """Keep `value` alive as long as this lifetime."""
        self._keep[id(value)] = value

    def link(self, other: Lifetime) -> None:
        """Keep `other` alive, and let it keep this lifetime alive if it is grouped."""
        if other is not self and id(other) not in self._keep:
            self._keep[id(other)] = other
            if other.grouped:
                other._keep[id(self)] = self

    def close(self) -> None:
        """Mark the externs of this origin as closed."""
        self.closed = True

    def interrupt(self) -> None:
        """Stop running code of this origin. Only instances run code: here there is none."""
