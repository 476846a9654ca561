"""Suspended executions while other calls, closing and interruptions happen."""

from __future__ import annotations

import gc
import random

import pytest
from executions import events, finish, in_the_middle, instance, suspended

import wamr
from wamr import SUSPEND, ClosedError, Instance, Module, Store

pytestmark = pytest.mark.usefixtures("wat")

HELD = "another call is suspended in the middle of its instance's code: resume or close it first"


@pytest.fixture
def inst(store):
    return instance(store)


# ------------------------------------------------------------------ suspended in a host function
def test_other_calls_run_above_and_end_before(inst):
    e = inst.exports
    execution = suspended(e.direct, 3)
    for number in range(100):
        assert e.plus(number) == number + 1
        assert events(e.direct.execution(number), 1, 2)[0] == 21
    assert finish(execution, 4, 5) == 54


def test_what_was_suspended_last_goes_on_first(inst):
    e = inst.exports
    lower, upper = suspended(e.direct, 3), suspended(e.direct, 4)
    with pytest.raises(
        RuntimeError,
        match=r"direct\(i32\) -> i32: a call that was suspended later in the same instance goes on "
        "first",
    ):
        lower.send(1)
    with pytest.raises(RuntimeError, match="goes on first"):
        lower.throw(ValueError())
    assert lower.state == "suspended"
    assert finish(upper, 1, 2) == 21
    assert finish(lower, 1, 2) == 21


def test_a_call_that_runs_in_the_instance_goes_on_first(store):
    refused = []

    def resume():
        with pytest.raises(RuntimeError, match="goes on first") as error:
            execution.send(1)
        refused.append(error)

    module = Module(
        store,
        '(module (import "" "ask" (func $ask (result i32))) (import "" "resume" (func $resume))'
        ' (func (export "f") (result i32) (call $ask)) (func (export "g") (call $resume)))',
    )
    inst = Instance(store, module, {"": {"ask": lambda: SUSPEND, "resume": resume}})
    execution = suspended(inst.exports.f)
    inst.exports.g()
    assert len(refused) == 1
    assert finish(execution, 5) == 5


def test_an_execution_in_the_middle_that_is_dropped_goes_with_those_above(inst):
    e = inst.exports
    stack = [suspended(e.direct, i) for i in range(5)]
    del stack[1:3]
    gc.collect()
    stack.pop().close()
    assert finish(stack.pop(), 1, 2) == 21
    assert finish(stack.pop(), 1, 2) == 21
    assert events(e.direct.execution(9), 1, 2)[0] == 21


def test_random_steps_of_starting_finishing_and_dropping(inst):
    e = inst.exports
    rng = random.Random(1)
    stack = []
    for step in range(3000):
        choice = rng.random()
        if choice < 0.4 and len(stack) < 30:
            stack.append(suspended(e.direct, step))
        elif choice < 0.6 and stack:
            assert finish(stack.pop(), step, 1) == step + 10
        elif choice < 0.7 and stack:
            with pytest.raises(KeyError):
                stack.pop().throw(KeyError("x"))
        elif choice < 0.85 and stack:
            del stack[rng.randrange(len(stack))]
        elif choice < 0.95 and len(stack) > 1:
            with pytest.raises(RuntimeError, match="goes on first"):
                stack[0].send(0)
        else:
            assert e.plus(step) == step + 1
    while stack:
        assert finish(stack.pop(), 2, 1) == 12
    assert e.deep.execution(1).state == "new"


# ------------------------------------------------------------------ suspended in the middle of code
def test_a_call_suspended_in_the_middle_keeps_its_instance(store, inst):
    e = inst.exports
    linked = Instance(
        store,
        Module(store, '(module (import "a" "table" (table 4 funcref)) (func (export "f")))'),
        {"a": e},
    )
    table = e.table
    other = Instance(
        store, Module(store, '(module (func (export "f") (result i32) (i32.const 1)))')
    )
    execution = in_the_middle(e.spin)
    for use in (
        lambda: e.plus(1),
        lambda: e.plus.call(1),
        linked.exports.f,
        lambda: next(e.plus.execution(1)),
        lambda: table[0],
        lambda: table.grow(1),
        lambda: Instance(store, linked.module, {"a": e}),
    ):
        with pytest.raises(RuntimeError, match=HELD):
            use()
    assert other.exports.f() == 1
    assert execution.state == "suspended"
    assert next(execution).kind == "slice"
    execution.close()
    assert (e.plus(1), len(table), linked.exports.f()) == (2, 4, None)


def test_an_execution_that_was_refused_can_be_tried_again(inst):
    e = inst.exports
    execution = in_the_middle(e.spin)
    refused = e.plus.execution(1)
    with pytest.raises(RuntimeError, match=HELD):
        next(refused)
    assert refused.state == "new"
    execution.close()
    assert finish(refused) == 2


def test_slices_end(inst):
    execution = inst.exports.spin.execution(300_000, slice=0)
    result, found = events(execution)
    assert result == 900_000
    assert {event.kind for event in found} == {"slice"}
    assert events(inst.exports.spin.execution(1000, slice=1e9)) == (3000, [])


def test_slices_and_host_functions_in_one_execution(store):
    module = Module(
        store,
        '(module (import "" "ask" (func $ask (result i32)))'
        ' (func (export "f") (result i32) (local i32) (local.set 0 (i32.const 300000))'
        " (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (call $ask)))",
    )
    inst = Instance(store, module, {"": {"ask": lambda: SUSPEND}})
    execution = inst.exports.f.execution(slice=0)
    kinds = [next(execution).kind]
    while kinds[-1] == "slice":
        kinds.append(next(execution).kind)
    assert kinds[0] == "slice"
    assert kinds[-1] == "call"
    assert finish(execution, 8) == 8


def test_no_slice_ends_within_a_call_of_the_same_instance(store):
    """The outer call has the lock, and would wait for the inner one for ever."""

    def spin():
        assert events(inst.exports.spin.execution(300_000, slice=0)) == (None, [])

    module = Module(
        store,
        '(module (import "" "spin" (func $spin)) (func (export "f") (call $spin))'
        ' (func (export "spin") (param i32)'
        " (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))",
    )
    inst = Instance(store, module, {"": {"spin": spin}})
    inst.exports.f()
    finish(inst.exports.f.execution(slice=0))


def test_a_chain_stops_in_the_inner_instance(store, inst):
    outer = Instance(
        store,
        Module(
            store,
            '(module (import "a" "spin" (func $s (param i32) (result i32))) (func (export "f")'
            " (param i32) (result i32) (i32.add (i32.const 1) (call $s (local.get 0)))))",
        ),
        {"a": inst.exports},
    )
    result, found = events(outer.exports.f.execution(300_000, slice=0))
    assert result == 900_001
    assert len(found) > 1
    execution = in_the_middle(outer.exports.f)
    with pytest.raises(RuntimeError, match=HELD):
        inst.exports.plus(1)
    with pytest.raises(KeyError):
        execution.throw(KeyError("x"))
    assert inst.exports.plus(1) == 2


def test_an_execution_in_the_middle_that_is_dropped_gives_its_instance_back(inst):
    execution = in_the_middle(inst.exports.spin)
    del execution
    gc.collect()
    assert inst.exports.plus(1) == 2


# ------------------------------------------------------------------ closing and interrupting
def test_a_closed_instance_ends_its_suspended_calls(inst):
    execution, other = suspended(inst.exports.direct, 1), suspended(inst.exports.direct, 1)
    inst.close()
    for each in (execution, other):
        with pytest.raises(ClosedError, match=r"direct\(i32\) -> i32: its instance is closed"):
            each.send(1)
        assert each.state == "done"
    with pytest.raises(ClosedError):
        inst.exports.direct.execution(1)


def test_a_closed_store_ends_suspended_calls():
    store = Store()
    execution = suspended(instance(store).exports.direct, 1)
    middle = in_the_middle(instance(store).exports.spin)
    store.close()
    for each, value in ((execution, 1), (middle, None)):
        with pytest.raises(ClosedError):
            each.send(value)
    gc.collect()


def test_a_suspended_call_of_a_closed_instance_can_be_closed_and_thrown_into(inst):
    executions = [suspended(inst.exports.direct, 1) for _ in range(3)]
    inst.close()
    executions[0].close()
    with pytest.raises(ClosedError):
        executions[1].throw(KeyError("x"))
    del executions
    gc.collect()


def test_a_host_function_may_close_the_instance_and_suspend():
    def close():
        inst.close()
        return SUSPEND

    text = '(module (import "" "f" (func $f)) (func (export "g") (call $f)))'
    for _ in range(3):
        inst = wamr.load(text, {"": {"f": close}})
        execution = inst.exports.g.execution()
        assert next(execution).kind == "call"
        with pytest.raises(ClosedError):
            next(execution)
        assert execution.state == "done"
    inst = wamr.load(text, {"": {"f": close}})
    execution = inst.exports.g.execution()
    next(execution)
    del execution
    gc.collect()


def test_a_host_function_may_interrupt_its_call_and_suspend():
    def interrupt():
        inst.interrupt()
        return SUSPEND

    text = '(module (import "" "f" (func $f)) (func (export "g") (call $f)))'
    inst = wamr.load(text, {"": {"f": interrupt}})
    execution = inst.exports.g.execution()
    next(execution)
    with pytest.raises(wamr.Trap) as caught:
        next(execution)
    assert caught.value.code is wamr.TrapCode.INTERRUPTED


def test_an_instance_that_is_held_is_closed_when_the_call_ends(inst):
    e = inst.exports
    execution = in_the_middle(e.spin)
    inst.close()
    with pytest.raises(ClosedError):
        next(execution)
    with pytest.raises(ClosedError):
        e.plus(1)
    second = instance()
    execution = in_the_middle(second.exports.spin)
    second.close()
    execution.close()
    with pytest.raises(ClosedError):
        second.exports.plus(1)


def test_a_chain_whose_inner_instance_is_closed_ends(store, inst):
    outer = Instance(
        store,
        Module(
            store,
            '(module (import "a" "direct" (func $f (param i32) (result i32))) (func (export "f")'
            " (param i32) (result i32) (call $f (local.get 0)))"
            ' (func (export "two") (result i32) (i32.const 2)))',
        ),
        {"a": inst.exports},
    )
    execution = suspended(outer.exports.f, 1)
    inst.close()
    with pytest.raises(ClosedError):
        execution.send(1)
    assert outer.exports.two() == 2
    assert outer.exports.two.execution().state == "new"


def test_interrupting_ends_suspended_calls(inst):
    e = inst.exports
    executions = [suspended(e.direct, 1), suspended(e.direct, 2)]
    inst.interrupt()
    for execution in reversed(executions):
        with pytest.raises(wamr.Trap) as caught:
            execution.send(1)
        assert caught.value.code is wamr.TrapCode.INTERRUPTED
        assert execution.state == "done"
    assert events(e.direct.execution(1), 1, 2)[0] == 21
    execution = in_the_middle(e.spin)
    inst.store.interrupt()
    with pytest.raises(wamr.Trap) as caught:
        next(execution)
    assert caught.value.code is wamr.TrapCode.INTERRUPTED
    assert e.plus(1) == 2


def test_an_interruption_before_a_call_is_suspended_does_not_end_it(inst):
    inst.interrupt()
    assert events(inst.exports.direct.execution(1), 1, 2)[0] == 21


def test_what_can_be_used_of_an_instance_that_is_held(store):
    module = Module(
        store,
        '(module (memory (export "memory") 1 3) (global (export "global") (mut i32) (i32.const 5))'
        ' (global (export "ref") (mut externref) (ref.null extern)) (tag (export "tag"))'
        ' (func (export "spin") (loop (br 0))))',
    )
    inst = Instance(store, module, limits=wamr.ResourceLimits(fuel=10**12))
    e = inst.exports
    e.memory.write(0, b"abc")
    obj = object()
    e.ref.value = obj
    execution = e.spin.execution(slice=0)
    next(execution)
    assert e.memory.read(0, 3) == bytes(e.memory.view(0, 3)) == b"abc"
    assert e.memory.pages == 1
    assert inst.fuel < 10**12
    for use in (
        lambda: e.memory.grow(1),
        lambda: e["global"].value,
        lambda: setattr(e["global"], "value", 6),
        lambda: e.ref.value,
        lambda: Instance(store, Module(store, '(module (import "a" "tag" (tag)))'), {"a": e}),
    ):
        with pytest.raises(RuntimeError, match=HELD):
            use()
    store.gc()
    execution.close()
    assert e["global"].value == 5
    assert e.ref.value is obj
    assert e.memory.grow(1) == 1
