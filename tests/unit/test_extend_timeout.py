"""Instance.extend_timeout: host functions and other threads give running calls more time."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

import pytest
from thread_helpers import repeatedly
from time_units import in_units
from wasm_fixtures import took

import wamr
from wamr import SUSPEND, ClosedError, Instance, Module, ResourceLimits, Store, TimeoutTrap, Trap

pytestmark = pytest.mark.usefixtures("wat")

TEXT = """(module
    (import "m" "f" (func $f))
    (func (export "call") (call $f))
    (func (export "spin") (call $f) (loop (br 0)))
    (func (export "just_spin") (loop (br 0)))
    (func (export "twice") (call $f) (call $f)))"""
LONG = 1000


@pytest.fixture
def make():
    module = Module(Store(), TEXT)

    def made(f: Any = lambda: None, store: Store | None = None, **limits: Any) -> Instance:
        store = store or Store(module.engine)
        return Instance(store, module, [f], limits=ResourceLimits(**limits))

    return made


def late(unit: float, *extensions: float) -> Any:
    """Return a host function that extends the timeout of one unit, and then takes two."""

    def f() -> None:
        for seconds in extensions:
            found[0].extend_timeout(seconds)
        time.sleep(2 * unit)

    found: list[Any] = [None]
    f.instance = found
    return f


@in_units
def test_a_host_function_extends_the_timeout_of_its_call(make, unit):
    f = late(unit, LONG)
    inst = f.instance[0] = make(f)
    inst.exports.call.call(timeout=unit)
    inst.exports.twice.call(timeout=unit)


def test_without_an_extension_the_call_ends(make):
    inst = make(late(0.05))
    with pytest.raises(TimeoutTrap):
        inst.exports.twice.call(timeout=0.05)


@in_units
def test_the_timeout_of_the_limits_is_extended_too(make, unit):
    f = late(unit, LONG)
    inst = f.instance[0] = make(f, timeout=unit)
    inst.exports.twice()
    with pytest.raises(TimeoutTrap):
        inst.exports.just_spin()


@in_units
def test_extensions_are_added_and_end(make, unit):
    f = late(unit, unit, unit)
    inst = f.instance[0] = make(f)
    with took(5, 3 * unit), pytest.raises(TimeoutTrap):
        inst.exports.spin.call(timeout=unit)


@in_units
def test_an_extension_after_the_end_but_before_it_was_seen_counts(make, unit):
    def f() -> None:
        time.sleep(2 * unit)
        inst.extend_timeout(LONG)

    inst = make(f)
    inst.exports.twice.call(timeout=unit)


def test_later_calls_have_their_own_timeouts(make):
    inst = make()
    inst.extend_timeout(LONG)
    with took(5, 0.05), pytest.raises(TimeoutTrap):
        inst.exports.just_spin.call(timeout=0.05)


def test_a_call_without_a_timeout_has_none_afterwards(make):
    inst = make(lambda: inst.extend_timeout(0))
    inst.exports.twice()


@in_units
def test_another_thread_extends_the_timeout(make, unit):
    running = threading.Event()
    inst = make(running.set)

    def extend() -> None:
        running.wait()
        inst.extend_timeout(LONG)
        time.sleep(2 * unit)
        inst.interrupt()

    thread = threading.Thread(target=extend)
    thread.start()
    with pytest.raises(Trap, match="interrupted"):  # and not timed out
        inst.exports.spin.call(timeout=unit)
    thread.join()
    with repeatedly(lambda: inst.extend_timeout(0.001)), took(5, 0.05), pytest.raises(TimeoutTrap):
        inst.exports.just_spin.call(timeout=0.05)


@pytest.mark.parametrize("which", ["outer", "inner", "both"])
@in_units
def test_nested_calls_have_timeouts_of_their_own(make, which, unit):
    store = Store(make().store.engine)

    def in_outer() -> None:
        inner.exports.call.call(timeout=unit if which != "outer" else None)

    def in_inner() -> None:
        for name, inst in (("outer", outer), ("inner", inner)):
            if which in (name, "both"):
                inst.extend_timeout(LONG)
        time.sleep(2 * unit)

    outer, inner = make(in_outer, store), make(in_inner, store)
    if which == "inner":  # extending the inner call gives no time to the outer one
        with pytest.raises(TimeoutTrap):
            outer.exports.twice.call(timeout=unit)
    else:
        outer.exports.twice.call(timeout=unit)


@in_units
def test_an_inner_call_ends_though_the_outer_one_was_extended(make, unit):
    def in_outer() -> None:
        outer.extend_timeout(LONG)
        with pytest.raises(TimeoutTrap):
            inner.exports.just_spin.call(timeout=0.02)
        caught.append(True)

    caught: list[bool] = []
    outer, inner = make(in_outer), make()
    outer.exports.twice.call(timeout=unit)
    assert caught == [True, True]


@in_units
def test_calls_of_one_instance_within_each_other_are_all_extended(make, unit):
    depth = [0]

    def f() -> None:
        depth[0] += 1
        if depth[0] < 4:
            inst.exports.call.call(timeout=unit)
        else:
            inst.extend_timeout(LONG)
            time.sleep(2 * unit)

    inst = make(f)
    inst.exports.twice.call(timeout=unit)


@in_units
def test_linked_instances_within_a_call(make, unit):
    store = Store(make().store.engine)

    def f() -> None:
        extended[0].extend_timeout(LONG)
        time.sleep(2 * unit)

    inner = make(f, store)
    outer = Instance(store, inner.module, [inner.exports.twice])
    extended = [outer]
    outer.exports.call.call(timeout=unit)
    extended[0] = inner  # whose code was not called by Python
    with pytest.raises(TimeoutTrap):
        outer.exports.call.call(timeout=unit)


@in_units
def test_a_start_function_is_extended(unit):
    def f(caller: Instance) -> None:
        store_of.append(caller)
        time.sleep(2 * unit)

    store_of: list[Any] = []
    text = '(module (import "m" "f" (func $f)) (func $s (call $f) (call $f)) (start $s))'
    store = Store()
    func = wamr.Func(store, wamr.FuncType([]), f, access_caller=True)
    with pytest.raises(TimeoutTrap):
        Instance(store, Module(store, text), [func], limits=ResourceLimits(timeout=unit))
    func = wamr.Func(
        store,
        wamr.FuncType([]),
        lambda caller: (caller.extend_timeout(LONG), time.sleep(2 * unit), None)[2],
        access_caller=True,
    )
    Instance(store, Module(store, text), [func], limits=ResourceLimits(timeout=unit))


@in_units
def test_endless_and_many_extensions(make, unit):
    def f() -> None:
        for _ in range(100):
            inst.extend_timeout(math.inf)
        inst.extend_timeout(1e308)
        inst.extend_timeout(10**400)
        inst.extend_timeout(1e-12)
        time.sleep(2 * unit)

    inst = make(f)
    inst.exports.twice.call(timeout=unit)
    inst.exports.twice.call(timeout=math.inf)


# ------------------------------------------------------------------ executions
@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("slice_", [None, 0.001])
@in_units
def test_a_suspended_execution(make, extended, slice_, unit):
    inst = make(lambda: SUSPEND)
    execution = inst.exports.twice.execution(timeout=unit, slice=slice_)
    while next(execution).kind != "call":
        pass
    if extended:
        inst.extend_timeout(LONG)
    time.sleep(2 * unit)
    if not extended:
        with pytest.raises(TimeoutTrap):
            execution.send(None)
        return
    while execution.send(None).kind != "call":
        pass
    with pytest.raises(StopIteration):
        while True:
            execution.send(None)


@in_units
def test_a_running_execution_keeps_the_extension_when_it_goes_on(make, unit):
    calls: list[int] = []

    def f() -> Any:
        calls.append(1)
        if len(calls) == 1:
            inst.extend_timeout(LONG)
            time.sleep(2 * unit)
        return SUSPEND

    inst = make(f)
    execution = inst.exports.twice.execution(timeout=unit)
    assert [next(execution).kind, execution.send(None).kind] == ["call", "call"]
    with pytest.raises(StopIteration):
        execution.send(None)


def test_an_extension_before_the_start_of_an_execution_does_not_count(make):
    inst = make()
    execution = inst.exports.just_spin.execution(timeout=0.05)
    inst.extend_timeout(LONG)
    with took(5, 0.05), pytest.raises(TimeoutTrap):
        next(execution)


# ------------------------------------------------------------------ asyncio
@pytest.mark.parametrize("slice_", [None, 0.001])
@pytest.mark.parametrize("extended", [True, False])
@in_units
def test_an_async_host_function_extends_the_timeout(make, extended, slice_, unit):
    async def f() -> None:
        if extended:
            inst.extend_timeout(LONG)
        await asyncio.sleep(2 * unit)

    inst = make(f)
    call = inst.exports.twice.call_async(timeout=unit, slice=slice_)
    if extended:
        asyncio.run(call)
    else:
        with took(5, unit), pytest.raises(TimeoutTrap):
            asyncio.run(call)


@in_units
def test_an_extension_of_an_awaited_call_ends(make, unit):
    async def f() -> None:
        inst.extend_timeout(unit)
        await asyncio.sleep(LONG)

    inst = make(f)
    with took(5, 2 * unit), pytest.raises(TimeoutTrap):
        asyncio.run(inst.exports.call.call_async(timeout=unit))


@in_units
def test_a_plain_host_function_of_an_awaited_call(make, unit):
    f = late(unit, LONG)
    inst = f.instance[0] = make(f)
    asyncio.run(inst.exports.twice.call_async(timeout=unit))


# ------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("seconds", "error", "message"),
    [
        (None, TypeError, "seconds must be a number, not NoneType"),
        ("1", TypeError, "seconds must be a number, not str"),
        (True, TypeError, "seconds must be a number, not bool"),
        (1j, TypeError, "seconds must be a number, not complex"),
        (-1, ValueError, "seconds must not be negative: -1"),
        (-math.inf, ValueError, "seconds must not be negative: -inf"),
        (math.nan, ValueError, "seconds must not be NaN"),
    ],
)
def test_bad_extensions(make, seconds, error, message):
    with pytest.raises(error, match=message):
        make().extend_timeout(seconds)


def test_a_closed_instance(make):
    inst = make()
    inst.close()
    with pytest.raises(ClosedError, match="this Instance is closed"):
        inst.extend_timeout(1)
