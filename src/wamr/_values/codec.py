"""Values: between Python objects and the cells that WAMR passes them in.

A `Codec` knows one function type (or one value type). It packs arguments into cells and unpacks
results, with one struct call where the kinds allow it and value by value where they do not, and
says precisely what is wrong with an argument. Cells have 4 bytes; i64 and f64 take two cells, v128
four, a reference one. References are converted in a `ReferenceContext`: an instance, a table, a
global or a host function. An object that stands for another value is `Wrapped`. This module knows
nothing of calls, stores or functions.
"""

from __future__ import annotations

from operator import index as as_index
from struct import Struct
from struct import error as StructError  # noqa: N812
from sys import byteorder

from .._backend.binding import CallableBase, Signature, lib, set_wrapped
from ..types import FuncType, ValType
from .externrefs import NULL_REF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from .externrefs import ExternrefTable

    class _ObjectStore(Protocol):
        """What knows the objects behind externrefs: a Store."""

        _objects: ExternrefTable

    class ReferenceContext(Protocol):
        """Where references go to and come from."""

        @property
        def store(self) -> _ObjectStore: ...

        def _ref_of_func(self, func: CallableBase) -> int: ...
        def _func_of_ref(self, ref: int) -> CallableBase | None: ...
        def _ref_of_exception(self, value: object, where: object) -> int: ...
        def _exception_of_ref(self, ref: int) -> BaseException | None: ...


# An f32 goes as its bits: struct would round as the thread does (src/native/interp/floating.h).
_FORMATS = {0x7F: "i", 0x7E: "q", 0x7D: "I", 0x7C: "d", 0x7B: "16s", 0x6F: "I", 0x70: "I"}
_FORMATS[0x69] = "I"
_CELLS = {0x7F: 1, 0x7E: 2, 0x7D: 1, 0x7C: 2, 0x7B: 4, 0x6F: 1, 0x70: 1, 0x69: 1}
_PLAIN = b"\x7f\x7e\x7c"  # numbers: struct may convert them without being watched
_BITS = {0x7F: 32, 0x7E: 64}


class Wrapped:
    """The base of what stands for another value, wherever a value goes."""

    __slots__ = ()

    def _bits_of(self, kind: int) -> bytes:  # noqa: ARG002 - for subclasses
        """Return the bytes of a number of this kind, in little-endian order; b"": it is none."""
        return b""

    def _unwrapped(self, kind: int, store: object, where: object) -> object:
        """Return the value that goes where one of this kind is wanted; TypeError, ValueError."""
        raise NotImplementedError


class Codec:
    """Packs and unpacks the values of one function type."""

    __slots__ = (
        "_kinds",
        "_pack",
        "_result_kinds",
        "_unpack",
        "bytes",
        "exnref_results",
        "funcrefs",
        "refs",
        "result_bytes",
        "signature",
        "type",
    )
    type: FuncType
    bytes: int  # of the cells: room for arguments or results, whichever takes more
    result_bytes: int
    exnref_results: bool
    funcrefs: bool  # converted in the context of an instance
    refs: bool  # externrefs among them: who packs or unpacks them says so to the store

    def __init__(self, type: FuncType) -> None:  # noqa: A002
        kinds, results = type._param_kinds, type._result_kinds
        self.type = type
        self._kinds = kinds
        self._result_kinds = results
        self._pack = Struct("=" + "".join([_FORMATS[k] for k in kinds]))
        self._unpack = Struct("=" + "".join([_FORMATS[k] for k in results]))
        self.result_bytes = self._unpack.size
        self.bytes = max(self._pack.size, self._unpack.size, 8)
        names = [f"{kind}_{i}" for i, kind in enumerate(map(str, type.params))]
        doc = f"({', '.join(names)}{', /' if names else ''})\n--\n\n{type}"
        self.refs = 0x6F in kinds or 0x6F in results
        self.funcrefs = not {0x70, 0x69}.isdisjoint(kinds + results)
        self.exnref_results = 0x69 in results
        self.signature = Signature(type, kinds, results, self.bytes // 4, doc)

    def pack_arguments(
        self, buffer: Any, values: Sequence[object], place: ReferenceContext, what: object
    ) -> None:
        """Write the arguments of a call to `buffer`; TypeError, OverflowError, ValueError."""
        _pack(self._pack, self._kinds, buffer, values, place, what, "argument")

    def unpack_results(self, buffer: Any, place: ReferenceContext) -> Any:
        """Return what a call returns to Python: None, a value or a tuple."""
        values = _unpack(self._unpack, self._result_kinds, buffer, place)
        if len(values) == 1:
            return values[0]
        return values or None

    def unpack_arguments(self, buffer: Any, place: ReferenceContext) -> tuple[Any, ...]:
        """Return the arguments of a call to a host function."""
        return _unpack(self._pack, self._kinds, buffer, place)

    def pack_results(
        self, buffer: Any, value: object, place: ReferenceContext, what: object
    ) -> None:
        """Write what a host function returned; TypeError, OverflowError, ValueError."""
        kinds = self._result_kinds
        if len(kinds) == 1:
            values: Sequence[object] = (value,)
        elif not kinds:
            if value is not None:
                _refuse_unrun(what, value)
                raise TypeError(f"{what} has no result, but it returned {_shown(value)}")
            return
        elif isinstance(value, (tuple, list)) and len(value) == len(kinds):
            values = value
        else:
            got = (
                f"{len(value)} of them"
                if isinstance(value, (tuple, list))
                else f"one {type(value).__name__}"
            )
            _refuse_unrun(what, value)
            raise TypeError(f"{what} has {len(kinds)} results, but it returned {got}")
        try:
            _pack(self._unpack, kinds, buffer, values, place, what, "result")
        except TypeError:
            _refuse_unrun(what, value)
            raise


def _refuse_unrun(what: object, value: object) -> None:
    from .._base.callables import refuse_unrun

    refuse_unrun(what, value)


def _pack(
    packer: Struct,
    kinds: bytes,
    buffer: Any,
    values: Sequence[object],
    place: ReferenceContext,
    what: object,
    role: str,
) -> None:
    if len(values) != len(kinds):
        plural = "" if len(kinds) == 1 else "s"
        raise TypeError(f"{what} takes {len(kinds)} {role}{plural}, not {len(values)}")
    if not kinds.strip(_PLAIN):
        try:
            packer.pack_into(buffer, 0, *values)
        except (StructError, TypeError, OverflowError):
            pass  # unsigned, or wrong: found out below
        else:
            return
    parts = []
    where = _Where(what, role, len(kinds))
    for kind, value in zip(kinds, values, strict=True):
        parts.append(to_bytes(kind, value, place, where))
        where.position += 1
    buffer[: packer.size] = b"".join(parts)


class _Where:
    """Which value of a call is meant, as text only when something is wrong with it."""

    __slots__ = ("count", "position", "role", "what")

    def __init__(self, what: object, role: str, count: int) -> None:
        self.what = what
        self.role = role
        self.count = count
        self.position = 1

    def __str__(self) -> str:
        which = f"{self.role} {self.position}" if self.count > 1 else f"its {self.role}"
        return f"{self.what}: {which}"


def _unpack(packer: Struct, kinds: bytes, buffer: Any, place: ReferenceContext) -> tuple[Any, ...]:
    values = packer.unpack_from(buffer)
    if not kinds.strip(b"\x7f\x7e\x7c\x7b"):
        return values
    return tuple([from_cell(kind, value, place) for kind, value in zip(kinds, values, strict=True)])


def to_bytes(kind: int, value: object, place: ReferenceContext | None, where: object) -> bytes:
    """Return the cells of `value`, or raise what is wrong with it; place None: no reference."""
    if isinstance(value, Wrapped):
        data = value._bits_of(kind)
        if data:
            return data if _LITTLE or kind == 0x7B else data[::-1]
    return _STRUCTS[kind].pack(to_cell(kind, value, place, where))


def to_cell(kind: int, value: object, place: ReferenceContext | None, where: object) -> Any:
    """Return `value` as struct packs it for this kind, or raise what is wrong with it."""
    if isinstance(value, Wrapped):
        value = value._unwrapped(kind, place.store if place else None, where)
    return _TO_CELL[kind](kind, value, place, where)


def from_cell(kind: int, cell: Any, place: ReferenceContext) -> Any:
    """Return the Python value of what struct unpacked for this kind."""
    if kind == 0x6F:
        return place.store._objects.object(cell)
    if kind == 0x70:
        return place._func_of_ref(cell)
    if kind == 0x7D:
        return lib.wpy_f32_value(cell)
    if kind == 0x69:
        return place._exception_of_ref(cell)
    return cell


def f32_value(bits: int) -> float:
    """Return the value of these bits."""
    return lib.wpy_f32_value(bits)


def _integer(kind: int, value: object, place: ReferenceContext | None, where: object) -> int:
    bits = _BITS[kind]
    try:
        number = as_index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{where} must be an int (i{bits}), not {_shown(value)}") from None
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise OverflowError(
            f"{where} is out of range for i{bits} (-2**{bits - 1} to 2**{bits} - 1): {number}"
        )
    return number - (1 << bits) if number >= 1 << bits - 1 else number


def _real(kind: int, value: object, where: object) -> float:
    try:
        if hasattr(value, "__float__") or hasattr(value, "__index__"):  # float() reads text, too
            return float(value)  # type: ignore[arg-type]
    except OverflowError:
        name = "f32" if kind == 0x7D else "f64"
        raise OverflowError(f"{where} is an int too large for {name}") from None
    except TypeError:
        pass
    name = "f32" if kind == 0x7D else "f64"
    raise TypeError(f"{where} must be a float or int ({name}), not {_shown(value)}")


def _f64(kind: int, value: object, place: ReferenceContext | None, where: object) -> float:
    return _real(kind, value, where)


def _f32(kind: int, value: object, place: ReferenceContext | None, where: object) -> int:
    return lib.wpy_f32_bits(_real(kind, value, where))


def _v128(kind: int, value: object, place: ReferenceContext | None, where: object) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{where} must be 16 bytes (v128), not {_shown(value)}")
    data = bytes(value)
    if len(data) != 16:
        raise ValueError(f"{where} must be 16 bytes (v128), not {len(data)}")
    return data


def _externref(kind: int, value: object, place: ReferenceContext, where: object) -> int:
    return place.store._objects.number(value)


def _funcref(kind: int, value: object, place: ReferenceContext, where: object) -> int:
    if value is None:
        return NULL_REF
    if not isinstance(value, CallableBase):  # the base of Func
        raise TypeError(f"{where} must be a Func or None (funcref), not {_shown(value)}")
    if value._lifetime.store is not place.store:
        raise ValueError(f"{where} is a function of another store")
    return place._ref_of_func(value)


def _exnref(kind: int, value: object, place: ReferenceContext, where: object) -> int:
    return place._ref_of_exception(value, where)


_LITTLE = byteorder == "little"
set_wrapped((Wrapped,))
_STRUCTS = {kind: Struct("=" + text) for kind, text in _FORMATS.items()}
_TO_CELL: dict[int, Callable[[int, object, Any, object], Any]] = {
    0x7F: _integer,
    0x7E: _integer,
    0x7D: _f32,
    0x7C: _f64,
    0x7B: _v128,
    0x6F: _externref,
    0x70: _funcref,
    0x69: _exnref,
}


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - what is wrong is its type
        return type(value).__name__
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"


def codec_of(type: FuncType) -> Codec:  # noqa: A002
    """Return the codec of a function type, which keeps it."""
    try:
        return type._codec  # type: ignore[return-value]  # set here only
    except AttributeError:
        codec = Codec(type)
        object.__setattr__(type, "_codec", codec)
        return codec


class ValueCodec:
    """Packs and unpacks one value: a global's."""

    __slots__ = ("_kind", "_struct")

    def __init__(self, type: ValType) -> None:  # noqa: A002
        self._kind = type.code
        self._struct = Struct("=" + _FORMATS[type.code])

    def pack_into(self, buffer: Any, value: object, place: ReferenceContext, what: str) -> None:
        """Write the value; TypeError, OverflowError, ValueError."""
        buffer[: self._struct.size] = to_bytes(self._kind, value, place, what)

    def unpack_from(self, buffer: Any, place: ReferenceContext) -> Any:
        """Return the Python value."""
        return from_cell(self._kind, self._struct.unpack_from(buffer)[0], place)
