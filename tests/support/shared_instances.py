"""Memories, modules, instances and programs, used by many threads: see shared_by_threads.py."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from fed_programs import fed, session
from shared_references import CALLING, FUNCTIONS, compiled
from thread_helpers import in_threads

import wamr
from wamr import (
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    Snapshot,
    SnapshotError,
    Store,
    Tag,
    TagType,
    ValType,
    WasmException,
)

THROWING = """(module (import "m" "tag" (tag $t (param i32)))
    (func (export "throw") (param i32) (throw $t (local.get 0))))"""
SPINNING = """(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
    (func (export "count") (param $k i32) (result i32)
        (loop $l (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (br_if $l (i32.lt_u (global.get $n) (local.get $k))))
        (global.get $n)))"""


# ------------------------------------------------------------------ memories and modules
def memories(threads: int, times: int) -> None:
    """Threads read, write and grow one memory; each has bytes of its own."""
    store = Store()
    memory = Memory(store, MemoryType(Limits(1, 1 + threads * times)))

    def work(n: int) -> None:
        at = 64 * n
        for i in range(times):
            data = b"%08d" % (1000 * n + i)
            memory.write(at, data)
            memory[at + 8 : at + 16] = data
            memory[at + 16] = n
            assert memory.read(at, 8) == data
            assert memory[at + 8 : at + 16] == data
            assert memory[at + 16] == n
            if i % 4 == 0:
                size = len(memory)
                memory.grow(1)
                assert memory.read(size, 4) == bytes(4)
                assert memory[-1] == 0

    in_threads(threads, work)


def closed_memories(threads: int, times: int) -> None:
    """A thread closes a store while others read and write its memory: bytes, or ClosedError."""
    for _ in range(times):
        store = Store()
        memory = Memory(store, MemoryType(Limits(1, 2)))
        memory.write(0, b"wasm")
        reading = set[int]()  # each thread closes or reads

        def work(
            n: int, store: Store = store, memory: Memory = memory, reading: set[int] = reading
        ) -> None:
            if n == 0:
                while len(reading) < threads - 1:
                    time.sleep(0)
                store.close()
                return
            with pytest.raises(wamr.ClosedError):
                while True:
                    assert memory.read(0, 4) == b"wasm"
                    assert memory[0] == ord("w")
                    memory[4 + n] = n
                    reading.add(n)

        in_threads(threads, work)
        with pytest.raises(wamr.ClosedError):
            memory[0]


def modules(threads: int, times: int) -> None:
    """Threads ask the same modules, and make instances of them; new types come all the time."""
    engine = wamr.Engine()
    shared = Module(engine, FUNCTIONS)

    def work(n: int) -> None:
        for i in range(times):
            text = f'(module (func (export "f{n}_{i}") (param i32 i64) (result i32) (local.get 0)))'
            own = Module(engine, text)
            assert [export.name for export in own.exports] == [f"f{n}_{i}"]
            assert [str(export.name) for export in shared.exports][-1] == "d"
            assert Instance(Store(engine), shared).exports.c() == 2
            assert FuncType.parse("(i32, i64) -> i32") == own.exports[0].type
            assert Module.deserialize(engine, shared.serialize()).imports == ()

    in_threads(threads, work)


def stores(threads: int, times: int) -> None:
    """Threads make and close instances and externs of one store, and interrupt it."""
    store = Store()
    module = Module(store, FUNCTIONS)

    def work(n: int) -> None:
        for i in range(times):
            instance = Instance(store, module)
            assert instance.exports.d() == 3
            value = Global(store, GlobalType(ValType.I32, mutable=True), n)
            value.value += i
            assert value.value == n + i
            instance.close()
            if i % 8 == 0:
                assert len(store._closables.alive()) >= 1

    in_threads(threads, work)
    store.close()


# ------------------------------------------------------------------ exceptions
def exceptions(threads: int, times: int) -> None:
    """Exceptions of many threads stay in their threads, with their values."""
    store = Store()
    tag = Tag(store, TagType([ValType.I32]))
    module, calling = Module(store, THROWING), Module(store, CALLING)

    class Own(Exception):
        pass

    def work(n: int) -> None:
        throw = Instance(store, module, {"m": {"tag": tag}}).exports.throw

        def fails(x: int) -> int:
            raise Own(x)

        back = Instance(Store(store.engine), calling, {"m": {"f": fails}}).exports.g
        for i in range(times):
            with pytest.raises(WasmException) as thrown:
                throw(1000 * n + i)
            assert thrown.value.values == (1000 * n + i,)
            assert thrown.value.tag is tag
            with pytest.raises(Own) as raised:
                back(1000 * n + i)
            assert raised.value.args == (1000 * n + i,)

    in_threads(threads, work)


# ------------------------------------------------------------------ executions, snapshots, pools
def executions(threads: int, times: int) -> None:
    """Each thread steps executions of its own, and all threads try to step a shared one."""
    module = compiled(SPINNING)
    shared = Instance(Store(module.engine), module).exports.count.execution(
        10 * times, slice_fuel=10
    )

    def work(n: int) -> int:
        mine = Instance(Store(module.engine), module).exports.count.execution(100, slice_fuel=10)
        steps = sum(1 for _ in mine)
        assert steps >= 9
        assert mine.result() == 100 if hasattr(mine, "result") else True
        taken = 0
        for _ in range(times):
            try:
                next(shared)
                taken += 1
            except StopIteration:
                break
            except (RuntimeError, ValueError):  # another thread runs it
                continue
        return taken

    in_threads(threads, work)


def snapshots(threads: int, times: int) -> None:
    """Threads make instances of one snapshot, reset them, and all close it."""
    module = compiled(SPINNING)
    instance = Instance(Store(module.engine), module)
    instance.exports.memory[0] = 7
    for _ in range(max(1, times // 10)):
        snapshot = Snapshot(instance)

        def work(n: int, snapshot: Snapshot = snapshot) -> None:
            for _ in range(10):
                try:
                    copy, _ = snapshot.instantiate()
                except SnapshotError:  # closed
                    return
                assert copy.exports.memory[0] == 7
                copy.exports.memory[0] = n
                assert copy.exports.memory[0] == n
                try:
                    copy.reset()
                except SnapshotError:
                    return
                assert copy.exports.memory[0] == 7
            snapshot.close()
            snapshot.close()

        in_threads(threads, work)


def programs(threads: int, times: int) -> None:
    """Programs and sessions: each thread feeds its own, and reads its own output."""
    kept = session()
    kept.feed(b"n")
    copies = wamr.Program.from_session(kept)

    def work(n: int) -> None:
        for i in range(max(1, times // 8)):
            word = b"%d %d" % (n, i)
            done = wamr.run([fed()], input=b"e" + word, capture_output=True)
            assert done.stdout == b"ready\n" + word + b"bye\n", done
            with session() as mine:
                assert mine.feed(b"e" + word) == b"ready\n" + word
                assert [mine.feed(b"n") for _ in range(3)] == [b"1", b"2", b"3"]
            with copies.session() as copy:
                assert copy.feed(b"n") == b"2"

    in_threads(threads, work)
    kept.close()


def deferred_releases(threads: int, times: int) -> None:
    """Cycles with instances are collected in every thread, so releases are deferred everywhere."""
    module = compiled(CALLING)

    def work(n: int) -> None:
        for i in range(times):
            box: list[object] = []
            instance = Instance(
                Store(module.engine), module, {"m": {"f": lambda x, box=box: x + len(box)}}
            )
            box.append(instance)
            assert instance.exports.g(i) == i + 1
            if i % 8 == n % 8:
                del instance, box
                gc.collect()

    in_threads(threads, work)


def c_api(threads: int, times: int) -> None:
    """Threads share an engine of the C API; each has stores, functions and vectors of its own."""
    from wamr import ffi as api

    engine = api.wasm_engine_new()
    binary = wamr.wat2wasm(CALLING)

    def work(n: int) -> None:
        i32 = api.wasm_valtype_new_i32
        for i in range(times):
            store = api.wasm_store_new(engine)
            type_ = api.wasm_functype_new_1_1(i32(), i32())

            @api.wasm_func_callback
            def callback(args: Any, results: Any) -> None:
                results.data[0].of.i32 = args.data[0].of.i32 + n

            host = api.wasm_func_new(store, type_, callback)
            api.wasm_functype_delete(type_)
            module = api.wasm_module_new(store, api.WASM_ARRAY_VEC("byte", binary))
            imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(host)])
            instance = api.wasm_instance_new(store, module, imports, None)
            exports = api.WASM_EMPTY_VEC("extern")
            api.wasm_instance_exports(instance, exports)
            func = api.wasm_extern_as_func(exports.data[0])
            results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
            args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(i)])
            assert not api.wasm_func_call(func, args, results)
            assert results.data[0].of.i32 == i + n
            api.wasm_extern_vec_delete(exports)
            api.wasm_store_delete(store)

    in_threads(threads, work)
    api.wasm_engine_delete(engine)
