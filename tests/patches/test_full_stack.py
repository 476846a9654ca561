"""One test for each patch of the state after a stack overflow (cmake/patches/bugs/)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import wamr
from wamr import ResourceLimits, StackOverflowTrap

Wat = Callable[[str], bytes]
CALL = 0x10


def test_arguments_that_do_not_fit_leave_nothing_on_the_stack(wat: Wat) -> None:
    text = f"""(module (func (export "wide") (param {"i64 " * 900}))
        (func (export "ok") (result i32) (i32.const 7)))"""
    exports = wamr.load(wat(text), limits=ResourceLimits(stack_bytes=4096)).exports
    for _ in range(200):
        with pytest.raises(StackOverflowTrap):
            exports.wide(*range(900))
        assert exports.ok() == 7


@pytest.mark.parametrize("kind", ["return_call $big", "return_call_indirect (i32.const 0)"])
def test_a_tail_call_that_does_not_fit_leaves_the_frames_as_they_were(wat: Wat, kind: str) -> None:
    code = wat(f"""(module (table 1 funcref) (elem (i32.const 0) $big)
        (func $big (local {"i64 " * 8000}))
        (func $tail (export "tail") (block (br 0)) (nop) (nop) ({kind}))
        (func $middle (call $tail))
        (func $first (export "first") (nop) (call $middle) (nop)))""")
    exports = wamr.load(code, limits=ResourceLimits(stack_bytes=8192)).exports
    for _ in range(2):
        with pytest.raises(StackOverflowTrap) as caught:
            exports.first()
        frames = caught.value.frames
        assert [frame.func_name for frame in frames] == ["middle", "first"]
        assert [code[frame.module_offset or 0] for frame in frames] == [CALL, CALL]
        with pytest.raises(StackOverflowTrap) as caught:
            exports.tail()
        assert caught.value.frames == ()
