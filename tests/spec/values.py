"""The values of the suite's JSON, as arguments of calls and as expected results.

Results are compared bit by bit, with one exception: a signalling NaN of 32 bits becomes quiet,
because a Python float has 64 bits, and widening quiets it. This module knows nothing of WebAssembly
modules.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import wamr

_WIDTHS = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "f32": 4, "f64": 8}
_FLOATS = {"f32": ("<f", 23, 8), "f64": ("<d", 52, 11)}  # struct's, fraction's, exponent's bits
_NULLS = ("refnull", "nullref", "nullfuncref", "nullexternref", "nullexnref")


class Extern:
    """The object for (ref.extern n)."""

    def __init__(self, number: int) -> None:
        self.number = number


_externs: dict[int, Extern] = {}


def argument(item: dict[str, Any]) -> Any:
    """Return the argument of a call for a value of the script."""
    kind, value = item["type"], item.get("value")
    if kind in ("i32", "i64"):
        return int(value)
    if kind in _FLOATS:
        bits = int(value)
        number = struct.unpack(_FLOATS[kind][0], bits.to_bytes(_WIDTHS[kind], "little"))[0]
        return wamr.Val.from_bits(wamr.ValType(kind), bits) if math.isnan(number) else number
    if kind == "v128":
        return _lanes(item["lane_type"], value)
    if value == "null":
        return None
    if kind == "externref":
        return _externs.setdefault(int(value), Extern(int(value)))
    raise ValueError(f"this runner can't make {item}")


def is_(got: Any, wanted: dict[str, Any]) -> bool:
    """Return whether a result is the one that the script expects."""
    kind, value = wanted["type"], wanted.get("value")
    if kind == "either":
        return any(is_(got, choice) for choice in wanted["values"])
    if kind in ("i32", "i64"):
        bits = 8 * _WIDTHS[kind]
        number = int(value) & (1 << bits) - 1
        return type(got) is int and got == number - (number >> bits - 1 << bits)
    if kind in _FLOATS:
        return type(got) is float and _is_float(struct.pack(_FLOATS[kind][0], got), kind, value)
    if kind == "v128":
        return type(got) is bytes and len(got) == 16 and _is_vector(got, wanted["lane_type"], value)
    if value == "null" or kind in _NULLS:
        return got is None
    if kind == "externref":
        return isinstance(got, Extern) and (value is None or got.number == int(value))
    if kind == "funcref":
        return isinstance(got, wamr.Func)
    raise ValueError(f"this runner does not know {wanted}")


def _lanes(kind: str, lanes: list[str]) -> bytes:
    width = _WIDTHS[kind]
    return b"".join((int(lane) & (1 << 8 * width) - 1).to_bytes(width, "little") for lane in lanes)


def _is_float(got: bytes, kind: str, wanted: str, exact: bool = False) -> bool:
    number = int.from_bytes(got, "little")
    _, fraction, exponent = _FLOATS[kind]
    quiet = 1 << fraction - 1
    if wanted in ("nan:canonical", "nan:arithmetic"):
        if number >> fraction & (1 << exponent) - 1 != (1 << exponent) - 1 or not number & quiet:
            return False
        return wanted == "nan:arithmetic" or number & (1 << fraction) - 1 == quiet
    if number == int(wanted):
        return True
    if exact or kind == "f64":
        return False
    return math.isnan(struct.unpack("<f", got)[0]) and number == int(wanted) | quiet


def _is_vector(got: bytes, kind: str, wanted: list[str]) -> bool:
    width = _WIDTHS[kind]
    parts = [got[i : i + width] for i in range(0, 16, width)]
    if kind in _FLOATS:
        pairs = zip(parts, wanted, strict=True)
        return all(_is_float(part, kind, want, exact=True) for part, want in pairs)
    return got == _lanes(kind, wanted)
