"""Explanations for valid modules that exceed limits of WAMR's interpreter."""

from __future__ import annotations

import re

from .._base.binary_format import CELLS, VALUE_TYPES
from .names import shown_function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sections import Body, Contents

MAX_CELLS = 32_766  # of parameters, locals and operand stack, whose offsets are signed 16-bit
MAX_LOCALS = 65_535
_CELLS = {VALUE_TYPES[code]: cells for code, cells in CELLS.items()}
_COUNTED = "one for an i32, f32 or reference, two for an i64 or f64, four for a v128"


def too_large(contents: Contents, data: bytes, text: str, body: Body | None) -> str | None:
    """Return the limit that WAMR rejected the module for, or None if it was another reason.

    text: WAMR's. body: of the function that it names.
    """
    if re.fullmatch("fast interpreter offset overflow|too much local cells .*", text) and body:
        cells = _cells(contents, body)
        shown = f"{shown_function(data, body.index)} is too large: it has {cells:,} cells of "
        shown += "parameters and locals"
        if cells <= MAX_CELLS:
            shown += ", and its operand stack comes on top"
        return f"{shown}; a function can have {MAX_CELLS:,} of both together ({_COUNTED})"
    if text in ("local count too large", "too many locals"):
        for each in contents.bodies:
            count, cells = sum(n for n, _ in each.locals), _cells(contents, each)
            if count > MAX_LOCALS or cells > MAX_CELLS:
                return (
                    f"{shown_function(data, each.index)} has too many locals: {count:,}, which "
                    f"take {cells:,} cells; a function can have {MAX_CELLS:,} ({_COUNTED})"
                )
    if text == "label stack depth limit exceeded" and body:
        return f"{shown_function(data, body.index)} nests more than 65,535 blocks"
    if text == "operand stack depth limit exceeded" and body:
        return f"the operand stack of {shown_function(data, body.index)} takes over 65,535 cells"
    return _GENERAL.get(text)


_GENERAL = {
    "param count or result count too large": (
        f"the parameters, or the results, of a function's type take more than 65,535 cells "
        f"({_COUNTED})"
    ),
    "constant expression too long": "a constant expression is longer than 4096 bytes",
    "wasm type's ref count too large": "more than 65,535 types of functions are the same",
}


def _cells(contents: Contents, body: Body) -> int:
    """Return how many cells a function's parameters and locals take."""
    types = contents.function_types()
    signature = types[body.index] if body.index < len(types) else ""
    params = signature.partition(") -> ")[0][1:].split(", ")
    return sum(_CELLS.get(p, 1) for p in params if p) + sum(
        n * _CELLS.get(kind, 1) for n, kind in body.locals
    )
