"""Globals: one value each, shared between instances and the host if it can change.

The value lives in a cell in C (src/native/runtime/global.c); reading and writing it converts as the
arguments and results of calls do: at once in C (src/native/cpython/global.c), and here what has
to wait, is new, or is wrong.
"""

from __future__ import annotations

from .._backend.binding import GlobalBase, ffi, lib
from .._backend.handles import handle
from .._base.immutable import made_already
from .._base.registry import new_key
from .._values.codec import ValueCodec
from ..types import GlobalType
from .extern import Lifetime, waited
from .func import ExceptionGone, RefHolder
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Value
    from ..types import ExternType
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")


class Global(GlobalBase, RefHolder):
    """A global variable or constant.

    store: where it lives. type: its type. value: what it is at first.
    Raises TypeError, OverflowError, ValueError, ClosedError.
    C: `wasm_global_new`. Spec: section 4.5.3, `global_alloc`.

    >>> from wamr import Global, GlobalType, Store, ValType
    >>> counter = Global(Store(), GlobalType(ValType.I32, mutable=True), 41)
    >>> counter.value += 1
    >>> counter
    <wamr.Global, mutable i32, 42>
    """

    __slots__ = ("__weakref__", "_c", "_codec", "_type")
    _type: GlobalType

    def __init__(self, store: Store, type: GlobalType, value: Value) -> None:  # noqa: A002
        if hasattr(self, "_c"):
            raise made_already(self)
        checked_store("store", store)
        if not isinstance(type, GlobalType):
            raise TypeError(f"type must be a GlobalType, not {_kind(type)}")
        cells = ffi.new("char[16]")
        c = lib.wpy_global_new(type.content.code, type.mutable, cells)
        if not c:
            raise MemoryError("no memory for a global")
        self._fill(c, Lifetime(store), type)
        store._closables.add(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)
        self._set(value)

    def _fill(self, c: Any, owner: Lifetime, type: GlobalType) -> None:  # noqa: A002
        self._c = handle(c)
        self._type = type
        self._codec = ValueCodec(type.content)
        self._ready(int(_cast(_UINTPTR, c)), type.content.code, owner, type.mutable)

    @property
    def type(self) -> GlobalType:
        """Its type."""
        return self._type

    # What the base's `value` does not do at once.
    def _value(self) -> Any:
        self._open()
        cells = ffi.new("char[16]")
        objects = self.store._enter_refs()
        try:
            while True:
                waited(lambda: lib.wpy_global_get(self._c, cells), "reading this Global")
                try:
                    return self._codec.unpack_from(ffi.buffer(cells), self)
                except ExceptionGone:
                    continue
        finally:
            objects.leave()

    def _set_value(self, value: Value) -> None:
        self._open()
        if not self._type.mutable:
            raise AttributeError(f"this global is constant: {self._type}")
        self._set(value)

    def _set(self, value: Value) -> None:
        cells = ffi.new("char[16]")
        objects = self.store._enter_refs()
        try:
            self._codec.pack_into(ffi.buffer(cells), value, self, "value")
            waited(lambda: lib.wpy_global_set(self._c, cells), "setting this Global")
        finally:
            objects.leave()

    def __repr__(self) -> str:
        if self._lifetime.closed:
            return f"<wamr.Global, {self._type}, closed>"
        return f"<wamr.Global, {self._type}, {self.value!r}>"


def instance_global(owner: Lifetime, c: Any, type: ExternType) -> Global:  # noqa: A002
    """Return a Global for a handle on one of an instance."""
    assert isinstance(type, GlobalType)
    global_ = object.__new__(Global)
    global_._fill(c, owner, type)
    return global_


def _kind(value: object) -> str:
    return type(value).__name__
