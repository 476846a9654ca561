"""What a snapshot can't be taken of, and what instances of it can't be given: each has a reason."""

from __future__ import annotations

import pickle
import threading

import pytest
from snapshots import ASKS, copy_of, reason_of, state_instance

import wamr
from wamr import (
    SUSPEND,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    ResourceLimits,
    Snapshot,
    SnapshotError,
    Store,
    Table,
    TableType,
    ValType,
)

pytestmark = pytest.mark.usefixtures("wat")


def made(text, imports=None, store=None):
    store = store or Store()
    return Instance(store, Module(store, text), imports)


def test_the_error_has_a_reason_and_a_sentence():
    instance = state_instance()
    instance.close()
    with pytest.raises(wamr.WasmError) as caught:
        instance.snapshot()
    error = caught.value
    assert isinstance(error, SnapshotError)
    assert error.reason == "closed"
    assert str(error) == "the instance is closed (closed)"
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, str(again)) == ("closed", str(error))


# ------------------------------------------------------------------ busy
def test_running_code_is_busy():
    found = []
    store = Store()
    text = '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))'
    instance = made(text, {"e": {"f": lambda: found.append(reason_of(instance.snapshot))}}, store)
    instance.exports.g()
    assert found == [("busy", "code of the instance runs")]
    instance.snapshot()


def test_a_start_function_that_runs_is_busy():
    found = []
    store = Store()
    func = Func(
        store,
        FuncType([], []),
        lambda caller: found.append(reason_of(caller.snapshot)),
        access_caller=True,
    )
    made('(module (import "e" "f" (func $f)) (start $f))', {"e": {"f": func}}, store)
    assert found == [("busy", "code of the instance runs")]


def test_a_call_in_another_thread_is_waited_for():
    entered, go_on = threading.Event(), threading.Event()

    def wait():
        entered.set()
        go_on.wait()

    instance = made(
        '(module (import "e" "f" (func $f)) (global (export "n") (mut i32) (i32.const 0))'
        ' (func (export "g") (call $f) (global.set 0 (i32.const 1))))',
        {"e": {"f": wait}},
    )
    thread = threading.Thread(target=instance.exports.g)
    thread.start()
    entered.wait()
    threading.Timer(0.1, go_on.set).start()
    snapshot = instance.snapshot()
    thread.join()
    assert snapshot.instantiate(imports={"e": {"f": wait}})[0].exports.n.value == 1


def test_a_suspended_call_that_is_not_given_is_busy():
    instance = state_instance()
    execution = instance.exports.deep.execution(1)
    next(execution)
    reason, text = reason_of(instance.snapshot)
    assert reason == "busy"
    assert "give its execution" in text
    Snapshot(instance, execution)
    execution.close()
    instance.snapshot()


def test_a_dropped_call_is_not_busy():
    instance = state_instance()
    execution = instance.exports.deep.execution(1)
    next(execution)
    del execution
    copy_of(instance.snapshot())


@pytest.mark.parametrize("given", ["lower", "upper"])
def test_of_two_suspended_calls_none_can_be_copied(given):
    instance = state_instance()
    lower, upper = (instance.exports.deep.execution(n) for n in (1, 2))
    next(lower), next(upper)
    reason, text = reason_of(Snapshot, instance, lower if given == "lower" else upper)
    assert reason == "busy"
    assert {"lower": "suspended later", "upper": "below the given one"}[given] in text
    upper.close()
    Snapshot(instance, lower)


def test_an_execution_that_is_not_suspended_is_busy():
    instance = state_instance()
    execution = instance.exports.deep.execution(1)
    assert reason_of(Snapshot, instance, execution)[0] == "busy"
    next(execution)
    with pytest.raises(StopIteration):
        execution.send(1)
    assert reason_of(Snapshot, instance, execution)[0] == "busy"
    execution.close()
    assert reason_of(Snapshot, instance, execution)[0] == "busy"


def test_an_execution_of_another_instance_or_of_the_host_is_busy():
    one, two = state_instance(), state_instance()
    execution = two.exports.deep.execution(1)
    next(execution)
    assert reason_of(Snapshot, one, execution) == (
        "busy",
        "the execution is of another instance",
    )
    host = Func(Store(), FuncType([], []), lambda: SUSPEND).execution()
    next(host)
    assert reason_of(Snapshot, one, host) == ("busy", "the execution is of a host function")


def test_an_execution_that_has_stopped_in_another_instance_is_busy():
    """It has the lock of its own group, and this thread has not that of the other instance."""
    execution = made('(module (func (export "spin") (loop (br 0))))').exports.spin.execution(
        slice=0
    )
    assert next(execution).kind == "slice"
    found = []
    instance = made(
        '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))',
        {"e": {"f": lambda: found.append(reason_of(Snapshot, instance, execution))}},
    )
    instance.exports.g()
    found.append(reason_of(Snapshot, instance, execution))
    assert found == [("busy", "the execution is of another instance")] * 2
    assert next(execution).kind == "slice"


def test_an_execution_that_takes_a_snapshot_of_itself_runs():
    found = []
    instance = made(
        '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))',
        {"e": {"f": lambda: found.append(1)}},
    )
    execution = instance.exports.g.execution()

    def inside():
        with pytest.raises(RuntimeError, match="runs already"):
            Snapshot(instance, execution)
        found.append(2)

    instance = made(
        '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))', {"e": {"f": inside}}
    )
    execution = instance.exports.g.execution()
    with pytest.raises(StopIteration):
        next(execution)
    assert found == [2]


def test_a_call_through_several_instances_is_busy():
    store = Store()
    inner = state_instance(store)
    outer = made(
        '(module (import "i" "deep" (func $f (param i32) (result i32)))'
        ' (func (export "g") (result i32) (call $f (i32.const 1))))',
        {"i": inner},
        store,
    )
    execution = outer.exports.g.execution()
    next(execution)
    assert reason_of(Snapshot, outer, execution) == (
        "busy",
        "the suspended call goes through several instances",
    )
    assert reason_of(Snapshot, inner, execution)[0] == "busy"


def test_a_slice_that_has_ended_is_busy_for_others():
    instance = state_instance()
    execution = instance.exports.spin.execution(10**6, slice=0)
    next(execution)
    reason, text = reason_of(instance.snapshot)
    assert reason == "busy"
    assert "in the middle of the instance's code" in text
    other = instance.exports.deep.execution(1)
    assert reason_of(Snapshot, instance, other)[0] == "busy"
    Snapshot(instance, execution)
    execution.close()
    instance.snapshot()


# ------------------------------------------------------------------ linked
LINKS = {
    "a memory": ('(import "e" "x" (memory 1))', lambda s: Memory(s, MemoryType(Limits(1)))),
    "a table": (
        '(import "e" "x" (table 1 funcref))',
        lambda s: Table(s, TableType(ValType.FUNCREF, Limits(1))),
    ),
    "a mutable global": (
        '(import "e" "x" (global (mut i32)))',
        lambda s: Global(s, GlobalType(ValType.I32, mutable=True), 1),
    ),
    "a function of another instance": (
        '(import "e" "x" (func (result i32)))',
        lambda s: (
            made('(module (func (export "x") (result i32) (i32.const 1)))', store=s).exports.x
        ),
    ),
}


@pytest.mark.parametrize("what", LINKS)
def test_what_an_instance_shares_with_others_can_not_be_copied(what):
    store = Store()
    text, item = LINKS[what]
    instance = made(f"(module {text})", {"e": {"x": item(store)}}, store)
    assert reason_of(instance.snapshot) == ("linked", f"the instance imports {what}")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("memory", '(import "i" "memory" (memory 1))'),
        ("table", '(import "i" "shown" (table 4 funcref))'),
        ("global", '(import "i" "count" (global (mut i32)))'),
        ("function", '(import "i" "one" (func (result i32)))'),
    ],
)
def test_what_others_import_of_an_instance_is_linked_as_long_as_they_are_open(kind, text):
    store = Store()
    instance = state_instance(store)
    instance.snapshot()
    other = made(f"(module {text})", {"i": instance}, store)
    assert reason_of(instance.snapshot) == (
        "linked",
        f"another instance imports a {kind} of the instance",
    )
    other.close()
    copy_of(instance.snapshot())


# ------------------------------------------------------------------ imports-differ, stack
def test_imports_are_checked_as_at_linking():
    snapshot = state_instance().snapshot()
    assert reason_of(snapshot.instantiate)[0] == "imports-differ"
    assert reason_of(snapshot.instantiate, imports={"env": {}})[0] == "imports-differ"
    assert reason_of(snapshot.instantiate, imports=[])[0] == "imports-differ"
    store = Store(snapshot.module._engine)
    wrong = Func(store, FuncType([], []), lambda: None)
    reason, text = reason_of(snapshot.instantiate, store, {"env": {"ask": wrong}})
    assert reason == "imports-differ"
    assert "env.ask" in text
    other = made(
        '(module (func (export "ask") (param i32) (result i32) (i32.const 1)))', store=store
    )
    assert reason_of(snapshot.instantiate, store, {"env": other}) == (
        "imports-differ",
        "a function of another instance is given for one of the host",
    )
    copy_of(snapshot)


def test_an_imported_global_keeps_its_value():
    store = Store()

    def imports(value):
        return {"e": {"g": Global(store, GlobalType(ValType.I64), value)}}

    snapshot = made('(module (import "e" "g" (global i64)))', imports(5), store).snapshot()
    assert reason_of(snapshot.instantiate, store, imports(6)) == (
        "imports-differ",
        "an imported global has another value",
    )
    snapshot.instantiate(store, imports(5))


def test_the_stack_must_have_room_for_the_suspended_call():
    instance = state_instance()
    execution = instance.exports.deep.execution(200)
    next(execution)
    snapshot = Snapshot(instance, execution)
    small = ResourceLimits(stack_bytes=4096)
    reason, text = reason_of(snapshot.instantiate, imports=ASKS, limits=small)
    assert reason == "stack"
    assert "4096" in text
    snapshot.instantiate(imports=ASKS)
    execution.close()
    copy_of(instance.snapshot(), limits=small)
