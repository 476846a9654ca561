"""Globals: one value each; instances and the host share the value of a mutable one.

The value is stored in C (src/native/runtime/global.c) and converted as arguments and results of
calls are. The base class in C does that where it can (src/native/cpython/global.c). It leaves to
this module what has to wait for another thread, references that are passed for the first time, and
errors.
"""

from __future__ import annotations

from reprlib import recursive_repr

from .._backend.binding import GlobalBase, ffi, lib
from .._backend.handles import handle
from .._backend.waiting import wait_for
from .._base.arguments import already_initialized, type_name
from .._base.lifetime import Lifetime
from .._base.registry import new_key
from .._values.codec import ValueCodec
from .._values.exnrefs import read_again
from .._values.references import ReferenceContext
from ..types import GlobalType
from .extern import Extern
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Value
    from ..types import ExternType
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")


class Global(GlobalBase, Extern, ReferenceContext):
    """A global variable or constant.

    store: the Store that it lives in. type: a GlobalType. value: the initial value, of that type.
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
            raise already_initialized(self)
        checked_store("store", store)
        if not isinstance(type, GlobalType):
            raise TypeError(f"type must be a GlobalType, not {type_name(type)}")
        cells = ffi.new("char[16]")
        c = lib.wpy_global_new(type.content.code, type.mutable, cells)
        if not c:
            raise MemoryError("no memory for a global")
        self._init(c, Lifetime(store), type)
        store._register(new_key(), self._lifetime)
        store._ref_holders.add(new_key(), self)
        self._set(value)

    def _init(self, c: Any, lifetime: Lifetime, type: GlobalType) -> None:  # noqa: A002
        self._c = handle(c)
        self._type = type
        self._codec = ValueCodec(type.content)
        self._ready(int(_cast(_UINTPTR, c)), type.content.code, lifetime, type.mutable)

    @property
    def type(self) -> GlobalType:
        """The type. C: `wasm_global_type`."""
        return self._type

    # Called by `value`, a property of the base class, for what that leaves to Python.
    def _value(self) -> Any:
        self._open()
        cells = ffi.new("char[16]")
        with self.store._passing_refs():
            return read_again(
                lambda: wait_for(lambda: lib.wpy_global_get(self._c, cells), "reading this Global"),
                lambda: self._codec.unpack_from(ffi.buffer(cells), self),
            )

    def _set_value(self, value: Value) -> None:
        self._open()
        if not self._type.mutable:
            raise AttributeError(f"this global is constant: {self._type}")
        self._set(value)

    def _set(self, value: Value) -> None:
        cells = ffi.new("char[16]")
        with self.store._passing_refs():
            self._codec.pack_into(ffi.buffer(cells), value, self, "value")
            self._open()  # `value` may have closed it
            wait_for(lambda: lib.wpy_global_set(self._c, cells), "setting this Global")

    def __repr__(self) -> str:
        return _shown(self)


@recursive_repr("...")  # an externref may be the global itself
def _shown(self: Global) -> str:
    if self._lifetime.closed:
        return f"<wamr.Global, {self._type}, closed>"
    return f"<wamr.Global, {self._type}, {self.value!r}>"


def instance_global(lifetime: Lifetime, c: Any, type: ExternType) -> Global:  # noqa: A002
    """Return a new Global for a global of an instance; it takes over `c`, a reference."""
    assert isinstance(type, GlobalType)
    global_ = object.__new__(Global)
    global_._init(c, lifetime, type)
    return global_
