"""Tables: references of both types, from Python and from wasm, bounds, growth."""

import gc
import weakref

import pytest
from collecting import collect_until
from hypothesis import given
from hypothesis import strategies as st
from small_modules import Referent

from wamr import (
    ClosedError,
    Extern,
    Func,
    FuncType,
    Instance,
    Limits,
    MemoryLimitError,
    Module,
    Store,
    Table,
    TableType,
    Trap,
    TrapCode,
    ValType,
    load,
)

FUNCS = TableType(ValType.FUNCREF, Limits(3, 6))
OBJECTS = TableType(ValType.EXTERNREF, Limits(3, 6))
I32 = ValType.I32


def one(store):
    return Func(store, FuncType([], [I32]), lambda: 1)


# ------------------------------------------------------------------ made
def test_a_new_one_is_null(store):
    for type_ in (FUNCS, OBJECTS):
        table = Table(store, type_)
        assert [table[i] for i in range(len(table))] == [None] * 3
        assert list(table) == [None] * 3
        assert table.type == type_
        assert isinstance(table, Extern)
    assert repr(Table(store, FUNCS)) == "<wamr.Table, 3 to 6 funcrefs>"


def test_filled_from_the_start(store):
    obj = Referent()
    assert list(Table(store, OBJECTS, obj)) == [obj] * 3
    func = one(store)
    assert [item() for item in Table(store, FUNCS, func)] == [1, 1, 1]
    assert list(Table(store, OBJECTS, init=0)) == [0, 0, 0]
    assert list(Table(store, OBJECTS, False)) == [False] * 3


@pytest.mark.parametrize("bad", [None, 5, Limits(1), ValType.FUNCREF])
def test_bad_arguments(store, bad):
    with pytest.raises(TypeError, match=f"type must be a TableType, not {type(bad).__name__}"):
        Table(store, bad)
    with pytest.raises(TypeError, match=f"store must be a Store, not {type(bad).__name__}"):
        Table(bad, FUNCS)
    if bad is not None:
        for size in (0, 3):
            with pytest.raises(TypeError, match=f"init must be a Func .* {type(bad).__name__}"):
                Table(store, TableType(ValType.FUNCREF, Limits(size)), bad)


@pytest.mark.parametrize("size", [2**32 - 1, 1 << 31, 20_000_000])
def test_too_large_a_table_is_refused(store, size):
    with pytest.raises(MemoryLimitError, match=f"no room for {size} elements"):
        Table(store, TableType(ValType.FUNCREF, Limits(size)))
    for text in (
        f"(module (table {size} funcref))",
        f'(module (table (export "t") {size} externref))',
        "(module" + "(table 6000000 funcref)" * 2 + ")",
    ):
        with pytest.raises(
            MemoryLimitError, match=r"no room for the module's tables: .* at most 10,000,000"
        ):
            load(text)


# ------------------------------------------------------------------ elements
def test_set_and_get_objects(store):
    table = Table(store, OBJECTS)
    values = [Referent(), "text", 0]
    for i, value in enumerate(values):
        table[i] = value
    assert [table[i] for i in range(3)] == values
    assert table[0] is values[0]
    table[0] = None
    assert table[0] is None


def test_set_and_get_functions(store):
    table = Table(store, FUNCS)
    func = one(store)
    table[1] = func
    assert table[1] == func
    assert table[1]() == 1
    exported = load('(module (func (export "f") (result i32) (i32.const 2)))')
    with pytest.raises(ValueError, match="value is a function of another store"):
        table[0] = exported.exports.f
    own = Instance(store, exported.module).exports.f
    table[0] = own
    assert table[0] == own
    assert table[0]() == 2
    assert table[0].name == "f"


@pytest.mark.parametrize("bad", [5, "f", lambda: None, object()])
def test_only_functions_in_a_table_of_functions(store, bad):
    table = Table(store, FUNCS)
    with pytest.raises(TypeError, match=f"value must be a Func .* not {type(bad).__name__}"):
        table[0] = bad
    with pytest.raises(TypeError, match=f"init must be a Func .* not {type(bad).__name__}"):
        table.grow(1, bad)
    assert list(table) == [None] * 3


@pytest.mark.parametrize("index", [3, -1, -3, 6, 2**32, 2**32 - 1, -(2**70), 2**70])
def test_outside(store, index):
    table = Table(store, OBJECTS)
    with pytest.raises(IndexError, match=f"element {index} is not within the table's 3 elements"):
        table[index]
    with pytest.raises(IndexError, match=f"element {index} is not within the table's 3 elements"):
        table[index] = 1


@pytest.mark.parametrize("index", [None, "0", 0.0, slice(0, 1), (0,)])
def test_an_index_of_a_wrong_kind(store, index):
    table = Table(store, OBJECTS)
    with pytest.raises(TypeError, match=f"index must be an int, not {type(index).__name__}"):
        table[index]
    with pytest.raises(TypeError, match=f"index must be an int, not {type(index).__name__}"):
        table[index] = 1


@given(st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), st.integers(), st.text()))))
def test_like_a_list(changes):
    with Store() as store:
        table = Table(store, TableType(ValType.EXTERNREF, Limits(8)))
        model = [None] * 8
        for position, value in changes:
            table[position] = model[position] = value
        assert list(table) == model


# ------------------------------------------------------------------ from wasm
SHARED = """(module
    (import "m" "t" (table $t 3 funcref)) (import "m" "o" (table $o 3 externref))
    (type $f (func (result i32)))
    (func (export "call") (param i32) (result i32) (call_indirect $t (type $f) (local.get 0)))
    (func (export "at") (param i32) (result externref) (table.get $o (local.get 0)))
    (func (export "set") (param i32 externref) (table.set $o (local.get 0) (local.get 1)))
    (func (export "size") (result i32) (table.size $o))
    (func (export "grow") (param externref i32) (result i32)
        (table.grow $o (local.get 0) (local.get 1)))
    (func (export "fill") (param i32 externref i32)
        (table.fill $o (local.get 0) (local.get 1) (local.get 2))))"""


@pytest.fixture
def shared(store):
    functions, objects = Table(store, FUNCS), Table(store, OBJECTS)
    exports = Instance(store, Module(store, SHARED), [functions, objects]).exports
    return functions, objects, exports


def test_both_sides_see_one_table(shared):
    functions, objects, exports = shared
    obj = Referent()
    objects[1] = obj
    assert exports.at(1) is obj
    exports.set(2, "from wasm")
    assert objects[2] == "from wasm"
    exports.fill(0, obj, 3)
    assert list(objects) == [obj] * 3
    functions[0] = one(functions.store)
    assert exports.call(0) == 1


def test_growth_is_seen_from_both_sides(shared):
    _, objects, exports = shared
    assert objects.grow(1, "x") == 3
    assert exports.size() == 4
    assert exports.at(3) == "x"
    assert exports.grow("y", 2) == 4
    assert len(objects) == 6
    assert [objects[4], objects[5]] == ["y", "y"]
    assert exports.grow(None, 1) == -1
    assert objects.type == TableType(ValType.EXTERNREF, Limits(6, 6))


def test_what_is_wrong_with_an_indirect_call(shared):
    functions, _, exports = shared
    functions[1] = Func(functions.store, FuncType([I32], [I32]), lambda x: x)
    for index, code in (
        (0, TrapCode.UNINITIALIZED_ELEMENT),
        (1, TrapCode.INDIRECT_CALL_TYPE_MISMATCH),
        (3, TrapCode.UNDEFINED_ELEMENT),
        (-1, TrapCode.UNDEFINED_ELEMENT),
    ):
        with pytest.raises(Trap) as caught:
            exports.call(index)
        assert caught.value.code is code


def test_an_exception_of_a_function_in_a_table(shared):
    functions, _, exports = shared

    def fail():
        raise KeyError("mine")

    functions[2] = Func(functions.store, FuncType([], [I32]), fail)
    with pytest.raises(KeyError, match="mine"):
        exports.call(2)


def test_a_table_keeps_the_functions_in_it(store):
    table = Table(store, FUNCS)
    text = """(module (memory 1) (data (i32.const 0) "\\2a")
        (func (export "f") (result i32) (i32.load8_u (i32.const 0))))"""
    table[0] = Instance(store, Module(store, text)).exports.f
    table[1] = one(store)
    gc.collect()
    assert table[0]() == 42
    assert table[1]() == 1


def test_a_closed_instances_function_is_closed_in_the_table_too(store):
    table = Table(store, FUNCS)
    instance = Instance(
        store, Module(store, '(module (func (export "f") (result i32) unreachable))')
    )
    table[0] = instance.exports.f
    instance.close()
    with pytest.raises(ClosedError):
        table[0]()
    exports = Instance(store, Module(store, SHARED), [table, Table(store, OBJECTS)]).exports
    with pytest.raises(ClosedError):
        exports.call(0)


# ------------------------------------------------------------------ growth
def test_grow_answers_the_old_size(store):
    table = Table(store, OBJECTS, "a")
    assert table.grow(0) == 3
    assert table.grow(2, "b") == 3
    assert table.grow(1) == 5
    assert list(table) == ["a", "a", "a", "b", "b", None]


@pytest.mark.parametrize("delta", [4, 2**31, 2**32 - 1, 2**32, 2**70])
def test_grow_past_the_maximum(store, delta):
    table = Table(store, OBJECTS)
    with pytest.raises(ValueError, match=f"can't grow from 3 by {delta} elements: 3 to 6"):
        table.grow(delta)
    assert len(table) == 3


def test_grow_by_what_cannot_be(store):
    table = Table(store, FUNCS)
    for bad in (-1, -(2**70)):
        with pytest.raises(ValueError, match=f"delta must not be negative: {bad}"):
            table.grow(bad)
    for bad in (None, "1", 1.0):
        with pytest.raises(TypeError, match=f"delta must be an int, not {type(bad).__name__}"):
            table.grow(bad)
    with pytest.raises(TypeError, match="init must be a Func"):
        table.grow(100, "init is looked at first")
    with pytest.raises(TypeError, match="init must be a Func"):
        table.grow(0, "always")
    assert len(table) == 3


def test_of_an_instance():
    text = """(module (table (export "t") 2 5 funcref) (elem (i32.const 1) $f)
        (func $f (export "f") (result i32) (i32.const 3)))"""
    exports = load(text).exports
    assert exports.t[0] is None
    assert exports.t[1] == exports.f
    assert exports.t.type == TableType(ValType.FUNCREF, Limits(2, 5))
    assert exports.t.grow(2, exports.f) == 2
    assert exports.t[3]() == 3
    with pytest.raises(ValueError, match="can't grow from 4 by 2"):
        exports.t.grow(2)


# ------------------------------------------------------------------ the end
def test_closed(store):
    table = Table(store, OBJECTS)
    store.close()
    assert repr(table) == "<wamr.Table, 3 to 6 externrefs, closed>"
    for use in (
        lambda: table[0],
        lambda: table.__setitem__(0, 1),
        lambda: table.grow(1),
        lambda: len(table),
    ):
        with pytest.raises(ClosedError, match="this Table is closed"):
            use()


def test_objects_are_let_go_with_the_store():
    store = Store()
    table = Table(store, OBJECTS)
    obj = Referent()
    gone = weakref.ref(obj)
    table[0] = obj
    del obj
    gc.collect()
    assert gone() is table[0]
    del table, store
    assert collect_until(lambda: gone() is None)


def test_equality_and_identity(store):
    text = '(module (table (export "a") 1 funcref) (export "b" (table 0)))'
    exports = load(text).exports
    assert exports.a == exports.b
    assert hash(exports.a) == hash(exports.b)
    assert exports.a != load(text).exports.a
    assert Table(store, FUNCS) != Table(store, FUNCS)


def test_a_function_of_300_parameters_comes_out_whole():
    names = " ".join(["i32", "f64", "v128"] * 100)
    text = f"""(module (func $f (param {names}) (result {names}) unreachable)
        (table (export "t") funcref (elem $f)))"""
    type_ = load(text).exports.t[0].type
    assert str(type_) == f"({names.replace(' ', ', ')}) -> ({names.replace(' ', ', ')})"


def test_an_index_that_closes_or_grows_the_table():
    class Index:
        def __init__(self, act):
            self.act = act

        def __index__(self):
            self.act()
            return 2

    inst = load('(module (table (export "t") 2 externref))')
    table = inst.exports.t
    assert table[Index(lambda: table.grow(1, "new"))] == "new"
    with pytest.raises(ClosedError):
        table[Index(inst.close)]
    inst = load('(module (table (export "t") 3 externref))')
    with pytest.raises(ClosedError):
        inst.exports.t[Index(inst.close)] = 1
