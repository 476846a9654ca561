"""Values are exact: each bit of each type, through wasm, host functions, globals and back."""

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from platforms import X87

from wamr import Func, FuncType, Instance, Module, Store, Val, ValType, load

PAIRS = """(module
    (import "host" "i32" (func $hi (param i32) (result i32)))
    (import "host" "i64" (func $hl (param i64) (result i64)))
    (import "host" "f32" (func $hf (param f32) (result f32)))
    (import "host" "f64" (func $hd (param f64) (result f64)))
    (import "host" "v128" (func $hv (param v128) (result v128)))
    (memory (export "memory") 1)
    (func (export "f32_bits") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
    (func (export "f64_bits") (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
    (func (export "f32_of") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0)))
    (func (export "f64_of") (param i64) (result f64) (f64.reinterpret_i64 (local.get 0)))
    (func (export "f32_host") (param i32) (result i32)
        (i32.reinterpret_f32 (call $hf (f32.reinterpret_i32 (local.get 0)))))
    (func (export "f64_host") (param i64) (result i64)
        (i64.reinterpret_f64 (call $hd (f64.reinterpret_i64 (local.get 0)))))
    (func (export "i32_host") (param i32) (result i32) (call $hi (local.get 0)))
    (func (export "i64_host") (param i64) (result i64) (call $hl (local.get 0)))
    (func (export "v128_host") (param v128) (result v128) (call $hv (local.get 0)))
    (func (export "v128_store") (param v128) (v128.store (i32.const 0) (local.get 0)))
    (func (export "v128_load") (result v128) (v128.load (i32.const 0)))
    (func (export "many") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
        (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"""

EXPORTS = []


@pytest.fixture(autouse=True, scope="module")
def exports():
    names = ("i32", "i64", "f32", "f64", "v128")
    EXPORTS.append(load(PAIRS, {"host": dict.fromkeys(names, lambda value: value)}).exports)
    yield EXPORTS[0]
    EXPORTS.clear()


def float_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def bits_of(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def single_of(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


NAN_64 = st.integers(0, 2**52 - 1).map(lambda payload: 0x7FF << 52 | payload)
BITS_64 = st.one_of(st.integers(0, 2**64 - 1), NAN_64)
BITS_32 = st.one_of(
    st.integers(0, 2**32 - 1), st.integers(0, 2**23 - 1).map(lambda payload: 0xFF << 23 | payload)
)


@given(BITS_64)
@example(0)
@example(1 << 63)
@example(1)
@example(0x7FF0000000000000)
@example(0x7FF8000000000001)
@example(0xFFFFC0DE0BADF00D)
@example(0x7FF0000000000001)
def test_every_f64_keeps_its_bits(bits):
    if X87:  # Python itself doesn't keep them
        bits = bits_of(float_of(bits))
    exports, signed = EXPORTS[0], (bits ^ 1 << 63) - (1 << 63)
    assert exports.f64_bits(float_of(bits)) == signed
    assert bits_of(exports.f64_of(bits)) == bits
    assert exports.f64_host(bits) == signed


def quiet(bits):
    """Return the bits that a signalling f32 NaN may become."""
    return bits | 1 << 22 if bits & 0x7F800000 == 0x7F800000 and bits & 0x7FFFFF else bits


@given(BITS_32)
@example(0x80000000)
@example(1)
@example(0x7F800000)
@example(0x7FC00001)
@example(0x7FA00001)
def test_every_f32_keeps_its_bits_but_for_quietness(bits):
    exports = EXPORTS[0]
    for answer in (
        exports.f32_bits(single_of(bits)) % 2**32,
        exports.f32_host(bits) % 2**32,
        struct.unpack("<I", struct.pack("<f", exports.f32_of(bits)))[0],
    ):
        assert answer in (bits, quiet(bits))


@given(st.floats())
@example(3.4028235677973366e38)
@example(-3.5e38)
@example(1e-46)
@example(math.inf)
def test_f32_rounds_as_c_does(value):
    answer = EXPORTS[0].f32_bits(value) % 2**32
    if math.isnan(value):
        assert math.isnan(single_of(answer))
        return
    try:
        expected = struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        expected = 0x7F800000 | (math.copysign(1, value) < 0) << 31
    assert answer == expected


@given(st.integers(-(2**31), 2**32 - 1), st.integers(-(2**63), 2**64 - 1))
def test_integers_through_the_host(narrow, wide):
    exports = EXPORTS[0]
    assert exports.i32_host(narrow) == (narrow + 2**31) % 2**32 - 2**31
    assert exports.i64_host(wide) == (wide + 2**63) % 2**64 - 2**63


@given(st.binary(min_size=16, max_size=16))
def test_vectors_in_memory_order(data):
    exports = EXPORTS[0]
    for given_ in (data, bytearray(data), memoryview(data)):
        exports.v128_store(given_)
        assert exports.memory[0:16] == data
        assert exports.v128_load() == data
        assert type(exports.v128_load()) is bytes
    assert exports.v128_host(data) == data


@pytest.mark.parametrize("bad", [None, 5, "0123456789abcdef", 1.5, [0] * 16, object()])
def test_vectors_of_a_wrong_kind(exports, bad):
    with pytest.raises(TypeError, match=f"must be 16 bytes \\(v128\\), not {type(bad).__name__}"):
        exports.v128_store(bad)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_vectors_of_a_wrong_size(exports, size):
    with pytest.raises(ValueError, match=f"must be 16 bytes \\(v128\\), not {size}"):
        exports.v128_store(bytes(size))


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(width=32, allow_nan=False),
    st.floats(allow_nan=False),
    st.binary(min_size=16, max_size=16),
)
def test_many_at_once(a, b, c, d, e):
    assert EXPORTS[0].many(a, b, c, d, e) == (e, d, c, b, a)


KINDS = {
    "i32": st.integers(-(2**31), 2**31 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "f32": st.floats(width=32, allow_nan=False),
    "f64": st.floats(allow_nan=False),
    "v128": st.binary(min_size=16, max_size=16),
    "externref": st.one_of(st.none(), st.text(), st.integers(), st.tuples(st.integers())),
}
signatures = st.lists(st.sampled_from(list(KINDS)), max_size=12)


@given(st.data(), signatures)
def test_any_signature_through_wasm_and_the_host(data, kinds):
    args = tuple(data.draw(KINDS[kind]) for kind in kinds)
    names = " ".join(kinds)
    gets = " ".join(f"(local.get {i})" for i in range(len(kinds)))
    text = f"""(module (import "m" "f" (func (param {names}) (result {names})))
        (func (export "go") (param {names}) (result {names}) {gets} (call 0)))"""
    with Store() as store:
        types = [ValType(kind) for kind in kinds]
        func = Func(store, FuncType(types, types), lambda *given: one_of(given))
        go = Instance(store, Module(store, text), [func]).exports.go
        assert go(*args) == func(*args) == one_of(args)


def one_of(values):
    return values if len(values) > 1 else values[0] if values else None


def test_externrefs_are_the_objects_themselves(store):
    text = """(module (func (export "id") (param externref) (result externref) (local.get 0))
        (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0))))"""
    exports = Instance(store, Module(store, text)).exports
    for obj in (object(), 0, "", (), [], False, exports, store, text, exports.id, NotImplemented):
        assert exports.id(obj) is obj
        assert exports.is_null(obj) == 0
    assert exports.id(None) is None
    assert exports.is_null(None) == 1
    unhashable = {}
    assert exports.id(unhashable) is unhashable


def test_equal_objects_stay_apart(store):
    text = '(module (func (export "id") (param externref) (result externref) (local.get 0)))'
    exports = Instance(store, Module(store, text)).exports
    one, other = [1], [1]
    assert exports.id(one) is one
    assert exports.id(other) is other


class Odd:
    """Raises an exception in each special method."""

    def __eq__(self, other):
        raise AssertionError("asked for equality")

    def __hash__(self):
        raise AssertionError("asked for a hash")

    def __bool__(self):
        raise AssertionError("asked for truth")

    def __repr__(self):
        raise ZeroDivisionError("asked for a repr")


def test_objects_are_not_asked_anything(store):
    text = """(module (import "m" "f" (func $f (param externref) (result externref)))
        (table $t (export "t") 1 externref)
        (global $g (export "g") (mut externref) (ref.null extern))
        (func (export "go") (param externref) (result externref)
            (table.set $t (i32.const 0) (local.get 0)) (global.set $g (local.get 0))
            (call $f (local.get 0))))"""
    exports = Instance(store, Module(store, text), [lambda value: value]).exports
    odd = Odd()
    assert exports.go(odd) is odd
    assert exports.t[0] is odd
    assert exports.g.value is odd


def test_a_value_whose_repr_fails_is_still_a_type_error(exports):
    with pytest.raises(TypeError, match="must be an int"):
        exports.i32_host(Odd())


def test_functions_as_values(store):
    text = """(module (func (export "id") (param funcref) (result funcref) (local.get 0))
        (func $f (export "f") (result i32) (i32.const 3)) (elem declare func $f)
        (func (export "ref") (result funcref) (ref.func $f)))"""
    exports = Instance(store, Module(store, text)).exports
    host = Func(store, FuncType([], [ValType.I32]), lambda: 4)
    assert exports.id(None) is None
    assert exports.id(exports.f) == exports.f == exports.ref()
    assert exports.id(host) == host
    assert [exports.ref()(), exports.id(host)()] == [3, 4]
    for bad in (5, "f", lambda: None, store, Odd()):
        with pytest.raises(TypeError, match=r"must be a Func or None \(funcref\)"):
            exports.id(bad)


def test_typed_values_are_taken_where_values_are(exports):
    assert exports.i32_host(Val(ValType.I32, 7)) == 7
    assert exports.f32_host(0x7FA00001) in (0x7FA00001, 0x7FE00001)
    with pytest.raises(TypeError, match="must not be a Val of type i64"):
        exports.i32_host(Val(ValType.I64, 7))
