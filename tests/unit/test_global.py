"""Globals of each type, constant and mutable, from Python and from wasm."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamr import (
    ClosedError,
    Extern,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Module,
    Store,
    ValType,
    load,
)

I32, I64, F32, F64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
SAMPLE = {
    "i32": -5,
    "i64": 2**40 + 7,
    "f32": 1.5,
    "f64": -0.1,
    "v128": bytes(range(16)),
    "externref": object(),
}


def five():
    return 5


@pytest.mark.parametrize("kind", SAMPLE)
def test_each_type(store, kind):
    for mutable in (False, True):
        global_ = Global(store, GlobalType(ValType(kind), mutable), SAMPLE[kind])
        assert global_.value == SAMPLE[kind]
        assert global_.type == GlobalType(ValType(kind), mutable)
        assert global_.store is store
        assert isinstance(global_, Extern)
    zero = bytes(16) if kind == "v128" else None if kind == "externref" else 0
    global_.value = zero
    assert global_.value == zero
    assert global_.value == Global(store, GlobalType(ValType(kind)), zero).value


def test_of_functions(store):
    func = Func(store, FuncType([], [I32]), five)
    global_ = Global(store, GlobalType(ValType.FUNCREF, mutable=True), func)
    assert global_.value == func
    assert global_.value() == 5
    global_.value = None
    assert global_.value is None
    exported = Instance(
        store, Module(store, '(module (func (export "f") (result i32) i32.const 6))')
    )
    global_.value = exported.exports.f
    del exported
    assert global_.value() == 6


def test_a_constant_cannot_be_set(store):
    for global_ in (
        Global(store, GlobalType(I32), 1),
        load('(module (global (export "g") i32 (i32.const 1)))').exports.g,
    ):
        with pytest.raises(AttributeError, match="this global is constant: constant i32"):
            global_.value = 2
        assert global_.value == 1
        with pytest.raises(AttributeError):
            del global_.value


@pytest.mark.parametrize("bad", [None, 5, I32, "i32", GlobalType])
def test_bad_arguments(store, bad):
    with pytest.raises(TypeError, match=f"type must be a GlobalType, not {type(bad).__name__}"):
        Global(store, bad, 0)
    with pytest.raises(TypeError, match=f"store must be a Store, not {type(bad).__name__}"):
        Global(bad, GlobalType(I32), 0)


@pytest.mark.parametrize(
    ("kind", "bad", "error"),
    [
        ("i32", None, TypeError),
        ("i32", 1.0, TypeError),
        ("i32", "1", TypeError),
        ("i32", 2**32, OverflowError),
        ("i32", -(2**31) - 1, OverflowError),
        ("i64", 2**64, OverflowError),
        ("i64", None, TypeError),
        ("f32", "1", TypeError),
        ("f64", None, TypeError),
        ("f64", 2**2000, OverflowError),
        ("v128", None, TypeError),
        ("v128", 5, TypeError),
        ("v128", b"short", ValueError),
        ("funcref", 5, TypeError),
        ("funcref", five, TypeError),
    ],
)
def test_values_that_do_not_fit(store, kind, bad, error):
    type_ = GlobalType(ValType(kind), mutable=True)
    with pytest.raises(error, match=r"value (must be|is)"):
        Global(store, type_, bad)
    good = SAMPLE.get(kind)
    global_ = Global(store, type_, good)
    with pytest.raises(error, match=r"value (must be|is)"):
        global_.value = bad
    assert global_.value == good


@given(st.integers(-(2**31), 2**32 - 1), st.integers(-(2**63), 2**64 - 1))
def test_integers_come_back_signed(narrow, wide):
    with Store() as store:
        one = Global(store, GlobalType(I32), narrow)
        other = Global(store, GlobalType(I64), wide)
        assert one.value == (narrow + 2**31) % 2**32 - 2**31
        assert other.value == (wide + 2**63) % 2**64 - 2**63


@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
def test_floats_are_exact(wide, narrow):
    with Store() as store:
        assert Global(store, GlobalType(F64), wide).value == wide
        assert Global(store, GlobalType(F32), narrow).value == narrow
        rounded = Global(store, GlobalType(F32), wide).value
        assert math.copysign(1, rounded) == math.copysign(1, wide)


SHARED = """(module (import "m" "g" (global $g (mut i64)))
    (func (export "add") (param i64) (global.set $g (i64.add (global.get $g) (local.get 0))))
    (func (export "read") (result i64) (global.get $g)) (export "g" (global $g)))"""


def test_shared_between_the_host_and_instances(store):
    counter = Global(store, GlobalType(I64, mutable=True), 1)
    module = Module(store, SHARED)
    one, other = (Instance(store, module, [counter]).exports for _ in range(2))
    one.add(10)
    other.add(100)
    counter.value += 1000
    assert one.read() == other.read() == counter.value == 1111
    assert one.g == other.g == counter
    assert one.g.value == 1111


def test_shared_between_instances(store):
    text = """(module (global $g (export "g") (mut i64) (i64.const 5))
        (func (export "read") (result i64) (global.get $g)))"""
    owner = Instance(store, Module(store, text))
    user = Instance(store, Module(store, SHARED), {"m": owner})
    user.exports.add(2)
    assert owner.exports.read() == owner.exports.g.value == 7
    owner.exports.g.value = 9
    assert user.exports.read() == 9


def test_initial_values_come_from_imported_globals(store):
    text = """(module (import "m" "base" (global $base i32))
        (global (export "g") i32 (i32.add (global.get $base) (i32.const 2)))
        (memory (export "m") 1) (data (global.get $base) "x"))"""
    module = Module(store, text)
    for base in (40, 7, 0):
        exports = Instance(store, module, [Global(store, GlobalType(I32), base)]).exports
        assert exports.g.value == base + 2
        assert exports.m[base : base + 1] == b"x"


def test_repr(store):
    assert repr(Global(store, GlobalType(I32), 5)) == "<wamr.Global, constant i32, 5>"
    mutable = Global(store, GlobalType(F64, mutable=True), 0.5)
    assert repr(mutable) == "<wamr.Global, mutable f64, 0.5>"
    store.close()
    assert repr(mutable) == "<wamr.Global, mutable f64, closed>"


def test_closed(store):
    global_ = Global(store, GlobalType(I32, mutable=True), 5)
    store.close()
    with pytest.raises(ClosedError, match="this Global is closed"):
        assert global_.value
    with pytest.raises(ClosedError, match="this Global is closed"):
        global_.value = 6


def test_equality_and_identity(store):
    text = '(module (global (export "a") i32 (i32.const 1)) (export "b" (global 0)))'
    exports = load(text).exports
    assert exports.a == exports.b
    assert hash(exports.a) == hash(exports.b)
    assert exports.a != load(text).exports.a
    assert Global(store, GlobalType(I32), 1) != Global(store, GlobalType(I32), 1)
    assert exports.a != 1


def test_the_repr_of_a_global_that_holds_itself_ends(store):
    type_ = GlobalType(ValType.EXTERNREF, mutable=True)
    global_, other = Global(store, type_, None), Global(store, type_, None)
    global_.value = global_
    assert repr(global_) == "<wamr.Global, mutable externref, ...>"
    global_.value, other.value = other, global_
    assert repr(other) == (
        "<wamr.Global, mutable externref, <wamr.Global, mutable externref, ...>>"
    )


def test_a_value_that_closes_the_global():
    class Number:
        def __init__(self, close):
            self.close = close

        def __float__(self):
            self.close()
            return 1.0

    inst = load('(module (global (export "g") (mut f64) (f64.const 0)))')
    with pytest.raises(ClosedError):
        inst.exports.g.value = Number(inst.close)
    store = Store()
    with pytest.raises(ClosedError):
        Global(store, GlobalType(F64), Number(store.close))
