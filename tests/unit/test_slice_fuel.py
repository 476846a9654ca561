"""Slices of fuel: executions stop after an exact amount, at the same places in each run."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import wamr
from wamr import SUSPEND, Instance, Module, ResourceLimits, Store

pytestmark = pytest.mark.usefixtures("wat")

PLENTY = 10**9
TEXT = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (memory (export "memory") 1)
    (tag $t (param i32))
    (table 2 funcref) (elem (i32.const 0) $inc $twice)
    (type $f (func (param i32) (result i32)))
    (global $g (mut i32) (i32.const 0))
    (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $twice (param i32) (result i32) (call $inc (call $inc (local.get 0))))
    (func $throw (param i32) (throw $t (local.get 0)))
    (func (export "loop") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (call $inc (local.get $n))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
    (func (export "indirect") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (call_indirect (type $f)
                (local.get $n) (i32.and (local.get $n) (i32.const 1)))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
    (func $down (export "tail") (param $n i32) (result i32)
        (if (i32.eqz (local.get $n)) (then (return (global.get $g))))
        (global.set $g (i32.add (global.get $g) (local.get $n)))
        (return_call $down (i32.sub (local.get $n) (i32.const 1))))
    (func $deep (export "deep") (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
            (else (i32.const 0))))
    (func (export "fill") (param $n i32) (result i32)
        (loop $l
            (memory.fill (i32.const 0) (local.get $n) (i32.const 40000))
            (memory.copy (i32.const 0) (i32.const 100) (i32.const 5000))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.load8_u (i32.const 7)))
    (func (export "catch") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (block $h (result i32)
                (try_table (catch $t $h) (call $throw (local.get $n))) (unreachable))
            (local.set $s (i32.add (local.get $s)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
    (func (export "switch") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (block $a (block $b (block $c
                (br_table $a $b $c (i32.rem_u (local.get $n) (i32.const 3))))
                (local.set $s (i32.add (local.get $s) (i32.const 1))))
                (local.set $s (i32.add (local.get $s) (i32.const 10))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s))
    (func (export "calls") (param $n i32) (result i32) (local $s i32)
        (loop $l
            (local.set $s (i32.add (local.get $s) (call $host (local.get $n))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s)))"""
NAMES = ["loop", "indirect", "tail", "deep", "catch", "switch", "calls"]
SIZES = [1, 2, 3, 5, 64, 997]


@pytest.fixture(scope="module")
def module(wat):
    return Module(Store(), TEXT)


def made(module: Module, host: Any = lambda n: n, fuel: int | None = PLENTY) -> Instance:
    return Instance(Store(module.engine), module, [host], limits=ResourceLimits(fuel=fuel))


def stops_of(execution: Any, *instances: Instance) -> tuple[Any, list[int]]:
    """Run to the end; return the result, and the fuel that was used before each stop."""
    used: list[int] = []
    try:
        while True:
            before = sum(inst.fuel or 0 for inst in instances)
            event = next(execution)
            assert event.kind == "slice"
            assert (event.args, event.until, event.host) == ((), None, None)
            used.append(before - sum(inst.fuel or 0 for inst in instances))
    except StopIteration as end:
        return end.value, used


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_each_stop_comes_after_exactly_that_fuel(module, name, size):
    plain, inst = made(module), made(module)
    result = plain.exports[name](150)
    found, used = stops_of(inst.exports[name].execution(150, slice_fuel=size), inst)
    assert (found, inst.fuel) == (result, plain.fuel)
    assert set(used) <= {size}
    total = PLENTY - inst.fuel
    assert len(used) in (total // size, (total - 1) // size)


def test_an_instruction_that_costs_more_than_a_slice_takes_several(module):
    plain, inst = made(module), made(module)
    result = plain.exports.fill(5)
    found, used = stops_of(inst.exports.fill.execution(5, slice_fuel=100), inst)
    assert (found, inst.fuel) == (result, plain.fuel)
    assert len(used) > 5 * 40000 // 64 // 100
    assert set(used) == {100}


def test_the_stops_are_the_same_without_a_limit_of_fuel(module):
    counts = []
    for fuel in (None, PLENTY, None):
        inst = made(module, fuel=fuel)
        execution = inst.exports.calls.execution(150, slice_fuel=7)
        counts.append(stops_of(execution)[1])
    assert counts[0] == counts[2] == [0] * len(counts[1])


def test_random_slices_cost_no_fuel(module):
    pick = random.Random(17)
    wanted = {}
    for name in [*NAMES, "fill"]:
        inst = made(module)
        wanted[name] = inst.exports[name](40), inst.fuel
    for _ in range(150):
        name = pick.choice([*NAMES, "fill"])
        inst = made(module)
        size = pick.choice([pick.randint(1, 10), pick.randint(1, 3000)])
        execution = inst.exports[name].execution(40, slice_fuel=size)
        result, used = stops_of(execution, inst)
        assert ((result, inst.fuel), set(used) <= {size}) == (wanted[name], True), (name, size)


def test_fuel_ends_where_it_would_without_stops(module):
    for name in [*NAMES, "fill"]:
        for limit in (1, 37, 100, 350):
            plain, inst = made(module, fuel=limit), made(module, fuel=limit)
            outcomes = []
            for run in (
                lambda: plain.exports[name](200),  # noqa: B023
                lambda: stops_of(inst.exports[name].execution(200, slice_fuel=10))[0],  # noqa: B023
            ):
                try:
                    outcomes.append(run())
                except wamr.FuelTrap as trap:
                    outcomes.append([frame.module_offset for frame in trap.frames])
            assert outcomes[0] == outcomes[1], (name, limit)
            assert plain.fuel == inst.fuel, (name, limit)


def test_the_fuel_of_the_call_and_its_slices(module):
    inst = made(module, fuel=None)
    execution = inst.exports.loop.execution(1000, fuel=95, slice_fuel=10)
    for _ in range(9):
        assert next(execution).kind == "slice"
        with pytest.raises(RuntimeError, match="another call is suspended in the middle"):
            inst.exports.loop(3)
    with pytest.raises(wamr.FuelTrap):
        next(execution)


def test_linked_instances_are_counted_together(module):
    store = Store(module.engine)
    limits = ResourceLimits(fuel=PLENTY)

    def linked() -> list[Instance]:
        inner = Instance(store, module, [lambda n: n], limits=limits)
        middle = Instance(store, module, [inner.exports.loop], limits=limits)
        return [inner, middle, Instance(store, module, [middle.exports.calls], limits=limits)]

    plain = linked()
    result = plain[-1].exports.calls(12)
    for size in SIZES:
        chain = linked()
        found, used = stops_of(chain[-1].exports.calls.execution(12, slice_fuel=size), *chain)
        assert found == result
        assert [inst.fuel for inst in chain] == [inst.fuel for inst in plain]
        assert set(used) <= {size}
        total = 3 * PLENTY - sum(inst.fuel or 0 for inst in chain)
        assert len(used) in (total // size, (total - 1) // size)


def test_exceptions_of_linked_instances(module):
    store = Store(module.engine)

    def linked() -> list[Instance]:
        text = """(module (import "m" "f" (func $f (param i32) (result i32)))
            (func (export "f") (param i32) (result i32) (local $s i32) (loop $l
                (block $h (try_table (catch_all $h) (drop (call $f (local.get 0)))))
                (local.set $s (i32.add (local.get $s) (i32.const 1)))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get $s)))"""
        thrower = """(module (tag $t)
            (func (export "f") (param i32) (result i32)
                (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (throw $t)))"""
        limits = ResourceLimits(fuel=PLENTY)
        inner = Instance(store, Module(store, thrower), limits=limits)
        outer = Instance(store, Module(store, text), [inner.exports.f], limits=limits)
        return [inner, outer]

    plain = linked()
    result = plain[-1].exports.f(20)
    for size in (1, 4, 9):
        chain = linked()
        found, used = stops_of(chain[-1].exports.f.execution(20, slice_fuel=size), *chain)
        assert (found, set(used)) == (result, {size})
        assert [inst.fuel for inst in chain] == [inst.fuel for inst in plain]


def test_what_host_functions_call_in_the_instance_counts(module):
    def host(n: int) -> int:
        return inst.exports.loop(n)

    inst = made(module, host)
    result = inst.exports.calls(30)
    total = PLENTY - (inst.fuel or 0)
    inst.fuel = PLENTY
    found, used = stops_of(inst.exports.calls.execution(30, slice_fuel=200), inst)
    assert (found, inst.fuel) == (result, PLENTY - total)
    assert set(used) == {200}


def test_a_host_function_sets_the_fuel(module):
    def host(n: int) -> int:
        inst.fuel = None if n % 2 else 10**6
        return n

    counts = []
    for callback in (lambda n: n, host):
        inst = made(module, callback)
        counts.append(stops_of(inst.exports.calls.execution(101, slice_fuel=13))[1])
    assert len(counts[0]) == len(counts[1])


def test_a_slice_begins_again_after_each_stop(module):
    inst = made(module, lambda n: SUSPEND)
    execution = inst.exports.calls.execution(50, slice_fuel=5)
    kinds, before = [], PLENTY
    value = None
    with pytest.raises(StopIteration):
        while True:
            event = execution.send(value)
            kinds.append(event.kind)
            assert before - (inst.fuel or 0) <= 5
            before = inst.fuel or 0
            value = 1 if event.kind == "call" else None
    assert kinds == ["call"] * 50
    inst = made(module, lambda n: SUSPEND)
    execution = inst.exports.calls.execution(50, slice_fuel=1)
    assert [next(execution).kind, next(execution).kind] == ["slice", "call"]


def test_both_kinds_of_slices(module):
    inst = made(module)
    execution = inst.exports.loop.execution(10**7, slice=0.001, slice_fuel=10**7)
    before = inst.fuel or 0
    assert next(execution).kind == "slice"
    assert before - (inst.fuel or 0) < 10**7
    execution.close()
    execution = inst.exports.loop.execution(10**7, slice=1000, slice_fuel=1000)
    before = inst.fuel or 0
    assert next(execution).kind == "slice"
    assert before - (inst.fuel or 0) == 1000


def test_an_execution_within_a_call_of_the_same_instance_does_not_stop(module):
    def host(n: int) -> Any:
        return stops_of(inst.exports.loop.execution(n, slice_fuel=2))[0]

    inst = made(module, host)
    plain = made(module, lambda n: inst.exports.loop(n))
    assert inst.exports.calls(5) == plain.exports.calls(5)


def test_a_dropped_execution_gives_its_instance_back(module):
    inst = made(module)
    execution = inst.exports.fill.execution(5, slice_fuel=1)
    for _ in range(700):  # in the middle of paying for a long instruction
        next(execution)
    execution.close()
    before = inst.fuel or 0
    inst.exports.loop(10)
    used = before - (inst.fuel or 0)
    plain = made(module)
    plain.exports.loop(10)
    assert used == PLENTY - (plain.fuel or 0)


def test_a_host_function_called_by_python_takes_the_argument(module):
    func = wamr.Func(Store(), wamr.FuncType([]), lambda: None)
    with pytest.raises(StopIteration):
        next(func.execution(slice_fuel=1))
    with pytest.raises(ValueError, match="slice_fuel"):
        func.execution(slice_fuel=0)


def test_a_copy_of_a_suspended_call_goes_on_exactly(wat, tmp_path):
    text = """(module (memory 1)
        (func (export "f") (param $n i32) (result i32)
            (loop $l
                (memory.fill (i32.const 0) (local.get $n) (i32.const 40000))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.load8_u (i32.const 7))))"""
    module = Module(wamr.Engine(), text)
    limits = ResourceLimits(fuel=PLENTY)
    inst = Instance(Store(module.engine), module, limits=limits)
    result, used = stops_of(inst.exports.f.execution(3, slice_fuel=100), inst)
    total = PLENTY - (inst.fuel or 0)
    first = Instance(Store(module.engine), module, limits=limits)
    execution = first.exports.f.execution(3, slice_fuel=100)
    for _ in range(4):  # a part of the first memory.fill is paid
        next(execution)
    taken = wamr.Snapshot(first, execution)
    taken.save(tmp_path / "snapshot")
    loaded = wamr.Snapshot.load(tmp_path / "snapshot", module, trusted=True)
    for snapshot in (taken, loaded):
        copy, rest = snapshot.instantiate(limits=limits)
        assert stops_of(rest, copy) == (result, used[4:])
        assert PLENTY - (copy.fuel or 0) == total - 400


def test_awaited_calls_yield_to_the_loop(module):
    async def main() -> list[str]:
        order: list[str] = []

        async def call(name: str) -> None:
            inst = made(module)
            order.append(f"{name} begins")
            assert await inst.exports.loop.call_async(300, slice_fuel=50) == 45450
            order.append(f"{name} ends")

        await asyncio.gather(call("a"), call("b"))
        return order

    assert asyncio.run(main()) == ["a begins", "b begins", "a ends", "b ends"]


@pytest.mark.parametrize(
    ("slice_fuel", "error", "message"),
    [
        (0, ValueError, "slice_fuel must be from 1 to .* not 0"),
        (-1, ValueError, "slice_fuel must be from 1 to .* not -1"),
        (1 << 62, ValueError, "slice_fuel must be from 1 to .* not 46116"),
        (1.0, TypeError, "slice_fuel must be an int or None, not float"),
        ("1", TypeError, "slice_fuel must be an int or None, not str"),
        (True, TypeError, "slice_fuel must be an int or None, not bool"),
    ],
)
def test_bad_slices(module, slice_fuel, error, message):
    inst = made(module)
    with pytest.raises(error, match=message):
        inst.exports.loop.execution(1, slice_fuel=slice_fuel)
    with pytest.raises(error, match=message):
        asyncio.run(inst.exports.loop.call_async(1, slice_fuel=slice_fuel))
    assert stops_of(inst.exports.loop.execution(1, slice_fuel=None))[1] == []
    assert stops_of(inst.exports.loop.execution(1, slice_fuel=(1 << 62) - 1))[1] == []
