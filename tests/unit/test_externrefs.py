"""Objects behind externrefs are kept exactly as long as wasm can reach them."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from collecting import collect_until
from platforms import needs_fork
from small_modules import Referent

import wamr

TEXT = """
(module
  (import "host" "pass" (func $pass (param externref) (result externref)))
  (import "host" "call" (func $call))
  (table $private 4 externref)
  (table $t (export "t") 4 externref)
  (global $private_g (mut externref) (ref.null extern))
  (global $g (export "g") (mut externref) (ref.null extern))
  (func (export "id") (param externref) (result externref) local.get 0)
  (func (export "through") (param externref) (result externref) (call $pass (local.get 0)))
  (func (export "put") (param i32 externref) (table.set $private (local.get 0) (local.get 1)))
  (func (export "get") (param i32) (result externref) (table.get $private (local.get 0)))
  (func (export "keep") (param externref) (global.set $private_g (local.get 0)))
  (func (export "kept") (result externref) (global.get $private_g))
  (func (export "hold") (param externref) (result externref) (call $call) (local.get 0)))
"""


class ReferenceInstance:
    """An instance of TEXT; `collect` collects unreachable objects."""

    def __init__(self) -> None:
        self.on_call: Any = lambda: None
        self.instance = wamr.load(
            TEXT, {"host": {"pass": lambda obj: obj, "call": lambda: self.on_call()}}
        )
        self.exports = self.instance.exports

    def collect(self) -> None:
        gc.collect()
        self.instance.store.gc()


@pytest.fixture
def host() -> ReferenceInstance:
    return ReferenceInstance()


def test_an_object_passes_with_its_identity(host: ReferenceInstance) -> None:
    obj = Referent()
    assert host.exports.id(obj) is obj
    assert host.exports.through(obj) is obj
    assert host.exports.id(None) is None


def put(host: ReferenceInstance, obj: object) -> None:
    host.exports.put(3, obj)


def keep(host: ReferenceInstance, obj: object) -> None:
    host.exports.keep(obj)


def table(host: ReferenceInstance, obj: object) -> None:
    host.exports.t[1] = obj


def global_(host: ReferenceInstance, obj: object) -> None:
    host.exports.g.value = obj


@pytest.mark.parametrize("place", [put, keep, table, global_], ids=lambda f: f.__name__)
def test_what_wasm_holds_is_held(host: ReferenceInstance, place: Any) -> None:
    obj = Referent()
    gone = weakref.ref(obj)
    place(host, obj)
    del obj
    host.collect()
    assert gone() is not None
    place(host, None)
    host.collect()
    assert collect_until(lambda: gone() is None)


def test_what_the_host_holds_is_held() -> None:
    store = wamr.Store()
    externref = wamr.ValType.EXTERNREF
    held = wamr.Global(store, wamr.GlobalType(externref, mutable=True), Referent())
    objects = wamr.Table(store, wamr.TableType(externref, wamr.Limits(1)), Referent())
    store.gc()
    assert isinstance(held.value, Referent)
    assert isinstance(objects[0], Referent)
    gone = weakref.ref(held.value)
    held.value = None
    store.gc()
    assert collect_until(lambda: gone() is None)


def test_what_a_running_call_holds_is_held(host: ReferenceInstance) -> None:
    seen = []

    def on_call() -> None:
        host.collect()
        seen.append(gone())

    host.on_call = on_call
    obj = Referent()
    gone = weakref.ref(obj)
    assert host.exports.hold(obj) is obj
    assert seen == [obj]


def test_they_are_let_go_by_themselves(host: ReferenceInstance) -> None:
    for _ in range(5000):
        host.exports.id(Referent())
    assert len(host.instance.store._objects) < 3000


def test_numbers_are_used_again(host: ReferenceInstance) -> None:
    for _ in range(3):
        for _ in range(500):
            host.exports.id(Referent())
        host.collect()
    assert host.instance.store._objects.count <= 1500


def test_they_die_with_the_instance() -> None:
    host = ReferenceInstance()
    obj = Referent()
    gone = weakref.ref(obj)
    host.exports.put(0, obj)
    del obj, host
    assert collect_until(lambda: gone() is None)


def test_threads_pass_objects_while_others_collect(host: ReferenceInstance) -> None:
    wrong = []
    begin = threading.Barrier(5)

    def work() -> None:
        begin.wait()
        for i in range(6000):
            obj = Referent()
            if host.exports.through(obj) is not obj:
                wrong.append(i)

    def collect() -> None:
        begin.wait()
        while any(worker.is_alive() for worker in workers):
            host.instance.store.gc()
            time.sleep(0)  # with a GIL, no call would go on before the next collection

    workers = [threading.Thread(target=work) for _ in range(4)]
    collector = threading.Thread(target=collect)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # switches within many calls
    try:
        for thread in (*workers, collector):
            thread.start()
        for thread in (*workers, collector):
            thread.join(200)
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert not collector.is_alive()


def test_threads_that_always_pass_objects_do_not_keep_all_of_them(host: ReferenceInstance) -> None:
    """There may be no moment in which no thread passes a reference."""
    passed = 10_000  # by each of four threads

    def work() -> None:
        for _ in range(passed):
            host.exports.through(Referent())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert len(host.instance.store._objects) < 2 * passed


class Passing:
    """A thread that passes references while it is told to."""

    def __init__(self, host: ReferenceInstance) -> None:
        self.table = host.instance.store._objects
        self.thread = ThreadPoolExecutor(1)
        self.blocks: list[AbstractContextManager[None]] = []

    def enter(self) -> None:
        self.blocks.append(self.thread.submit(self.table.block).result())
        self.thread.submit(self.blocks[-1].__enter__).result()

    def exit(self) -> None:
        self.thread.submit(self.blocks.pop().__exit__, None, None, None).result()

    def number(self, obj: object) -> int:
        return self.thread.submit(self.table.number, obj).result()


def test_a_collection_waits_for_calls_that_had_begun_and_for_no_others(
    host: ReferenceInstance,
) -> None:
    one, other = Passing(host), Passing(host)
    obj = Referent()
    gone = weakref.ref(obj)
    host.exports.id(obj)
    del obj
    one.enter()
    host.collect()  # waits for `one`
    other.enter()
    assert gone() is not None
    one.exit()
    one.enter()
    host.collect()  # has marked, waits for `other` and for `one`, which began before
    other.exit()
    other.enter()
    assert gone() is not None
    one.exit()
    one.enter()
    assert one.table.passing == 2
    host.collect()
    assert gone() is None
    one.exit()
    other.exit()
    assert one.table.passing == 0


@pytest.mark.parametrize("begun", [False, True], ids=["before", "after"])
def test_what_a_call_has_on_its_way_is_not_dropped(host: ReferenceInstance, begun: bool) -> None:
    """Whether the call began before the collection or after, and long after the marking."""
    first, call = Passing(host), Passing(host)
    first.enter()
    if begun:
        host.collect()
    call.enter()
    obj = Referent()
    gone, number = weakref.ref(obj), call.number(obj)
    del obj
    for _ in range(3):
        host.collect()
    first.exit()
    for _ in range(3):
        host.collect()
    assert gone() is not None
    assert call.table.object(number) is gone()
    call.exit()
    host.collect()
    assert gone() is None


def test_what_a_call_has_taken_out_of_a_table_is_not_dropped(host: ReferenceInstance) -> None:
    """Its number was asked for long before the collection, and marking does not find it."""
    first, call = Passing(host), Passing(host)
    obj = Referent()
    gone = weakref.ref(obj)
    host.exports.put(0, obj)
    del obj
    first.enter()
    host.collect()
    call.enter()
    host.exports.put(0, None)
    first.exit()
    for _ in range(3):
        host.collect()
    assert gone() is not None
    call.exit()
    host.collect()
    assert gone() is None


@needs_fork
def test_a_child_of_a_fork_waits_for_no_thread_of_its_parent(host: ReferenceInstance) -> None:
    other, table = Passing(host), host.instance.store._objects
    other.enter()
    host.exports.id(Referent())
    host.collect()
    assert len(table) == 1
    child = os.fork()
    if not child:
        left = 255
        try:
            host.collect()
            left = len(table) + table.passing
        finally:
            os._exit(left)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (len(table), table.passing) == (1, 1)
    other.exit()
    host.collect()
    assert not len(table)


def test_what_is_passed_during_the_marking_is_not_dropped(host: ReferenceInstance) -> None:
    """It may have come into a table that was marked already."""
    table, obj = host.instance.store._objects, Referent()
    table.number(obj)

    def mark(count: int) -> bytes:
        table.number(obj)
        return bytes(count)

    assert table.collection(mark) == []
    assert table.collection(bytes) == [obj]


def test_a_call_that_takes_long_puts_collections_off(host: ReferenceInstance) -> None:
    """Meanwhile others' calls don't try each time."""
    long = Passing(host)
    long.enter()
    trying = []
    for _ in range(5000):
        host.exports.id(Referent())
        trying.append(long.table.collecting)
    assert len(long.table) == 5000
    first = trying.index(True)
    assert 1000 < trying[first:].count(False) < 4000
    long.exit()
    for _ in range(20_000):
        host.exports.id(Referent())
    assert len(long.table) < 12_000


def test_a_collection_whose_marking_fails_is_given_up_at_some_time(host: ReferenceInstance) -> None:
    table = host.instance.store._objects

    def fail(count: int) -> None:
        raise KeyError(count)

    host.exports.id(Referent())
    with pytest.raises(KeyError):
        table.collection(fail)
    with pytest.raises(TypeError, match="bytes or None"):
        table.collection(lambda count: 5)  # type: ignore[arg-type, return-value]
    assert not table.collecting
    for _ in range(7):  # another thread is in a call each time
        assert table.collection(lambda count: None) is None
        assert table.collecting
    assert table.collection(lambda count: None) is None
    assert not table.collecting
    host.collect()
    assert not len(table)


def test_an_exception_in_between_leaves_nothing_behind(host: ReferenceInstance) -> None:
    def fail(obj: object) -> object:
        raise KeyError("no")

    instance = wamr.load(TEXT, {"host": {"pass": fail, "call": lambda: None}})
    with pytest.raises(KeyError):
        instance.exports.through(Referent())
    assert not instance.store._objects.passing
    with pytest.raises(TypeError):
        instance.exports.put("x", Referent())
    assert not instance.store._objects.passing
