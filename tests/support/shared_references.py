"""Externrefs and functions, used by many threads at once: see shared_by_threads.py."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from thread_helpers import in_threads

import wamr
from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Module,
    Store,
    Table,
    TableType,
    ValType,
)

REFERENCES = """(module
    (table (export "t") 64 externref)
    (func (export "put") (param i32 externref) (table.set (local.get 0) (local.get 1)))
    (func (export "take") (param i32) (result externref)
        (table.get (local.get 0)) (table.set (local.get 0) (ref.null extern)))
    (func (export "same") (param externref) (result externref) (local.get 0)))"""
CALLING = """(module (import "m" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (call $f (local.get 0))))"""
FUNCTIONS = """(module (table (export "t") 64 funcref)
    (elem (i32.const 0) $a $b $c $d)
    (memory (export "memory") 1 1000) (global (export "n") (mut i32) (i32.const 0))
    (func $a (export "a") (result i32) (i32.const 0))
    (func $b (export "b") (result i32) (i32.const 1))
    (func $c (export "c") (result i32) (i32.const 2))
    (func $d (export "d") (result i32) (i32.const 3)))"""
I32_I32 = FuncType([ValType.I32], [ValType.I32])


class Value:
    """An object that no other thread makes."""

    def __init__(self, value: object) -> None:
        self.value = value


def compiled(text: str) -> Module:
    return Module(wamr.Engine(), text)


# ------------------------------------------------------------------ references
def externrefs(threads: int, times: int) -> None:
    """Objects go into wasm and come back, in one store, while another thread collects."""
    store = Store()
    exports = Instance(store, Module(store, REFERENCES)).exports
    put, take, same = exports.put, exports.take, exports.same

    def work(n: int) -> None:
        for i in range(times):
            if n == 0:
                store.gc()
                continue
            value = Value((n, i))
            put(n, value)
            assert same(value) is value
            found = take(n)
            assert found is value, (n, i, found)

    in_threads(threads, work)
    store.gc()
    assert len(store._objects) == 0


def reference_slots(threads: int, times: int) -> None:
    """Objects in a table and a global that Python reads and writes, while others collect."""
    store = Store()
    table = Table(store, TableType(ValType.EXTERNREF, Limits(threads)))
    shared = Global(store, GlobalType(ValType.EXTERNREF, mutable=True), None)

    def work(n: int) -> None:
        for i in range(times):
            value = Value((n, i))
            table[n] = value
            shared.value = value
            other = shared.value
            assert type(other) is Value, other
            assert table[n] is value
            if i % 8 == n % 8:
                store.gc()
            assert table[n].value == (n, i)
            table[n] = None

    in_threads(threads, work)


def objects_that_end(threads: int, times: int) -> None:
    """Objects that only the store holds end once, when nothing refers to them."""
    store = Store()
    put = Instance(store, Module(store, REFERENCES)).exports.put
    alive: list[Any] = []

    def work(n: int) -> None:
        for i in range(times):
            value = Value((n, i))
            alive.append(weakref.ref(value))
            put(n, value)
            put(n, None)
            if i % 16 == 0:
                store.gc()

    in_threads(threads, work)
    store.gc()
    gc.collect()
    assert [reference() for reference in alive if reference() is not None] == []


# ------------------------------------------------------------------ functions
def host_functions(threads: int, times: int) -> None:
    """Threads make and drop host functions while others call theirs."""
    engine = wamr.Engine()
    module = Module(engine, CALLING)

    def work(n: int) -> None:
        instance = Instance(Store(engine), module, {"m": {"f": lambda x: x + n}})
        call, store = instance.exports.g, Store(engine)
        for i in range(times):
            kept = [Func(store, I32_I32, lambda x, n=n: x * n) for _ in range(8)]
            assert call(i) == i + n
            assert [func(i) for func in kept] == [i * n] * 8
            other = Instance(Store(engine), module, {"m": {"f": lambda x, i=i: x - i}})
            assert other.exports.g(i) == 0

    in_threads(threads, work)


def one_host_function(threads: int, times: int) -> None:
    """All threads call one host function, each in an instance of its own."""
    engine = wamr.Engine()
    module, store = Module(engine, CALLING), Store(engine)
    back = Func(store, I32_I32, lambda x: x + 1)

    def work(n: int) -> None:
        call = Instance(store, module, {"m": {"f": back}}).exports.g
        for i in range(times):
            assert call(n + i) == n + i + 1

    in_threads(threads, work)


def functions_of_references(threads: int, times: int) -> None:
    """Threads read the functions of one table, and drop them, so that each is made many times."""
    exports = wamr.load(FUNCTIONS).exports
    table = exports.t
    hosts = Store(exports.a.store.engine)
    assert hosts is not exports.a.store

    def work(n: int) -> None:
        for i in range(times):
            index = (n + i) % 4
            func = table[index]
            assert func() == index
            # one object stands for the function while anybody has it
            assert table[index] is func
            table[4 + n] = func
            assert table[4 + n] is func
            del func
            # the ring of the functions that were read last
            assert [table[k]() for k in range(4)] == [0, 1, 2, 3]

    in_threads(threads, work)


def rings_of_functions(threads: int, times: int) -> None:
    """The functions that were read last are held in a ring, which all threads fill and turn."""
    table = _table_of_functions(300)  # more than the ring holds

    def work(n: int) -> None:
        for i in range(10 * times):
            k = (31 * n + 7 * i) % 300
            assert table[k](1) == 1 + k

    in_threads(threads, work)


def functions_that_end(threads: int, times: int) -> None:
    """Python's objects for functions end while other threads ask for the same functions."""
    table = _table_of_functions(300)

    def work(n: int) -> None:
        for i in range(40 * times):
            k = (i + n % 2) % 300  # the threads are at the same functions at about the same time
            func = table[k]
            assert func is table[k]
            assert func(1) == 1 + k

    in_threads(threads, work)


def _table_of_functions(size: int) -> Table:
    """Return a table of host functions, of which Python holds none."""
    store = Store()
    table = Table(store, TableType(ValType.FUNCREF, Limits(size)))
    for k in range(size):
        table[k] = Func(store, I32_I32, lambda x, k=k: x + k)
    return table


def attributes_of_functions(threads: int, times: int) -> None:
    """Threads call a Func while others set its `callable`."""
    func = wamr.load(FUNCTIONS).exports.b
    plain = func.callable

    def work(n: int) -> None:
        for _ in range(20 * times):
            if n % 2:
                func.callable = lambda: plain()
            assert func() == 1
            assert func.callable() == 1

    in_threads(threads, work)


def exports(threads: int, times: int) -> None:
    """The first access to an export makes one object for all threads."""
    module = compiled(FUNCTIONS)
    names = ["a", "b", "c", "d", "t", "memory", "n"]
    instances = [Instance(Store(module.engine), module) for _ in range(times)]

    def work(n: int) -> list[list[object]]:
        return [[i.exports[name] for name in names] for i in instances]

    found = in_threads(threads, work)
    for row in zip(*found, strict=True):
        for objects in zip(*row, strict=True):
            assert all(one is objects[0] for one in objects)
    for instance in instances:
        memory = instance.exports.memory
        assert memory[0] == 0
        instance.close()
        try:
            memory[0]
        except wamr.ClosedError:
            continue
        raise AssertionError("the memory of a closed instance can be read")
