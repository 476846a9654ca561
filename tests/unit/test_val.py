"""Val, Ref and Foreign: typed values, and their conversions."""

from __future__ import annotations

import copy
import math
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wamr
from wamr import Foreign, Func, FuncType, Ref, Store, Val, ValType

I32, I64, F32, F64, V128 = ValType.I32, ValType.I64, ValType.F32, ValType.F64, ValType.V128
EXTERNREF, FUNCREF, EXNREF = ValType.EXTERNREF, ValType.FUNCREF, ValType.EXNREF

ECHO = """
(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "bits32") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
  (func (export "bits64") (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
  (func (export "externref") (param externref) (result externref) local.get 0)
  (func (export "funcref") (param funcref) (result funcref) local.get 0)
  (func (export "exnref") (param exnref) (result exnref) local.get 0))
"""


@pytest.fixture
def echo() -> wamr.Instance:
    return wamr.load(ECHO)


def some_func(store: Store) -> Func:
    return Func(store, FuncType([]), lambda: None)


@pytest.mark.parametrize(
    ("type_", "value", "plain", "bits"),
    [
        (I32, 5, 5, 5),
        (I32, 2**32 - 1, -1, 2**32 - 1),
        (I32, True, 1, 1),
        (I64, -(2**63), -(2**63), 2**63),
        (F32, 1, 1.0, 0x3F800000),
        (F32, 1e300, math.inf, 0x7F800000),
        (F64, -0.0, -0.0, 1 << 63),
        (V128, bytes(range(16)), bytes(range(16)), int.from_bytes(bytes(range(16)), "little")),
    ],
)
def test_a_val_has_a_value_and_bits(
    type_: ValType, value: object, plain: object, bits: int
) -> None:
    val = Val(type_, value)
    assert val.type is type_
    assert val.value == plain
    assert val.bits == bits
    assert Val.from_bits(type_, bits) == val
    assert hash(Val.from_bits(type_, bits)) == hash(val)


@pytest.mark.parametrize(
    ("type_", "value", "error"),
    [
        (None, 1, TypeError),
        ("i32", 1, TypeError),
        (I32, None, TypeError),
        (I32, 1.5, TypeError),
        (I32, 2**32, OverflowError),
        (I64, 2**64, OverflowError),
        (F32, None, TypeError),
        (F64, "1", TypeError),
        (V128, bytes(15), ValueError),
        (V128, None, TypeError),
        (FUNCREF, 3, TypeError),
        (EXNREF, 3, TypeError),
        (EXNREF, ValueError("no exception of wasm"), TypeError),
        (EXNREF, Ref(None, FUNCREF), TypeError),
        (I32, Val(I64, 1), TypeError),
    ],
)
def test_a_val_checks_its_value(type_: ValType, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Val(type_, value)


@pytest.mark.parametrize(
    ("type_", "bits", "error"),
    [
        (None, 0, TypeError),
        (I32, None, TypeError),
        (I32, -1, OverflowError),
        (I32, 1 << 32, OverflowError),
        (EXTERNREF, 0, TypeError),
        (EXNREF, 0, TypeError),
    ],
)
def test_from_bits_checks_them(type_: ValType, bits: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        Val.from_bits(type_, bits)


def test_vals_are_equal_by_type_and_bits() -> None:
    assert Val(I32, -1) == Val(I32, 2**32 - 1)
    assert Val(I32, 0) != Val(I64, 0)
    assert Val(F64, 0.0) != Val(F64, -0.0)
    assert Val(F64, math.nan) == Val(F64, math.nan)
    assert Val(I32, 0) != 0
    obj = object()
    assert Val(EXTERNREF, obj) == Val(EXTERNREF, obj)
    assert Val(EXTERNREF, [1]) != Val(EXTERNREF, [1])
    assert len({Val(EXTERNREF, obj), Val(EXTERNREF, obj), Val(I32, 1), Val(I32, 1)}) == 2


@pytest.mark.parametrize("made", [Val(I32, 1), Ref(None, FUNCREF), Foreign(Store(), [])], ids=repr)
def test_what_was_made_does_not_change(made: object) -> None:
    before = repr(made)
    for name in ("type", "value", "bits", "store", "is_null"):
        with pytest.raises(AttributeError):
            setattr(made, name, 5)
    assert repr(made) == before


def test_a_reference_has_no_bits() -> None:
    for val in (Val(EXTERNREF, "x"), Val(EXNREF, None)):
        with pytest.raises(TypeError, match="has no bits"):
            _ = val.bits


def test_repr_says_type_and_value() -> None:
    assert repr(Val(I32, 7)) == "Val(ValType.I32, 7)"
    assert repr(Ref(None, FUNCREF)) == "Ref(None, ValType.FUNCREF)"
    assert repr(Val(EXNREF, None)) == "Val(ValType.EXNREF, None)"


@pytest.mark.parametrize("type_", [I32, I64])
def test_a_val_goes_where_an_integer_goes(echo: wamr.Instance, type_: ValType) -> None:
    call = echo.exports[type_.value]
    assert call(Val(type_, -5)) == -5
    assert call.callable(Val(type_, -5)) == -5


def test_a_val_of_another_type_is_refused(echo: wamr.Instance) -> None:
    with pytest.raises(TypeError, match="must not be a Val of type i64"):
        echo.exports.i32(Val(I64, 1))
    with pytest.raises(TypeError, match="must not be a Val of type f32"):
        echo.exports.f64(Val(F32, 1))


@given(st.integers(0, 2**32 - 1))
def test_all_bits_of_an_f32_arrive(bits: int) -> None:
    assert SHARED.exports.bits32(Val.from_bits(F32, bits)) & 0xFFFFFFFF == bits


@given(st.integers(0, 2**64 - 1))
def test_all_bits_of_an_f64_arrive(bits: int) -> None:
    assert SHARED.exports.bits64(Val.from_bits(F64, bits)) & (1 << 64) - 1 == bits
    (number,) = struct.unpack("<d", struct.pack("<Q", bits))
    assert SHARED.exports.bits64(number) & (1 << 64) - 1 == bits


def test_foreign_keeps_identity(echo: wamr.Instance) -> None:
    obj = object()
    foreign = Foreign(echo.store, obj)
    assert foreign.value is obj
    assert echo.exports.externref(foreign) is obj
    assert echo.exports.externref(Ref(foreign)) is obj
    assert echo.exports.externref(Val(EXTERNREF, foreign)) is obj
    assert Val(EXTERNREF, foreign).value is obj
    through_ref = Val(EXTERNREF, Ref(foreign))
    assert through_ref.value is obj
    assert through_ref == Val(EXTERNREF, foreign) == Val(EXTERNREF, obj)
    assert hash(through_ref) == hash(Val(EXTERNREF, obj))
    assert Val(EXTERNREF, Ref(None, EXTERNREF)).value is None
    assert foreign == Foreign(echo.store, obj) != Foreign(echo.store, object())
    assert hash(foreign) == hash(Foreign(echo.store, obj))


def test_a_foreign_of_another_store_is_refused(echo: wamr.Instance) -> None:
    with pytest.raises(ValueError, match="another store"):
        echo.exports.externref(Foreign(Store(), 1))


@pytest.mark.parametrize("store", [None, 1, wamr.Engine()])
def test_foreign_needs_a_store(store: object) -> None:
    with pytest.raises(TypeError, match="store"):
        Foreign(store, 1)  # type: ignore[arg-type]


def test_foreign_needs_an_open_store() -> None:
    store = Store()
    store.close()
    with pytest.raises(wamr.ClosedError):
        Foreign(store, 1)


def test_ref_knows_its_type(echo: wamr.Instance) -> None:
    func = some_func(echo.store)
    assert Ref(func).type is FUNCREF
    assert Ref(Foreign(echo.store, 1)).type is EXTERNREF
    assert Ref(None, EXTERNREF).is_null
    assert not Ref(func).is_null
    assert echo.exports.funcref(Ref(func)) == func
    assert echo.exports.funcref(Ref(None, FUNCREF)) is None
    assert Ref(func) == Ref(func) != Ref(None, FUNCREF)
    assert hash(Ref(func)) == hash(Ref(func))


@pytest.mark.parametrize(
    "args",
    [(None,), (1,), (None, None), (None, I32), ("x", EXTERNREF), (ValueError(), EXNREF)],
    ids=repr,
)
def test_ref_refuses_what_is_no_reference(args: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Ref(*args)  # type: ignore[arg-type]


def test_a_foreign_is_no_funcref(echo: wamr.Instance) -> None:
    with pytest.raises(TypeError):
        Ref(Foreign(echo.store, 1), FUNCREF)
    with pytest.raises(TypeError, match="must not be a Ref of type funcref"):
        echo.exports.externref(Ref(None, FUNCREF))
    with pytest.raises(TypeError):
        Val(EXTERNREF, Ref(None, FUNCREF))


def test_a_wasm_exception_is_an_exnref(echo: wamr.Instance) -> None:
    exception = wamr.WasmException(wamr.Tag(echo.store, wamr.TagType([I32])), 5)
    ref, val = Ref(exception), Val(EXNREF, exception)
    assert ref.type is val.type is EXNREF
    assert ref.value is val.value is Val(EXNREF, ref).value is exception
    assert not ref.is_null
    assert Ref(None, EXNREF).is_null
    for passed in (exception, ref, val, Val(EXNREF, ref)):
        assert echo.exports.exnref(passed) is exception
    for null in (None, Ref(None, EXNREF), Val(EXNREF, None)):
        assert echo.exports.exnref(null) is None
    other = wamr.WasmException(exception.tag, 5)
    assert ref == Ref(exception) != Ref(other)
    assert val == Val(EXNREF, exception) != Val(EXNREF, other)
    assert len({ref, Ref(exception), val, Val(EXNREF, exception)}) == 2
    table = wamr.Table(echo.store, wamr.TableType(EXNREF, wamr.Limits(1)), ref)
    number = wamr.Global(echo.store, wamr.GlobalType(EXNREF), val)
    assert table[0] is number.value is exception


def test_references_of_other_types_are_no_exnrefs(echo: wamr.Instance) -> None:
    exception = wamr.WasmException(wamr.Tag(echo.store, wamr.TagType()))
    for wrong in (Foreign(echo.store, "x"), some_func(echo.store)):
        with pytest.raises(TypeError, match=f"a {type(wrong).__name__} is no exnref"):
            Ref(wrong, EXNREF)
        with pytest.raises(TypeError):
            echo.exports.exnref(wrong)
    with pytest.raises(TypeError, match="a WasmException is no funcref"):
        Ref(exception, FUNCREF)
    with pytest.raises(TypeError, match="must not be a Ref of type exnref"):
        echo.exports.funcref(Ref(exception))
    with pytest.raises(TypeError, match="must not be a Val of type exnref"):
        echo.exports.externref(Val(EXNREF, exception))
    assert echo.exports.externref(Ref(exception, EXTERNREF)) is exception  # any object is one


def test_host_functions_return_vals() -> None:
    host = {"e": {"f": lambda: Val.from_bits(F32, 0x7FA00001)}}
    text = """(module (import "e" "f" (func $f (result f32)))
      (func (export "g") (result i32) (i32.reinterpret_f32 (call $f))))"""
    assert wamr.load(text, host).exports.g() & 0x7FBFFFFF == 0x7FA00001


def test_globals_and_tables_take_them() -> None:
    store = Store()
    number = wamr.Global(store, wamr.GlobalType(F32, mutable=True), Val(F32, 2.5))
    assert number.value == 2.5
    table = wamr.Table(store, wamr.TableType(EXTERNREF, wamr.Limits(1)), Foreign(store, "x"))
    assert table[0] == "x"
    with pytest.raises(TypeError):
        number.value = Val(F64, 1.0)


def test_a_val_copies_and_pickles_a_foreign_does_not() -> None:
    val = Val(I32, 3)
    assert copy.deepcopy(val) == copy.copy(val) == pickle.loads(pickle.dumps(val)) == val
    with pytest.raises(TypeError):
        copy.copy(Foreign(Store(), 1))
    with pytest.raises(TypeError):
        pickle.dumps(Foreign(Store(), 1))


SHARED = wamr.load(ECHO)
