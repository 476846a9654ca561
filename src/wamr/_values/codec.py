"""Conversion of values between Python objects and the cells that WAMR passes them in.

A `Codec` converts the values of one function type, a `ValueCodec` those of one value type. Where
all values are numbers, one call of `struct` packs or unpacks all of them; otherwise they are
converted one by one, with precise errors. A cell has 4 bytes; `binary_format.CELLS` tells how many
a value takes. References are converted in a `ReferenceContext`. An object that stands for another
value is a `Wrapped`. This module knows nothing about calls, stores or functions.
"""

from __future__ import annotations

from operator import index as as_index
from struct import Struct
from struct import error as StructError  # noqa: N812
from sys import byteorder

from .._backend.binding import CallableBase, Signature, lib, set_wrapped
from .._base.arguments import shown_number, shown_value
from .._base.binary_format import EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128
from ..types import FuncType, ValType
from .externrefs import NULL_REF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .references import ReferenceContext

# Formats of struct. An f32 is packed as its bits, since struct would round it in the rounding mode
# of the thread (src/native/interp/floating.h).
_FORMATS = {I32: "i", I64: "q", F32: "I", F64: "d", V128: "16s"}
_FORMATS |= {EXTERNREF: "I", FUNCREF: "I", EXNREF: "I"}
_STRUCT_PACKS = bytes([I32, I64, F64])  # kinds that struct converts as wasm wants them
_STRUCT_UNPACKS = bytes([I32, I64, F64, V128])
_BITS = {I32: 32, I64: 64}


class Wrapped:
    """The base of objects that stand for another value and may be passed in its place."""

    __slots__ = ()

    def _bits_of(self, kind: int) -> bytes:  # noqa: ARG002 - for subclasses
        """Return the bytes of a number of this kind in little-endian order, or b"" if it has none.

        kind: the code of a value type, here and below.
        """
        return b""

    def _unwrapped(self, kind: int, store: object, label: object) -> object:
        """Return the plain value, for a place that takes this kind; TypeError, ValueError."""
        raise NotImplementedError


class Codec:
    """Packs and unpacks the arguments and results of one function type."""

    __slots__ = (
        "_kinds",
        "_pack",
        "_result_kinds",
        "_unpack",
        "argument_bytes",
        "bytes",
        "exnref_results",
        "needs_context",
        "refs",
        "result_bytes",
        "signature",
        "type",
    )
    type: FuncType
    bytes: int  # size of a buffer for the arguments or the results, whichever is larger
    argument_bytes: int
    result_bytes: int
    needs_context: bool  # whether there are funcrefs or exnrefs, which need an instance's context
    exnref_results: bool  # call wpy_call_cells_held
    refs: bool  # whether there are externrefs: use the codec in `with store._passing_refs()`

    def __init__(self, type: FuncType) -> None:  # noqa: A002
        kinds, results = type._param_kinds, type._result_kinds
        self.type = type
        self._kinds = kinds
        self._result_kinds = results
        self._pack = Struct("=" + "".join([_FORMATS[k] for k in kinds]))
        self._unpack = Struct("=" + "".join([_FORMATS[k] for k in results]))
        self.argument_bytes = self._pack.size
        self.result_bytes = self._unpack.size
        self.bytes = max(self._pack.size, self._unpack.size, 8)
        names = [f"{kind}_{i}" for i, kind in enumerate(map(str, type.params))]
        doc = f"({', '.join(names)}{', /' if names else ''})\n--\n\n{type}"
        self.refs = EXTERNREF in kinds or EXTERNREF in results
        self.needs_context = bool({FUNCREF, EXNREF} & {*kinds, *results})
        self.exnref_results = EXNREF in results
        self.signature = Signature(type, kinds, results, self.bytes // 4, doc)

    def pack_arguments(
        self, buffer: Any, values: Sequence[object], context: ReferenceContext, label: object
    ) -> None:
        """Write the arguments of a call to `buffer`.

        label: how messages name the function, here and below. Raises TypeError, OverflowError,
        ValueError.
        """
        _pack(self._pack, self._kinds, buffer, values, context, label, "argument")

    def unpack_results(self, buffer: Any, context: ReferenceContext) -> Any:
        """Return the results of a call as Python gets them: None, one value, or a tuple."""
        values = _unpack(self._unpack, self._result_kinds, buffer, context)
        if len(values) == 1:
            return values[0]
        return values or None

    def unpack_arguments(self, buffer: Any, context: ReferenceContext) -> tuple[Any, ...]:
        """Return the arguments of a call of a host function."""
        return _unpack(self._pack, self._kinds, buffer, context)

    def pack_results(
        self, buffer: Any, value: object, context: ReferenceContext, label: object
    ) -> None:
        """Write the results that a host function returned; TypeError, OverflowError, ValueError."""
        kinds = self._result_kinds
        if len(kinds) == 1:
            values: Sequence[object] = (value,)
        elif not kinds:
            if value is not None:
                raise TypeError(f"{label} has no result, but it returned {shown_value(value)}")
            return
        elif isinstance(value, (tuple, list)) and len(value) == len(kinds):
            values = value
        else:
            got = (
                f"{len(value)} of them"
                if isinstance(value, (tuple, list))
                else f"one {type(value).__name__}"
            )
            raise TypeError(f"{label} has {len(kinds)} results, but it returned {got}")
        _pack(self._unpack, kinds, buffer, values, context, label, "result")


def _pack(
    packer: Struct,
    kinds: bytes,
    buffer: Any,
    values: Sequence[object],
    context: ReferenceContext,
    label: object,
    role: str,
) -> None:
    if len(values) != len(kinds):
        plural = "" if len(kinds) == 1 else "s"
        raise TypeError(f"{label} takes {len(kinds)} {role}{plural}, not {len(values)}")
    if not kinds.strip(_STRUCT_PACKS):
        try:
            packer.pack_into(buffer, 0, *values)
        except (StructError, TypeError, OverflowError):
            pass  # an unsigned or a wrong value: the loop below tells
        else:
            return
    parts = []
    value_label = _ValueLabel(label, role, len(kinds))
    for kind, value in zip(kinds, values, strict=True):
        parts.append(to_bytes(kind, value, context, value_label))
        value_label.position += 1
    buffer[: packer.size] = b"".join(parts)


class _ValueLabel:
    """Names a value of a call in messages. The text is made only if there is a message."""

    __slots__ = ("count", "function", "position", "role")

    def __init__(self, function: object, role: str, count: int) -> None:
        self.function = function
        self.role = role
        self.count = count
        self.position = 1

    def __str__(self) -> str:
        which = f"{self.role} {self.position}" if self.count > 1 else f"its {self.role}"
        return f"{self.function}: {which}"


def _unpack(
    packer: Struct, kinds: bytes, buffer: Any, context: ReferenceContext
) -> tuple[Any, ...]:
    values = packer.unpack_from(buffer)
    if not kinds.strip(_STRUCT_UNPACKS):
        return values
    return tuple(
        [from_cell(kind, value, context) for kind, value in zip(kinds, values, strict=True)]
    )


def to_bytes(kind: int, value: object, context: ReferenceContext | None, label: object) -> bytes:
    """Return the bytes of a value's cells.

    context: None for a kind that is no reference. label: how messages name the value. Raises
    TypeError, OverflowError, ValueError.
    """
    if isinstance(value, Wrapped):
        data = value._bits_of(kind)
        if data:
            return data if _LITTLE_ENDIAN or kind == V128 else data[::-1]
    return _STRUCTS[kind].pack(to_cell(kind, value, context, label))


def to_cell(kind: int, value: object, context: ReferenceContext | None, label: object) -> Any:
    """Return the value as `struct` packs it for this kind. Parameters and errors: `to_bytes`."""
    if isinstance(value, Wrapped):
        value = value._unwrapped(kind, context.store if context else None, label)
    return _TO_CELL[kind](kind, value, context, label)


def from_cell(kind: int, cell: Any, context: ReferenceContext) -> Any:
    """Return the Python value of a cell that `struct` unpacked for this kind."""
    if kind == EXTERNREF:
        return context.store._objects.object(cell)
    if kind == FUNCREF:
        return context._func_of_number(cell)
    if kind == EXNREF:
        return context._exception_of_number(cell)
    if kind == F32:
        return lib.wpy_f32_value(cell)
    return cell


def f32_value(bits: int) -> float:
    """Return the float with the bits of an f32."""
    return lib.wpy_f32_value(bits)


def _integer(kind: int, value: object, context: ReferenceContext | None, label: object) -> int:
    bits = _BITS[kind]
    try:
        number = as_index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{label} must be an int (i{bits}), not {shown_value(value)}") from None
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise OverflowError(
            f"{label} is out of range for i{bits} (-2**{bits - 1} to 2**{bits} - 1): "
            f"{shown_number(number)}"
        )
    return number - (1 << bits) if number >= 1 << bits - 1 else number


def _real(kind: int, value: object, label: object) -> float:
    try:
        if hasattr(value, "__float__") or hasattr(value, "__index__"):  # since float() parses str
            return float(value)  # type: ignore[arg-type]
    except OverflowError:
        name = "f32" if kind == F32 else "f64"
        raise OverflowError(f"{label} is an int too large for {name}") from None
    except TypeError:
        pass
    name = "f32" if kind == F32 else "f64"
    raise TypeError(f"{label} must be a float or int ({name}), not {shown_value(value)}")


def _f64(kind: int, value: object, context: ReferenceContext | None, label: object) -> float:
    return _real(kind, value, label)


def _f32(kind: int, value: object, context: ReferenceContext | None, label: object) -> int:
    return lib.wpy_f32_bits(_real(kind, value, label))


def _v128(kind: int, value: object, context: ReferenceContext | None, label: object) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{label} must be 16 bytes (v128), not {shown_value(value)}")
    data = bytes(value)
    if len(data) != 16:
        raise ValueError(f"{label} must be 16 bytes (v128), not {len(data)}")
    return data


def _externref(kind: int, value: object, context: ReferenceContext, label: object) -> int:
    number: int = context.store._objects.number(value)
    return number


def _funcref(kind: int, value: object, context: ReferenceContext, label: object) -> int:
    if value is None:
        return NULL_REF
    if not isinstance(value, CallableBase):  # the base of Func, which is defined above
        raise TypeError(f"{label} must be a Func or None (funcref), not {shown_value(value)}")
    if value._lifetime.store is not context.store:
        raise ValueError(f"{label} is a function of another store")
    return context._number_of_func(value)


def _exnref(kind: int, value: object, context: ReferenceContext, label: object) -> int:
    return context._number_of_exception(value, label)


_LITTLE_ENDIAN = byteorder == "little"
set_wrapped((Wrapped,))
_STRUCTS = {kind: Struct("=" + text) for kind, text in _FORMATS.items()}
_TO_CELL: dict[int, Callable[[int, object, Any, object], Any]] = {
    I32: _integer,
    I64: _integer,
    F32: _f32,
    F64: _f64,
    V128: _v128,
    EXTERNREF: _externref,
    FUNCREF: _funcref,
    EXNREF: _exnref,
}


def codec_of(type: FuncType) -> Codec:  # noqa: A002
    """Return the codec of a function type. The type object caches the codec."""
    try:
        return type._codec  # type: ignore[return-value]  # set below
    except AttributeError:
        codec = Codec(type)
        object.__setattr__(type, "_codec", codec)
        return codec


class ValueCodec:
    """Packs and unpacks values of one type: a global's."""

    __slots__ = ("_kind", "_struct")

    def __init__(self, type: ValType) -> None:  # noqa: A002
        self._kind = type.code
        self._struct = Struct("=" + _FORMATS[type.code])

    def pack_into(self, buffer: Any, value: object, context: ReferenceContext, label: str) -> None:
        """Write a value; TypeError, OverflowError, ValueError."""
        buffer[: self._struct.size] = to_bytes(self._kind, value, context, label)

    def unpack_from(self, buffer: Any, context: ReferenceContext) -> Any:
        """Return the value as a Python object."""
        return from_cell(self._kind, self._struct.unpack_from(buffer)[0], context)
