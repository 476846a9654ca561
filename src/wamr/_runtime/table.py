"""Tables: arrays of references, shared between instances and the host.

A table keeps alive the functions that are stored in it (`_values.references`). The base class in C
reads and writes elements where it can (src/native/cpython/table.c). It leaves to this module what
has to wait for another thread, references that are passed for the first time, and errors.
"""

from __future__ import annotations

from .._backend.binding import TableBase, ffi, lib
from .._backend.handles import handle, reclaim
from .._backend.waiting import wait_for
from .._base.arguments import already_initialized, checked_index, shown_number, type_name
from .._base.lifetime import Lifetime
from .._base.registry import new_key
from .._values.codec import from_cell, to_cell
from .._values.exnrefs import read_again
from .._values.references import ReferenceContext
from ..errors import MemoryLimitError
from ..types import MAX_TABLE, Limits, TableType, ValType
from .extern import Extern
from .limits import no_room
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._base.aliases import Value
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")


class Table(TableBase, Extern, ReferenceContext):
    """A table of references.

    store: the Store that it lives in. type: a TableType; its limits count elements. init: the
    initial value of each element; None is null.
    `len(table)` is its size, `table[i]` an element, 0 <= i < len(table).
    Raises TypeError, ValueError, ClosedError, MemoryLimitError if there is no room.
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
            raise already_initialized(self)
        checked_store("store", store)
        if not isinstance(type, TableType):
            raise TypeError(f"type must be a TableType, not {type_name(type)}")
        limits = type.limits
        given = type.element.code, limits.min, limits.max or 0, limits.max is not None
        c = lib.wpy_table_new(*given, store._budget)
        if not c and reclaim():
            c = lib.wpy_table_new(*given, store._budget)
        if not c:
            reason = no_room(store._budget, elements=True)
            raise MemoryLimitError(f"there is no room for {limits.min} elements: {reason}")
        self._init(c, Lifetime(store), type.element)
        store._register(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)
        if init is not None:
            self._set_all(init)

    def _init(self, c: Any, lifetime: Lifetime, element: ValType) -> None:
        self._c = handle(c)
        self._element = element
        self._ready(int(_cast(_UINTPTR, c)), element.code, lifetime)

    def _set_all(self, init: Value) -> None:
        with self.store._passing_refs():
            ref = to_cell(self._element.code, init, self, "init")
            for position in range(self.type.limits.min):
                lib.wpy_table_set(self._c, position, ref)

    @property
    def type(self) -> TableType:
        """The type; its `limits.min` is the present size. C: `wasm_table_type`."""
        has_max = ffi.new("bool *")
        maximum = lib.wpy_table_max(self._c, has_max)
        limits = Limits(lib.wpy_table_size(self._c), maximum if has_max[0] else None)
        return TableType(self._element, limits)

    # Called by the methods of the base class, for what those leave to Python.
    def _size(self) -> int:
        self._open()
        return int(lib.wpy_table_size(self._c))

    def _item(self, index: int) -> Any:
        position = self._position(index)
        out = ffi.new("uint32_t *")
        with self.store._passing_refs():
            return read_again(
                lambda: self._access(lambda: lib.wpy_table_get(self._c, position, out), position),
                lambda: from_cell(self._element.code, out[0], self),
            )

    def _set_item(self, index: int, value: Value) -> None:
        position = self._position(index)
        with self.store._passing_refs():
            ref = to_cell(self._element.code, value, self, "value")
            self._access(lambda: lib.wpy_table_set(self._c, position, ref), position)

    def _grow(self, delta: int, init: Value = None) -> int:
        amount = checked_index("delta", delta)
        if amount < 0:
            raise ValueError(f"delta must not be negative: {shown_number(amount)}")
        self._open()
        old = ffi.new("uint32_t *")
        with self.store._passing_refs():
            ref = to_cell(self._element.code, init, self, "init")

            def attempt() -> int:
                return int(lib.wpy_table_grow(self._c, min(amount, MAX_TABLE), ref, old))

            status = wait_for(attempt, "growing this Table")
            maximum = self.type.limits.max if status else None
            beyond = maximum is not None and old[0] + amount > maximum
            if status and not beyond and reclaim():
                status = wait_for(attempt, "growing this Table")
        if status:
            reason = no_room(self.store._budget, elements=True)
            problem = f"{self.type}, by its type" if beyond else reason
            raise ValueError(
                f"can't grow from {old[0]} by {shown_number(amount)} elements: {problem}"
            )
        return int(old[0])

    def _position(self, index: int) -> int:
        position = checked_index("index", index)  # first: `index` may close or grow the table
        size = self._size()
        if not 0 <= position < size:
            raise IndexError(
                f"element {shown_number(position)} is not within the table's {size} elements"
            )
        return position

    def _access(self, attempt: Callable[[], int], position: int) -> None:
        if wait_for(attempt, "using this Table"):
            raise IndexError(f"element {position} is not within the table")

    def __repr__(self) -> str:
        return f"<wamr.Table, {self.type}{', closed' if self._lifetime.closed else ''}>"


def instance_table(lifetime: Lifetime, c: Any, element: ValType) -> Table:
    """Return a new Table for a table of an instance; it takes over `c`, a reference."""
    table = object.__new__(Table)
    table._init(c, lifetime, element)
    return table
