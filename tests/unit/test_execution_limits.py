"""Executions and limits, threads and forks."""

from __future__ import annotations

import gc
import os
import sys
import threading

import pytest
from executions import CALLS, events, finish, in_the_middle, instance, suspended
from thread_helpers import in_another_thread
from time_units import in_units

import wamr
from wamr import SUSPEND, Instance, Module, ResourceLimits, Store

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def inst(store):
    return instance(store)


# ------------------------------------------------------------------ limits
def fuel_of(name, argument, answers, **rest):
    store = Store()
    inst = instance(store, limits=ResourceLimits(fuel=10**9))
    result, found = events(inst.exports[name].execution(argument, **rest), *answers)
    return result, 10**9 - inst.fuel, len(found)


def test_stops_cost_no_fuel(store):
    def plain(name, argument, answers):
        left = list(answers)
        imports = {
            "env": {"ask": lambda _: left.pop(0), "many": lambda *_: None, "none": lambda: None}
        }
        inst = Instance(store, Module(store, CALLS), imports, limits=ResourceLimits(fuel=10**9))
        return inst.exports[name](argument), 10**9 - inst.fuel

    for name, argument, answers in (
        ("direct", 3, (1, 2)),
        ("indirect", 0, (1,)),
        ("indirect", 1, (1,)),
        ("tail", 1, (1,)),
        ("tail_within", 1, (1,)),
        ("deep", 30, (1,)),
        ("spin", 200_000, ()),
    ):
        result, used, _ = fuel_of(name, argument, answers)
        assert (result, used) == plain(name, argument, answers), name
    result, used, stops = fuel_of("spin", 200_000, (), slice=0)
    assert (result, used) == plain("spin", 200_000, ())
    assert stops > 1


def test_the_fuel_of_a_call_is_its_own(inst):
    e = inst.exports
    used = fuel_of("deep", 20, (1,))[1]
    execution = suspended(e.deep, 20, fuel=used)
    e.spin(10_000)
    assert finish(execution, 1) == 21
    execution = suspended(e.deep, 20, fuel=used - 1)
    with pytest.raises(wamr.FuelTrap):
        execution.send(1)
    with pytest.raises(wamr.FuelTrap):
        e.spin.execution(1000, fuel=999).send(None)
    assert e.plus(1) == 2


@pytest.mark.parametrize("spent", [0, 1, 2])
def test_the_timeout_of_a_call_counts_its_stops(inst, spent, monkeypatch):
    from wamr._runtime import execution as module

    now = [0]
    monkeypatch.setattr(module, "monotonic_ns", lambda: now[0])
    execution = suspended(inst.exports.direct, 1, timeout=1000)
    now[0] += int(spent * 500e9)
    if spent < 2:
        assert finish(execution, 1, 2) == 21
    else:
        with pytest.raises(wamr.TimeoutTrap):
            execution.send(1)
        assert execution.state == "done"


@in_units
def test_the_timeout_stops_code_that_goes_on(unit):
    inst = wamr.load(
        '(module (import "" "ask" (func $ask)) (func (export "f") (call $ask) (loop (br 0))))',
        {"": {"ask": lambda: SUSPEND}},
    )
    execution = suspended(inst.exports.f, timeout=unit)
    with pytest.raises(wamr.TimeoutTrap):
        next(execution)
    with pytest.raises(wamr.TimeoutTrap):
        finish(inst.exports.f.execution(timeout=0.05, slice=0))


@in_units
def test_the_timeout_of_an_instance_is_for_each_part_of_a_call(unit):
    inst = wamr.load(
        '(module (import "" "ask" (func $ask)) (func (export "f") (call $ask) (loop (br 0))))',
        {"": {"ask": lambda: SUSPEND}},
        limits=ResourceLimits(timeout=unit),
    )
    execution = suspended(inst.exports.f)
    with pytest.raises(wamr.TimeoutTrap):
        next(execution)


# ------------------------------------------------------------------ threads and forks
def test_any_thread_goes_on(inst):
    e = inst.exports
    execution = suspended(e.direct, 1)
    assert in_another_thread(lambda: execution.send(2).args) == (5,)
    assert in_another_thread(lambda: finish(execution, 3)) == 32
    execution = in_the_middle(e.spin, 300_000)
    assert in_another_thread(lambda: finish(execution)) == 900_000
    execution = suspended(e.direct, 1)
    with pytest.raises(KeyError):
        in_another_thread(lambda: execution.throw(KeyError("x")))
    assert e.plus(1) == 2


def test_an_execution_may_be_dropped_while_another_thread_is_in_its_instance(store):
    inside, leave = threading.Event(), threading.Event()

    def wait():
        inside.set()
        leave.wait()

    module = Module(
        store,
        '(module (import "" "ask" (func $ask (result i32))) (import "" "wait" (func $wait))'
        ' (func (export "f") (result i32) (call $ask)) (func (export "g") (call $wait)))',
    )
    inst = Instance(store, module, {"": {"ask": lambda: SUSPEND, "wait": wait}})
    lower, upper = suspended(inst.exports.f), suspended(inst.exports.f)
    thread = threading.Thread(target=inst.exports.g)
    thread.start()
    inside.wait()
    del upper
    gc.collect()
    leave.set()
    thread.join()
    assert finish(lower, 4) == 4


def test_threads_that_resume_at_once(inst):
    """One of them goes on; the others are refused."""
    e, refused = inst.exports, set()
    for _ in range(30):
        execution = e.spin.execution(200_000, slice=0)
        next(execution)
        results = []

        def run(execution=execution, results=results):
            while True:
                try:
                    next(execution)
                except StopIteration as end:
                    results.append(end.value)
                    return
                except RuntimeError as error:
                    refused.add(str(error))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results, key=str) == [600_000, None, None]
    assert refused <= {"spin(i32) -> i32: this execution runs already"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_goes_on(inst):
    e = inst.exports
    execution, other = suspended(e.direct, 1), in_the_middle(instance().exports.spin, 300_000)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            good = finish(execution, 2, 3) == 32 and finish(other) == 900_000 and e.plus(1) == 2
        finally:
            os._exit(7 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert finish(execution, 2, 3) == 32
    assert finish(other) == 900_000


def test_merging_groups_while_a_call_is_suspended(store, inst):
    execution = suspended(inst.exports.direct, 1)
    other = wamr.Table(store, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1)))
    other[0] = inst.exports.plus
    linked = Instance(
        store,
        Module(
            store,
            '(module (import "a" "plus" (func (param i32) (result i32))) (export "f" (func 0)))',
        ),
        {"a": inst.exports},
    )
    assert linked.exports.f(1) == 2
    assert finish(execution, 2, 3) == 32


# ------------------------------------------------------------------ limits that are set later
SPIN = '(module (func (export "spin") (loop (br 0))))'


def test_limits_of_an_execution_from_a_snapshot():
    instance = wamr.load(SPIN)
    execution = instance.exports.spin.execution(slice=0, timeout=1000)
    assert next(execution).kind == "slice"
    snapshot = wamr.Snapshot(instance, execution)
    for _ in range(2):
        _, copy = snapshot.instantiate()
        copy.limit(slice=0.001)
        assert next(copy).kind == "slice"
        copy.limit(timeout=0)
        with pytest.raises(wamr.TimeoutTrap):
            next(copy)
        assert copy.state == "done"
    assert next(execution).kind == "slice"  # its limits are as they were


def test_limit_replaces_the_limits_of_a_call():
    instance = wamr.load(SPIN)
    execution = instance.exports.spin.execution(timeout=0, slice=0)
    execution.limit(slice=0.001)  # before it has begun
    assert next(execution).kind == "slice"
    execution.limit(timeout=0.05)
    with pytest.raises(wamr.TimeoutTrap):
        next(execution)
    execution.limit(slice=1)  # nothing runs any more
    assert execution.state == "done"


@pytest.mark.parametrize(
    ("limits", "error", "text"),
    [
        ({"timeout": -1}, ValueError, "timeout must not be negative: -1"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds or None, not str"),
        ({"slice": -1}, ValueError, "slice must not be negative: -1"),
        ({"slice": float("nan")}, ValueError, "slice must not be NaN"),
        ({"slice": True}, TypeError, "slice must be a number of seconds or None, not bool"),
    ],
)
def test_wrong_limits_change_nothing(limits, error, text):
    execution = wamr.load(SPIN).exports.spin.execution(slice=0)
    with pytest.raises(error, match=f"^{text}$"):
        execution.limit(**limits)
    assert next(execution).kind == "slice"


def test_the_execution_of_a_host_function_takes_limits(store):
    execution = wamr.Func(store, wamr.FuncType([]), lambda: wamr.SUSPEND).execution()
    execution.limit(timeout=0, slice=0)
    assert next(execution).kind == "call"
    execution.limit()
    with pytest.raises(StopIteration):
        next(execution)
    with pytest.raises(ValueError, match="timeout must not be negative"):
        execution.limit(timeout=-1)


def test_a_call_that_runs_cannot_be_limited():
    refused = []

    def host():
        with pytest.raises(RuntimeError, match="runs already"):
            execution.limit(slice=0)
        refused.append(1)

    text = '(module (import "m" "f" (func $f)) (func (export "go") (call $f)))'
    execution = wamr.load(text, {"m": {"f": host}}).exports.go.execution()
    assert list(execution) == []
    assert refused == [1]
