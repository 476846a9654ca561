"""One test for each patch of vector instructions (cmake/patches/bugs/).

Each fails without its patch. What every instruction computes is tested in tests/numeric.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import wamr

Wat = Callable[[str], bytes]


def test_all_true_compares_integers(wat: Wat) -> None:
    call = wamr.load(
        wat("""(module (func (export "f") (param v128) (result i32)
        (i64x2.all_true (local.get 0))))""")
    ).exports.f
    for value in (-(2**63), 2**63 - 1, 1, -1):
        assert call(struct.pack("<2q", value, value)) == 1
        assert call(struct.pack("<2q", value, 0)) == 0
        assert call(struct.pack("<2q", 0, value)) == 0
    assert call(bytes(16)) == 0


def test_lanes_beyond_the_signed_range_are_converted(wat: Wat) -> None:
    call = wamr.load(
        wat("""(module (func (export "f") (param v128) (result v128)
        (i32x4.trunc_sat_f32x4_u (local.get 0))))""")
    ).exports.f

    def converted(*lanes: float) -> tuple[int, ...]:
        return struct.unpack("<4I", call(struct.pack("<4f", *lanes)))

    assert converted(3e9, 2.0**31, 2.0**32 - 256, 2.0**31 + 256) == (
        3_000_000_000, 2**31, 2**32 - 256, 2**31 + 256,
    )  # fmt: skip
    assert converted(2.0**32, 1e30, float("inf"), 2.0**31 - 128) == (
        2**32 - 1, 2**32 - 1, 2**32 - 1, 2**31 - 128,
    )  # fmt: skip
    assert converted(-0.5, -3e9, float("-inf"), float("nan")) == (0, 0, 0, 0)


def test_select_with_the_type_v128(wat: Wat) -> None:
    call = wamr.load(
        wat("""(module (func (export "f") (param v128 v128 i32) (result v128)
        (select (result v128) (local.get 0) (local.get 1) (local.get 2))))""")
    ).exports.f
    one, two = bytes(range(16)), bytes(range(16, 32))
    assert (call(one, two, 1), call(one, two, 0), call(one, two, -1)) == (one, two, one)
