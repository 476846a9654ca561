"""Work that takes long between two branches counts as several checks (cmake/patches/limits/).

Without the patches, each of these loops runs for minutes before it can be stopped.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from thread_helpers import repeatedly

import wamr

pytestmark = pytest.mark.slow

Wat = Callable[[str], bytes]

PAGES = 64
LONG = PAGES * 65536
ELEMENTS = 10_000_000

# The instruction that each loop executes before it branches.
BULK = {
    "memory.fill": f"(memory.fill (i32.const 0) (i32.const 1) (i32.const {LONG}))",
    "memory.copy": f"(memory.copy (i32.const 0) (i32.const {LONG // 2}) (i32.const {LONG // 2}))",
    "memory.init": "(memory.init $data (i32.const 0) (i32.const 0) (i32.const 1000000))",
    "table.fill": f"(table.fill $t (i32.const 0) (ref.null func) (i32.const {ELEMENTS}))",
    "table.copy": f"(table.copy $t $t (i32.const 0) (i32.const 8) (i32.const {ELEMENTS - 8}))",
    "table.init": "(table.init $t $elements (i32.const 0) (i32.const 0) (i32.const 100000))",
}
FRAMES = {
    "locals": "(local" + " i64" * 15_000 + ")",
    "references": "(local" + " externref" * 15_000 + ")",
    "constants": "".join(f"(drop (i64.const {n}))" for n in range(5_000)),
}
ADDING = "(local.set $x (f64.nearest (local.get $x)))"


def looping(wat: Wat, body: str, function: str = "") -> wamr.Instance:
    data = "a" * 1_000_000 if "memory.init" in body else ""
    elements = " $small" * 100_000 if "table.init" in body else ""
    text = f"""(module
        (memory {PAGES}) (data $data "{data}")
        (table $t {ELEMENTS if "table" in body else 1} funcref)
        (elem $elements func{elements})
        (func $f {function})
        (func $small)
        (func (export "loop") (local $x f64) (loop $l {body} (br $l)))
        (func (export "once") (local $x f64) {body})
        (func (export "fine") (result i32) (i32.const 42)))"""
    return wamr.load(wat(text))


def is_stopped(instance: wamr.Instance) -> None:
    with pytest.raises(wamr.TimeoutTrap):
        instance.exports.loop.call(timeout=0.02)
    with repeatedly(instance.interrupt), pytest.raises(wamr.Trap, match="interrupted"):
        instance.exports.loop()
    with pytest.raises(wamr.FuelTrap):
        instance.exports.loop.call(fuel=1_000_000)
    assert instance.exports.fine() == 42


def fuel_of(instance: wamr.Instance, name: str) -> int:
    instance.fuel = 10_000_000
    instance.exports[name]()
    assert instance.fuel is not None
    return 10_000_000 - instance.fuel


@pytest.mark.parametrize("bulk", BULK)
def test_bulk_instructions_are_stopped(wat: Wat, bulk: str) -> None:
    is_stopped(looping(wat, BULK[bulk]))


@pytest.mark.parametrize("frame", FRAMES)
def test_calls_of_functions_with_many_locals_are_stopped(wat: Wat, frame: str) -> None:
    instance = looping(wat, "(call $f)", FRAMES[frame])
    is_stopped(instance)
    assert fuel_of(instance, "once") > 100


def test_long_code_without_a_branch_is_stopped(wat: Wat) -> None:
    is_stopped(looping(wat, ADDING * 50_000))


@pytest.mark.parametrize(
    ("instruction", "of", "units"),
    [
        ("memory.fill (i32.const 0) (i32.const 1)", 64, 65),
        ("memory.copy (i32.const 0) (i32.const 65536)", 64, 65),
        ("memory.init $data (i32.const 0) (i32.const 0)", 64, 63),
        ("table.fill $t (i32.const 0) (ref.null func)", 8, 33),
        ("table.copy $t $t (i32.const 8) (i32.const 0)", 8, 33),
        ("table.init $t $elements (i32.const 0) (i32.const 0)", 8, 7),
    ],
)
def test_a_bulk_instruction_counts_by_its_length(
    wat: Wat, instruction: str, of: int, units: int
) -> None:
    text = f"""(module
        (memory (export "memory") 2) (data $data "{"a" * 4096}")
        (table $t 300 funcref) (elem $elements func{" $f" * 64}) (func $f)
        (func (export "go") (param $n i32) ({instruction} (local.get $n))))"""
    instance = wamr.load(wat(text))

    def left(length: int, fuel: int = 1000) -> int | None:
        instance.fuel = fuel
        instance.exports.go(length)
        return instance.fuel

    assert left(0) == left(of - 1) == 999  # only the check of the function's entry
    assert left(of) == left(2 * of - 1) == 998
    assert left(units * of) == 999 - units
    assert left(units * of, units + 1) == 0
    before = bytes(instance.exports.memory.view())
    with pytest.raises(wamr.FuelTrap):
        left(units * of, units)
    assert instance.fuel == 0
    assert bytes(instance.exports.memory.view()) == before
    with pytest.raises(wamr.Trap, match="out of bounds"):
        left(-1)  # the bounds are checked before the fuel
    assert instance.fuel == 999


def test_a_bulk_instruction_that_cannot_be_paid_does_not_begin(wat: Wat) -> None:
    instance = looping(wat, BULK["memory.fill"])
    with pytest.raises(wamr.FuelTrap):
        instance.exports.once.call(fuel=LONG // 64)
    instance.exports.once.call(fuel=LONG // 64 + 1)


@pytest.mark.parametrize("length", [0, 100, 1000, 10_000, 100_000])
def test_straight_code_counts_by_its_length(wat: Wat, length: int) -> None:
    text = f'(module (func (export "go") {"(drop (i32.const 1))" * (length // 3)}))'
    instance = wamr.load(wat(text))
    assert fuel_of(instance, "go") == pytest.approx(1 + length / 256, rel=0.05, abs=1)


@pytest.mark.parametrize("condition", [0, 1])
@pytest.mark.parametrize("otherwise", ["", "(else (nop))", "(else {long})"])
def test_checks_in_branches_that_do_not_run_do_not_count(
    wat: Wat, condition: int, otherwise: str
) -> None:
    straight, long = "(nop)" * 200, "(nop)" * 300
    branch = f"(if (i32.const {condition}) (then {long}) {otherwise.format(long=long)})"
    instance = wamr.load(wat(f'(module (func (export "go") {(straight + branch) * 100}))'))
    # each of the 100 pieces executes 200 to 500 bytes of code
    assert fuel_of(instance, "go") >= 200 * 100 // 256


@pytest.mark.parametrize("first", range(0, 320, 32))
def test_a_check_may_stand_anywhere(
    wat: Wat, first: int, record_attempt: Callable[[object], None]
) -> None:
    """The check, moved byte by byte through code of all shapes, must not change any result."""
    for pad in range(first, first + 32):
        record_attempt(pad)
        code = wat(text_with_a_check(pad))
        go = wamr.load(code).exports.go
        assert go(2, 40) == (899, 2, 11), pad
        assert go(20, -3) == (184, 2, 204), pad
        assert wamr.load(code).exports.go.call(2, 40, fuel=10), pad


def text_with_a_check(pad: int) -> str:
    return f"""(module
        (memory 1) (type $t (func (param i32 i64) (result i64 i32)))
        (func (export "go") (param $a i32) (param $b i64) (result i64 i32 i32)
          (local $x i32) (local $y i64) (local $r externref) (local $v v128)
          {"(nop)" * pad}
          (local.set $x (i32.add (local.get $a) (i32.const 3)))
          (local.set $y (i64.mul (local.tee $y (i64.add (local.get $b) (i64.const 5)))
            (i64.extend_i32_s (local.tee $x (i32.shl (local.get $x) (i32.const 2))))))
          (local.get $x) (local.set $x (i32.const 77)) (local.get $x)
          (if (param i32) (result i64)
            (i32.lt_s (local.get $a) (i32.const 10))
            (then (drop) (i64.sub (local.get $y) (i64.const 1)) (local.set $y (i64.const 9)))
            (else (i32.store (i32.const 8)) (drop (i32.load (i32.const 8))) (local.get $y)))
          (local.set $v (i64x2.splat (local.get $y)))
          (block (param i64) (result i64 i32)
            (i32.wrap_i64 (local.get $y))
            (select (i32.const 1) (i32.eqz (local.get $x)))
            (br_if 0 (i64.eqz (local.get $y)))
            (drop) (i32.eqz (i32.load (i32.const 8))))
          (local.set $r (ref.null extern))
          (i32.add (ref.is_null (local.get $r)))
          (local.get $a) (local.set $a (i32.const 1))
          (i32.add (i32.wrap_i64 (i64x2.extract_lane 1 (local.get $v))))
          (local.set $x) (local.set $a) (local.set $b)
          (drop)
          (local.get $b) (local.get $a) (local.get $x)))"""


@pytest.mark.parametrize("pad", range(240, 275))
def test_a_trap_near_a_check_is_found_where_it_is(wat: Wat, pad: int) -> None:
    text = f"""(module (func (export "go") (param i32) (result i32)
        {"(nop)" * pad} (i32.div_s (i32.const 7) (local.get 0))))"""
    code = wat(text)
    with pytest.raises(wamr.Trap, match="divide by zero") as caught:
        wamr.load(code).exports.go(0)
    place = caught.value.frames[0].module_offset
    assert place is not None
    assert code[place] == 0x6D
