"""Conversions of floats between Python and wasm, in each floating-point environment."""

from __future__ import annotations

import struct
from collections.abc import Callable

import ieee
import pytest
from float_environments import ENVIRONMENTS, same_after

import wamr
from wamr import Global, GlobalType, Store, Val, ValType

# ---- values --------------------------------------------------------------------------------------


def f32_of(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value


def f64_of(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def bits_of(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


DOUBLES = [bits for bits in ieee.floats(ieee.F64) if not ieee.F64.is_nan(bits)]
SINGLES = [bits for bits in ieee.floats(ieee.F32) if not ieee.F32.is_nan(bits)]
NARROWED = [ieee.reformat(ieee.F32, ieee.F64, bits) for bits in DOUBLES]
WIDENED = [ieee.reformat(ieee.F64, ieee.F32, bits) for bits in SINGLES]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_float_becomes_the_nearest_f32_in_any_environment(
    name: str, wat: Callable[[str], bytes]
) -> None:
    store = Store()
    mine: list[float] = []
    exports = wamr.load(wat("""(module (import "h" "f" (func $f (result f32)))
        (import "h" "refs" (func $refs (param externref) (result f32)))
        (func (export "in") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
        (func (export "host") (result i32) (i32.reinterpret_f32 (call $f)))
        (func (export "hosts") (result i32)
            (i32.reinterpret_f32 (call $refs (ref.null extern)))))"""),
        {"h": {"f": lambda: mine[0], "refs": lambda _: mine[0]}}).exports  # fmt: skip
    cell = Global(store, GlobalType(ValType.F32, mutable=True), 0.0)
    doubles = [f64_of(bits) for bits in DOUBLES]

    def put(value: float) -> tuple[int, ...]:
        mine[:] = [value]
        cell.value = value
        cells = exports["in"](value), exports["in"].call(value), exports.host(), exports.hosts()
        return *cells, Val(ValType.F32, value).bits, Val(ValType.F32, cell.value).bits

    got = same_after(name, lambda: [put(value) for value in doubles])
    for value, wanted, each in zip(doubles, NARROWED, got, strict=True):
        assert [bits % (1 << 32) for bits in each] == [wanted] * 6, value


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_f32_becomes_the_same_float_in_any_environment(
    name: str, wat: Callable[[str], bytes]
) -> None:
    store = Store()
    seen: list[float] = []
    exports = wamr.load(wat("""(module (import "h" "f" (func $f (param f32)))
        (import "h" "refs" (func $refs (param f32 externref)))
        (func (export "out") (param i32) (result f32) (f32.reinterpret_i32 (local.get 0)))
        (func (export "host") (param i32) (call $f (f32.reinterpret_i32 (local.get 0))))
        (func (export "hosts") (param i32)
            (call $refs (f32.reinterpret_i32 (local.get 0)) (ref.null extern))))"""),
        {"h": {"f": seen.append, "refs": lambda value, _: seen.append(value)}}).exports  # fmt: skip
    cell = Global(store, GlobalType(ValType.F32, mutable=True), 0.0)

    def get(bits: int) -> tuple[float, ...]:
        seen.clear()
        exports.host(bits)
        exports.hosts(bits)
        cell.value = Val.from_bits(ValType.F32, bits)
        return (
            exports.out(bits), exports.out.call(bits), *seen,
            cell.value, Val.from_bits(ValType.F32, bits).value,
        )  # fmt: skip

    got = same_after(name, lambda: [get(bits) for bits in SINGLES])
    for bits, wanted, each in zip(SINGLES, WIDENED, got, strict=True):
        assert [bits_of(value) for value in each] == [wanted] * 6, hex(bits)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_f64_is_the_same_in_any_environment(name: str, wat: Callable[[str], bytes]) -> None:
    call = wamr.load(
        wat("""(module
        (func (export "f") (param f64) (result f64) (local.get 0)))""")
    ).exports.f
    doubles = [f64_of(bits) for bits in DOUBLES]
    got = same_after(name, lambda: [(call(each), call.call(each)) for each in doubles])
    assert [tuple(map(bits_of, each)) for each in got] == [(bits, bits) for bits in DOUBLES]
