"""The vector instructions, and the shapes of their operands.

NAMES has the instruction of each opcode after 0xFD, 0 to 255. A vector is 16 bytes; its lanes are
unsigned ints, lane 0 first. An expected vector is a Vector, whose lanes may be open (ieee.NaN).
`vector_model` has the effects of the instructions.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ieee
from ieee import F32, F64, Format, Result

_TABLE = """
v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s
v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store
v128.const i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat
f64x2.splat i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s
i16x8.extract_lane_u i16x8.replace_lane i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane
i64x2.replace_lane f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane
i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s
i8x16.ge_u i16x8.eq i16x8.ne i16x8.lt_s i16x8.lt_u i16x8.gt_s i16x8.gt_u i16x8.le_s i16x8.le_u
i16x8.ge_s i16x8.ge_u i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s i32x4.gt_u i32x4.le_s
i32x4.le_u i32x4.ge_s i32x4.ge_u f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge f64x2.eq
f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge v128.not v128.and v128.andnot v128.or v128.xor
v128.bitselect v128.any_true v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane
v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane v128.load32_zero
v128.load64_zero f32x4.demote_f64x2_zero f64x2.promote_low_f32x4 i8x16.abs i8x16.neg i8x16.popcnt
i8x16.all_true i8x16.bitmask i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u f32x4.ceil f32x4.floor
f32x4.trunc f32x4.nearest i8x16.shl i8x16.shr_s i8x16.shr_u i8x16.add i8x16.add_sat_s
i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u f64x2.ceil f64x2.floor i8x16.min_s
i8x16.min_u i8x16.max_s i8x16.max_u f64x2.trunc i8x16.avgr_u i16x8.extadd_pairwise_i8x16_s
i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u i16x8.abs
i16x8.neg i16x8.q15mulr_sat_s i16x8.all_true i16x8.bitmask i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u
i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u
i16x8.extend_high_i8x16_u i16x8.shl i16x8.shr_s i16x8.shr_u i16x8.add i16x8.add_sat_s
i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u f64x2.nearest i16x8.mul i16x8.min_s
i16x8.min_u i16x8.max_s i16x8.max_u - i16x8.avgr_u i16x8.extmul_low_i8x16_s
i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u i32x4.abs i32x4.neg -
i32x4.all_true i32x4.bitmask - - i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s
i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add - -
i32x4.sub - - - i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s -
i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u
i32x4.extmul_high_i16x8_u i64x2.abs i64x2.neg - i64x2.all_true i64x2.bitmask - -
i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u
i64x2.extend_high_i32x4_u i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add - - i64x2.sub - - - i64x2.mul
i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s i64x2.extmul_low_i32x4_s
i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u f32x4.abs f32x4.neg -
f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax
f64x2.abs f64x2.neg - f64x2.sqrt f64x2.add f64x2.sub f64x2.mul f64x2.div f64x2.min f64x2.max
f64x2.pmin f64x2.pmax i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s
f32x4.convert_i32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero
f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u
"""
NAMES = _TABLE.split()


@dataclass(frozen=True)
class Lane:
    """The lanes of a shape: integers of a width, or floats of a format."""

    width: int
    format: Format | None = None

    @property
    def count(self) -> int:
        return 128 // self.width

    def split(self, vector: bytes) -> list[int]:
        size = self.width // 8
        return [int.from_bytes(vector[i : i + size], "little") for i in range(0, 16, size)]

    def join(self, lanes: list[int]) -> bytes:
        return b"".join(lane.to_bytes(self.width // 8, "little") for lane in lanes)

    def values(self) -> list[int]:
        return ieee.floats(self.format) if self.format else ieee.integers(self.width)

    def pairs(self) -> list[tuple[int, int]]:
        """Return all pairs of a few values and some of all values, with edge cases of shifts."""
        chance = random.Random(self.width)
        values = self.values()
        few = chance.sample(values, 16)
        if self.format:
            f = self.format
            few = [0, 1, (1 << f.fraction) - 1, 1 << f.fraction, f.infinity - 1, f.infinity]
            few += [f.canonical, f.infinity | 1, f.rounded(Fraction(1))]
            few += [bits | f.sign for bits in few]
        pairs = [*itertools.product(few, few), *((value, value) for value in values)]
        return pairs + [(chance.choice(values), chance.choice(values)) for _ in range(600)]


SHAPES = {
    "i8x16": Lane(8), "i16x8": Lane(16), "i32x4": Lane(32), "i64x2": Lane(64),
    "f32x4": Lane(32, F32), "f64x2": Lane(64, F64),
}  # fmt: skip


@dataclass(frozen=True)
class Vector:
    lane: Lane
    lanes: list[Result]

    def fits(self, got: bytes) -> bool:
        f = self.lane.format or F64
        return all(map(functools.partial(ieee.fits, f), self.lanes, self.lane.split(got)))


@dataclass(frozen=True)
class Instruction:
    """An instruction. `params` and `result` are value types; floats are the ints of their bits."""

    name: str
    params: tuple[str, ...]
    result: str
    run: Callable[..., Any]  # (*arguments) -> int, NaN or Vector; with immediates: (immediate, …)
    tries: Callable[[], list[tuple[Any, ...]]]  # arguments
    immediates: tuple[Any, ...] = ()  # one is chosen for each function


# ---- vectors to try: each value, each pair, in each place ----------------------------------------


def vectors(lane: Lane, values: list[int]) -> list[bytes]:
    around = values + values[: lane.count]
    return [lane.join(around[i : i + lane.count]) for i in range(len(values))]


def unary(lane: Lane) -> list[tuple[Any, ...]]:
    return [(vector,) for vector in vectors(lane, lane.values())]


def binary(lane: Lane) -> list[tuple[Any, ...]]:
    left, right = zip(*lane.pairs(), strict=True)
    return list(zip(vectors(lane, list(left)), vectors(lane, list(right)), strict=True))
