"""exnref: in each place of a module where a type stands, and in conversions to and from Python."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    LinkError,
    Module,
    Store,
    Table,
    TableType,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmException,
    load,
)

EXNREF = ValType.EXNREF
TEXT = """(module
    (tag $t (export "t") (param i32))
    (global $g (export "g") (mut exnref) (ref.null exn))
    (global $null (export "null") exnref (ref.null exn))
    (table $table (export "table") 4 10 exnref)
    (table $private 2 exnref)
    (elem $nulls exnref (ref.null exn) (ref.null exn))
    (elem (table $private) (i32.const 0) exnref (ref.null exn))
    (func $make (export "make") (param i32) (result exnref) (local exnref)
        (block $h (result i32 exnref)
            (try_table (catch_ref $t $h) (throw $t (local.get 0))) (unreachable))
        (local.set 1) (drop) (local.get 1))
    (func (export "id") (param exnref) (result exnref) (local.get 0))
    (func (export "is_null") (param exnref) (result i32) (ref.is_null (local.get 0)))
    (func (export "locals") (param exnref) (result exnref i32)
        (local $a exnref) (local $b exnref)
        (local.set $a (local.get 0)) (local.tee $a (local.get $a)) (ref.is_null (local.get $b)))
    (func (export "select") (param exnref exnref i32) (result exnref)
        (select (result exnref) (local.get 0) (local.get 1) (local.get 2)))
    (func (export "blocks") (param exnref i32) (result exnref)
        (local.get 0)
        (block $out (param exnref) (result exnref)
            (loop $l (param exnref) (result exnref)
                (if (param exnref) (result exnref) (i32.eqz (local.get 1))
                    (then (br $out))
                    (else (local.set 1 (i32.sub (local.get 1) (i32.const 1))) (br $l))))))
    (func (export "br_table") (param exnref i32) (result exnref i32)
        (block $b (result exnref)
            (block $a (result exnref)
                (br_table $a $b (local.get 0) (local.get 1)))
            (return (i32.const 0)))
        (i32.const 1))
    (func (export "try") (param exnref) (result exnref)
        (try_table (result exnref) (local.get 0)))
    (func (export "get") (param i32) (result exnref) (table.get $table (local.get 0)))
    (func (export "set") (param i32 exnref) (table.set $table (local.get 0) (local.get 1)))
    (func (export "grow") (param exnref i32) (result i32)
        (table.grow $table (local.get 0) (local.get 1)))
    (func (export "fill") (param i32 exnref i32)
        (table.fill $table (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy") (param i32 i32 i32)
        (table.copy $table $table (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (table.init $table $nulls (i32.const 0) (i32.const 0) (i32.const 2)))
    (func (export "set_g") (param exnref) (global.set $g (local.get 0)))
    (func (export "get_g") (result exnref) (global.get $g))
    (func (export "throw") (param exnref) (throw_ref (local.get 0)))
    (func (export "many") (param exnref i64 exnref) (result exnref i64 exnref)
        (local.get 2) (local.get 1) (local.get 0)))"""


@pytest.fixture
def exports(store: Store) -> Any:
    return Instance(store, Module(store, TEXT)).exports


@pytest.fixture
def made(exports: Any) -> WasmException:
    return WasmException(exports.t, 42)


# ------------------------------------------------------------------ in modules


def test_each_instruction(exports, made):
    other = exports.make(7)
    assert (other.tag, other.values) == (exports.t, (7,))
    assert exports.id(made) is made
    assert exports.id(other) is other
    assert [exports.is_null(value) for value in (None, made, other)] == [1, 0, 0]
    assert exports.locals(made) == (made, 1)
    assert exports.locals(None) == (None, 1)
    assert [exports.select(made, other, n) for n in (0, 1)] == [other, made]
    assert [exports.blocks(made, n) for n in (0, 1, 100)] == [made] * 3
    assert [exports.br_table(made, n) for n in (0, 1, 9)] == [(made, 0), (made, 1), (made, 1)]
    assert exports["try"](other) is other
    assert exports.many(made, -5, other) == (other, -5, made)
    assert exports.many(None, 2**62, other) == (other, 2**62, None)
    with pytest.raises(WasmException) as caught:
        exports.throw(other)
    assert caught.value is other


def test_each_table_instruction(exports, made):
    table, other = exports.table, exports.make(7)
    exports.set(1, made)
    assert [exports["get"](n) for n in range(4)] == [None, made, None, None]
    assert [table[n] for n in range(4)] == [None, made, None, None]
    assert exports.grow(other, 2) == 4
    assert [table[n] for n in (3, 4, 5)] == [None, other, other]
    assert exports.grow(other, 100) == -1
    exports.fill(2, made, 3)
    exports.copy(0, 4, 2)
    assert [table[n] for n in range(6)] == [made, other, made, made, made, other]
    exports.init()
    assert [table[n] for n in range(3)] == [None, None, made]
    with pytest.raises(Trap, match="out of bounds table access"):
        exports.set(6, made)
    with pytest.raises(IndexError):
        table[6] = made


def test_globals(exports, made):
    assert exports.g.value is None
    assert exports.null.value is None
    exports.set_g(made)
    assert exports.g.value is made
    exports.g.value = other = exports.make(1)
    assert exports.get_g() is other
    exports.g.value = None
    assert exports.get_g() is None
    with pytest.raises(AttributeError):
        exports.null.value = made


def test_imports_of_exnrefs(store, made):
    text = """(module
        (import "m" "g" (global $g exnref)) (import "m" "mut" (global $mut (mut exnref)))
        (import "m" "table" (table $t 2 exnref))
        (import "m" "f" (func $f (param exnref) (result exnref)))
        (global $own (export "own") exnref (global.get $g))
        (elem (table $t) (i32.const 1) exnref (global.get $g))
        (elem $late exnref (global.get $g) (ref.null exn))
        (func (export "late") (table.init $t $late (i32.const 0) (i32.const 0) (i32.const 2))
            (elem.drop $late))
        (func (export "swap") (param exnref) (result exnref)
            (global.get $mut) (global.set $mut (call $f (local.get 0)))))"""
    constant = Global(store, GlobalType(EXNREF), made)
    mutable = Global(store, GlobalType(EXNREF, mutable=True), None)
    table = Table(store, TableType(EXNREF, Limits(2)))
    passed = []

    def f(value: WasmException | None) -> WasmException | None:
        passed.append(value)
        return value

    instance = Instance(store, Module(store, text), [constant, mutable, table, f])
    assert instance.exports.own.value is made
    assert (table[0], table[1]) == (None, made)
    instance.exports.late()
    assert (table[0], table[1]) == (made, None)
    assert instance.exports.swap(made) is None
    assert instance.exports.swap(None) is made
    assert passed == [made, None]
    assert mutable.value is None
    for item, kind in ((constant, "externref"), (table, "funcref")):
        wanted = "(global externref)" if kind == "externref" else "(table 2 funcref)"
        with pytest.raises(LinkError, match="exnref"):
            Instance(store, Module(store, f'(module (import "m" "x" {wanted}))'), [item])


def test_throw_ref_of_null_is_a_trap(exports):
    with pytest.raises(Trap, match="null exception reference"):
        exports.throw(None)
    text = """(module (func (export "f") (result i32)
        (block $h (try_table (catch_all $h) (throw_ref (ref.null exn)))) (i32.const 1)))"""
    with pytest.raises(Trap, match="null exception reference"):
        load(text).exports.f()


@pytest.mark.parametrize(
    "body",
    [
        "(param exnref) (result externref) (local.get 0)",
        "(param externref) (result exnref) (local.get 0)",
        "(param funcref) (throw_ref (local.get 0))",
        "(result exnref) (ref.null extern)",
        "(result exnref) (i32.const 0)",
        "(param exnref) (result exnref) (select (local.get 0) (local.get 0) (i32.const 0))",
        "(param exnref) (result i32) (i32.eqz (local.get 0))",
    ],
)
def test_types_are_checked(store, body):
    from wamr.wat import wat2wasm

    data = wat2wasm(f"(module (func {body}))")
    with pytest.raises(ValueError, match="type"):
        Module(store, data)


# ------------------------------------------------------------------ from Python

WRONG = [0, 1, "x", b"", ValueError("x"), WasmException, object(), (), 0xFFFFFFFF, True]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: type(value).__name__)
def test_wrong_values(store, exports, made, wrong):
    message = "must be a WasmException or None"
    exports.table[0] = exports.g.value = made
    with pytest.raises(TypeError, match=message):
        exports.id(wrong)
    with pytest.raises(TypeError, match=message):
        exports.id.call(wrong)
    with pytest.raises(TypeError, match=message):
        exports.table[0] = wrong
    with pytest.raises(TypeError, match=message):
        exports.table.grow(1, wrong)
    with pytest.raises(TypeError, match=message):
        exports.g.value = wrong
    with pytest.raises(TypeError, match=message):
        Global(store, GlobalType(EXNREF), wrong)
    with pytest.raises(TypeError, match=message):
        Table(store, TableType(EXNREF, Limits(1)), wrong)
    with pytest.raises(TypeError, match=message):
        WasmException(Tag(store, TagType([EXNREF])), wrong)
    with pytest.raises(TypeError, match=message):
        Func(store, FuncType([], [EXNREF]), lambda: wrong)()
    text = """(module (import "m" "f" (func (result exnref))) (export "f" (func 0))
        (func (export "g") (result exnref) (call 0)))"""
    imported = Instance(store, Module(store, text), [lambda: wrong]).exports
    for name in ("f", "g"):
        with pytest.raises(TypeError, match=message):
            imported[name]()
    assert exports.table[0] is exports.g.value is made
    assert len(exports.table) == 4


def test_of_another_store(store, exports):
    with Store() as other:
        foreign = WasmException(Tag(other, TagType([ValType.EXTERNREF])), "secret")
        for attempt in (
            lambda: exports.id(foreign),
            lambda: exports.table.__setitem__(0, foreign),
            lambda: exports.table.grow(1, foreign),
            lambda: setattr(exports.g, "value", foreign),
            lambda: Global(store, GlobalType(EXNREF), foreign),
            lambda: Table(store, TableType(EXNREF, Limits(1)), foreign),
            lambda: WasmException(Tag(store, TagType([EXNREF])), foreign),
            lambda: Func(store, FuncType([], [EXNREF]), lambda: foreign)(),
        ):
            with pytest.raises(ValueError, match="another store"):
                attempt()
        assert exports.g.value is exports.table[0] is None


def test_host_functions(store, made):
    func = Func(store, FuncType([EXNREF, ValType.I32], [ValType.I32, EXNREF]), lambda e, n: (n, e))
    assert func(made, 1) == (1, made)
    assert func(None, 2) == (2, None)
    text = """(module (import "m" "f" (func $f (param exnref i32) (result i32 exnref)))
        (func (export "f") (param exnref i32) (result i32 exnref)
            (call $f (local.get 0) (local.get 1))))"""
    exports = Instance(store, Module(store, text), [func]).exports
    assert exports.f(made, 3) == (3, made)
    assert exports.f(None, 4) == (4, None)
    assert exports.f.type == func.type


def test_wrong_numbers_of_arguments(exports, made):
    for wrong in ((), (made, made)):
        with pytest.raises(TypeError, match="argument"):
            exports.id(*wrong)


# ------------------------------------------------------------------ exceptions within exceptions

# `nest` throws n exceptions; the two values of each are the one before.
NESTED = """(module (tag $t (export "t") (param exnref exnref))
    (func $one (param exnref) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $t (local.get 0) (local.get 0)))
            (unreachable)))
    (func (export "nest") (param $n i32) (result exnref) (local $e exnref)
        (loop $l
            (local.set $e (call $one (local.get $e)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $e)))"""


def depth(exception: WasmException | None) -> int:
    levels = 0
    while exception is not None:
        first, second = exception.values
        assert first is second
        exception, levels = first, levels + 1
    return levels


@pytest.mark.parametrize("levels", [1, 64, 20_000])
def test_nested(levels):
    """There are 2**levels paths to the innermost one, and more levels than Python's stack has."""
    assert levels < 64 or levels * 2**levels > 2**64
    assert sys.getrecursionlimit() < 20_000
    exports = load(NESTED).exports
    outermost = exports.nest(levels)
    assert len(str(outermost)) < 1000
    assert len(repr(outermost)) < 1000
    assert depth(outermost) == levels
    made = WasmException(exports.t, outermost, outermost)
    assert depth(made) == levels + 1
    assert len(str(made)) < 1000
