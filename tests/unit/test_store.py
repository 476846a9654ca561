"""Stores: their objects are closed and interrupted together."""

import copy
import gc
import pickle
import weakref

import pytest
from collecting import collect_until
from small_modules import FOREVER, ONE_OF_EACH, nothing

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
    ResourceLimits,
    Store,
    Table,
    TableType,
    Trap,
    TrapCode,
    ValType,
)

MAKERS = {
    "Func": lambda store: Func(store, None, nothing),
    "Global": lambda store: Global(store, GlobalType(ValType.I32), 0),
    "Table": lambda store: Table(store, TableType(ValType.FUNCREF, Limits(1))),
    "Memory": lambda store: Memory(store, MemoryType(Limits(1))),
    "Module": lambda store: Module(store, "(module)"),
    "Instance": lambda store: Instance(store, Module(store.engine, "(module)")),
}


def test_close_closes_what_was_made_in_it():
    store = Store()
    instance = Instance(store, Module(store, ONE_OF_EACH))
    made = {name: make(store) for name, make in MAKERS.items() if name != "Module"}
    exports = instance.exports
    f, g, m, t = exports.f, exports.g, exports.m, exports.t
    store.close()
    uses = [
        f,
        f.callable,
        f.call,
        lambda: g.value,
        lambda: m[0],
        lambda: m.read(0, 1),
        lambda: m.write(0, b"x"),
        m.view,
        lambda: len(m),
        lambda: m.pages,
        lambda: m.grow(0),
        lambda: t[0],
        lambda: t.__setitem__(0, None),
        lambda: len(t),
        lambda: t.grow(0),
        made["Func"],
        made["Func"].call,
        lambda: made["Global"].value,
        lambda: made["Table"][0],
        lambda: made["Memory"][0],
    ]
    for use in uses:
        with pytest.raises(ClosedError, match="closed"):
            use()


def test_close_twice_is_fine():
    store = Store()
    instance = Instance(store, Module(store, ONE_OF_EACH))
    store.close()
    store.close()
    instance.close()
    assert repr(store) == "<wamr.Store, closed>"


def test_close_after_its_instances_were_closed():
    store = Store()
    instance = Instance(store, Module(store, ONE_OF_EACH))
    instance.close()
    store.close()
    with pytest.raises(ClosedError):
        instance.exports.f()


@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_can_be_made_in_a_closed_store(maker):
    store = Store()
    store.close()
    with pytest.raises(ClosedError, match="the store is closed"):
        MAKERS[maker](store)


def test_a_closed_store_leaves_others_alone():
    engine = Engine()
    module = Module(engine, ONE_OF_EACH)
    one, other = Store(engine), Store(engine)
    kept = Instance(other, module)
    Instance(one, module)
    one.close()
    assert kept.exports.f() == 7


def test_with_closes():
    with Store() as store:
        instance = Instance(store, Module(store, ONE_OF_EACH))
        assert repr(store) == "<wamr.Store>"
    with pytest.raises(ClosedError, match="its instance is closed"):
        instance.exports.f()


def test_with_closes_after_an_error_and_lets_it_out():
    with pytest.raises(KeyError, match="mine"):
        with Store() as store:
            raise KeyError("mine")
    with pytest.raises(ClosedError):
        Func(store, None, nothing)


def test_interrupt_ends_what_runs():
    store = Store()
    instance = Instance(store, Module(store, FOREVER), {"m": {"f": store.interrupt}})
    with pytest.raises(Trap, match="interrupted") as caught:
        instance.exports.run()
    assert caught.value.code is TrapCode.INTERRUPTED


def test_interrupt_of_a_store_where_nothing_runs_is_lost():
    store = Store()
    instance = Instance(store, Module(store, ONE_OF_EACH))
    store.interrupt()
    assert instance.exports.f() == 7
    store.close()
    store.interrupt()


def test_limits_are_the_default_of_its_instances():
    limits = ResourceLimits(fuel=100)
    store = Store(limits=limits)
    assert store.limits is limits
    assert Store().limits is None
    module = Module(store, ONE_OF_EACH)
    assert Instance(store, module).fuel == 100
    assert Instance(store, module, limits=ResourceLimits(fuel=7)).fuel == 7


@pytest.mark.parametrize("engine", [0, "engine", Engine])
def test_engine_of_a_wrong_kind(engine):
    with pytest.raises(
        TypeError, match=f"engine must be an Engine or None, not {type(engine).__name__}"
    ):
        Store(engine)


@pytest.mark.parametrize("limits", [0, {}, ResourceLimits])
def test_limits_of_a_wrong_kind(limits):
    with pytest.raises(TypeError, match=f"limits must be ResourceLimits .*{type(limits).__name__}"):
        Store(limits=limits)


@pytest.mark.parametrize("maker", [name for name in MAKERS if name != "Module"])
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_lives_in_a_store_is_neither_copied_nor_pickled(maker, how, store):
    with pytest.raises(TypeError, match=f"{maker} cannot be "):
        how(MAKERS[maker](store))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_nor_is_the_store(how, store):
    with pytest.raises(TypeError, match="a Store cannot be copied or pickled"):
        how(store)


@pytest.mark.parametrize("maker", [name for name in MAKERS if name != "Module"])
def test_objects_keep_their_store_and_stores_keep_no_objects(maker):
    store = Store()
    obj = MAKERS[maker](store)
    assert obj.store is store
    gone = weakref.ref(obj)
    kept = weakref.ref(store)
    del store
    gc.collect()
    assert kept() is not None
    assert gone() is not None
    del obj
    assert collect_until(lambda: kept() is None and gone() is None)


def test_objects_of_two_stores_do_not_mix():
    one, other = Store(), Store()
    module = Module(one, '(module (import "m" "f" (func)) (func (export "take") (param funcref)))')
    func = Func(other, FuncType([]), nothing)
    with pytest.raises(ValueError, match=r"import m\.f: .*is of another store"):
        Instance(one, module, [func])
    instance = Instance(one, module, [nothing])
    with pytest.raises(ValueError, match="its argument is a function of another store"):
        instance.exports.take(func)
    table = Table(one, TableType(ValType.FUNCREF, Limits(1)))
    with pytest.raises(ValueError, match="value is a function of another store"):
        table[0] = func
    with pytest.raises(ValueError, match="init is a function of another store"):
        table.grow(1, func)
    with pytest.raises(ValueError, match="value is a function of another store"):
        Global(one, GlobalType(ValType.FUNCREF), func)
    assert table[0] is None
    assert len(table) == 1
