"""A model of WebAssembly's numeric operators in exact arithmetic, without Python floats.

A float is the int of its bits, with its Format; its value is a Fraction. Where the specification
leaves the bits of a NaN open, a result is CANONICAL or ARITHMETIC, and `fits` checks the bits of an
actual result. An integer is the unsigned int of its bits, with its width. Functions raise Trap.
Their names are those of the instructions (section 4.3 of the specification).
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import NamedTuple


class Trap(Exception):
    """The instruction traps; the argument is the message of the trap."""


class NaN(enum.Enum):
    CANONICAL = "the canonical NaN, of either sign"
    ARITHMETIC = "a quiet NaN"


Result = int | NaN


class Format(NamedTuple):
    width: int
    fraction: int  # how many bits it has

    @property
    def infinity(self) -> int:
        return (1 << self.width - 1) - (1 << self.fraction)

    @property
    def sign(self) -> int:
        return 1 << self.width - 1

    @property
    def canonical(self) -> int:
        return self.infinity | self.quiet

    @property
    def quiet(self) -> int:
        return 1 << self.fraction - 1

    @property
    def least(self) -> int:
        """Return the exponent of the least subnormal."""
        return 2 - (1 << self.width - self.fraction - 2) - self.fraction

    def positive(self, bits: int) -> int:
        return bits & (self.sign - 1)

    def is_nan(self, bits: int) -> bool:
        return self.positive(bits) > self.infinity

    def is_infinite(self, bits: int) -> bool:
        return self.positive(bits) == self.infinity

    def value(self, bits: int) -> Fraction:
        exponent, fraction = divmod(self.positive(bits), 1 << self.fraction)
        if exponent:
            fraction += 1 << self.fraction
        size = fraction * _power_of_two(self.least + max(exponent - 1, 0))
        return -size if bits & self.sign else size

    def order(self, bits: int) -> Fraction | float:
        """Return the value as comparisons use it; infinities are Python floats."""
        if self.is_infinite(bits):
            return -math.inf if bits & self.sign else math.inf
        return self.value(bits)

    def rounded(self, value: Fraction, zero: int = 0) -> int:
        """Round to the nearest, ties to even; `zero` are the bits for the value 0."""
        if value == 0:
            return zero
        sign = self.sign if value < 0 else 0
        size = abs(value)
        # the exponent of the last bit that the format keeps
        last = size.numerator.bit_length() - size.denominator.bit_length() - self.fraction - 1
        while size >= (2 << self.fraction) * _power_of_two(last):
            last += 1
        last = max(last, self.least)
        units = round(size / _power_of_two(last))  # Python rounds Fractions to even
        bits = ((last - self.least) << self.fraction) + units
        return sign | min(bits, self.infinity)


@cache
def _power_of_two(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


F32, F64 = Format(32, 23), Format(64, 52)


def fits(f: Format, expected: Result, got: int) -> bool:
    if expected is NaN.CANONICAL:
        return f.positive(got) == f.canonical
    if expected is NaN.ARITHMETIC:
        return f.is_nan(got) and bool(got & f.quiet)
    return expected == got


def _nan(f: Format, *operands: int) -> NaN:
    nans = [f.positive(each) for each in operands if f.is_nan(each)]
    return NaN.CANONICAL if all(each == f.canonical for each in nans) else NaN.ARITHMETIC


# ---- floats --------------------------------------------------------------------------------------


def f_abs(f: Format, a: int) -> int:
    return f.positive(a)


def f_neg(f: Format, a: int) -> int:
    return a ^ f.sign


def f_copysign(f: Format, a: int, b: int) -> int:
    return f.positive(a) | b & f.sign


def f_add(f: Format, a: int, b: int) -> Result:
    if f.is_nan(a) or f.is_nan(b):
        return _nan(f, a, b)
    if f.is_infinite(a) and f.is_infinite(b):
        return a if a == b else NaN.CANONICAL
    if f.is_infinite(a) or f.is_infinite(b):
        return a if f.is_infinite(a) else b
    return f.rounded(f.value(a) + f.value(b), zero=a & b & f.sign)


def f_sub(f: Format, a: int, b: int) -> Result:
    return _nan(f, a, b) if f.is_nan(b) else f_add(f, a, f_neg(f, b))


def f_mul(f: Format, a: int, b: int) -> Result:
    if f.is_nan(a) or f.is_nan(b):
        return _nan(f, a, b)
    sign = (a ^ b) & f.sign
    if f.is_infinite(a) or f.is_infinite(b):
        return NaN.CANONICAL if 0 in (f.positive(a), f.positive(b)) else sign | f.infinity
    return f.rounded(f.value(a) * f.value(b), zero=sign)


def f_div(f: Format, a: int, b: int) -> Result:
    if f.is_nan(a) or f.is_nan(b):
        return _nan(f, a, b)
    sign = (a ^ b) & f.sign
    if f.is_infinite(a):
        return NaN.CANONICAL if f.is_infinite(b) else sign | f.infinity
    if f.is_infinite(b):
        return sign
    if f.positive(b) == 0:
        return NaN.CANONICAL if f.positive(a) == 0 else sign | f.infinity
    return f.rounded(f.value(a) / f.value(b), zero=sign)


def f_sqrt(f: Format, a: int) -> Result:
    if f.is_nan(a):
        return _nan(f, a)
    if f.positive(a) == 0 or a == f.infinity:
        return a
    if a & f.sign:
        return NaN.CANONICAL
    value = f.value(a) * 4**1200  # an integer; of its root, far more bits than a float keeps
    root = math.isqrt(int(value))
    inexact = root * root != value
    return f.rounded(Fraction(2 * root + inexact, 2 << 1200))


def f_min(f: Format, a: int, b: int) -> Result:
    if f.is_nan(a) or f.is_nan(b):
        return _nan(f, a, b)
    if f.positive(a) == f.positive(b) == 0:
        return a | b
    return a if f.order(a) < f.order(b) else b


def f_max(f: Format, a: int, b: int) -> Result:
    if f.is_nan(a) or f.is_nan(b):
        return _nan(f, a, b)
    if f.positive(a) == f.positive(b) == 0:
        return a & b
    return a if f.order(a) > f.order(b) else b


def f_pmin(f: Format, a: int, b: int) -> int:
    return b if f_lt(f, b, a) else a


def f_pmax(f: Format, a: int, b: int) -> int:
    return b if f_lt(f, a, b) else a


def _to_integer(f: Format, a: int, how: object) -> Result:
    if f.is_nan(a):
        return _nan(f, a)
    if f.is_infinite(a):
        return a
    return f.rounded(Fraction(how(f.value(a))), zero=a & f.sign)  # type: ignore[operator]


def f_ceil(f: Format, a: int) -> Result:
    return _to_integer(f, a, math.ceil)


def f_floor(f: Format, a: int) -> Result:
    return _to_integer(f, a, math.floor)


def f_trunc(f: Format, a: int) -> Result:
    return _to_integer(f, a, math.trunc)


def f_nearest(f: Format, a: int) -> Result:
    return _to_integer(f, a, round)


def f_eq(f: Format, a: int, b: int) -> bool:
    return not (f.is_nan(a) or f.is_nan(b)) and f.order(a) == f.order(b)


def f_ne(f: Format, a: int, b: int) -> bool:
    return not f_eq(f, a, b)


def f_lt(f: Format, a: int, b: int) -> bool:
    return not (f.is_nan(a) or f.is_nan(b)) and f.order(a) < f.order(b)


def f_gt(f: Format, a: int, b: int) -> bool:
    return f_lt(f, b, a)


def f_le(f: Format, a: int, b: int) -> bool:
    return f_lt(f, a, b) or f_eq(f, a, b)


def f_ge(f: Format, a: int, b: int) -> bool:
    return f_le(f, b, a)


# ---- between floats and integers -----------------------------------------------------------------


def reformat(to: Format, f: Format, a: int) -> Result:
    """promote and demote."""
    if f.is_nan(a):
        return _nan(f, a)
    sign = to.sign if a & f.sign else 0
    return sign | to.infinity if f.is_infinite(a) else to.rounded(f.value(a), zero=sign)


def convert(f: Format, width: int, signed: bool, a: int) -> int:
    return f.rounded(Fraction(signed_of(width, a) if signed else a))


def bounds(width: int, signed: bool) -> tuple[int, int]:
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


def trunc(width: int, signed: bool, f: Format, a: int) -> int:
    if f.is_nan(a):
        raise Trap("invalid conversion to integer")
    low, high = bounds(width, signed)
    if f.is_infinite(a) or not low <= math.trunc(f.value(a)) <= high:
        raise Trap("integer overflow")
    return math.trunc(f.value(a)) % (1 << width)


def trunc_sat(width: int, signed: bool, f: Format, a: int) -> int:
    low, high = bounds(width, signed)
    if f.is_nan(a):
        return 0
    if f.is_infinite(a):
        return (low if a & f.sign else high) % (1 << width)
    return min(max(math.trunc(f.value(a)), low), high) % (1 << width)


def signed_of(width: int, a: int) -> int:
    return a - (1 << width) if a >> width - 1 else a


# ---- values to try -------------------------------------------------------------------------------


def integers(width: int, seed: int = 0, some: int = 8) -> list[int]:
    """Return edge cases and some random values."""
    half, top = 1 << width - 1, (1 << width) - 1
    edges = {0, 1, 2, 3, half - 1, half, half + 1, top - 1, top, top // 3, top // 3 * 2}
    edges |= {
        width - 1,
        width % top,
        (1 << width // 2) - 1,
        1 << width // 2,
        top ^ (top >> width // 2),
    }
    chance = random.Random(seed)
    return sorted(edges) + [chance.randrange(top + 1) for _ in range(some)]


def floats(f: Format, seed: int = 0, some: int = 12) -> list[int]:
    """Return edge cases of floats and of integers and some random values, of both signs."""
    return list(_floats(f, seed, some))


@cache
def _floats(f: Format, seed: int, some: int) -> tuple[int, ...]:
    least_normal = 1 << f.fraction
    edges = {0, 1, 2, 3, least_normal // 2, least_normal - 1, least_normal, least_normal + 1}
    edges |= {f.infinity - 1, f.infinity, f.canonical, f.canonical | 1, f.infinity | 1}
    edges |= {f.infinity | f.quiet - 1, f.infinity | 2 * f.quiet - 1, f.infinity - least_normal}
    for power in (-2, -1, 0, 1, 23, 24, 31, 32, 52, 53, 63, 64, 127, 128):
        if power < (1 << f.width - f.fraction - 2):
            bits = f.rounded(Fraction(2) ** power)
            edges |= {bits - 1, bits, bits + 1}
    tenths = (1, 15, 25, 35, 9, 30_000_000_000, 21474836475, 42949672955, 12345)
    edges |= {f.rounded(Fraction(each, 10)) for each in tenths}
    if f is F64:
        edges |= set(_edges_of_f32())
    chance = random.Random(seed)
    found = sorted(edges) + [chance.randrange(f.sign) for _ in range(some)]
    found += [f.rounded(Fraction(chance.randrange(1 << 40), 1 << 8)) for _ in range(some)]
    return (*found, *[bits | f.sign for bits in found])


def _edges_of_f32() -> Iterable[int]:
    """Return values that demote rounds up or down."""
    for bits in (0, 1, 2, (1 << 23) - 1, 1 << 23, F32.infinity - 2, F32.infinity - 1):
        between = (F32.value(bits) + F32.value(bits) + Fraction(2) ** _step(bits)) / 2
        middle = F64.rounded(between)
        yield from (F64.rounded(F32.value(bits)), middle - 1, middle, middle + 1)


def _step(bits: int) -> int:
    return F32.least + max((bits >> 23) - 1, 0)
