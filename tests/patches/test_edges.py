"""Edge cases of valid modules: 4 GiB of memory, lengths that overflow, names, stacks, wrong links.

test_malformed.py has those of invalid modules.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from mutants import leb, section
from platforms import needs_64_bits, smallest_stack

import wamr
from wamr import Limits, ValType

Wat = Callable[[str], bytes]
HEADER = b"\0asm\1\0\0\0"


# ------------------------------------------------------------------ memory and tables

ACCESS = """(module (memory (export "m") {pages})
    (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "load64") (param i32) (result i64) (i64.load (local.get 0)))
    (func (export "load128") (param i32) (result v128) (v128.load (local.get 0)))
    (func (export "far") (param i32) (result i32) (i32.load8_u offset=0xffffffff (local.get 0)))
    (func (export "store64") (param i32) (i64.store (local.get 0) (i64.const -1)))
    (func (export "lane") (param i32)
      (v128.store16_lane 3 (local.get 0) (v128.const i64x2 -1 -1)))
    (func (export "fill") (param i32 i32)
      (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
    (func (export "copy") (param i32 i32 i32)
      (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""


def out_of_bounds(call: Callable[..., Any], *args: int) -> None:
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        call(*args)


@needs_64_bits
def test_whole_4_gib_can_be_used_and_no_byte_more(wat: Wat) -> None:
    exports = wamr.load(wat(ACCESS.format(pages=65_535))).exports
    assert exports.grow(2) == -1
    assert exports.grow(1) == 65_535
    assert exports.grow(1) == exports.grow(-1) == -1
    assert len(exports.m) == 1 << 32
    for name, size in {"load8": 1, "load32": 4, "load64": 8, "load128": 16, "store64": 8}.items():
        exports[name](-size)
        if size > 1:
            out_of_bounds(exports[name], 1 - size)
    exports.lane(-2)
    out_of_bounds(exports.lane, -1)
    assert exports.far(0) == exports.m[-1] == 0xFF
    out_of_bounds(exports.far, 1)
    exports.fill(-1, 1)
    exports.copy(-8, 0, 8)
    assert exports.load64(-8) == exports.load64(0)
    out_of_bounds(exports.fill, -1, 2)
    out_of_bounds(exports.copy, -8, 0, 9)
    out_of_bounds(exports.copy, 0, -8, 9)
    out_of_bounds(exports.fill, 2, -1)


def test_memory_without_pages_can_be_used_by_nobody(wat: Wat) -> None:
    exports = wamr.load(wat(ACCESS.format(pages="0 1"))).exports
    for address in (0, 1, -1, 2**31):
        out_of_bounds(exports.load8, address)
        out_of_bounds(exports.lane, address)
    exports.fill(0, 0)
    exports.copy(0, 0, 0)
    out_of_bounds(exports.fill, 1, 0)
    assert len(exports.m) == 0
    assert exports.m[:] == b""
    with pytest.raises(IndexError):
        exports.m[0]
    assert exports.grow(1) == 0
    assert exports.load8(65_535) == 0
    out_of_bounds(exports.load8, 65_536)


def test_lengths_that_wrap_around_are_out_of_bounds(wat: Wat) -> None:
    text = """(module (memory 1) (table $t 10 funcref) (table $u 10 20 funcref)
        (data $d "abc") (elem $e funcref (ref.null func) (ref.null func))
        (func (export "memory.init 3") (param i32 i32 i32)
          (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
        (func (export "memory.copy 65536") (param i32 i32 i32)
          (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "table.init 2") (param i32 i32 i32)
          (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
        (func (export "table.copy 10") (param i32 i32 i32)
          (table.copy $t $u (local.get 0) (local.get 1) (local.get 2)))
        (func (export "drop") (data.drop $d) (elem.drop $e)))"""
    exports = wamr.load(wat(text)).exports
    numbers = [0, 1, 2, 3, 9, 10, 11, 0xFFFF, 0x10000, 0x7FFFFFFF, -(2**31), -10, -2, -1]
    for dropped in (False, True):
        for name in exports:
            if name == "drop":
                continue
            operation, _, source = name.partition(" ")
            room = 0x10000 if operation.startswith("memory") else 10
            held = 0 if dropped and operation.endswith("init") else int(source)
            for to, at, size in itertools.product(numbers, repeat=3):
                ends = [number % 2**32 + size % 2**32 for number in (to, at)]
                if ends[0] <= room and ends[1] <= held:
                    exports[name](to, at, size)
                else:
                    with pytest.raises(wamr.Trap, match="out of bounds"):
                        exports[name](to, at, size)
        exports["drop"]()


@pytest.mark.parametrize(
    "item",
    [
        "(table 0xffffffff funcref)",
        '(table (export "t") 0xffffffff externref)',
        '(table (export "t") 0xfffffffe 0xffffffff funcref)',
        "(table 9000000 funcref)" * 9,
    ],
)
def test_tables_larger_than_any_machine(wat: Wat, item: str) -> None:
    with pytest.raises(wamr.MemoryLimitError):
        wamr.load(wat(f"(module {item})"))


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name",
    ["", " ", "a.b", "é€😀", "x" * 100_000, "__dict__", "_wamr_state", "get", "\u202e", "a\0b"],
)
def test_any_name_can_be_exported_and_imported(name: str) -> None:
    encoded = leb(len(name.encode())) + name.encode()
    maker = HEADER + section(6, b"\1\x7f\0\x41\x2a\x0b") + section(7, b"\1" + encoded + b"\3\0")
    exports = wamr.load(maker).exports
    assert list(exports) == [name]
    assert exports[name].value == 42
    user = HEADER + section(2, b"\1" + encoded + encoded + b"\3\x7f\0")
    module = wamr.Module(wamr.Store(), user)
    (wanted,) = module.imports
    assert (wanted.module, wanted.name) == (name, name)
    with pytest.raises(wamr.LinkError, match="is missing: it is a global"):
        wamr.load(user)


@pytest.mark.parametrize(
    "name",
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"],
)
@pytest.mark.parametrize("place", ["export", "import", "custom"])
def test_names_that_are_not_text_are_refused(name: bytes, place: str) -> None:
    encoded = leb(len(name)) + name
    last = {
        "export": section(7, b"\1" + encoded + b"\3\0"),
        "import": section(2, b"\1" + encoded + b"\1x\3\x7f\0"),
        "custom": section(0, encoded + b"content"),
    }[place]
    globals_ = section(6, b"\1\x7f\0\x41\x2a\x0b") if place == "export" else b""
    with pytest.raises(wamr.CompileError, match="UTF-8"):
        wamr.load(HEADER + globals_ + last)


def test_two_exports_of_one_name_are_refused(wat: Wat) -> None:
    twice = section(7, b"\2\1a\3\0\1a\3\0")
    with pytest.raises(wamr.CompileError, match="duplicate export name"):
        wamr.load(HEADER + section(6, b"\1\x7f\0\x41\x2a\x0b") + twice)


# ------------------------------------------------------------------ linked with wrong items

KINDS = {
    "(func (param i32 f64) (result i64))": r"a function \(i32, f64\) -> i64",
    "(global (mut f32))": r"a global mutable f32",
    "(table 2 5 funcref)": r"a table .*2.*5.*funcref|a table .*funcref.*2.*5",
    "(memory 3 4)": r"a memory .*3.*4",
}


@pytest.mark.parametrize("kind", KINDS)
def test_import_that_is_missing_is_named_with_its_type(wat: Wat, kind: str) -> None:
    data = wat(f'(module (import "the module" "the name" {kind}))')
    for given in (None, {}, {"other": {}}, {"the module": {}}, {"the module": {"x": print}}):
        with pytest.raises(wamr.LinkError, match=f"(?s)the module.*the name.*{KINDS[kind]}"):
            wamr.load(data, given)


@pytest.mark.parametrize("kind", KINDS)
def test_import_of_a_wrong_kind_is_named_with_both(wat: Wat, kind: str) -> None:
    store = wamr.Store()
    externs: dict[str, Any] = {
        "(func (param i32 f64) (result i64))": wamr.Func(
            store, wamr.FuncType.parse("(i32) -> ()"), lambda x: None
        ),
        "(global (mut f32))": wamr.Global(store, wamr.GlobalType(ValType.F32), 1.5),
        "(table 2 5 funcref)": wamr.Table(store, wamr.TableType(ValType.EXTERNREF, Limits(2, 5))),
        "(memory 3 4)": wamr.Memory(store, wamr.MemoryType(Limits(3))),
    }
    module = wamr.Module(store, wat(f'(module (import "m" "n" {kind}))'))
    for extern in externs.values():
        for imports in ([extern], {"m": {"n": extern}}):
            with pytest.raises(wamr.LinkError, match=f"(?s)m.n.*{KINDS[kind]}.*not a"):
                wamr.Instance(store, module, imports)
    for nonsense in (3, "text", object(), [], {}):
        with pytest.raises(TypeError, match=r"m.n"):
            wamr.Instance(store, module, {"m": {"n": nonsense}})
    for wrong in ([], [print, print]):
        with pytest.raises(wamr.LinkError, match="1 import"):
            wamr.Instance(store, module, wrong)
    other = wamr.Memory(wamr.Store(), wamr.MemoryType(Limits(3, 4)))
    with pytest.raises((ValueError, wamr.LinkError)):
        wamr.Instance(store, module, [other])


# ------------------------------------------------------------------ stacks


@pytest.mark.parametrize("size", [64 << 10, 256 << 10, 512 << 10, 16 << 20])
def test_recursion_in_threads_of_any_stack_overflows_cleanly(wat: Wat, size: int) -> None:
    text = """(module (import "m" "f" (func $f (param i32) (result i32)))
        (func $own (export "own") (param i32) (result i32)
          (i32.add (i32.const 1) (call $own (local.get 0))))
        (func (export "host") (param i32) (result i32) (call $f (local.get 0))))"""
    exports: Any = None
    exports = wamr.load(wat(text), {"m": {"f": lambda x: exports.host(x + 1)}}).exports
    caught: list[BaseException] = []

    def overflow() -> None:
        for name in ("own", "host"):
            try:
                exports[name](0)
            except RecursionError as error:
                caught.append(error)

    old = threading.stack_size(max(size, smallest_stack()))
    try:
        thread = threading.Thread(target=overflow)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert len(caught) == 2
    with pytest.raises(wamr.StackOverflowTrap):
        exports.own(0)
