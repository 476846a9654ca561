"""Values that carry their type, and references as wasm-c-api has them.

Calls take plain Python values, so these are for those who want a type beside a value, exact bits of
a NaN, or the shapes of the C++ API. Wherever a value goes, a `Val`, `Ref` or `Foreign` goes, too;
`values` unwraps them. Nothing here touches C.
"""

from __future__ import annotations

from struct import Struct

from .._base.immutable import made_already
from .._values.codec import Wrapped, f32_value, to_bytes
from ..types import ValType
from .func import Func
from .store import checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Value
    from .store import Store

_FORMATS = {0x7F: Struct("<i"), 0x7E: Struct("<q"), 0x7D: Struct("<f"), 0x7C: Struct("<d")}
_REFERENCES = (ValType.EXTERNREF, ValType.FUNCREF)


class Val(Wrapped):
    """A value with its type. Equal by type and bits; references by identity.

    type: a ValType. value: of that type, checked here.
    Raises TypeError, OverflowError, ValueError. C: `wasm_val_t`.

    >>> from wamr import Val, ValType
    >>> Val(ValType.I32, 2**32 - 1)
    Val(ValType.I32, -1)
    >>> hex(Val.from_bits(ValType.F32, 0x7FA00001).bits)
    '0x7fa00001'
    """

    __slots__ = ("_bytes", "_type", "_value")

    def __init__(self, type: ValType, value: Value) -> None:  # noqa: A002
        if hasattr(self, "_type"):
            raise made_already(self)
        if not isinstance(type, ValType):
            raise TypeError(f"type must be a ValType, not {_kind(type)}")
        self._type = type
        self._value = value
        self._bytes = b""
        if type in _REFERENCES:
            _check_reference(type, value)
            return
        self._bytes = to_bytes(type.code, value, None, "value")

    @classmethod
    def from_bits(cls, type: ValType, bits: int) -> Val:  # noqa: A002
        """Return the number whose bits these are, unsigned; also NaNs that no float holds.

        Raises TypeError, OverflowError.
        """
        if not isinstance(type, ValType):
            raise TypeError(f"type must be a ValType, not {_kind(type)}")
        if type in _REFERENCES:
            raise TypeError(f"a reference ({type}) has no bits")
        if not isinstance(bits, int):
            raise TypeError(f"bits must be an int, not {_kind(bits)}")
        size = 16 if type is ValType.V128 else _FORMATS[type.code].size
        if not 0 <= bits < 1 << 8 * size:
            raise OverflowError(f"bits must be from 0 to 2**{8 * size} - 1 for {type}, not {bits}")
        val = object.__new__(cls)
        val._type = type
        val._bytes = bits.to_bytes(size, "little")
        val._value = None
        return val

    @property
    def type(self) -> ValType:
        """Its type."""
        return self._type

    @property
    def value(self) -> Any:
        """The plain Python value."""
        if self.type in _REFERENCES:
            return self._value.value if isinstance(self._value, (Ref, Foreign)) else self._value
        if self.type is ValType.V128:
            return self._bytes
        if self.type is ValType.F32:
            return f32_value(self.bits)
        return _FORMATS[self.type.code].unpack(self._bytes)[0]

    @property
    def bits(self) -> int:
        """The bits of a number, unsigned; TypeError for a reference."""
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

    def _unwrapped(self, kind: int, store: object, where: object) -> object:
        if self._type._code != kind:
            raise TypeError(f"{where} must not be a Val of type {self._type}")
        value = self._value if self._type in _REFERENCES else self.value
        return value._unwrapped(kind, store, where) if isinstance(value, (Ref, Foreign)) else value

    def __repr__(self) -> str:
        return f"Val({self.type!r}, {self.value!r})"


class Foreign(Wrapped):
    """A host object behind an externref, with its identity: `Foreign(store, obj).value is obj`.

    Passed to wasm it is the object itself. Raises TypeError, ClosedError. C: `wasm_foreign_new`.
    """

    __slots__ = ("__weakref__", "_store", "_value")

    def __init__(self, store: Store, value: object) -> None:
        if hasattr(self, "_store"):
            raise made_already(self)
        self._store = checked_store("store", store)
        self._value = value

    @property
    def store(self) -> Store:
        """The store that it is for."""
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

    def _unwrapped(self, kind: int, store: object, where: object) -> object:  # noqa: ARG002
        if self._store is not store:
            raise ValueError(f"{where} is a Foreign of another store")
        return self._value

    def __repr__(self) -> str:
        return f"<wamr.Foreign {self.value!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a Foreign cannot be copied or pickled: it lives in a store")


class Ref(Wrapped):
    """A reference value. C: `wasm_ref_t`.

    value: a Func, a Foreign, or None for null. type: FUNCREF or EXTERNREF; what the value says,
    unless that is None. Raises TypeError.

    >>> from wamr import Ref, ValType
    >>> Ref(None, ValType.FUNCREF).is_null
    True
    """

    __slots__ = ("_type", "_value")

    def __init__(self, value: Func | Foreign | None, type: ValType | None = None) -> None:  # noqa: A002
        if hasattr(self, "_type"):
            raise made_already(self)
        if isinstance(value, Foreign):
            natural = ValType.EXTERNREF
        elif isinstance(value, Func):
            natural = ValType.FUNCREF
        elif value is None:
            if type is None:
                raise TypeError("a null Ref needs its type: ValType.FUNCREF or ValType.EXTERNREF")
            natural = type
        else:
            raise TypeError(f"value must be a Func, a Foreign or None, not {_kind(value)}")
        if type is not None and type not in _REFERENCES:
            raise TypeError(f"type must be FUNCREF or EXTERNREF, not {type!r}")
        if type is ValType.FUNCREF and natural is not type:
            raise TypeError("a Foreign is no funcref")
        self._type = type or natural
        self._value = value

    @property
    def type(self) -> ValType:
        """FUNCREF or EXTERNREF."""
        return self._type

    @property
    def value(self) -> Func | Foreign | None:
        """What it refers to; None: nothing."""
        return self._value

    @property
    def is_null(self) -> bool:
        """Whether it refers to nothing."""
        return self.value is None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self.type is other.type and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((self.type, self.value))

    def _unwrapped(self, kind: int, store: object, where: object) -> object:
        if self._type._code != kind:
            raise TypeError(f"{where} must not be a Ref of type {self._type}")
        value = self._value
        return value._unwrapped(kind, store, where) if isinstance(value, Foreign) else value

    def __repr__(self) -> str:
        return f"Ref({self.value!r}, {self.type!r})"


def _check_reference(type: ValType, value: object) -> None:  # noqa: A002
    if isinstance(value, Ref):
        if value.type is not type:
            raise TypeError(f"value must not be a Ref of type {value.type}")
    elif type is ValType.FUNCREF and value is not None and not isinstance(value, Func):
        raise TypeError(f"value must be a Func or None (funcref), not {_kind(value)}")


def _kind(value: object) -> str:
    return type(value).__name__
