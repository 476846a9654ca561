"""References in tables and globals: the same object is returned, none is stale, none leaks."""

import gc
import sys
import weakref

import pytest
from collecting import collect, collect_until
from platforms import COUNTS_NONE

from wamr import (
    ClosedError,
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
    load,
)

FUNCREF, EXTERNREF, I32 = ValType.FUNCREF, ValType.EXTERNREF, ValType.I32
TEXT = """(module
    (type $f (func (result i32)))
    (table $t (export "t") 4 20 funcref) (elem (i32.const 0) $one $two)
    (table $o (export "o") 4 20 externref)
    (global $g (export "g") (mut funcref) (ref.func $one))
    (global $x (export "x") (mut externref) (ref.null extern))
    (global (export "constant") funcref (ref.func $two))
    (elem $more funcref (ref.func $two) (ref.func $one))
    (func $one (export "one") (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func (export "at") (param i32) (result funcref) (table.get $t (local.get 0)))
    (func (export "set") (param i32 funcref) (table.set $t (local.get 0) (local.get 1)))
    (func (export "swap") (table.init $t $more (i32.const 0) (i32.const 0) (i32.const 2)))
    (func (export "copy") (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1)))
    (func (export "fill") (table.fill $t (i32.const 0) (ref.null func) (i32.const 4)))
    (func (export "put") (param i32 externref) (table.set $o (local.get 0) (local.get 1)))
    (func (export "global") (global.set $g (ref.func $two)))
    (func (export "call") (param i32) (result i32)
        (call_indirect $t (type $f) (local.get 0))))"""


class Index:
    """An object with `__index__`."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


@pytest.fixture
def exports():
    return load(TEXT).exports


def host(store, result=5):
    return Func(store, FuncType([], [I32]), lambda: result)


# ------------------------------------------------------------------ the same object
def test_a_function_that_is_held_comes_out_as_itself(exports):
    one = exports.t[0]
    assert exports.t[0] is one
    assert exports.at(0) is one
    assert exports.g.value is one
    assert exports.one == one
    assert exports.t[1] is exports.constant.value
    assert exports.t[1] is not one
    assert exports.t[1] != one


def test_a_host_function_comes_out_as_what_was_put_in(exports):
    store = exports.t.store
    func = host(store)
    exports.t[2] = exports.g.value = func
    assert exports.t[2] is exports.g.value is exports.at(2) is func
    table = Table(store, TableType(FUNCREF, Limits(1)), func)
    assert table[0] is func
    assert Global(store, GlobalType(FUNCREF), func).value is func


def test_a_function_keeps_its_name_whoever_holds_it(exports):
    exports.t[2] = exports.one
    assert [exports.t[2].name, exports.at(2).name, exports.one.name] == ["one"] * 3
    unnamed = exports.t[1]
    assert unnamed.name == exports.at(1).name
    assert str(unnamed.type) == "() -> i32"


def test_what_comes_out_when_nobody_held_it_works_as_before(exports):
    func = host(exports.t.store, 7)
    exports.t[2] = func
    del func
    gc.collect()
    assert exports.t[2]() == exports.call(2) == 7
    assert [exports.t[i]() for i in range(3)] == [1, 2, 7]


# ------------------------------------------------------------------ no stale references
@pytest.mark.parametrize("held", [False, True])
def test_what_wasm_code_puts_in_is_what_comes_out(exports, held):
    table = exports.t
    before = [table[0], table[1]] if held else None
    results = [table[0](), table[1]()]
    assert results == [1, 2]
    exports.swap()
    assert [table[0](), table[1]()] == [2, 1]
    if held:
        assert [table[1], table[0]] == before
    exports.copy()
    assert [table[0](), table[1]()] == [1, 1]
    exports.set(1, host(table.store, 9))
    assert table[1]() == 9
    exports.fill()
    assert list(table) == [None] * 4
    assert exports.g.value() == 1
    exports["global"]()
    assert exports.g.value() == 2


def test_what_wasm_code_puts_in_is_what_comes_out_of_objects(exports):
    for obj in ("a", None, 5, exports):
        exports.put(1, obj)
        assert exports.o[1] is obj
        exports.o[2] = exports.x.value = obj
        assert exports.o[2] is exports.x.value is obj


def test_a_function_of_what_was_linked_since_is_taken(exports):
    store = exports.t.store
    other = Instance(store, Module(store, TEXT)).exports
    exports.t[3] = other.t[1]
    exports.g.value = other.one
    gone = weakref.ref(other)
    del other
    assert collect_until(lambda: gone() is None)
    assert exports.t[3]() == exports.call(3) == 2
    assert exports.g.value() == 1
    exports.t[3] = exports.t[3]
    assert exports.t[3]() == 2


# ------------------------------------------------------------------ wrong values and indices
def test_a_function_of_another_store_is_refused_each_time(exports):
    theirs = load(TEXT).exports
    for func in (theirs.one, theirs.t[1], host(theirs.t.store)):
        for _ in range(3):
            with pytest.raises(ValueError, match="value is a function of another store"):
                exports.t[0] = func
            with pytest.raises(ValueError, match="value is a function of another store"):
                exports.g.value = func
            with pytest.raises(ValueError, match="init is a function of another store"):
                exports.t.grow(1, func)
    assert exports.t[0]() == exports.g.value() == 1
    assert len(exports.t) == 4


@pytest.mark.parametrize("bad", [5, "f", len, object(), Store])
def test_what_is_no_function_is_refused_each_time(exports, bad):
    for _ in range(2):
        for use in (
            lambda: exports.t.__setitem__(0, bad),
            lambda: setattr(exports.g, "value", bad),
        ):
            with pytest.raises(TypeError, match=f"value must be a Func .* {type(bad).__name__}"):
                use()
    assert exports.t[0]() == exports.g.value() == 1


def test_a_constant_stays(exports):
    for value in (None, exports.one, 5):
        with pytest.raises(AttributeError, match="this global is constant: constant funcref"):
            exports.constant.value = value
    with pytest.raises(AttributeError):
        del exports.g.value
    assert exports.constant.value() == 2
    assert exports.g.value() == 1


def test_indices_are_ints_or_what_stands_for_one(exports):
    table = exports.t
    assert table[Index(1)] == table[1] == table[True]
    table[Index(2)] = table[Index(0)]
    assert table[2] == table[0]
    assert table.grow(Index(2), init=table[1]) == 4
    assert table.grow(delta=1) == 6
    assert [table[5](), table[6]] == [2, None]
    for bad in (None, "1", 1.0, b"1", Index("x")):
        with pytest.raises(TypeError, match="index must be an int, not"):
            table[bad]
        with pytest.raises(TypeError, match="index must be an int, not"):
            table[bad] = None
        with pytest.raises(TypeError, match="delta must be an int, not"):
            table.grow(bad)
    for bad in (7, -1, 2**32, 2**64, -(2**64), Index(7)):
        with pytest.raises(IndexError, match="is not within the table's 7 elements"):
            table[bad]
        with pytest.raises(IndexError, match="is not within the table's 7 elements"):
            table[bad] = host(table.store)


def test_arguments_of_a_wrong_number(exports):
    table = exports.t
    for use in (
        lambda: table.grow(),
        lambda: table.grow(1, None, None),
        lambda: table.grow(1, wrong=None),
        lambda: table.__getitem__(),
        lambda: table.__setitem__(1),
        lambda: table.__setitem__(1, None, None),
    ):
        with pytest.raises(TypeError):
            use()
    assert len(table) == 4


def test_a_closed_instances_table_and_globals_are_closed():
    instance = load(TEXT)
    exports = instance.exports
    table, global_, func, store = exports.t, exports.g, exports.one, exports.t.store
    shared = Table(store, TableType(FUNCREF, Limits(1, 5)), func)
    assert (table[0](), global_.value(), len(table), shared[0]()) == (1, 1, 4, 1)
    instance.close()
    for use in (
        lambda: table[0],
        lambda: table[9],
        lambda: table.__setitem__(0, None),
        lambda: table.__setitem__(0, func),
        lambda: table.grow(0),
        lambda: len(table),
        lambda: list(table),
    ):
        with pytest.raises(ClosedError, match="this Table is closed"):
            use()
    for use in (lambda: global_.value, lambda: setattr(global_, "value", None)):
        with pytest.raises(ClosedError, match="this Global is closed"):
            use()
    with pytest.raises(ClosedError, match="its instance is closed"):
        shared[0]()
    shared[0] = func
    assert shared[0] == func
    assert shared.grow(1) == 1


# ------------------------------------------------------------------ no leaks
def test_functions_that_nobody_holds_go_with_the_table():
    exports = load(TEXT).exports
    held = [weakref.ref(exports.t[0]), weakref.ref(exports.g.value)]
    del exports
    gc.collect()
    assert [ref() for ref in held] == [None, None]


def test_a_callback_in_a_cycle_through_a_table_goes():
    class Lifetime:
        pass

    store, owner = Store(), Lifetime()
    owner.table = Table(store, TableType(FUNCREF, Limits(2)))
    owner.global_ = Global(store, GlobalType(FUNCREF, mutable=True), None)
    owner.table[0] = Func(store, FuncType([]), lambda kept=owner: None)
    owner.table[1] = owner.table[0]
    owner.global_.value = owner.table[1]
    gone = weakref.ref(owner)
    del owner, store
    assert collect_until(lambda: gone() is None)


def test_a_table_of_many_functions_holds_few():
    count = 3000
    functions = "".join(f"(func $f{i} (result i32) (i32.const {i}))" for i in range(count))
    names = " ".join(f"$f{i}" for i in range(count))
    table = load(f'(module {functions} (table (export "t") funcref (elem {names})))').exports.t
    refs = []
    for i, func in enumerate(table):
        assert func() == i
        refs.append(weakref.ref(func))
    del func
    gc.collect()
    assert len(refs) == count
    assert sum(ref() is not None for ref in refs) <= count / 4
    assert [table[i]() for i in (0, 1, 2500, count - 1)] == [0, 1, 2500, count - 1]


def test_objects_that_were_overwritten_are_let_go():
    class Referent:
        pass

    store = Store()
    table = Table(store, TableType(EXTERNREF, Limits(1)))
    global_ = Global(store, GlobalType(EXTERNREF, mutable=True), None)
    alive = []
    for _ in range(5000):
        obj = Referent()
        alive.append(weakref.ref(obj))
        table[0] = obj
        global_.value = Referent()
    assert table[0] is obj
    assert collect_until(lambda: sum(ref() is not None for ref in alive) < 2500)
    table[0] = global_.value = None
    del obj
    store.gc()
    collect()
    assert all(ref() is None for ref in alive)


def test_a_destructor_may_use_the_table():
    class Referent:
        def __init__(self, table):
            self.table, self.me = table, self

        def __del__(self):
            seen.append((len(self.table), self.table[0]))

    seen = []
    table = Table(Store(), TableType(EXTERNREF, Limits(2)), "x")
    obj = Referent(table)
    table[1] = obj
    del table, obj
    gc.collect()
    assert seen == [(2, "x")]


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="there are no reference counts")
def test_what_is_read_and_set_is_counted_right(exports):
    func, obj, big = host(exports.t.store), object(), 2**40 + 1
    wide = Global(exports.t.store, GlobalType(ValType.I64, mutable=True), big)
    exports.t[2] = func
    exports.o[2] = obj
    counted = [func, obj, big] + [None] * COUNTS_NONE
    before = [sys.getrefcount(x) for x in counted]
    for _ in range(1000):
        exports.t[2] = exports.t[2]
        exports.o[2] = exports.o[2]
        exports.t[3] = exports.o[3] = None
        exports.g.value = exports.g.value
        exports.x.value = exports.x.value
        wide.value = big
        assert (exports.t[3], exports.o[3], wide.value) == (None, None, big)
    after = [sys.getrefcount(x) for x in counted]
    assert all(abs(a - b) < 500 for a, b in zip(before, after, strict=True))
