"""A model of the numeric instructions on single values, based on `ieee`.

NAMES has the instructions from opcode 0x45 on, and SATURATING the first ones after 0xFC. `of(name)`
returns an instruction, as in `vector_model`; `run` returns bits or an open NaN, or raises Trap.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import ieee
from ieee import F32, F64, Trap, signed_of
from vector_model import COMPARED
from vector_shapes import SHAPES, Instruction

_COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
_INTEGER = "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"
_FLOAT = "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"


def _each(type_: str, operators: str) -> list[str]:
    return [f"{type_}.{operator}" for operator in operators.split()]


FIRST = 0x45
NAMES = [
    *_each("i32", "eqz " + _COMPARISONS), *_each("i64", "eqz " + _COMPARISONS),
    *_each("f32", "eq ne lt gt le ge"), *_each("f64", "eq ne lt gt le ge"),
    *_each("i32", _INTEGER), *_each("i64", _INTEGER), *_each("f32", _FLOAT), *_each("f64", _FLOAT),
    *_each("i32", "wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"),
    *_each("i64", "extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"),
    *_each("f32", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64"),
    *_each("f64", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32"),
    "i32.reinterpret_f32", "i64.reinterpret_f64", "f32.reinterpret_i32", "f64.reinterpret_i64",
    *_each("i32", "extend8_s extend16_s"), *_each("i64", "extend8_s extend16_s extend32_s"),
]  # fmt: skip
SATURATING = [
    f"{into}.trunc_sat_{source}_{sign}"
    for into in ("i32", "i64")
    for source in ("f32", "f64")
    for sign in "su"
]

FORMATS = {"f32": F32, "f64": F64}
WIDTHS = {"i32": 32, "i64": 64}


def values(type_: str) -> list[int]:
    if type_ in FORMATS:
        return ieee.floats(FORMATS[type_])
    around = [1 << 24, 1 << 53, (1 << 24) + 1, (1 << 53) + 1, (1 << 25) + 3, 0x7FFFFFBFFFFFFFFF]
    width = WIDTHS[type_]  # where conversions round
    return ieee.integers(width, some=40) + [each % (1 << width) for each in around]


def pairs(type_: str) -> list[tuple[int, int]]:
    if type_ in FORMATS:
        return SHAPES["f32x4" if type_ == "f32" else "f64x2"].pairs()
    chance = random.Random(2)
    integers = ieee.integers(WIDTHS[type_])
    every = list(itertools.product(integers, integers))
    return every + [
        (chance.choice(values(type_)), chance.choice(values(type_))) for _ in range(200)
    ]


def _divided(w: int, a: int, b: int, signed: bool, remainder: bool) -> int:
    if b == 0:
        raise Trap("integer divide by zero")
    if signed:
        a, b = signed_of(w, a), signed_of(w, b)
        if not remainder and a // b == 1 << w - 1:
            raise Trap("integer overflow")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a - quotient * b if remainder else quotient


_UNARY: dict[str, Callable[[int, int], int]] = {
    "eqz": lambda w, a: a == 0,
    "clz": lambda w, a: w - a.bit_length(),
    "ctz": lambda w, a: (a & -a).bit_length() - 1 if a else w,
    "popcnt": lambda w, a: (a).bit_count(),
    "extend8_s": lambda w, a: signed_of(8, a % 256),
    "extend16_s": lambda w, a: signed_of(16, a % (1 << 16)),
    "extend32_s": lambda w, a: signed_of(32, a % (1 << 32)),
}
_BINARY: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda w, a, b: a + b,
    "sub": lambda w, a, b: a - b,
    "mul": lambda w, a, b: a * b,
    "div_s": lambda w, a, b: _divided(w, a, b, signed=True, remainder=False),
    "div_u": lambda w, a, b: _divided(w, a, b, signed=False, remainder=False),
    "rem_s": lambda w, a, b: _divided(w, a, b, signed=True, remainder=True),
    "rem_u": lambda w, a, b: _divided(w, a, b, signed=False, remainder=True),
    "and": lambda w, a, b: a & b,
    "or": lambda w, a, b: a | b,
    "xor": lambda w, a, b: a ^ b,
    "shl": lambda w, a, b: a << b % w,
    "shr_s": lambda w, a, b: signed_of(w, a) >> b % w,
    "shr_u": lambda w, a, b: a >> b % w,
    "rotl": lambda w, a, b: (a << b % w) | (a >> w - b % w),
    "rotr": lambda w, a, b: (a >> b % w) | (a << w - b % w),
}


def of(name: str) -> Instruction:
    """Return the instruction of this name."""
    type_, _, operator = name.partition(".")
    if name not in NAMES and name not in SATURATING:
        raise LookupError(f"no model of {name}")
    if found := re.fullmatch(r"([a-z_]+)_([if]\d\d)(?:_([su]))?", operator):
        run = _converter(type_, *found.groups())
        return Instruction(name, (found[2],), type_, run, lambda: [(a,) for a in values(found[2])])
    return _float(name, type_, operator) if type_ in FORMATS else _integer(name, type_, operator)


def _converter(type_: str, operator: str, source: str, sign: str) -> Callable[[int], Any]:
    signed = sign == "s"
    f, width = FORMATS.get(source, F32), WIDTHS.get(type_, 0)
    converters: dict[str, Callable[[int], Any]] = {
        "trunc": functools.partial(ieee.trunc, width, signed, f),
        "trunc_sat": functools.partial(ieee.trunc_sat, width, signed, f),
        "convert": lambda a: ieee.convert(FORMATS[type_], WIDTHS[source], signed, a),
        "demote": functools.partial(ieee.reformat, F32, F64),
        "promote": functools.partial(ieee.reformat, F64, F32),
        "reinterpret": lambda a: a,
        "wrap": lambda a: a % (1 << 32),
        "extend": lambda a: signed_of(32, a) % (1 << 64) if signed else a,
    }
    return converters[operator]


def _integer(name: str, type_: str, operator: str) -> Instruction:
    w = WIDTHS[type_]
    if operator in _UNARY:
        one, result = _UNARY[operator], "i32" if operator == "eqz" else type_
        run: Callable[..., Any] = lambda a: one(w, a) % (1 << w)  # noqa: E731
        return Instruction(name, (type_,), result, run, lambda: [(a,) for a in values(type_)])
    two = COMPARED.get(operator) or _BINARY[operator]
    run = lambda a, b: two(w, a, b) % (1 << w)  # noqa: E731
    result = "i32" if operator in COMPARED else type_
    return Instruction(name, (type_, type_), result, run, lambda: list(pairs(type_)))


def _float(name: str, type_: str, operator: str) -> Instruction:
    run: Callable[..., Any] = functools.partial(getattr(ieee, "f_" + operator), FORMATS[type_])
    if operator in ("eq", "ne", "lt", "gt", "le", "ge"):
        compared = run
        run = lambda a, b: int(compared(a, b))  # noqa: E731
        return Instruction(name, (type_, type_), "i32", run, lambda: list(pairs(type_)))
    if operator in ("abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"):
        return Instruction(name, (type_,), type_, run, lambda: [(a,) for a in values(type_)])
    return Instruction(name, (type_, type_), type_, run, lambda: list(pairs(type_)))
