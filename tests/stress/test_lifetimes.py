"""Objects closed, dropped and collected in any order; cycles; views."""

import gc
import random
import threading
import weakref

import pytest
from small_modules import ALL_KINDS, Referent

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
    MemoryLimitError,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    load,
)


def linked_objects():
    """Return one object of each kind, all linked, by name."""
    engine = Engine()
    store = Store(engine)
    module = Module(engine, ALL_KINDS)
    objects = {"engine": engine, "store": store, "module": module}
    type_ = FuncType([ValType.EXTERNREF], [ValType.EXTERNREF])
    objects["func"] = Func(store, type_, lambda obj: obj)
    objects["memory"] = Memory(store, MemoryType(Limits(1, 4)))
    objects["table"] = Table(store, TableType(ValType.FUNCREF, Limits(4)))
    objects["global"] = Global(store, GlobalType(ValType.I64, mutable=True), 1)
    items = [objects[name] for name in ("func", "memory", "table", "global")]
    objects["instance"] = instance = Instance(store, module, items)
    objects["other"] = Instance(store, module, items)
    objects["exports"] = exports = instance.exports
    objects["own"] = exports.own
    objects["fast"] = exports.call.callable
    objects["view"] = objects["memory"].view(0, 16)
    objects["slot"] = objects["table"][0]
    objects["o"] = exports.o
    objects["own_g"] = exports.own_g
    exports.o[1] = Referent()
    exports.own_g.value = Referent()
    exports.tab[2] = exports.own
    return objects


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
    """After each step, all remaining objects work, or say that they are closed."""
    for seed in range(times(100)):
        chance = random.Random(seed)
        objects = linked_objects()
        names = sorted(objects)
        chance.shuffle(names)
        for name in names:
            obj = objects.pop(name)
            if hasattr(obj, "close") and chance.random() < 0.3:
                obj.close()
            del obj
            if chance.random() < 0.2:
                gc.collect()
            for left, other in objects.items():
                try:
                    USES[left](other)
                except ClosedError:
                    continue


def test_all_of_it_goes_when_nothing_is_left(times):
    for _ in range(times(10)):
        objects = linked_objects()
        gone = [weakref.ref(objects[name]) for name in ("store", "engine", "module", "instance")]
        referents = [weakref.ref(objects["o"][1]), weakref.ref(objects["own_g"].value)]
        del objects
        gc.collect()
        assert [ref() for ref in gone + referents] == [None] * 6


@pytest.mark.parametrize("kept", [name for name in USES if name not in ("engine", "module")])
def test_each_alone_keeps_what_it_needs(kept):
    obj = linked_objects()[kept]
    gc.collect()
    junk = [linked_objects() for _ in range(3)]
    del junk
    gc.collect()
    USES[kept](obj)


# ------------------------------------------------------------------ cycles
def test_a_callback_that_holds_its_own_instance_is_collected(times):
    for _ in range(times(5)):
        holder = Referent()
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
        holder = Referent()
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
    gone = [weakref.ref(obj) for obj in (store, table, first, second)]
    del store, table, first, second
    gc.collect()
    assert [ref() for ref in gone] == [None] * 4


@pytest.mark.parametrize("where", ["global", "o"])
def test_an_object_in_wasm_that_holds_the_instance_lives_no_longer_than_the_store(where):
    objects = linked_objects()
    obj = Referent()
    obj.objects = objects
    if where == "o":
        objects["o"][0] = obj
    else:
        objects["own_g"].value = obj
    gone = weakref.ref(obj)
    del obj, objects
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------ during a call
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
    """The collector runs at each allocation of a container."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(3):
            objects = linked_objects()
            for name, use in USES.items():
                use(objects[name])
            with pytest.raises(TypeError):
                objects["own"](1, 2, 3)
            with pytest.raises(Trap):
                load('(module (func (export "f") unreachable))').exports.f()
            del objects
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


def test_other_threads_release_their_objects_during_a_collection():
    """Only the thread that collects defers what it releases."""
    store = Store(limits=ResourceLimits(memory_bytes=65_536))
    made = []

    def make_some():
        try:
            made.extend([Memory(store, MemoryType(Limits(1))).pages for _ in range(3)])
        except MemoryLimitError as error:
            made.append(error)

    class Cyclic:
        def __init__(self):
            self.me = self

        def __del__(self):
            thread = threading.Thread(target=make_some)
            thread.start()
            thread.join()

    Cyclic()
    gc.collect()
    assert made == [1, 1, 1]
