"""Conversion of a function's arguments from text, and of its results to text.

Integers are decimal or 0x…, signed or unsigned; floats are decimal, 0x1.8p3, inf or nan; a v128 is
an integer, 0x…, whose lowest byte is the first in memory; a reference is null. Printed results are
valid arguments.
"""

from __future__ import annotations

import struct

from .._base.printable import printable_name
from .output import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from wamr import Func, ValType


def arguments(name: str, func: Func, texts: list[str]) -> list[Any]:
    """Return the arguments of a call from their texts; raise Failure for a wrong one."""
    kinds = func.type.params
    if len(texts) != len(kinds):
        wants = f"{len(kinds)} argument{'' if len(kinds) == 1 else 's'}"
        fail(f"{printable_name(name)}{func.type} takes {wants}, not {len(texts)}")
    return [
        _value(f"argument {i} of {printable_name(name)}", kind, text)
        for i, (kind, text) in enumerate(zip(kinds, texts, strict=True), 1)
    ]


def _value(label: str, kind: ValType, text: str) -> Any:
    from wamr import Val

    name = str(kind)
    try:
        if name in ("funcref", "externref", "exnref"):
            if text == "null":
                return None
            fail(f"{label} is of type {name}, of which only null can be written, not {text!r}")
        if name == "v128":
            return Val.from_bits(kind, _integer(text)).value
        return Val(kind, _integer(text) if name in ("i32", "i64") else _float(text)).value
    except OverflowError:
        fail(f"{label} is out of the range of {name}: {text!r}")
    except ValueError:
        fail(f"{label} must be of type {name}, not {text!r}")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(text, 0)


def _float(text: str) -> float:
    return float.fromhex(text) if "0x" in text.lower() else float(text)


def results(func: Func, value: Any) -> list[str]:
    """Return the results of a call as a text each."""
    kinds = func.type.results
    values = () if not kinds else (value,) if len(kinds) == 1 else value
    return [_text(str(kind), each) for kind, each in zip(kinds, values, strict=True)]


def _text(kind: str, value: Any) -> str:
    if value is None:
        return "null"
    if kind == "f32":
        return _shortest(value)
    if kind == "exnref":
        return repr(value)  # without the calls of the traceback
    if kind == "v128":
        return f"0x{int.from_bytes(value, 'little'):032x}"
    return str(value)


def _shortest(value: float) -> str:
    """Return the shortest decimal number that rounds to this f32."""
    for digits in range(1, 9):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == struct.pack("<f", value):
                return repr(float(text))
        except OverflowError:  # rounded up beyond the f32 range
            continue
    return (
        repr(value) if value != value or value in (float("inf"), -float("inf")) else f"{value:.9g}"
    )
