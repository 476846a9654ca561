"""What random programs with exceptions are written with: types, labels, lines of code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Code = list[str]
Types = tuple[str, ...]

NULLS = {"externref": "ref.null extern", "exnref": "ref.null exn", "funcref": "ref.null func"}
UNARY: Types = ("i32",)
NON_NULL = "(ref exn)"
# Instructions by the type of their result: the types of their operands, and the instruction.
OPERATORS: dict[str, list[tuple[Types, str]]] = {
    "i32": [
        *((("i32", "i32"), f"i32.{name}") for name in ("add", "sub", "xor", "lt_s")),
        (("i32", "i32"), "i32.div_s"),
        (("i64",), "i32.wrap_i64"),
        (("f64", "f64"), "f64.lt"),
        (("f32", "f32"), "f32.le"),
        (("v128",), "i32x4.extract_lane 2"),
        *(((kind,), "ref.is_null") for kind in NULLS),
    ],
    "i64": [
        *((("i64", "i64"), f"i64.{name}") for name in ("add", "mul", "xor")),
        (("i32",), "i64.extend_i32_s"),
        (("v128",), "i64x2.extract_lane 1"),
    ],
    "f32": [  # no sums: they could become infinite, and the difference of two infinite ones NaN
        (("f32", "f32"), "f32.max"),
        (("f32",), "f32.neg"),
        (("i32",), "f32.convert_i32_s"),
    ],
    "f64": [
        (("f64", "f64"), "f64.add"),
        (("f64",), "f64.neg"),
        (("i32",), "f64.convert_i32_s"),
        (("f32",), "f64.promote_f32"),
    ],
    "v128": [
        (("v128", "v128"), "i64x2.add"),
        (("v128", "v128"), "v128.xor"),
        (("i64",), "i64x2.splat"),
    ],
}


@dataclass
class Label:
    """A block that code can branch to. types: the values of a branch to it."""

    name: str
    types: Types
    loop: bool = False
    caught: bool = False  # in the handler of a legacy try
    delegated: bool = False  # a delegate names this part of it


@dataclass(frozen=True)
class Function:
    """A function that code can call."""

    name: str
    params: Types
    results: Types


def without_exnrefs(rows: list[tuple[Types, str]]) -> list[tuple[Types, str]]:
    return [row for row in rows if "exnref" not in row[0]]


def result(types: Sequence[str]) -> str:
    return f" (result {' '.join(types)})" if types else ""


def param(types: Sequence[str]) -> str:
    return f" (param {' '.join(types)})" if types else ""


def landing(label: Label) -> str:
    """Return the name of the block to which a translated delegate to this label branches."""
    return f"$to_{label.name[1:]}"


def resolved(code: Code) -> Code:
    """Return code where each "@", the function's own label, which has no name, is a number."""
    depth, lines = 0, []
    for line in code:
        word = line.split(" ", 1)[0]
        if word in ("end", "delegate"):
            depth -= 1
        lines.append(line.replace("@", str(depth)))
        if word in ("block", "loop", "if", "try", "try_table"):
            depth += 1
    return lines
