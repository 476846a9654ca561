"""No leaks: memory that stays bounded over many rounds of each use."""

import gc

import pytest
from mutants import section
from small_modules import ALL_KINDS, Referent

from wamr import (
    CompileError,
    Engine,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    LinkError,
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


# ------------------------------------------------------------------ leaks
@pytest.fixture
def grows_by(resident):
    """Return a function that returns the growth in bytes over `count` rounds, after a warm-up."""

    def run(work, count):
        for _ in range(max(1, count // 10)):
            work()
        before = resident()
        for _ in range(count):
            work()
        return resident() - before

    return run


def calls():
    exports = load(
        """(module (import "m" "f" (func $f (param externref) (result externref)))
            (func (export "ref") (param externref) (result externref) (call $f (local.get 0)))
            (func (export "func") (param funcref) (result funcref) (local.get 0))
            (func (export "add") (param i32 i32) (result i32)
                (i32.add (local.get 0) (local.get 1)))
            (func (export "many") (param i32 v128) (result i32 v128) (local.get 0) (local.get 1))
            (func (export "trap") (param i32) unreachable))""",
        [lambda obj: obj],
    ).exports

    def trap():
        try:
            exports.trap(1)
        except Trap as error:
            return error.frames
        raise AssertionError

    def wrong():
        try:
            exports.add("x", 1)
        except TypeError:
            return
        raise AssertionError

    return {
        "plain": lambda: exports.add(1, 2),
        "externref": lambda: exports.ref(Referent()),
        "funcref": lambda: exports.func(exports.add),
        "cells": lambda: exports.many(1, bytes(16)),
        "trap": trap,
        "wrong argument": wrong,
    }


@pytest.mark.parametrize(
    "kind", ["plain", "externref", "funcref", "cells", "trap", "wrong argument"]
)
def test_calls_leave_nothing(kind, times, grows_by):
    count = {"plain": 300_000, "externref": 100_000}.get(kind, 30_000)
    assert grows_by(calls()[kind], times(count)) < 1 << 20


def test_types_of_functions_are_collected():
    """A type, the converters of its values, and the signature in C form a cycle."""

    def codecs():
        gc.collect()
        return sum(type(each).__name__ == "Codec" for each in gc.get_objects())

    def work():
        func = Func(Store(), FuncType([ValType.I32], [ValType.I32]), lambda n: n + 1)
        assert func(1) == 2

    work()
    before = codecs()
    for _ in range(20):
        work()
    assert codecs() <= before + 2


def test_a_refused_constant_is_freed(grows_by):
    """An i64 global has a long sum of i32 constants. Without the patch each one leaks 70 KB."""
    sums = b"\x41\0" + b"\x41\1\x6a" * 1000 + b"\x0b"
    binary = b"\0asm\1\0\0\0" + section(6, b"\1\x7e\0" + sums)

    def refused():
        with pytest.raises(CompileError, match="type mismatch"):
            load(binary)

    assert grows_by(refused, 300) < 1 << 20


def test_one_long_call_lets_go_of_objects_too(times):
    """Within one call, the host function gets and returns another object each time."""
    text = """(module (import "m" "f" (func $f (param externref) (result externref)))
        (func (export "go") (param $n i32) (param $x externref) (result externref)
            (loop $l (local.set $x (call $f (local.get $x)))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x)))"""
    most, last = [0], [None]

    def host(obj):
        assert obj is last[0]
        most[0] = max(most[0], len(store._objects))
        last[0] = Referent()
        return last[0]

    instance = load(text, [host])
    store = instance.store
    assert instance.exports.go(times(30_000), None) is last[0]
    assert most[0] < 5000


def test_instances_leave_nothing(times, grows_by):
    engine = Engine()
    module = Module(engine, ALL_KINDS)

    def work():
        store = Store(engine)
        items = [
            Func(store, FuncType([ValType.EXTERNREF], [ValType.EXTERNREF]), lambda obj: obj),
            Memory(store, MemoryType(Limits(1))),
            Table(store, TableType(ValType.FUNCREF, Limits(4))),
            Global(store, GlobalType(ValType.I64, mutable=True), 1),
        ]
        instance = Instance(store, module, items)
        instance.exports.call(Referent())
        instance.exports.mem.write(0, bytes(100))

    assert grows_by(work, times(2000)) < 2 << 20


def test_instances_in_one_store_leave_nothing(times, grows_by):
    store = Store()
    module = Module(
        store,
        """(module (import "m" "f" (func)) (memory (export "m") 1)
            (func (export "go") (call 0)))""",
    )

    def work():
        instance = Instance(store, module, [lambda: None])
        instance.exports.go()
        instance.exports.m.view(0, 4)[0] = 1

    assert grows_by(work, times(10_000)) < 2 << 20


def test_modules_leave_nothing(times, grows_by):
    data = Module(Engine(), ALL_KINDS).serialize()
    engine = Engine()

    def work():
        module = Module(engine, data)
        assert len(module.exports) == 6
        assert len(module.imports) == 4

    assert grows_by(work, times(3000)) < 1 << 20


def test_failed_modules_and_links_leave_nothing(times, grows_by):
    engine = Engine()
    data = Module(engine, ALL_KINDS).serialize()
    store = Store(engine)
    module = Module(engine, ALL_KINDS)

    def work():
        for broken in (data[:-5], data[:40], data[:8] + b"\x77" + data[9:]):
            assert not Module.validate(engine, broken)
        with pytest.raises(LinkError):
            Instance(store, module, [lambda obj: obj])

    assert grows_by(work, times(2000)) < 1 << 20


def test_instances_whose_segment_does_not_fit_leave_nothing(times, grows_by):
    """The memory that each one imports, and so its group, lives on."""
    store = Store()
    memory = Memory(store, MemoryType(Limits(0)))
    parts = "(tag)" * 500 + '(global (export "g") (mut i32) (i32.const 0))'
    module = Module(
        store, f"""(module (import "m" "m" (memory 0)) {parts} (data (i32.const 0) "a"))"""
    )

    def work():
        with pytest.raises(Trap, match="out of bounds"):
            Instance(store, module, [memory])

    assert grows_by(work, times(200)) < 1 << 20


def test_table_entries_leave_nothing(times, grows_by):
    store = Store()
    table = Table(store, TableType(ValType.EXTERNREF, Limits(4)))

    def work():
        table[1] = Referent()

    assert grows_by(work, times(50_000)) < 1 << 20
    store.gc()
    assert len(store._objects) == 1
