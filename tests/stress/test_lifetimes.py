"""Objects closed, dropped and collected in any order; cycles; views; no leaks."""

import gc
import random
import threading
import weakref

import pytest
from mutants import section

from wamr import (
    ClosedError,
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

RICH = """(module $rich
    (import "m" "host" (func $host (param externref) (result externref)))
    (import "m" "mem" (memory 1)) (import "m" "tab" (table $t 4 funcref))
    (import "m" "g" (global (mut i64)))
    (func $own (export "own") (result i32) (i32.const 5))
    (func (export "call") (param externref) (result externref) (call $host (local.get 0)))
    (table (export "o") 4 externref)
    (global (export "own_g") (mut externref) (ref.null extern))
    (elem (i32.const 0) $own) (export "mem" (memory 0)) (export "tab" (table $t)))"""


class Thing:
    """Something that can be weakly referenced."""


def everything():
    """One of each, all linked, by name."""
    engine = Engine()
    store = Store(engine)
    module = Module(engine, RICH)
    things = {"engine": engine, "store": store, "module": module}
    type_ = FuncType([ValType.EXTERNREF], [ValType.EXTERNREF])
    things["func"] = Func(store, type_, lambda thing: thing)
    things["memory"] = Memory(store, MemoryType(Limits(1, 4)))
    things["table"] = Table(store, TableType(ValType.FUNCREF, Limits(4)))
    things["global"] = Global(store, GlobalType(ValType.I64, mutable=True), 1)
    items = [things[name] for name in ("func", "memory", "table", "global")]
    things["instance"] = instance = Instance(store, module, items)
    things["other"] = Instance(store, module, items)
    things["exports"] = exports = instance.exports
    things["own"] = exports.own
    things["fast"] = exports.call.callable
    things["view"] = things["memory"].view(0, 16)
    things["slot"] = things["table"][0]
    things["o"] = exports.o
    things["own_g"] = exports.own_g
    exports.o[1] = Thing()
    exports.own_g.value = Thing()
    exports.tab[2] = exports.own
    return things


USES = {
    "engine": lambda engine: Store(engine),
    "store": lambda store: Memory(store, MemoryType(Limits(1))),
    "module": lambda module: module.exports,
    "func": lambda func: func(5),
    "memory": lambda memory: memory.write(0, b"x"),
    "table": lambda table: table[0]() if table[0] else None,
    "global": lambda global_: global_.value,
    "instance": lambda instance: instance.exports.own(),
    "other": lambda other: other.exports.call(other),
    "exports": lambda exports: exports.call(exports),
    "own": lambda own: own(),
    "fast": lambda fast: fast(5),
    "view": lambda view: view[0],
    "slot": lambda slot: slot(),
    "o": lambda o: o[1],
    "own_g": lambda own_g: own_g.value,
}


def test_dropped_and_closed_in_any_order(times):
    """After each step whatever is left works, or says that it is closed."""
    for seed in range(times(100)):
        chance = random.Random(seed)
        things = everything()
        names = sorted(things)
        chance.shuffle(names)
        for name in names:
            thing = things.pop(name)
            if hasattr(thing, "close") and chance.random() < 0.3:
                thing.close()
            del thing
            if chance.random() < 0.2:
                gc.collect()
            for left, other in things.items():
                try:
                    USES[left](other)
                except ClosedError:
                    continue


def test_all_of_it_goes_when_nothing_is_left(times):
    for _ in range(times(10)):
        things = everything()
        gone = [weakref.ref(things[name]) for name in ("store", "engine", "module", "instance")]
        objects = [weakref.ref(things["o"][1]), weakref.ref(things["own_g"].value)]
        del things
        gc.collect()
        assert [ref() for ref in gone + objects] == [None] * 6


@pytest.mark.parametrize("kept", [name for name in USES if name not in ("engine", "module")])
def test_each_alone_keeps_what_it_needs(kept):
    thing = everything()[kept]
    gc.collect()
    junk = [everything() for _ in range(3)]
    del junk
    gc.collect()
    USES[kept](thing)


@pytest.fixture(autouse=True, scope="module")
def what_was_there_before_is_not_looked_at_again():
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# ------------------------------------------------------------------ cycles
def test_a_callback_that_holds_its_own_instance_is_collected(times):
    for _ in range(times(5)):
        holder = Thing()
        holder.instance = load(
            '(module (import "m" "f" (func)) (func (export "go") (call 0)))',
            {"m": {"f": lambda holder=holder: holder.instance is None}},
        )
        gone = weakref.ref(holder), weakref.ref(holder.instance)
        del holder
        gc.collect()
        assert [ref() for ref in gone] == [None, None]


def test_a_callback_that_holds_its_store_and_its_func(times):
    for _ in range(times(3)):
        store = Store()
        holder = Thing()
        holder.all = [store, Func(store, FuncType([]), lambda holder=holder: None)]
        gone = weakref.ref(store), weakref.ref(holder)
        del store, holder
        gc.collect()
        assert [ref() for ref in gone] == [None, None]


def test_instances_that_import_from_each_other_are_collected():
    store = Store()
    table = Table(store, TableType(ValType.FUNCREF, Limits(2)))
    text = """(module (import "m" "t" (table 2 funcref)) (import "m" "f" (func $f))
        (func (export "f") (call $f)) (elem (i32.const %d) 1))"""
    first = Instance(store, Module(store, text % 0), [table, lambda: first])  # noqa: F821
    second = Instance(store, Module(store, text % 1), {"m": {"t": table, "f": first.exports.f}})
    table[0] = second.exports.f
    gone = [weakref.ref(thing) for thing in (store, table, first, second)]
    del store, table, first, second
    gc.collect()
    assert [ref() for ref in gone] == [None] * 4


@pytest.mark.parametrize("where", ["global", "o"])
def test_an_object_in_wasm_that_holds_the_instance_lives_no_longer_than_the_store(where):
    things = everything()
    thing = Thing()
    thing.things = things
    if where == "o":
        things["o"][0] = thing
    else:
        things["own_g"].value = thing
    gone = weakref.ref(thing)
    del thing, things
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------ in the middle of a call
def test_everything_is_dropped_in_the_middle_of_a_call():
    held = {}

    def drop():
        held.clear()
        gc.collect()
        return 5

    text = """(module (import "m" "f" (func $f (result i32))) (memory 1)
        (func (export "go") (result i32) (i32.store (i32.const 0) (i32.const 37))
            (i32.add (call $f) (i32.load (i32.const 0)))))"""
    held["instance"] = load(text, [drop])
    fast = held["instance"].exports.go.callable
    assert fast() == 42
    held["instance"] = load(text, [drop])
    assert held["instance"].exports.go() == 42


def test_collection_in_the_middle_of_everything():
    """The collector runs at each allocation."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(3):
            things = everything()
            for name, use in USES.items():
                use(things[name])
            with pytest.raises(TypeError):
                things["own"](1, 2, 3)
            with pytest.raises(Trap):
                load('(module (func (export "f") unreachable))').exports.f()
            del things
    finally:
        gc.set_threshold(*before)


def test_closed_by_its_callback_by_another_thread_and_again():
    def close():
        thread = threading.Thread(target=instance.close)
        thread.start()
        thread.join(200)
        assert not thread.is_alive()
        instance.store.close()
        return 4

    instance = load(
        """(module (import "m" "f" (func $f (result i32))) (memory (export "m") 1)
            (func (export "go") (result i32) (i32.add (call $f) (memory.size))))""",
        [close],
    )
    view = instance.exports.m.view(0, 4)
    assert instance.exports.go() == 5
    assert view[0] == 0
    with pytest.raises(ClosedError):
        instance.exports.go()


# ------------------------------------------------------------------ leaks
@pytest.fixture
def grows_by(resident):
    """Bytes more after `count` rounds, once a tenth of them have warmed everything up."""

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
        [lambda thing: thing],
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
        "externref": lambda: exports.ref(Thing()),
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
    """A type, what converts its values, and what calls in C have refer to each other."""

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
    """A global of type i64 with a long sum of i32s: each left 70 KB."""
    sums = b"\x41\0" + b"\x41\1\x6a" * 1000 + b"\x0b"
    binary = b"\0asm\1\0\0\0" + section(6, b"\1\x7e\0" + sums)

    def refused():
        with pytest.raises(CompileError, match="type mismatch"):
            load(binary)

    assert grows_by(refused, 300) < 1 << 20


def test_one_long_call_lets_go_of_objects_too(times):
    """The host function is given and returns another object each time, within one call."""
    text = """(module (import "m" "f" (func $f (param externref) (result externref)))
        (func (export "go") (param $n i32) (param $x externref) (result externref)
            (loop $l (local.set $x (call $f (local.get $x)))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x)))"""
    most, last = [0], [None]

    def host(thing):
        assert thing is last[0]
        most[0] = max(most[0], len(store._objects))
        last[0] = Thing()
        return last[0]

    instance = load(text, [host])
    store = instance.store
    assert instance.exports.go(times(30_000), None) is last[0]
    assert most[0] < 5000


def test_instances_leave_nothing(times, grows_by):
    engine = Engine()
    module = Module(engine, RICH)

    def work():
        store = Store(engine)
        items = [
            Func(store, FuncType([ValType.EXTERNREF], [ValType.EXTERNREF]), lambda thing: thing),
            Memory(store, MemoryType(Limits(1))),
            Table(store, TableType(ValType.FUNCREF, Limits(4))),
            Global(store, GlobalType(ValType.I64, mutable=True), 1),
        ]
        instance = Instance(store, module, items)
        instance.exports.call(Thing())
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
    data = Module(Engine(), RICH).serialize()
    engine = Engine()

    def work():
        module = Module(engine, data)
        assert len(module.exports) == 6
        assert len(module.imports) == 4

    assert grows_by(work, times(3000)) < 1 << 20


def test_failed_modules_and_links_leave_nothing(times, grows_by):
    engine = Engine()
    data = Module(engine, RICH).serialize()
    store = Store(engine)
    module = Module(engine, RICH)

    def work():
        for broken in (data[:-5], data[:40], data[:8] + b"\x77" + data[9:]):
            assert not Module.validate(engine, broken)
        with pytest.raises(LinkError):
            Instance(store, module, [lambda thing: thing])

    assert grows_by(work, times(2000)) < 1 << 20


def test_table_entries_leave_nothing(times, grows_by):
    store = Store()
    table = Table(store, TableType(ValType.EXTERNREF, Limits(4)))

    def work():
        table[1] = Thing()

    assert grows_by(work, times(50_000)) < 1 << 20
    store.gc()
    assert len(store._objects) == 1
