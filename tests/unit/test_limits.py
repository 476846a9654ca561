"""Limits of time, fuel and stack: of an instance, a store, a call; nested and exhausted."""

import copy
import pickle
import threading
import time

import pytest
from thread_helpers import repeatedly
from wasm_fixtures import took

from wamr import (
    FuelTrap,
    Instance,
    Module,
    ResourceLimits,
    StackOverflowTrap,
    Store,
    TimeoutTrap,
    Trap,
    TrapCode,
    load,
)

LOOPS = """(module (import "m" "f" (func $f))
    (func (export "run") (loop (br 0)))
    (func (export "times") (param $n i32) (loop $l
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "calls") (call $f))
    (func (export "loop_of_calls") (loop (call $f) (br 0)))
    (func (export "ok") (result i32) (i32.const 1))
    (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0)))))"""


def made(callback=lambda: None, **limits):
    return load(LOOPS, [callback], limits=ResourceLimits(**limits))


# ------------------------------------------------------------------ the object
def test_repr_and_attributes():
    assert repr(ResourceLimits()) == "ResourceLimits()"
    limits = ResourceLimits(timeout=0.5, stack_bytes=8192, fuel=10)
    assert repr(limits) == "ResourceLimits(timeout=0.5, stack_bytes=8192, fuel=10)"
    assert (limits.timeout, limits.stack_bytes, limits.fuel) == (0.5, 8192, 10)
    assert ResourceLimits().timeout is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None, not str"),
        ({"timeout": True}, TypeError, "timeout must be a number .* not bool"),
        ({"timeout": -1}, ValueError, "timeout must not be negative: -1"),
        ({"timeout": float("nan")}, ValueError, "timeout must not be NaN"),
        ({"fuel": 1.0}, TypeError, "fuel must be an int or None, not float"),
        ({"fuel": "1"}, TypeError, "fuel must be an int or None, not str"),
        ({"fuel": -1}, ValueError, "fuel must be from 0 to .* not -1"),
        ({"fuel": 1 << 62}, ValueError, "fuel must be from 0 to .* not 4611686018427387904"),
        ({"stack_bytes": "1"}, TypeError, "stack_bytes must be an int, not str"),
        ({"stack_bytes": 100}, ValueError, "stack_bytes must be from 4096 .* not 100"),
        ({"stack_bytes": 1 << 31}, ValueError, "stack_bytes must be from .* not 2147483648"),
        ({"memory_bytes": "1"}, TypeError, "memory_bytes must be an int or None, not str"),
        ({"memory_bytes": -1}, ValueError, "memory_bytes must be from 0 .* not -1"),
        ({"table_elements": 1.5}, TypeError, "table_elements must be an int or None, not float"),
        ({"table_elements": -1}, ValueError, "table_elements must be from 0 .* not -1"),
        ({"output_bytes": "1"}, TypeError, "output_bytes must be an int or None, not str"),
        ({"output_bytes": 1.0}, TypeError, "output_bytes must be an int or None, not float"),
        ({"output_bytes": True}, TypeError, "output_bytes must be an int or None, not bool"),
        ({"output_bytes": -1}, ValueError, "output_bytes must be from 0 .* not -1"),
        ({"output_bytes": 1 << 64}, ValueError, "output_bytes must be from 0 .* not 18446744"),
    ],
)
def test_bad_limits(options, error, message):
    with pytest.raises(error, match=message):
        ResourceLimits(**options)


def test_options_are_by_name():
    with pytest.raises(TypeError):
        ResourceLimits(1)
    with pytest.raises(TypeError):
        ResourceLimits(time=1)


def test_limits_are_a_value():
    limits = ResourceLimits(timeout=1, fuel=5)
    assert limits == ResourceLimits(timeout=1.0, fuel=5) != ResourceLimits(fuel=5)
    assert {limits: 1}[pickle.loads(pickle.dumps(limits))] == 1
    assert copy.deepcopy(limits) == limits


@pytest.mark.parametrize(
    "name",
    ["timeout", "memory_bytes", "stack_bytes", "table_elements", "fuel", "output_bytes"],
)
def test_limits_do_not_change(name):
    limits = ResourceLimits()
    with pytest.raises(AttributeError, match=f"ResourceLimits is immutable: can't set '{name}'"):
        setattr(limits, name, 1)
    assert limits == ResourceLimits()


# ------------------------------------------------------------------ timeouts
def test_the_instances_timeout_counts_each_call():
    instance = made(timeout=0.05)
    for _ in range(3):
        with took(1, 0.05), pytest.raises(TimeoutTrap):
            instance.exports.run()
    time.sleep(0.06)
    assert instance.exports.ok() == 1


def test_the_start_function_counts_too(store):
    module = Module(store, "(module (func $f (loop (br 0))) (start $f))")
    with pytest.raises(TimeoutTrap):
        Instance(store, module, limits=ResourceLimits(timeout=0.02))
    with pytest.raises(FuelTrap):
        Instance(store, module, limits=ResourceLimits(fuel=100_000))


def test_the_nearest_of_several_deadlines_counts():
    instance = made(timeout=200)
    with took(1), pytest.raises(TimeoutTrap):
        instance.exports.run.call(timeout=0.02)
    quick = made(timeout=0.02)
    with took(1), pytest.raises(TimeoutTrap):
        quick.exports.run.call(timeout=200)


def test_an_outer_timeout_ends_inner_calls_of_other_instances():
    inner = made()
    outer = made(inner.exports.run.callable)
    with pytest.raises(TimeoutTrap) as caught:
        outer.exports.calls.call(timeout=0.2)
    assert caught.value.frames[0].func_name == "run"
    assert inner.exports.ok() == 1
    assert outer.exports.ok() == 1


def test_an_inner_timeout_can_be_caught_by_the_host_and_the_outer_goes_on():
    inner = made(timeout=0.02)

    def call():
        with pytest.raises(TimeoutTrap):
            inner.exports.run()

    outer = made(call)
    assert outer.exports.calls() is None
    assert outer.exports.ok() == 1


def test_an_outer_timeout_is_not_made_longer_by_an_inner_one():
    inner = made(timeout=200)
    outer = made(inner.exports.run.callable, timeout=0.03)
    with took(1), pytest.raises(TimeoutTrap):
        outer.exports.calls()


def test_time_in_host_functions_counts():
    instance = made(lambda: time.sleep(0.03))
    with pytest.raises(TimeoutTrap):
        instance.exports.loop_of_calls.call(timeout=0.05)
    with pytest.raises(TimeoutTrap):
        made(lambda: time.sleep(0.02)).exports.calls.call(timeout=0.01)


def test_a_call_that_waits_for_another_threads_call_times_out():
    entered, leave = threading.Event(), threading.Event()

    def hold():
        entered.set()
        leave.wait(100)

    instance = made(hold)
    thread = threading.Thread(target=instance.exports.calls)
    thread.start()
    try:
        assert entered.wait(100)
        with pytest.raises(TimeoutTrap):
            instance.exports.ok.call(timeout=0.1)
        waiting = made(lambda: instance.exports.ok() and None)
        with pytest.raises(TimeoutTrap):
            waiting.exports.calls.call(timeout=0.1)
    finally:
        leave.set()
        thread.join()
    assert instance.exports.ok() == 1


# ------------------------------------------------------------------ interrupts
def test_interrupt_from_another_thread():
    instance = made()
    for stop in (instance.interrupt, instance.store.interrupt):
        with repeatedly(stop), pytest.raises(Trap) as caught:
            instance.exports.run()
        assert caught.value.code is TrapCode.INTERRUPTED
        assert instance.exports.ok() == 1


def test_interrupt_from_its_own_host_function():
    instance = made(lambda: instance.interrupt())
    with pytest.raises(Trap, match="interrupted"):
        instance.exports.loop_of_calls()
    assert instance.exports.ok() == 1


def test_interrupt_of_an_outer_instance_ends_the_inner_call():
    inner = made()
    outer = made(inner.exports.run.callable)
    with repeatedly(outer.interrupt), pytest.raises(Trap, match="interrupted"):
        outer.exports.calls()
    assert inner.exports.ok() == 1


def test_interrupt_of_a_call_that_waits_for_another_threads_call():
    entered, leave = threading.Event(), threading.Event()

    def hold():
        entered.set()
        leave.wait(100)

    busy = made(hold)
    outer = made(lambda: busy.exports.ok() and None)
    thread = threading.Thread(target=busy.exports.calls)
    thread.start()
    try:
        assert entered.wait(100)
        with repeatedly(outer.interrupt), pytest.raises(Trap, match="interrupted"):
            outer.exports.calls()
    finally:
        leave.set()
        thread.join()


# ------------------------------------------------------------------ fuel
def test_fuel_is_used_up_and_settable():
    instance = made(fuel=1000)
    assert instance.fuel == 1000
    instance.exports.ok()
    assert instance.fuel == 999
    instance.exports.times(100)
    left = instance.fuel
    assert left == 999 - 101
    with pytest.raises(FuelTrap, match="out of fuel"):
        instance.exports.run()
    assert instance.fuel == 0
    with pytest.raises(FuelTrap):
        instance.exports.ok()
    instance.fuel = 1
    assert instance.exports.ok() == 1
    assert instance.fuel == 0
    instance.fuel = None
    assert instance.fuel is None
    instance.exports.times(1_000_000)
    assert instance.fuel is None


@pytest.mark.parametrize("bad", [-1, 1.5, "1", True, 1 << 62])
def test_fuel_that_cannot_be(bad):
    instance = made(fuel=5)
    with pytest.raises((TypeError, ValueError), match="fuel must be"):
        instance.fuel = bad
    assert instance.fuel == 5


def test_the_same_program_uses_the_same_fuel():
    used = set()
    for fuel in (10**5, 10**6, 10**9, (1 << 62) - 1):
        for _ in range(3):
            instance = made(fuel=fuel)
            instance.exports.times(70_000)
            instance.exports.deep(50)
            instance.exports.calls()
            used.add(fuel - instance.fuel)
    assert len(used) == 1


@pytest.mark.parametrize("least", range(101, 104))
def test_exactly_enough_fuel_is_enough(least):
    instance = made(fuel=least)
    instance.exports.times(least - 1)
    assert instance.fuel == 0
    short = made(fuel=least - 1)
    with pytest.raises(FuelTrap):
        short.exports.times(least - 1)


def test_fuel_of_a_call_is_taken_from_the_instances():
    instance = made(fuel=10_000)
    with pytest.raises(FuelTrap):
        instance.exports.run.call(fuel=1000)
    assert instance.fuel == 9000
    with pytest.raises(FuelTrap):
        instance.exports.run.call(fuel=10**9)
    assert instance.fuel == 0
    free = made()
    with pytest.raises(FuelTrap):
        free.exports.run.call(fuel=1000)
    assert free.fuel is None
    assert free.exports.ok() == 1


def test_fuel_of_nested_calls():
    inner = made()
    seen = []

    def call():
        with pytest.raises(FuelTrap):
            outer.exports.run.call(fuel=100)
        seen.append(outer.fuel)

    outer = made(call, fuel=10_000)
    outer.exports.calls.call(fuel=5000)
    assert 9800 < seen[0] <= 10_000 - 100
    with pytest.raises(FuelTrap):
        made(lambda: inner.exports.ok() and None, fuel=1).exports.calls()


def test_fuel_seen_and_set_by_its_own_host_function():
    seen = []

    def refill():
        seen.append(instance.fuel)
        instance.fuel = 500

    instance = made(refill, fuel=100)
    instance.exports.calls()
    assert seen == [98]
    assert instance.fuel == 499


def test_each_instance_has_its_own_fuel():
    limits = ResourceLimits(fuel=100)
    store = Store(limits=limits)
    module = Module(store, LOOPS)
    one, other = (Instance(store, module, [lambda: None]) for _ in range(2))
    one.exports.times(50)
    assert one.fuel < 60
    assert other.fuel == 100
    assert limits.fuel == 100


# ------------------------------------------------------------------ stack
def test_stack_bytes():
    with pytest.raises(StackOverflowTrap):
        made(stack_bytes=8192).exports.deep(1000)
    assert made(stack_bytes=1 << 20).exports.deep(1000) == 1000


@pytest.mark.parametrize("size", [4096, 1 << 14, 1 << 24])
def test_deep_recursion_is_a_trap_whatever_the_stack(size):
    instance = made(stack_bytes=size)
    with pytest.raises(RecursionError):
        instance.exports.deep(10_000_000)
    assert instance.exports.ok() == 1


def test_a_hundred_million_bytes_of_stack():
    instance = made(stack_bytes=100_000_000)
    assert instance.exports.deep(100_000) == 100_000
