"""Tables: references, indexed by number, shared between instances and the host.

A reference that is put into a table is adopted in C (src/native/runtime/refs.c) and linked here, so
that what it stands for lives as long as the table. What needs no waiting and nothing new is done in
C at once (src/native/cpython/table.c); the rest comes here.
"""

from __future__ import annotations

from .._backend.binding import TableBase, ffi, lib
from .._backend.handles import handle
from .._base.immutable import made_already
from .._base.registry import new_key
from .._values.codec import from_cell, to_cell
from ..errors import MemoryLimitError
from ..types import MAX_TABLE, Limits, TableType, ValType
from .extern import Lifetime, checked_index, waited
from .func import ExceptionGone, RefHolder
from .limits import no_room
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._base.aliases import Value
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")


class Table(TableBase, RefHolder):
    """A table of references.

    store: where it lives. type: the kind of its elements and its limits. init: what each element
    is at first; None is null.
    Raises TypeError, ValueError, ClosedError, MemoryLimitError where there is no room.
    C: `wasm_table_new`. Spec: section 4.5.3, `table_alloc`.

    >>> from wamr import Limits, Store, Table, TableType, ValType
    >>> table = Table(Store(), TableType(ValType.EXTERNREF, Limits(2, 4)), "x")
    >>> table[0], table.grow(1), len(table), table[2]
    ('x', 2, 3, None)
    """

    __slots__ = ("__weakref__", "_c", "_element")
    _element: ValType

    def __init__(self, store: Store, type: TableType, init: Value = None) -> None:  # noqa: A002
        if hasattr(self, "_c"):
            raise made_already(self)
        checked_store("store", store)
        if not isinstance(type, TableType):
            raise TypeError(f"type must be a TableType, not {_kind(type)}")
        limits = type.limits
        c = lib.wpy_table_new(
            type.element.code, limits.min, limits.max or 0, limits.max is not None, store._budget
        )
        if not c:
            why = no_room(store._budget, elements=True)
            raise MemoryLimitError(f"there is no room for {limits.min} elements: {why}")
        self._fill(c, Lifetime(store), type.element)
        store._closables.add(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)
        if init is not None:
            self._set_all(init)

    def _fill(self, c: Any, owner: Lifetime, element: ValType) -> None:
        self._c = handle(c)
        self._element = element
        self._ready(int(_cast(_UINTPTR, c)), element.code, owner)

    def _set_all(self, init: Value) -> None:
        objects = self.store._enter_refs()
        try:
            ref = to_cell(self._element.code, init, self, "init")
            for position in range(self.type.limits.min):
                lib.wpy_table_set(self._c, position, ref)
        finally:
            objects.leave()

    @property
    def type(self) -> TableType:
        """Its type: `limits.min` is the present size."""
        has_max = ffi.new("bool *")
        most = lib.wpy_table_max(self._c, has_max)
        limits = Limits(lib.wpy_table_size(self._c), most if has_max[0] else None)
        return TableType(self._element, limits)

    # What the base's methods do not do at once: they would wait, or something is new or wrong.
    def _size(self) -> int:
        self._open()
        return int(lib.wpy_table_size(self._c))

    def _item(self, index: int) -> Any:
        position = self._position(index)
        out = ffi.new("uint32_t *")
        objects = self.store._enter_refs()
        try:
            while True:
                self._done(lambda: lib.wpy_table_get(self._c, position, out), position)
                try:
                    return from_cell(self._element.code, out[0], self)
                except ExceptionGone:
                    continue
        finally:
            objects.leave()

    def _set_item(self, index: int, value: Value) -> None:
        position = self._position(index)
        objects = self.store._enter_refs()
        try:
            ref = to_cell(self._element.code, value, self, "value")
            self._done(lambda: lib.wpy_table_set(self._c, position, ref), position)
        finally:
            objects.leave()

    def _grow(self, delta: int, init: Value = None) -> int:
        amount = checked_index("delta", delta)
        if amount < 0:
            raise ValueError(f"delta must not be negative: {amount}")
        self._open()
        old = ffi.new("uint32_t *")
        objects = self.store._enter_refs()
        try:
            ref = to_cell(self._element.code, init, self, "init")
            status = waited(
                lambda: lib.wpy_table_grow(self._c, min(amount, MAX_TABLE), ref, old),
                "growing this Table",
            )
        finally:
            objects.leave()
        if status:
            raise ValueError(self._why_not(old[0], amount))
        return int(old[0])

    def _why_not(self, old: int, delta: int) -> str:
        """Return why it can't grow."""
        most = self.type.limits.max
        what = f"can't grow from {old} by {delta} elements"
        if most is not None and old + delta > most:
            return f"{what}: {self.type}, by its type"
        return f"{what}: {no_room(self.store._budget, elements=True)}"

    def _position(self, index: int) -> int:
        size = self._size()
        position = checked_index("index", index)
        if not 0 <= position < size:
            raise IndexError(f"element {position} is not within the table's {size} elements")
        return position

    def _done(self, attempt: Callable[[], int], position: int) -> None:
        if waited(attempt, "using this Table"):
            raise IndexError(f"element {position} is not within the table")

    def __repr__(self) -> str:
        return f"<wamr.Table, {self.type}{', closed' if self._lifetime.closed else ''}>"


def instance_table(owner: Lifetime, c: Any, element: ValType) -> Table:
    """Return a Table for a handle on one of an instance."""
    table = object.__new__(Table)
    table._fill(c, owner, element)
    return table


def _kind(value: object) -> str:
    return type(value).__name__
