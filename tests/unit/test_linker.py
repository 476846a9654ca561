"""Linker: definitions for many instances."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import pytest
from small_modules import double

import wamr
from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Linker,
    Module,
    Store,
    Tag,
    TagType,
    ValType,
    WasmException,
)

TWICE = """(module (import "env" "twice" (func $f (param i32) (result i32)))
  (func (export "run") (param i32) (result i32) (call $f (local.get 0))))"""


def test_defined_items_meet_imports() -> None:
    store = Store()
    linker = Linker(store)
    linker.define("env", "twice", double)
    assert linker.get("env", "twice") is double
    module = Module(store, TWICE)
    assert [linker.instantiate(module).exports.run(n) for n in (1, 2)] == [2, 4]


def test_func_decorates() -> None:
    linker = Linker(Store())

    @linker.func("env")
    def triple(x: int) -> int:
        return 3 * x

    @linker.func("env", "named")
    def other() -> None: ...

    assert triple(2) == 6
    assert linker.get("env", "triple") is triple
    assert linker.get("env", "named") is other


@pytest.mark.parametrize("function", [functools.partial(double, 2), 5])
def test_func_needs_a_name_for_what_has_none(function: Any) -> None:
    linker = Linker(Store())
    with pytest.raises(TypeError, match=r"name is required: this \w+ has no __name__"):
        linker.func("env")(function)
    assert "nothing" in repr(linker)


def test_an_engines_linker_serves_many_stores() -> None:
    engine = wamr.Engine()
    linker = Linker(engine)
    linker.define("env", "twice", double)
    module = Module(engine, TWICE)
    for _ in range(3):
        store = Store(engine)
        assert linker.instantiate(module, store=store).store is store
    with pytest.raises(TypeError, match="store"):
        linker.instantiate(module)


def test_an_engines_linker_holds_nothing_of_a_store() -> None:
    store = Store()
    func = Func(store, FuncType([]), lambda: None)
    with pytest.raises(ValueError, match="serves many"):
        Linker(store.engine).define("env", "f", func)


def test_a_stores_linker_stays_in_it() -> None:
    store = Store()
    linker = Linker(store)
    with pytest.raises(ValueError, match="another store"):
        linker.define("env", "f", Func(Store(), FuncType([]), lambda: None))
    linker.define("env", "twice", double)
    module = Module(store, TWICE)
    assert linker.instantiate(module, store=store).exports.run(4) == 8
    with pytest.raises(ValueError, match="another store"):
        linker.instantiate(module, store=Store())


def test_a_name_is_defined_once_unless_replaced() -> None:
    linker = Linker(Store())
    linker.define("env", "f", double)
    with pytest.raises(ValueError, match=r"env\.f is defined already"):
        linker.define("env", "f", print)
    linker.define("env", "f", print, replace=True)
    assert linker.get("env", "f") is print


@pytest.mark.parametrize(("module", "name"), [("env", "nothing"), ("other", "f"), (None, None)])
def test_what_is_not_defined_is_a_key_error(module: str, name: str) -> None:
    linker = Linker(Store())
    linker.define("env", "f", double)
    with pytest.raises(KeyError):
        linker.get(module, name)


@pytest.mark.parametrize(
    "args",
    [
        (None, "f", double),
        ("env", None, double),
        ("env", "f", None),
        ("env", "f", 3),
        (1, 2, double),
    ],
    ids=repr,
)
def test_define_checks_its_arguments(args: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Linker(Store()).define(*args)  # type: ignore[arg-type]


def test_names_are_checked_at_once() -> None:
    linker = Linker(Store())
    instance = wamr.load("(module)")
    with pytest.raises(TypeError, match="module must be a str, not int"):
        linker.define_instance(3, instance)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="module must be a str, not builtin_function"):
        linker.func(print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name must be a str, not int"):
        linker.func("env", 3)  # type: ignore[arg-type]


def test_replace_is_a_bool() -> None:
    linker = Linker(Store())
    linker.define("env", "f", double)
    with pytest.raises(TypeError, match="replace must be a bool, not str"):
        linker.define("env", "f", print, replace="no")  # type: ignore[arg-type]
    assert linker.get("env", "f") is double


@pytest.mark.parametrize("wasi", [0, False, "", {}, []], ids=repr)
def test_instantiate_checks_wasi(wasi: object) -> None:
    linker = Linker(Store())
    linker.define_wasi(wamr.WasiConfig())
    assert linker.store is not None
    with pytest.raises(TypeError, match="wasi must be a WasiConfig or None"):
        linker.instantiate(Module(linker.store, "(module)"), wasi=wasi)  # type: ignore[arg-type]


@pytest.mark.parametrize("store", [None, "x", 1])
def test_a_linker_needs_a_store_or_engine(store: object) -> None:
    with pytest.raises(TypeError, match="Store or an Engine"):
        Linker(store)  # type: ignore[arg-type]


def test_define_instance_defines_its_exports() -> None:
    store = Store()
    linker = Linker(store)
    text = """(module (memory (export "memory") 1) (global (export "g") i32 (i32.const 7))
      (func (export "twice") (param i32) (result i32) (i32.mul (i32.const 2) (local.get 0))))"""
    linker.define_instance("env", wamr.Instance(store, Module(store, text)))
    user = """(module (import "env" "memory" (memory 1)) (import "env" "g" (global i32))
      (import "env" "twice" (func $f (param i32) (result i32)))
      (func (export "run") (result i32) (call $f (global.get 0))))"""
    assert linker.instantiate(Module(store, user)).exports.run() == 14
    for bad in (None, 1, store):
        with pytest.raises(TypeError):
            linker.define_instance("x", bad)  # type: ignore[arg-type]


THROWING = """(module (import "env" "failed" (tag $t (param i32))) (export "again" (tag $t))
  (func (export "throw") (param i32) (throw $t (local.get 0))))"""
CATCHING = """(module (import "lib" "again" (tag $t (param i32)))
  (import "lib" "throw" (func $throw (param i32)))
  (func (export "run") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $t $h) (call $throw (local.get 0))) (unreachable))))"""


def test_tags_go_through() -> None:
    store = Store()
    linker = Linker(store)
    tag = Tag(store, TagType([ValType.I32]))
    linker.define("env", "failed", tag)
    assert linker.get("env", "failed") is tag
    assert repr(linker) == "<wamr.Linker env.failed>"
    instance = linker.instantiate(Module(store, THROWING))
    with pytest.raises(WasmException) as caught:
        instance.exports.throw(3)
    assert caught.value.tag == instance.exports.again == tag
    linker.define_instance("lib", instance)
    assert linker.get("lib", "again") == tag
    assert linker.instantiate(Module(store, CATCHING)).exports.run(4) == 4


def test_a_tag_is_of_one_store_and_of_one_type() -> None:
    store = Store()
    linker = Linker(store)
    for other in (Tag(Store(), TagType()), Tag(Store(store.engine), TagType([ValType.I32]))):
        with pytest.raises(ValueError, match="is of another store"):
            linker.define("env", "failed", other)
    with pytest.raises(ValueError, match="is of one store, this Linker serves many"):
        Linker(store.engine).define("env", "failed", Tag(store, TagType([ValType.I32])))
    for wrong in (TagType([ValType.I32]), None, 5):
        message = "item must be a Func, Global, Table, Memory, Tag or callable, not "
        with pytest.raises(TypeError, match=message + type(wrong).__name__):
            linker.define("env", "failed", wrong)  # type: ignore[arg-type]
    linker.trap_missing(Module(store, THROWING))  # which replaces functions only
    with pytest.raises(wamr.LinkError, match=r"env\.failed is missing: it is a tag \(i32\)"):
        linker.instantiate(Module(store, THROWING))
    linker.define("env", "failed", Tag(store, TagType([ValType.I64])))
    with pytest.raises(
        wamr.LinkError, match=r"env\.failed must be a tag \(i32\), not a tag \(i64\)"
    ):
        linker.instantiate(Module(store, THROWING))


def test_missing_functions_become_traps() -> None:
    store = Store()
    text = """(module (import "env" "gone" (func $gone (param i32) (result f64)))
      (import "env" "twice" (func $f (param i32) (result i32)))
      (func (export "bad") (result f64) (call $gone (i32.const 1)))
      (func (export "good") (result i32) (call $f (i32.const 4))))"""
    module = Module(store, text)
    linker = Linker(store)
    linker.define("env", "twice", double)
    with pytest.raises(wamr.LinkError, match=r"env\.gone"):
        linker.instantiate(module)
    linker.trap_missing(module)
    exports = linker.instantiate(module).exports
    assert exports.good() == 8
    with pytest.raises(wamr.Trap, match=r"env\.gone is not defined"):
        exports.bad()
    for bad in (None, "x"):
        with pytest.raises(TypeError):
            linker.trap_missing(bad)  # type: ignore[arg-type]


def test_missing_memories_stay_errors() -> None:
    store = Store()
    module = Module(store, '(module (import "env" "m" (memory 1)))')
    linker = Linker(store)
    linker.trap_missing(module)
    with pytest.raises(wamr.LinkError, match=r"env\.m"):
        linker.instantiate(module)


def test_globals_go_through() -> None:
    store = Store()
    linker = Linker(store)
    linker.define("env", "g", Global(store, GlobalType(ValType.I32, mutable=True), 5))
    text = """(module (import "env" "g" (global $g (mut i32)))
      (func (export "up") (global.set $g (i32.add (global.get $g) (i32.const 1)))))"""
    module = Module(store, text)
    linker.instantiate(module).exports.up()
    linker.instantiate(module).exports.up()
    counter = linker.get("env", "g")
    assert isinstance(counter, Global)
    assert counter.value == 7


WASI = """(module (import "wasi_snapshot_preview1" "random_get"
    (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32) (call $random (i32.const 0) (i32.const 8))))"""


def test_define_wasi_meets_wasi() -> None:
    store = Store()
    module = Module(store, WASI)
    linker = Linker(store)
    with pytest.raises(wamr.LinkError, match="WASI"):
        linker.instantiate(module)
    linker.define_wasi(wamr.WasiConfig())
    linker.trap_missing(module)
    assert linker.instantiate(module).exports.run() == 0
    for bad in (None, {}):
        with pytest.raises(TypeError):
            linker.define_wasi(bad)  # type: ignore[arg-type]


def test_without_wasi_its_functions_are_missing_like_others() -> None:
    store = Store()
    module = Module(store, WASI)
    linker = Linker(store)
    linker.trap_missing(module)
    with pytest.raises(wamr.Trap, match="random_get is not defined"):
        linker.instantiate(module).exports.run()


def test_repr_and_pickle() -> None:
    linker = Linker(Store())
    assert "of nothing" in repr(linker)
    linker.define("env", "f", double)
    assert repr(linker) == "<wamr.Linker env.f>"
    with pytest.raises(TypeError):
        pickle.dumps(linker)
