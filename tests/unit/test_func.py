"""Func objects: created from Python functions, named, compared, passed on."""

import copy
import inspect
import pickle
from typing import Annotated

import pytest

from wamr import (
    ClosedError,
    Extern,
    Func,
    FuncType,
    Instance,
    Module,
    Store,
    ValType,
    externref,
    f32,
    f64,
    funcref,
    i32,
    i64,
    load,
    v128,
)
from wamr.types import functype_from_annotations

I32 = ValType.I32


def add(a: int, b: int) -> int:
    return a + b


# ------------------------------------------------------------------ made
def test_type_from_annotations(store):
    def everything(
        a: int, b: float, c: i32, d: i64, e: f32, f: f64, g: v128, h: externref, i: funcref
    ) -> tuple[i64, float]:
        raise AssertionError

    func = Func(store, None, everything)
    assert (
        str(func.type) == "(i32, f64, i32, i64, f32, f64, v128, externref, funcref) -> (i64, f64)"
    )
    assert isinstance(func, Extern)
    assert Func(store, None, lambda_with_annotations()).type == FuncType([I32])


def lambda_with_annotations():
    def nameless(x: Annotated[int, "i32"]) -> None:
        raise AssertionError

    return nameless


def test_type_given(store):
    func = Func(store, FuncType([I32, I32], [I32]), lambda a, b: a * b)
    assert func(6, 7) == 42
    assert func.type == FuncType([I32, I32], [I32])


def test_without_a_type_annotations_are_needed(store):
    with pytest.raises(TypeError, match="'a' has no annotation"):
        Func(store, None, lambda a: a)
    with pytest.raises(TypeError, match="number"):

        def number(a: complex) -> None:
            raise AssertionError

        Func(store, None, number)


@pytest.mark.parametrize("bad", [None, 5, "store", Store])
def test_store_of_a_wrong_kind(bad):
    with pytest.raises(TypeError, match=f"store must be a Store, not {type(bad).__name__}"):
        Func(bad, None, add)


@pytest.mark.parametrize("bad", [5, "() -> i32", I32, [I32]])
def test_type_of_a_wrong_kind(store, bad):
    with pytest.raises(
        TypeError, match=f"type must be a FuncType or None, not {type(bad).__name__}"
    ):
        Func(store, bad, add)


@pytest.mark.parametrize("bad", [None, 5, "add"])
def test_callback_of_a_wrong_kind(store, bad):
    for type_ in (None, FuncType([])):
        with pytest.raises(TypeError, match=f"callback must be callable, not {type(bad).__name__}"):
            Func(store, type_, bad)


def test_any_callable_will_do(store):
    class Adder:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return x + self.by

        def method(self, x):
            return x * self.by

    type_ = FuncType([I32], [I32])
    assert Func(store, type_, Adder(3))(4) == 7
    assert Func(store, type_, Adder(3).method)(4) == 12
    assert Func(store, type_, abs)(-4) == 4
    assert Func(store, FuncType([], []), list.clear.__get__([]))() is None


# ------------------------------------------------------------------ called from Python
def test_a_host_function_converts_as_a_call_through_wasm_would(store):
    seen = []

    def note(*args):
        seen.append(args)
        return args[0]

    func = Func(store, FuncType([I32, ValType.F32, ValType.F64], [I32]), note)
    assert func(2**32 - 1, 0.1, 5) == -1
    assert seen == [(-1, 0.10000000149011612, 5.0)]
    assert type(seen[0][2]) is float
    assert func.call(7, 0, 0) == 7
    assert func.callable(8, 0, 0) == 8
    for args, error in (((), TypeError), (("1", 0, 0), TypeError), ((2**32, 0, 0), OverflowError)):
        with pytest.raises(error, match="host function note"):
            func(*args)


def test_its_results_are_checked(store):
    for result in (None, "1", 1.5, (1, 2), [1], object()):
        with pytest.raises(TypeError, match=r"host function <lambda>\(\) -> i32"):
            Func(store, FuncType([], [I32]), lambda result=result: result)()
    with pytest.raises(OverflowError, match=r"out of range for i32 .*4294967296"):
        Func(store, FuncType([], [I32]), lambda: 2**32)()
    with pytest.raises(TypeError, match="has no result, but it returned int 5"):
        Func(store, FuncType([]), lambda: 5)()
    for result in (None, 5, (1,), (1, 2, 3), "ab", {1, 2}):
        with pytest.raises(TypeError, match="has 2 results, but it returned"):
            Func(store, FuncType([], [I32, I32]), lambda result=result: result)()
    assert Func(store, FuncType([], [I32, I32]), lambda: [1, 2])() == (1, 2)
    assert Func(store, FuncType([], [I32, I32]), lambda: (1, True))() == (1, 1)


def test_its_exceptions_come_out_as_they_are(store):
    mine = LookupError("mine")

    def fail() -> None:
        raise mine

    with pytest.raises(LookupError) as caught:
        Func(store, None, fail)()
    assert caught.value is mine


def test_access_caller_is_a_bool(store):
    for type_ in (None, FuncType([])):
        with pytest.raises(TypeError, match="access_caller must be a bool, not str"):
            Func(store, type_, print, access_caller="no")
    with pytest.raises(TypeError, match="access_caller must be a bool, not int"):
        functype_from_annotations(print, access_caller=1)


def test_access_caller_gets_none_from_python(store):
    seen = []

    def look(caller, x: int) -> None:
        seen.append((caller, x))

    Func(store, None, look, access_caller=True)(5)
    assert seen == [(None, 5)]
    with pytest.raises(TypeError, match="access_caller needs a first parameter"):
        Func(store, None, lambda: None, access_caller=True)


def test_options_are_by_name(store):
    with pytest.raises(TypeError):
        Func(store, None, add, True)
    with pytest.raises(TypeError):
        Func(store, None, add)(1, b=2)


# ------------------------------------------------------------------ names and representation
def test_names(store):
    text = """(module (func $inner (export "outer") (param i32) (result i32) (local.get 0))
        (func $hidden (result i32) (i32.const 1))
        (table (export "t") funcref (elem $hidden)))"""
    exports = load(text).exports
    assert exports.outer.name == "outer"
    assert exports.outer.__name__ == "outer"
    assert exports.t[0].name == "hidden"
    host = Func(store, None, add)
    assert (host.name, host.__name__) == ("add", "add")


def test_a_function_without_any_name():
    table = load("""(module (func) (table (export "t") funcref (elem 0)))""").exports.t
    assert table[0].name is None
    assert repr(table[0]) == "<wamr.Func () -> ()>"
    assert isinstance(table[0].__name__, str)


def test_signature_is_readable():
    func = load('(module (func (export "f") (param i32 f64 i32)))').exports.f
    assert str(inspect.signature(func.callable)) == "(i32_0, f64_1, i32_2, /)"
    assert func.callable.__name__ == "f"
    assert func.callable.__doc__ == "(i32, f64, i32) -> ()"
    assert func.__text_signature__ == "(i32_0, f64_1, i32_2, /)"
    assert str(inspect.signature(func)) == "(i32_0, f64_1, i32_2, /)"
    assert list(inspect.signature(Func).parameters)[:3] == ["store", "type", "callback"]


def test_repr(store):
    func = load('(module (func (export "f") (param i32) (result i32 f32) unreachable))').exports.f
    assert repr(func) == "<wamr.Func f (i32) -> (i32, f32)>"
    assert repr(Func(store, None, add)) == "<wamr.Func add (i32, i32) -> i32>"
    store.close()
    assert repr(Func.__repr__(func)) != ""


def test_properties_are_read_only(store):
    func = Func(store, None, add)
    for name in ("type", "name", "store"):
        with pytest.raises(AttributeError):
            setattr(func, name, None)


# ------------------------------------------------------------------ identity
def test_equal_where_it_is_the_same_function():
    text = """(module (func $f (export "f")) (func $g (export "g")) (export "again" (func $f))
        (table (export "t") funcref (elem $f $g)))"""
    exports, others = load(text).exports, load(text).exports
    assert exports.f == exports.again == exports.t[0]
    assert hash(exports.f) == hash(exports.again) == hash(exports.t[0])
    assert len({exports.f, exports.again, exports.g, exports.t[0], exports.t[1]}) == 2
    assert exports.f != exports.g
    assert exports.f != others.f
    assert exports.f != "f"
    assert exports.f is not None


def test_host_functions_are_equal_to_themselves(store):
    one, other = Func(store, None, add), Func(store, None, add)
    assert one != other
    text = '(module (import "m" "f" (func (param i32 i32) (result i32))) (export "f" (func 0)))'
    assert Instance(store, Module(store, text), [one]).exports.f == one


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(store, how):
    func = load('(module (func (export "f")))').exports.f
    for obj in (func, Func(store, None, add)):
        with pytest.raises(TypeError, match="a Func cannot be"):
            how(obj)


def test_callable_of_a_closed_instance():
    instance = load('(module (func (export "f") (param i32)))')
    fast = instance.exports.f.callable
    assert fast(1) is None
    instance.close()
    with pytest.raises(ClosedError, match=r"f\(i32\) -> \(\): its instance is closed"):
        fast(1)


def test_callable_is_all_one_needs_to_keep():
    fast = load('(module (func (export "f") (result i32) (i32.const 6)))').exports.f.callable
    assert fast() == 6


def test_function_references_through_a_host_function_that_python_calls(store):
    taken = []

    def swap(func, other):
        taken.append((func, other))
        return other, func

    both = [ValType.FUNCREF, ValType.FUNCREF]
    func = Func(store, FuncType(both, both), swap)
    one = Func(store, None, add)
    assert func(one, None) == (None, one)
    assert taken == [(one, None)]
    with pytest.raises(TypeError, match=r"argument 1 must be a Func .*, not int 5"):
        func(5, None)
    with pytest.raises(ValueError, match="argument 2 is a function of another store"):
        func(None, Func(Store(), None, add))
    with pytest.raises(TypeError, match=r"result 2 must be a Func or None \(funcref\), not "):
        Func(store, FuncType(both, both), lambda *given: (None, given))(None, None)
