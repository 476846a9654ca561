"""A model of the relaxed SIMD instructions, with the results that docs/features.md promises.

NAMES has the instructions from opcode 0xFD 0x100 on. `of(name)` returns an instruction, as in
`vector_model`. Most give what another instruction gives.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from typing import Any

import ieee
import vector_model
from ieee import Format, NaN, Result, signed_of
from vector_shapes import SHAPES, Instruction, Lane, Vector, binary, vectors

SAME = {
    "i8x16.relaxed_swizzle": "i8x16.swizzle",
    "i32x4.relaxed_trunc_f32x4_s": "i32x4.trunc_sat_f32x4_s",
    "i32x4.relaxed_trunc_f32x4_u": "i32x4.trunc_sat_f32x4_u",
    "i32x4.relaxed_trunc_f64x2_s_zero": "i32x4.trunc_sat_f64x2_s_zero",
    "i32x4.relaxed_trunc_f64x2_u_zero": "i32x4.trunc_sat_f64x2_u_zero",
    "i8x16.relaxed_laneselect": "v128.bitselect",
    "i16x8.relaxed_laneselect": "v128.bitselect",
    "i32x4.relaxed_laneselect": "v128.bitselect",
    "i64x2.relaxed_laneselect": "v128.bitselect",
    "f32x4.relaxed_min": "f32x4.min",
    "f32x4.relaxed_max": "f32x4.max",
    "f64x2.relaxed_min": "f64x2.min",
    "f64x2.relaxed_max": "f64x2.max",
    "i16x8.relaxed_q15mulr_s": "i16x8.q15mulr_sat_s",
}
MADD = ("f32x4.relaxed_madd", "f32x4.relaxed_nmadd", "f64x2.relaxed_madd", "f64x2.relaxed_nmadd")
DOT, DOT_ADD = "i16x8.relaxed_dot_i8x16_i7x16_s", "i32x4.relaxed_dot_i8x16_i7x16_add_s"
_SAME = list(SAME)
NAMES = [*_SAME[:5], *MADD, *_SAME[5:], DOT, DOT_ADD]


def of(name: str) -> Instruction:
    """Return the instruction of this name."""
    if name in SAME:
        return dataclasses.replace(vector_model.of(SAME[name]), name=name)
    if name in MADD:
        lane = SHAPES[name.partition(".")[0]]
        assert lane.format
        function = functools.partial(madd, lane.format, name.endswith("nmadd"))

        def run(*operands: bytes) -> Vector:
            return Vector(
                lane, [function(*each) for each in zip(*map(lane.split, operands), strict=True)]
            )

        return Instruction(name, ("v128",) * 3, "v128", run, lambda: _madd_tries(lane))
    if name == DOT:
        return Instruction(name, ("v128",) * 2, "v128", _dot, _dot_tries)
    if name == DOT_ADD:
        return Instruction(name, ("v128",) * 3, "v128", _dot_add, _dot_add_tries)
    raise LookupError(f"no model of {name}")


def madd(f: Format, negated: bool, a: int, b: int, c: int) -> Result:
    """Return a * b + c, or -a * b + c, rounded twice."""
    product = ieee.f_mul(f, ieee.f_neg(f, a) if negated else a, b)
    if isinstance(product, NaN):
        payload = f.is_nan(c) and f.positive(c) != f.canonical
        return NaN.ARITHMETIC if payload else product
    return ieee.f_add(f, product, c)


def _madd_tries(lane: Lane) -> list[tuple[Any, ...]]:
    """Return triples; in every second, the sum is what a fused operation would not round away."""
    f = lane.format
    assert f
    chance = random.Random(11)
    left, right, sums = [], [], []
    for i, (a, b) in enumerate(lane.pairs()):
        product = ieee.f_mul(f, a, b)
        c = chance.choice(lane.values())
        if i % 2 and not isinstance(product, NaN):
            c = product ^ (f.sign if i % 4 == 1 else 0)
        left.append(a)
        right.append(b)
        sums.append(c)
    operands = (vectors(lane, each) for each in (left, right, sums))
    return list(zip(*operands, strict=True))


def _products(v: bytes, w: bytes) -> list[int]:
    both = zip(Lane(8).split(v), Lane(8).split(w), strict=True)
    return [signed_of(8, a) * signed_of(8, b) for a, b in both]


def _dot(v: bytes, w: bytes) -> Vector:
    products = _products(v, w)
    return Vector(Lane(16), [sum(products[i : i + 2]) % (1 << 16) for i in range(0, 16, 2)])


def _dot_add(v: bytes, w: bytes, c: bytes) -> Vector:
    products = _products(v, w)
    added = [sum(products[4 * i : 4 * i + 4]) + each for i, each in enumerate(Lane(32).split(c))]
    return Vector(Lane(32), [each % (1 << 32) for each in added])


def _dot_tries() -> list[tuple[Any, ...]]:
    return [*binary(Lane(8)), (b"\x80" * 16, b"\x80" * 16), (b"\x7f" * 16, b"\xff" * 16)]


def _dot_add_tries() -> list[tuple[Any, ...]]:
    chance = random.Random(13)
    edges = vectors(Lane(32), [0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 0x8000, 0xFFFF8000])
    return [(v, w, chance.choice([*edges, chance.randbytes(16)])) for v, w in _dot_tries()]
