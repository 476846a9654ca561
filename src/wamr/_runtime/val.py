"""Values with their types, and references as in wasm-c-api.

Calls take plain Python values. A `Val`, `Ref` or `Foreign` may be passed in place of one, for a
checked type, for the exact bits of a NaN, or in programs that follow the C++ API; `_values.codec`
unwraps them.
"""

from __future__ import annotations

from struct import Struct

from .._base.arguments import already_initialized, shown_number, shown_value, type_name
from .._base.binary_format import F32, F64, I32, I64
from .._values.codec import Wrapped, f32_value, to_bytes
from ..types import ValType
from .exceptions import WasmException
from .func import Func
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Value
    from .store import Store

_FORMATS = {I32: Struct("<i"), I64: Struct("<q"), F32: Struct("<f"), F64: Struct("<d")}
_REFERENCES = (ValType.EXTERNREF, ValType.FUNCREF, ValType.EXNREF)


class Val(Wrapped):
    """A value with its type.

    type: a ValType. value: a value of that type, as arguments of calls.
    Two Vals are equal if types and bits are; externrefs, if they refer to the same object.
    Raises TypeError, OverflowError, ValueError. C: `wasm_val_t`. Spec: section 4.2.1.

    >>> from wamr import Val, ValType
    >>> Val(ValType.I32, 2**32 - 1)
    Val(ValType.I32, -1)
    >>> hex(Val.from_bits(ValType.F32, 0x7FA00001).bits)
    '0x7fa00001'
    """

    __slots__ = ("_bytes", "_type", "_value")

    def __init__(self, type: ValType, value: Value) -> None:  # noqa: A002
        if hasattr(self, "_type"):
            raise already_initialized(self)
        if not isinstance(type, ValType):
            raise TypeError(f"type must be a ValType, not {type_name(type)}")
        self._type = type
        self._value = value
        self._bytes = b""
        if type in _REFERENCES:
            _check_reference(type, value)
            return
        self._bytes = to_bytes(type.code, value, None, "value")

    @classmethod
    def from_bits(cls, type: ValType, bits: int) -> Val:  # noqa: A002
        """Return a number from its bits, which keeps signalling NaNs and NaN payloads.

        type: a ValType, no reference. bits: an unsigned integer of the type's size; a v128 begins
        with its lowest byte. Raises TypeError, OverflowError.

        >>> from wamr import Val, ValType
        >>> Val.from_bits(ValType.F64, 0x3FF0000000000000).value
        1.0
        """
        if not isinstance(type, ValType):
            raise TypeError(f"type must be a ValType, not {type_name(type)}")
        if type in _REFERENCES:
            raise TypeError(f"a reference ({type}) has no bits")
        if not isinstance(bits, int):
            raise TypeError(f"bits must be an int, not {type_name(bits)}")
        size = 16 if type is ValType.V128 else _FORMATS[type.code].size
        if not 0 <= bits < 1 << 8 * size:
            raise OverflowError(
                f"bits must be from 0 to 2**{8 * size} - 1 for {type}, not {shown_number(bits)}"
            )
        val = object.__new__(cls)
        val._type = type
        val._bytes = bits.to_bytes(size, "little")
        val._value = None
        return val

    @property
    def type(self) -> ValType:
        """The type of the value."""
        return self._type

    @property
    def value(self) -> Any:
        """The value as calls return it."""
        if self.type in _REFERENCES:
            value = self._value.value if isinstance(self._value, Ref) else self._value
            return value.value if isinstance(value, Foreign) else value
        if self.type is ValType.V128:
            return self._bytes
        if self.type is ValType.F32:
            return f32_value(self.bits)
        return _FORMATS[self.type.code].unpack(self._bytes)[0]

    @property
    def bits(self) -> int:
        """The bits of a number as an unsigned integer; TypeError for a reference."""
        if self.type in _REFERENCES:
            raise TypeError(f"a reference ({self.type}) has no bits")
        return int.from_bytes(self._bytes, "little")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Val):
            return NotImplemented
        if self.type is not other.type:
            return False
        if self.type is ValType.EXTERNREF:
            return self.value is other.value
        return bool(self.value == other.value) if not self._bytes else self._bytes == other._bytes

    def __hash__(self) -> int:
        if self.type is ValType.EXTERNREF:
            return hash((self.type, id(self.value)))
        return hash((self.type, self._bytes or self.value))

    def _bits_of(self, kind: int) -> bytes:
        return self._bytes if self._type._code == kind else b""

    def _unwrapped(self, kind: int, store: object, label: object) -> object:
        if self._type._code != kind:
            raise TypeError(f"{label} must not be a Val of type {self._type}")
        value = self._value if self._type in _REFERENCES else self.value
        return value._unwrapped(kind, store, label) if isinstance(value, (Ref, Foreign)) else value

    def __repr__(self) -> str:
        return f"Val({self.type!r}, {self.value!r})"


class Foreign(Wrapped):
    """A host object to pass as an externref: `Foreign(store, obj).value is obj`.

    store: the Store that it may be passed in. value: any object, which wasm code gets as if it had
    been passed itself. Foreigns are equal if they have one store and one object.
    Raises TypeError, ClosedError. C: `wasm_foreign_new`.

    >>> from wamr import Foreign, Store, Table, TableType, Limits, ValType
    >>> store, obj = Store(), ["an object"]
    >>> table = Table(store, TableType(ValType.EXTERNREF, Limits(1)), Foreign(store, obj))
    >>> table[0] is obj
    True
    """

    __slots__ = ("__weakref__", "_store", "_value")

    def __init__(self, store: Store, value: object) -> None:
        if hasattr(self, "_store"):
            raise already_initialized(self)
        self._store = checked_store("store", store)
        self._value = value

    @property
    def store(self) -> Store:
        """The store that the object may be passed in."""
        return self._store

    @property
    def value(self) -> Any:
        """The object."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Foreign):
            return NotImplemented
        return self.store is other.store and self.value is other.value

    def __hash__(self) -> int:
        return hash((id(self.store), id(self.value)))

    def _unwrapped(self, kind: int, store: object, label: object) -> object:  # noqa: ARG002
        if self._store is not store:
            raise ValueError(f"{label} is a Foreign of another store")
        return self._value

    def __repr__(self) -> str:
        return f"<wamr.Foreign {self.value!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a Foreign cannot be copied or pickled: it lives in a store")


class Ref(Wrapped):
    """A reference to a function, a host object or an exception, or a null reference.

    value: a Func, a Foreign, a WasmException, or None for null. type: ValType.FUNCREF, EXTERNREF or
    EXNREF; required only if value is None. Raises TypeError. C: `wasm_ref_t`. Spec: section 4.2.1.

    >>> from wamr import Ref, ValType
    >>> Ref(None, ValType.FUNCREF).is_null
    True
    """

    __slots__ = ("_type", "_value")

    def __init__(
        self,
        value: Func | Foreign | WasmException | None,
        type: ValType | None = None,  # noqa: A002
    ) -> None:
        if hasattr(self, "_type"):
            raise already_initialized(self)
        if isinstance(value, Foreign):
            natural = ValType.EXTERNREF
        elif isinstance(value, Func):
            natural = ValType.FUNCREF
        elif isinstance(value, WasmException):
            natural = ValType.EXNREF
        elif value is None:
            if type is None:
                raise TypeError("a null Ref needs its type: ValType.FUNCREF, EXTERNREF or EXNREF")
            natural = type
        else:
            raise TypeError(
                f"value must be a Func, a Foreign, a WasmException or None, not {type_name(value)}"
            )
        if type is not None and type not in _REFERENCES:
            raise TypeError(f"type must be FUNCREF, EXTERNREF or EXNREF, not {shown_value(type)}")
        if type not in (None, ValType.EXTERNREF, natural):
            raise TypeError(f"a {type_name(value)} is no {type}")
        self._type = type or natural
        self._value = value

    @property
    def type(self) -> ValType:
        """ValType.FUNCREF, EXTERNREF or EXNREF."""
        return self._type

    @property
    def value(self) -> Func | Foreign | WasmException | None:
        """The Func, Foreign or WasmException that this refers to, or None if it is null."""
        return self._value

    @property
    def is_null(self) -> bool:
        """Whether this is a null reference."""
        return self.value is None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self.type is other.type and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((self.type, self.value))

    def _unwrapped(self, kind: int, store: object, label: object) -> object:
        if self._type._code != kind:
            raise TypeError(f"{label} must not be a Ref of type {self._type}")
        value = self._value
        return value._unwrapped(kind, store, label) if isinstance(value, Foreign) else value

    def __repr__(self) -> str:
        return f"Ref({self.value!r}, {self.type!r})"


def _check_reference(type: ValType, value: object) -> None:  # noqa: A002
    if isinstance(value, Ref):
        if value.type is not type:
            raise TypeError(f"value must not be a Ref of type {value.type}")
    elif type is ValType.FUNCREF and value is not None and not isinstance(value, Func):
        raise TypeError(f"value must be a Func or None (funcref), not {type_name(value)}")
    elif type is ValType.EXNREF and value is not None and not isinstance(value, WasmException):
        raise TypeError(f"value must be a WasmException or None (exnref), not {type_name(value)}")
