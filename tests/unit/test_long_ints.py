"""Ints of thousands of digits, which Python refuses to convert: errors are the usual ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import wamr
from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Limits,
    MemoryType,
    ResourceLimits,
    Val,
    ValType,
)
from wamr._base.arguments import shown_number
from wamr.sandbox import RunLimits

if TYPE_CHECKING:
    from collections.abc import Callable

HUGE = 1 << 20_000
SHOWN = "an int of 20001 bits"


@pytest.fixture(scope="module")
def exports() -> wamr.Exports:
    return wamr.load(
        """
        (module
          (memory (export "memory") 1 2)
          (table (export "table") 1 2 externref)
          (global (export "i32") (mut i32) (i32.const 0))
          (func (export "f") (param i32)))
        """
    ).exports


def test_how_numbers_are_shown() -> None:
    assert shown_number(2**1024 - 1) == str(2**1024 - 1)
    assert shown_number(-1.5) == "-1.5"
    assert shown_number(HUGE) == SHOWN
    assert shown_number(-HUGE) == "a negative int of 20001 bits"


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda e: e.f(HUGE), OverflowError),
        (lambda e: e.f(-HUGE), OverflowError),
        (lambda e: e.f.call(HUGE), OverflowError),
        (lambda e: e.f.callable(HUGE), OverflowError),
        (lambda e: e.f.call(1, fuel=HUGE), ValueError),
        (lambda e: e.f.call(1, timeout=-HUGE), ValueError),
        (lambda e: e.f.execution(1, slice_fuel=HUGE), ValueError),
        (lambda e: setattr(e.i32, "value", HUGE), OverflowError),
        (lambda e: e.memory[HUGE], IndexError),
        (lambda e: e.memory[-HUGE], IndexError),
        (lambda e: e.memory.__setitem__(0, HUGE), ValueError),
        (lambda e: e.memory.read(HUGE, 1), IndexError),
        (lambda e: e.memory.read(0, HUGE), IndexError),
        (lambda e: e.memory.write(-HUGE, b"a"), IndexError),
        (lambda e: e.memory.view(HUGE), IndexError),
        (lambda e: e.memory.grow(HUGE), wamr.MemoryLimitError),
        (lambda e: e.memory.grow(-HUGE), ValueError),
        (lambda e: e.table[HUGE], IndexError),
        (lambda e: e.table.__setitem__(-HUGE, None), IndexError),
        (lambda e: e.table.grow(HUGE), ValueError),
        (lambda e: e.table.grow(-HUGE), ValueError),
        (lambda _: Limits(-HUGE), ValueError),
        (lambda _: Limits(HUGE, 1), ValueError),
        (lambda _: MemoryType(Limits(HUGE)), ValueError),
        (lambda _: ResourceLimits(memory_bytes=HUGE), ValueError),
        (lambda _: ResourceLimits(stack_bytes=HUGE), ValueError),
        (lambda _: Val(ValType.I64, HUGE), OverflowError),
        (lambda _: Val.from_bits(ValType.I64, HUGE), OverflowError),
        (lambda _: Func(wamr.Store(), FuncType.parse("() -> i32"), lambda: HUGE)(), OverflowError),
        (lambda _: Global(wamr.Store(), GlobalType(ValType.I32), HUGE), OverflowError),
        (lambda _: RunLimits(time=HUGE), ValueError),
        (lambda _: RunLimits(memory=HUGE), ValueError),
        (lambda _: wamr.WasiConfig(stdout=-HUGE), ValueError),
    ],
)
def test_errors(
    exports: wamr.Exports, use: Callable[[Any], object], error: type[Exception]
) -> None:
    with pytest.raises(error, match="int of 20001 bits") as caught:
        use(exports)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Limits(HUGE), f"Limits({SHOWN})"),
        (Limits(1, HUGE), f"Limits(1, {SHOWN})"),
        (ResourceLimits(timeout=HUGE), f"ResourceLimits(timeout={SHOWN})"),
        (str(wamr.ExitTrap(HUGE)), repr(f"exit with code {SHOWN}")),
    ],
)
def test_texts(made: object, text: str) -> None:
    assert repr(made) == text
