"""Snapshots: what is in them, and the instances that are made of them."""

from __future__ import annotations

import _thread
import gc
import threading
import weakref

import pytest
from snapshots import copy_of, seen, state_instance

import wamr
from wamr import (
    Global,
    GlobalType,
    Instance,
    Limits,
    Module,
    ResourceLimits,
    Store,
    TrapCode,
    ValType,
)

pytestmark = pytest.mark.usefixtures("wat")


# ------------------------------------------------------------------ between calls
@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_has_the_whole_state_of_the_instance(changed):
    instance, twin = state_instance(), state_instance()
    for each in (instance, twin):
        if changed:
            each.exports.change(7)
    snapshot = instance.snapshot()
    assert seen(copy_of(snapshot)) == seen(twin)


def test_what_was_changed_after_the_snapshot_is_not_in_it():
    instance = state_instance()
    snapshot = instance.snapshot()
    instance.exports.change(3)
    assert seen(copy_of(snapshot)) == seen(state_instance())


def test_copies_do_not_see_each_other():
    snapshot = state_instance().snapshot()
    copies = [copy_of(snapshot) for _ in range(4)]
    for number, each in enumerate(copies):
        each.exports.change(number + 50)
    assert [each.exports.numbers()[0] for each in copies] == [50, 51, 52, 53]
    assert [each.exports.read(100) for each in copies] == [50, 51, 52, 53]
    assert seen(copy_of(snapshot)) == seen(state_instance())


def test_no_code_runs_when_a_copy_is_made():
    store = Store()
    calls: list[int] = []
    module = Module(
        store,
        '(module (import "env" "f" (func $f)) (memory (export "m") 1)'
        " (func $start (call $f) (i32.store (i32.const 0) (i32.const 5))) (start $start)"
        ' (data (i32.const 8) "x"))',
    )
    imports = {"env": {"f": lambda: calls.append(1)}}
    instance = Instance(store, module, imports)
    instance.exports.m[8] = 0
    made, _ = instance.snapshot().instantiate(imports=imports)
    assert calls == [1]
    assert made.exports.m[:9] == b"\5\0\0\0\0\0\0\0\0"


def test_a_copy_calls_its_own_host_functions():
    instance = state_instance()
    snapshot = instance.snapshot()
    copies = [
        snapshot.instantiate(imports={"env": {"ask": lambda x, n=n: x + n}})[0] for n in range(3)
    ]
    assert [each.exports.deep(0) for each in copies] == [1, 2, 3]
    assert next(instance.exports.deep.execution(0)).args == (1,)  # the first one's still suspends


def test_functions_of_a_copy_are_its_own():
    snapshot = state_instance().snapshot()
    one, two = copy_of(snapshot), copy_of(snapshot)
    assert one.exports.shown[1] == one.exports.two
    assert one.exports.shown[1] != two.exports.two
    one.close()
    with pytest.raises(wamr.ClosedError):
        one.exports.two()
    assert two.exports.shown[1]() == 22


def test_a_copy_lives_without_the_instance_the_snapshot_and_the_module():
    instance = state_instance()
    snapshot = instance.snapshot()
    made = copy_of(snapshot)
    gone = weakref.ref(instance), weakref.ref(snapshot)
    instance.close()
    snapshot.close()
    del instance
    made._state._keep.clear()
    del snapshot
    gc.collect()
    assert [each() for each in gone] == [None, None]
    assert seen(made) == seen(state_instance())


def test_a_snapshot_of_a_copy_has_what_the_copy_has_changed():
    first = copy_of(state_instance().snapshot())
    first.exports.change(9)
    twin = state_instance()
    twin.exports.change(9)
    assert seen(copy_of(first.snapshot())) == seen(twin)


def test_a_copy_can_grow_to_its_maximum_and_no_further():
    snapshot = state_instance().snapshot()
    made = copy_of(snapshot)
    memory = made.exports.memory
    assert memory.type.limits == Limits(1, 6)
    assert memory.grow(5) == 1
    memory.write(6 * 65536 - 4, b"last")
    with pytest.raises(wamr.MemoryLimitError, match="at most 6 pages"):
        memory.grow(1)
    table = made.exports.shown
    assert table.grow(16) == 4
    with pytest.raises(ValueError, match="exactly 20"):
        table.grow(1)


def test_a_module_without_memory_tables_and_globals_can_be_copied():
    made, execution = (
        wamr.load('(module (func (export "f") (result i32) (i32.const 3)))')
        .snapshot()
        .instantiate()
    )
    assert (made.exports.f(), execution) == (3, None)


def test_a_memory_without_pages_grows_in_the_copy():
    instance = wamr.load('(module (memory (export "m") 0))')
    made, _ = instance.snapshot().instantiate()
    assert made.exports.m.pages == 0
    made.exports.m.grow(1)
    made.exports.m[5] = 1
    assert instance.exports.m.pages == 0


def test_imported_immutable_globals_and_tags_are_those_of_the_copy():
    store = Store()
    module = Module(
        store,
        '(module (import "env" "g" (global $g i32)) (import "env" "t" (tag $t (param i32)))'
        ' (global (export "own") i32 (global.get $g)) (export "g" (global $g))'
        ' (tag $own (export "tag") (param i32))'
        ' (func (export "f") (result i32) (global.get $g))'
        ' (func (export "throw") (throw $t (i32.const 4)))'
        ' (func (export "throw_own") (throw $own (i32.const 5))))',
    )

    def imports(into):
        return {
            "env": {
                "g": Global(into, GlobalType(ValType.I32), 6),
                "t": wamr.Tag(into, wamr.TagType([ValType.I32])),
            }
        }

    snapshot = Instance(store, module, imports(store)).snapshot()
    other = Store(store.engine)
    given = imports(other)
    made, _ = snapshot.instantiate(other, given)
    assert (made.exports.f(), made.exports.own.value, made.exports.g.value) == (6, 6, 6)
    with pytest.raises(wamr.WasmException) as caught:
        made.exports.throw()
    assert caught.value.tag == given["env"]["t"]
    with pytest.raises(wamr.WasmException) as caught:
        made.exports.throw_own()
    assert caught.value.tag == made.exports.tag


def test_an_instance_that_has_trapped_can_be_copied():
    instance = wamr.load(
        '(module (func (export "f") unreachable) (func (export "g") (result i32) (i32.const 1)))'
    )
    with pytest.raises(wamr.Trap):
        instance.exports.f()
    assert instance.snapshot().instantiate()[0].exports.g() == 1


def test_the_backtrace_of_a_copy_names_its_functions():
    instance = wamr.load('(module (func $inner unreachable) (func (export "f") (call $inner)))')
    made, _ = instance.snapshot().instantiate()
    with pytest.raises(wamr.Trap) as caught:
        made.exports.f()
    assert [frame.func_name for frame in caught.value.frames] == ["inner", "f"]
    assert caught.value.code is TrapCode.UNREACHABLE


def test_a_bounded_function_of_a_copy_calls_the_copy_s_callbacks():
    store = Store()
    text = (
        '(module (import "e" "f" (func $f (result i32)))'
        ' (func (export "g") (result i32) (call $f)))'
    )
    instance = Instance(store, Module(store, text), {"e": {"f": lambda: 1}})
    made, _ = instance.snapshot().instantiate(imports={"e": {"f": lambda: 2}})
    assert [made.exports.g(), instance.exports.g(), made.exports.g.call()] == [2, 1, 2]


# ------------------------------------------------------------------ limits
def test_a_copy_counts_with_the_whole_size_of_its_memory():
    snapshot = state_instance().snapshot()
    store = Store(limits=ResourceLimits(memory_bytes=3 * 65536))
    store2 = Store(snapshot.module._engine, limits=ResourceLimits(memory_bytes=3 * 65536))
    del store
    copies = [copy_of(snapshot, store=store2) for _ in range(3)]
    with pytest.raises(wamr.MemoryLimitError, match="in use"):
        copy_of(snapshot, store=store2)
    copies[0].close()
    copy_of(snapshot, store=store2)
    small = ResourceLimits(table_elements=6)
    with pytest.raises(wamr.MemoryLimitError, match="table"):
        copy_of(snapshot, limits=small)
    assert snapshot.alive == 2


def test_what_a_failed_copy_has_taken_is_given_back():
    snapshot = state_instance().snapshot()
    store = Store(
        snapshot.module._engine, limits=ResourceLimits(memory_bytes=65536, table_elements=7)
    )
    for _ in range(5):
        with pytest.raises(wamr.MemoryLimitError):
            copy_of(snapshot, store=store, limits=ResourceLimits(table_elements=6))
    copy_of(snapshot, store=store).exports.one()


# ------------------------------------------------------------------ threads
def test_threads_make_instances_of_one_snapshot_at_once():
    snapshot = state_instance().snapshot()
    expected = seen(state_instance())
    failures: list[object] = []

    def work(number):
        try:
            for _ in range(50):
                made = copy_of(snapshot)
                if made.exports.read(100) != 0:
                    failures.append("stale")
                made.exports.change(number)
                assert made.exports.read(100) == number
                made.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n + 1,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen(copy_of(snapshot)) == expected


# ------------------------------------------------------------------ while another thread runs code
@pytest.fixture
def endless():
    """Return an instance in which another thread runs code until it is interrupted."""
    begun, ended = threading.Event(), []
    text = """(module (import "m" "begun" (func $begun)) (memory (export "memory") 1)
      (func (export "spin") (call $begun) (loop (br 0))))"""
    instance = wamr.load(text, {"m": {"begun": begun.set}})

    def spin():
        with pytest.raises(wamr.Trap, match="interrupt"):
            instance.exports.spin()
        ended.append(1)

    thread = threading.Thread(target=spin)
    thread.start()
    begun.wait()
    yield instance
    instance.interrupt()
    thread.join()
    assert ended == [1]


def test_waiting_for_the_code_of_another_thread_ends_by_a_signal(endless):
    timer = threading.Timer(0.2, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        wamr.Snapshot(endless)
    timer.join()


def test_a_snapshot_is_taken_when_the_code_of_another_thread_is_interrupted(endless):
    timer = threading.Timer(0.2, endless.interrupt)
    timer.start()
    copy, execution = wamr.Snapshot(endless).instantiate(imports={"m": {"begun": print}})
    timer.join()
    assert (len(copy.exports.memory), execution) == (65536, None)
