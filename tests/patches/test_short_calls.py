"""Short calls, of functions whose values have one cell each (cmake/patches/speed/)."""

from __future__ import annotations

from collections.abc import Callable

import platforms
import pytest
from platforms import BITS, needs_short_calls

import wamr

Wat = Callable[[str], bytes]


@needs_short_calls
def test_the_check_of_a_call_is_that_of_the_function_entry(wat: Wat) -> None:
    """The call and the entry are two checks; a short call makes both in the called function."""
    text = """(module
        (func $inner (param i32) (result i32) (local.get 0))
        (func (export "go") (result i32) (call $inner (i32.const 1))))"""
    go = wamr.load(wat(text)).exports.go
    assert go.call(fuel=3) == 1
    for fuel in (1, 2):
        with pytest.raises(wamr.FuelTrap) as caught:
            go.call(fuel=fuel)
        short = platforms.PAIRS or fuel == 2
        assert [frame.func_index for frame in caught.value.frames] == ([0, 1] if short else [1])
    with pytest.raises(wamr.FuelTrap) as caught:
        go.call(fuel=0)
    assert [frame.func_index for frame in caught.value.frames] == [1]


@pytest.mark.parametrize("kind", ["i32", "f32"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 40])
@pytest.mark.parametrize(
    "early", ["", "(return {value})", "(br 0 {value})", "(br_if 0 {value} (i32.const 1))"]
)
def test_values_arrive_in_their_places(wat: Wat, kind: str, count: int, early: str) -> None:
    params = f"(param {' '.join([kind] * count)})"
    mixed = f"({kind}.const 1)" + "".join(
        f"({kind}.add ({kind}.mul (local.get {i}) ({kind}.const {i + 2})))" for i in range(count)
    )
    body = f"(block (result {kind}) {mixed})"
    leave = early.format(value=body)
    drop = "(drop)" if early.startswith("(br_if") else ""
    if early.startswith("(return"):
        body = f"({kind}.const 0)"
    text = f"""(module
        (func $inner {params} (result {kind}) (local i32 i64 f32) {leave} {drop} {body})
        (func (export "go") {params} (result {kind})
          (call $inner {" ".join(f"(local.get {i})" for i in range(count))})))"""
    values = range(1, count + 1)
    wanted = 1 + sum(value * (i + 2) for i, value in enumerate(values))
    assert wamr.load(wat(text)).exports.go(*values) == wanted


def test_calls_without_a_result(wat: Wat) -> None:
    text = """(module (global $sum (mut i32) (i32.const 0))
        (func $add (param i32 i32) (global.set $sum
          (i32.add (global.get $sum) (i32.mul (local.get 0) (local.get 1)))))
        (func $nothing)
        (func (export "go") (param i32) (result i32)
          (loop $l
            (call $nothing) (call $add (local.get 0) (i32.const 3)) (call $nothing)
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (global.get $sum)))"""
    assert wamr.load(wat(text)).exports.go(100) == 3 * 5050


def test_locals_begin_as_zero_and_null(wat: Wat) -> None:
    dirty = "".join(f"(local.set {i} (i64.const -1))" for i in range(50))
    text = f"""(module
        (func $dirty (result i32) (local {"i64 " * 50}) {dirty} (i32.const 0))
        (func $zero (param i32) (result i32) (local i32 i64 f32)
          (i32.and (i32.eqz (local.get 1)) (i64.eqz (local.get 2))))
        (func $null (param i32) (result i32) (local i32 funcref externref)
          (i32.and (i32.eqz (local.get 1))
            (i32.and (ref.is_null (local.get 2)) (ref.is_null (local.get 3)))))
        (func (export "go") (result i32)
          (drop (call $dirty))
          (i32.add (call $zero (i32.const -1))
            (i32.mul (i32.const 2) (block (result i32)
              (drop (call $dirty)) (call $null (i32.const -1)))))))"""
    assert wamr.load(wat(text)).exports.go() == 3


def test_references_are_handed_on(wat: Wat) -> None:
    text = """(module
        (func $inner (param externref i32) (result externref) (local.get 0))
        (func (export "go") (param externref) (result externref)
          (call $inner (local.get 0) (i32.const 1))))"""
    obj = object()
    go = wamr.load(wat(text)).exports.go
    assert go(obj) is obj
    assert go(None) is None


@pytest.mark.parametrize("pushed", ["", "(local i64 i64 i64 i64)", "(local" + " i64" * 3000 + ")"])
@pytest.mark.parametrize("stack", [4096, 65536, 1 << 20])
def test_recursion_without_end_is_a_trap(wat: Wat, pushed: str, stack: int) -> None:
    text = f"""(module
        (global $depth (export "depth") (mut i32) (i32.const 0))
        (func $f (export "go") (param i32) (result i32) {pushed}
          (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
          (i32.add (i32.const 1) (call $f (local.get 0))))
        (func (export "fine") (result i32) (i32.const 42)))"""
    instance = wamr.load(wat(text), limits=wamr.ResourceLimits(stack_bytes=stack))
    depths = []
    for _ in range(3):
        instance.exports.depth.value = 0
        with pytest.raises(wamr.Trap, match="stack") as caught:
            instance.exports.go(1)
        assert caught.value.code is wamr.TrapCode.STACK_OVERFLOW
        depths.append(instance.exports.depth.value)
        assert instance.exports.fine() == 42
    assert depths[0] == depths[1] == depths[2]
    least = 60 if BITS == 64 else 36  # bytes of a frame without values
    assert depths[0] * (least + 8 * pushed.count("i64")) <= stack


def test_frames_and_offsets_of_nested_calls(wat: Wat) -> None:
    text = """(module
        (func $a (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))
        (func $b (param i32) (result i32) (i32.add (i32.const 1) (call $a (local.get 0))))
        (func (export "go") (param i32) (result i32)
          (if (result i32) (local.get 0) (then (call $b (i32.const 1)))
            (else (call $b (local.get 0))))))"""
    code = wat(text)
    instance = wamr.load(code)
    assert instance.exports.go(1) == 8
    with pytest.raises(wamr.Trap, match="divide by zero") as caught:
        instance.exports.go(0)
    frames = caught.value.frames
    assert [frame.func_index for frame in frames] == [0, 1, 2]
    assert [code[frame.module_offset or 0] for frame in frames] == [0x6D, 0x10, 0x10]


def test_a_host_function_in_the_middle_sees_the_stack(wat: Wat) -> None:
    text = """(module (import "m" "f" (func $f (param i32) (result i32)))
        (func $a (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))
        (func $b (export "b") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (i32.const 10) (call $a (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 100)))))"""

    def f(n: int) -> int:
        return int(instance.exports.b(n))

    instance = wamr.load(wat(text), {"m": {"f": f}})
    assert instance.exports.b(20) == 100 + 20 * 11
