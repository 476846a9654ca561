"""Many threads: exact counts on one instance, and independence of several instances."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from thread_helpers import in_threads

from wamr import (
    ClosedError,
    Engine,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    load,
)

pytestmark = pytest.mark.usefixtures("frequent_switches")

COUNTER = """(module
    (import "m" "host" (func $host (param i32) (result i32)))
    (global $n (mut i64) (i64.const 0))
    (memory (export "memory") 1 100)
    (func (export "next") (result i64)
        (global.set $n (i64.add (global.get $n) (i64.const 1))) (global.get $n))
    (func (export "count") (result i64) (global.get $n))
    (func (export "slow_next") (param $k i32) (result i64)
        (local $was i64) (local.set $was (global.get $n))
        (loop $l (br_if $l (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
        (global.set $n (i64.add (local.get $was) (i64.const 1))) (global.get $n))
    (func (export "through_host") (param i32) (result i32)
        (local $was i64) (local.set $was (global.get $n))
        (drop (call $host (local.get 0)))
        (global.set $n (i64.add (local.get $was) (i64.const 1))) (local.get 0))
    (func (export "trap") unreachable)
    (func (export "grow") (result i32) (memory.grow (i32.const 1))))"""


def counter():
    return load(COUNTER, {"m": {"host": lambda x: x + 1}}).exports


def test_16_threads_on_one_instance_count_exactly(times):
    exports, each = counter(), times(3000)
    results = in_threads(16, lambda n: [exports.next() for _ in range(each)])
    assert exports.count() == 16 * each
    assert sorted(value for values in results for value in values) == list(range(1, 16 * each + 1))


def test_one_call_at_a_time_is_in_an_instance(times):
    exports, each = counter(), times(60)
    in_threads(16, lambda n: [exports.slow_next(2000) for _ in range(each)])
    assert exports.count() == 16 * each


def test_also_while_python_runs_in_between(times):
    exports, each = counter(), times(200)
    in_threads(16, lambda n: [exports.through_host(n) for _ in range(each)])
    assert exports.count() == 16 * each


def test_traps_of_many_threads_stay_in_their_threads(times):
    exports, each = counter(), times(200)

    def work(n):
        for _ in range(each):
            with pytest.raises(Trap, match="unreachable"):
                exports.trap()
            with pytest.raises(OverflowError):
                exports.through_host(2**32)
            exports.next()

    in_threads(16, work)
    assert exports.count() == 16 * each


def test_16_threads_on_16_instances(times):
    engine, each = Engine(), times(2000)
    module = Module(engine, COUNTER)

    def work(n):
        exports = Instance(Store(engine), module, [lambda x: x + n]).exports
        for _ in range(each):
            exports.next()
        return exports.count()

    assert in_threads(16, work) == [each] * 16


def test_16_instances_of_one_store(times):
    store, each = Store(), times(1000)
    module = Module(store, COUNTER)

    def work(n):
        exports = Instance(store, module, [lambda x: x]).exports
        return [exports.through_host(n) for _ in range(each)] == [n] * each

    assert all(in_threads(16, work))


def test_instances_come_and_go_in_many_threads(times):
    engine, each = Engine(), times(150)
    module = Module(engine, COUNTER)

    def work(n):
        store = Store(engine)
        for _ in range(each):
            with Instance(store, module, [lambda x: x]) as instance:
                instance.exports.next()
                view = instance.exports.memory.view(0, 4)
            assert view[0] == 0

    in_threads(8, work)


def test_a_store_is_interrupted_and_closed_while_threads_add_to_it(times):
    for _ in range(times(3)):
        store = Store()
        module = Module(store, COUNTER)
        stop, once = threading.Event(), threading.Event()

        def work(n, store=store, module=module, stop=stop, once=once):
            made = 0
            while not stop.is_set():
                try:
                    Instance(store, module, [lambda x: x]).exports.next()
                    Memory(store, MemoryType(Limits(1)))
                    made += 1
                    once.set()
                except (Trap, ClosedError):
                    pass
            return made

        with ThreadPoolExecutor(6) as pool:
            running = [pool.submit(work, n) for n in range(6)]
            end = time.monotonic() + 0.3
            while time.monotonic() < end or not once.is_set():
                store.interrupt()
                store.gc()
            store.close()
            time.sleep(0.05)
            stop.set()
            assert sum(future.result(200) for future in running) > 0


def test_threads_use_shared_objects(times):
    store, each = Store(), times(300)
    memory = Memory(store, MemoryType(Limits(1)))
    table = Table(store, TableType(ValType.EXTERNREF, Limits(16)))
    total = Global(store, GlobalType(ValType.I64, mutable=True), 0)
    text = """(module (import "m" "m" (memory 1)) (import "m" "t" (table 16 externref))
        (import "m" "g" (global $g (mut i64)))
        (func (export "go") (param $i i32) (param externref) (result externref)
            (i32.store (i32.mul (local.get $i) (i32.const 4)) (i32.add (i32.const 1)
                (i32.load (i32.mul (local.get $i) (i32.const 4)))))
            (global.set $g (i64.add (global.get $g) (i64.const 1)))
            (table.set (local.get $i) (local.get 1)) (table.get (local.get $i)))
        (func (export "grow") (drop (memory.grow (i32.const 1)))))"""
    module = Module(store, text)

    def work(n):
        exports = Instance(store, module, [memory, table, total]).exports
        for i in range(each):
            obj = (n, i)
            assert exports.go(n, obj) is obj
            assert table[n] is obj
            if i % 100 == 0:
                exports.grow()
                memory.grow(1)

    in_threads(16, work)
    assert total.value == 16 * each
    assert memory.view(0, 64, format="i").tolist() == [each] * 16
    assert memory.pages == 1 + 16 * 2 * len(range(0, each, 100))


def test_objects_go_through_while_they_are_collected(times):
    store, each = Store(), times(1500)
    text = """(module (import "m" "f" (func $f (param externref) (result externref)))
        (func (export "go") (param externref) (result externref) (call $f (local.get 0))))"""
    module = Module(store, text)

    def work(n):
        go = Instance(store, module, [lambda obj: obj]).exports.go
        for i in range(each):
            obj = [n, i]
            assert go(obj) is obj

    stop = threading.Event()

    def collect():
        while not stop.is_set():
            store.gc()
            time.sleep(0.001)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        in_threads(8, work)
    finally:
        stop.set()
        collector.join()
    store.gc()
    assert len(store._objects) == 0


def test_function_references_passed_between_threads(times):
    store, each = Store(), times(100)
    table = Table(store, TableType(ValType.FUNCREF, Limits(8)))
    module = Module(store, '(module (func (export "f") (result i32) (i32.const 7)))')

    def work(n):
        for i in range(each):
            table[(n + i) % 8] = Instance(store, module).exports.f
            func = table[i % 8]
            assert func is None or func() == 7
            table[n] = Func(store, FuncType([], [ValType.I32]), lambda: 7)

    in_threads(8, work)
    assert {func() for func in table} == {7}


def test_close_while_it_runs_in_other_threads(times):
    for _ in range(times(30)):
        instance = load(COUNTER, {"m": {"host": lambda x: x}})
        begun = threading.Barrier(5)

        def work(n, instance=instance, begun=begun):
            exports = instance.exports
            begun.wait()
            done = 0
            try:
                while True:
                    exports.next()
                    exports.through_host(1)
                    exports.slow_next(500)
                    done += 1
            except ClosedError:
                return done

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(work, n) for n in range(4)]
            begun.wait()
            time.sleep(0.002)
            instance.close()
            for future in running:
                assert future.result(200) >= 0


def test_fuel_is_looked_at_and_set_while_it_runs_and_closes(times):
    for _ in range(times(20)):
        instance = load(COUNTER, {"m": {"host": lambda x: x}})
        instance.fuel = 10**12
        stop = threading.Event()

        def look(instance=instance, stop=stop):
            while not stop.is_set():
                try:
                    assert instance.fuel >= 0
                    instance.fuel = 10**12
                except ClosedError:
                    return

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            instance.exports.slow_next(1000)
        instance.close()
        stop.set()
        for thread in threads:
            thread.join(200)
            assert not thread.is_alive()


def test_threads_that_trap_and_end_leave_nothing(times, resident):
    instance = load(
        '(module (func $f (export "f") (param i32) (if (local.get 0) (then (call $f'
        " (i32.sub (local.get 0) (i32.const 1)))) (else unreachable))))"
    )

    def work():
        with pytest.raises(Trap):
            instance.exports.f(500)

    def run(count):
        for _ in range(count):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    run(50)
    before = resident()
    run(times(400))
    assert resident() - before < 1 << 20
