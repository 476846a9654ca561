"""Every relaxed SIMD instruction on edge cases and random lanes, compared with a model.

The model, tests/support/relaxed_model.py, has the results that docs/features.md promises. They are
the same on all processors. Each value is in each lane once, in each floating-point environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ieee
import pytest
import relaxed_model
import single_instructions
from vector_shapes import NAMES as FIXED
from vector_shapes import Vector

import wamr

Wat = Callable[[str], bytes]


def fits(expected: Vector, got: Any) -> bool:
    return isinstance(got, bytes) and expected.fits(got)


@pytest.mark.parametrize("name", relaxed_model.NAMES)
def test_a_relaxed_instruction_gives_what_the_model_gives(
    name: str, wat: Wat, compare: Callable[..., None]
) -> None:
    instruction = relaxed_model.of(name)
    text = single_instructions.function("f", name, instruction.params, instruction.result)
    call = wamr.load(wat(f"(module {text})")).exports.f
    tries = instruction.tries()
    compare(call, tries, [instruction.run(*each) for each in tries], fits)


def constant(vector: bytes) -> str:
    return "(v128.const i8x16 " + " ".join(map(str, vector)) + ")"


@pytest.mark.parametrize("name", relaxed_model.NAMES)
def test_operands_and_results_may_come_from_and_go_anywhere(name: str, wat: Wat) -> None:
    instruction = relaxed_model.of(name)
    count = len(instruction.params)
    tries = instruction.tries()
    for operands in tries[:: len(tries) // 7]:
        at = f"(local.get {count})"
        gets = [f"(local.get {i})" for i in range(count)]
        shapes = [
            [constant(each) for each in operands],
            gets,
            [f"(v128.not (v128.not {get}))" for get in gets],
            [f"(block (result v128) {get})" for get in gets],
            [f"(local.tee {i} (v128.or {get} {get}))" for i, get in enumerate(gets)],
        ]
        body = "".join(
            f"(local.set {count} ({name} {' '.join(shape)}))"
            f"(local.set {count} (v128.xor {at} (v128.const i64x2 0 0)))"
            f"(drop ({name} {' '.join(shape)}))"
            f"(global.set {i} (v128.and {at} ({name} {' '.join(shape)})))"
            for i, shape in enumerate(shapes)
        )
        exported = "".join(
            f'(global (export "{i}") (mut v128) (v128.const i64x2 0 0))' for i in range(len(shapes))
        )
        text = f"""(module {exported}
            (func (export "f") (param {"v128 " * count}) (local v128) {body}))"""
        exports = wamr.load(wat(text)).exports
        exports.f(*operands)
        expected = instruction.run(*operands)
        for i in range(len(shapes)):
            assert fits(expected, exports[str(i)].value), (name, shapes[i])


def test_a_product_is_rounded_before_the_sum(wat: Wat) -> None:
    """A fused operation would return another value for these numbers."""
    for shape, epsilon in (("f32x4", 2.0**-12), ("f64x2", 2.0**-27)):
        texts = "".join(
            single_instructions.function(name, f"{shape}.relaxed_{name}", ("v128",) * 3, "v128")
            for name in ("madd", "nmadd")
        )
        exports = wamr.load(wat(f"(module {texts})")).exports
        lane = relaxed_model.SHAPES[shape]
        f = lane.format
        assert f

        def vector(value: float, lane: Any = lane, f: Any = f) -> bytes:
            bits = f.rounded(ieee.Fraction(value))
            return bytes(lane.join([bits] * lane.count))

        # The square is 1 + 2 * epsilon + epsilon ** 2. Rounding loses the last term.
        one = 1.0 + epsilon
        square = 1.0 + 2 * epsilon
        assert exports.madd(vector(one), vector(one), vector(-square)) == bytes(16)
        assert exports.nmadd(vector(one), vector(one), vector(square)) == bytes(16)


def test_a_model_of_a_fused_operation_would_be_wrong() -> None:
    """Some of the operands above have different results with a fused operation."""
    for name in relaxed_model.MADD:
        lane = relaxed_model.SHAPES[name[:5]]
        f = lane.format
        assert f
        fused = 0
        for operands in relaxed_model.of(name).tries():
            for a, b, c in zip(*map(lane.split, operands), strict=True):
                twice = relaxed_model.madd(f, False, a, b, c)
                finite = not any(f.is_nan(each) or f.is_infinite(each) for each in (a, b, c))
                if finite and not isinstance(twice, ieee.NaN):
                    exact = f.rounded(f.value(a) * f.value(b) + f.value(c), zero=twice)
                    fused += exact != twice
        assert fused > 100


# ---- what is valid -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", relaxed_model.NAMES)
def test_operands_and_results_have_types(name: str, wat: Wat) -> None:
    count = len(relaxed_model.of(name).params)
    vector = "(v128.const i64x2 0 0)"

    def text(operands: list[str], result: str = "v128", before: str = "") -> bytes:
        return wat(f"(module (func (result {result}) {before} {' '.join(operands)} {name}))")

    wamr.load(text([vector] * count))
    for before in ("", "unreachable "):
        for other in ("i32", "i64", "f32", "f64"):
            for at in range(count):
                wrong = [vector] * count
                wrong[at] = f"({other}.const 0)"
                with pytest.raises(wamr.CompileError, match="type mismatch"):
                    wamr.load(text(wrong, before=before))
            with pytest.raises(wamr.CompileError, match="type mismatch"):
                wamr.load(text([vector] * count, other, before))
    with pytest.raises(wamr.CompileError, match="type mismatch"):
        wamr.load(text([vector] * (count - 1)))


@pytest.mark.parametrize("name", relaxed_model.NAMES)
def test_unreachable_code_is_valid_and_harmless(name: str, wat: Wat) -> None:
    text = f"""(module
        (func (export "f") (result i32) (block (br 0) {name} drop) (i32.const 5))
        (func (export "g") (result i32) (return (i32.const 6)) {name} drop unreachable))"""
    exports = wamr.load(wat(text)).exports
    assert (exports.f(), exports.g()) == (5, 6)


def test_code_without_a_branch_takes_fuel(wat: Wat) -> None:
    body = "(local.set 0 (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))" * 5000
    exports = wamr.load(wat(f'(module (func (export "f") (param v128) {body}))')).exports
    with pytest.raises(wamr.FuelTrap):
        exports.f.call(bytes(16), fuel=10)
    exports.f.call(bytes(16), fuel=100_000)


# ---- the list is complete ------------------------------------------------------------------------


def test_each_name_has_its_opcode(wat: Wat) -> None:
    assert len(relaxed_model.NAMES) == 0x114 - 0x100
    for at, name in enumerate(relaxed_model.NAMES):
        code = wat(f"(module (func unreachable {name} unreachable))")
        assert bytes([0, 0xFD, 0x80 + at, 2, 0, 0x0B]) in code, name


@pytest.mark.parametrize(
    "opcode",
    [*(at for at, name in enumerate(FIXED) if name == "-"), 0x114, 0x115, 0x1FF, 0x200, 0x10105],
)
def test_an_opcode_without_an_instruction_is_refused(opcode: int, wat: Wat) -> None:
    """The opcodes include those by which the loader marks its own instructions."""
    data = wat("(module (func unreachable i8x16.relaxed_swizzle unreachable))")
    number = bytes([opcode & 0x7F | 0x80, opcode >> 7 & 0x7F | 0x80, opcode >> 14])
    old = b"\xfd\x80\x02"
    at = data.index(old)
    changed = bytearray(data[:at] + b"\xfd" + number + data[at + 3 :])
    size = changed.rindex(b"\x0a", 0, at)  # of the code section
    changed[size + 1] += 1  # the section
    changed[size + 3] += 1  # the function
    said = f"invalid opcode 0xfd {opcode:02x}"
    with pytest.raises(wamr.CompileError, match=re.escape(said)):
        wamr.load(bytes(changed))
