"""Uses that mypy refuses, and the exceptions that they raise at run time.

Each `type: ignore` stands for an error that mypy --strict must find: an unused comment is an error,
too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import wamr
from wamr import Func, FuncType, Global, Instance, Memory, Module, Store, Table, ValType

WAITS = """(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (i32.store (i32.const 4) (i32.const 9))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))"""
EMPTY = wamr.wat2wasm("(module)")


@contextmanager
def raises(*errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors:
        return
    raise AssertionError(f"none of {errors} was raised")


def test_names_that_there_are_not() -> None:
    with raises(AttributeError):
        wamr.Modul  # type: ignore[attr-defined]  # noqa: B018
    with raises(ImportError):
        from wamr import Memori  # type: ignore[attr-defined]  # noqa: F401
    with raises(ImportError):
        from wamr.types import i16  # type: ignore[attr-defined]  # noqa: F401


def test_arguments_of_a_wrong_kind() -> None:
    store = Store()
    with raises(TypeError):
        Store(5)  # type: ignore[arg-type]
    with raises(TypeError):
        Module(EMPTY)  # type: ignore[call-arg, arg-type]
    with raises(TypeError):
        Module(store, 5)  # type: ignore[arg-type]
    with raises(TypeError):
        Module(store, EMPTY, trusted=None)  # type: ignore[arg-type]
    with raises(TypeError):
        Instance(store, EMPTY)  # type: ignore[arg-type]
    with raises(TypeError):
        Instance(store, Module(store, EMPTY), 5)  # type: ignore[arg-type]
    with raises(TypeError):
        Instance(store, Module(store, EMPTY), wasi={})  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.load(EMPTY, limits=5)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.load(None)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.load(store)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.wat2wasm(None)  # type: ignore[arg-type]
    with raises(ValueError):
        wamr.Config(tier="jit")  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.ResourceLimits(timeout="1")  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.ResourceLimits(output_bytes="1")  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.WasiConfig(dirs={"/w": {"a": 5}})  # type: ignore[dict-item]
    with raises(TypeError):
        wamr.ResourceLimits(1)  # type: ignore[call-arg]


def test_types_of_a_wrong_kind() -> None:
    store = Store()
    with raises(TypeError):
        FuncType("i32")  # type: ignore[arg-type]
    with raises(TypeError):
        FuncType(["i32"])  # type: ignore[list-item]
    with raises(TypeError):
        wamr.MemoryType(1)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Limits("1")  # type: ignore[arg-type]
    with raises(TypeError):
        Memory(store, wamr.Limits(1))  # type: ignore[arg-type]
    with raises(TypeError):
        Table(store, ValType.FUNCREF)  # type: ignore[arg-type]
    with raises(TypeError):
        Global(store, ValType.I32, 1)  # type: ignore[arg-type]
    with raises(TypeError):
        Func(store, FuncType([]), 5)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Ref(5)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Val("i32", 5)  # type: ignore[arg-type]


def test_what_does_not_change() -> None:
    store = Store()
    with raises(AttributeError):
        wamr.ResourceLimits().is_null  # type: ignore[attr-defined]  # noqa: B018
    with raises(AttributeError):
        wamr.Val(ValType.I32, 1).value = 2  # type: ignore[misc]
    with raises(AttributeError):
        Module(store, EMPTY).name = "x"  # type: ignore[misc]
    with raises(AttributeError):
        Memory(store, wamr.MemoryType(wamr.Limits(1))).pages = 2  # type: ignore[misc]


def test_memory_and_calls() -> None:
    store = Store()
    memory = Memory(store, wamr.MemoryType(wamr.Limits(1)))
    with raises(TypeError):
        memory[0:2] = 5  # type: ignore[call-overload]
    with raises(TypeError):
        memory[0] = b"x"  # type: ignore[call-overload]
    with raises(TypeError):
        memory["x"]  # type: ignore[call-overload]
    with raises(TypeError):
        memory.write(0, "text")  # type: ignore[arg-type]
    with raises(AttributeError):
        memory[0].decode()  # type: ignore[attr-defined]
    func = Func(store, FuncType([]), lambda: None)
    with raises(TypeError):
        func.call(timeout="1")  # type: ignore[arg-type]
    with raises(TypeError):
        func.execution(slice="1")  # type: ignore[arg-type]
    with raises(TypeError):
        func.call(seconds=1)  # type: ignore[call-arg]
    with raises(TypeError):
        func(seconds=1)  # type: ignore[call-arg]


def test_sessions_and_programs() -> None:
    with wamr.Session([WAITS]) as session:
        with raises(TypeError):
            session.feed(None)  # type: ignore[arg-type]
        with raises(TypeError):
            session.feed(b"", timeout="1")  # type: ignore[arg-type]
        with raises(AttributeError):
            session.returncode = 3  # type: ignore[misc]
        with raises(TypeError):
            session.feed(b"", 3)  # type: ignore[call-arg]
    with raises(TypeError):
        wamr.Session(None)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Session([WAITS], input=b"")  # type: ignore[call-arg]
    with raises(TypeError):
        wamr.Program([WAITS], on_restore=3)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Program([WAITS]).run(input=b"", timeout="1")  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Program.from_session(None)  # type: ignore[arg-type]


def test_tags_and_exceptions() -> None:
    store = Store()
    with raises(TypeError):
        wamr.TagType(ValType.I32)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.TagType(["i32"])  # type: ignore[list-item]
    with raises(TypeError):
        wamr.Tag(store, FuncType([]))  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.Tag(store)  # type: ignore[call-arg]
    tag = wamr.Tag(store, wamr.TagType())
    with raises(AttributeError):
        tag.type = wamr.TagType()  # type: ignore[misc]
    with raises(TypeError):
        wamr.WasmException(tag.type)  # type: ignore[arg-type]
    with raises(TypeError):
        wamr.WasmException()  # type: ignore[call-arg]
    with raises(AttributeError):
        wamr.WasmException(tag).values = ()  # type: ignore[misc]
    with raises(AttributeError):
        wamr.WasmException(tag).code  # type: ignore[attr-defined]  # noqa: B018


def test_linking() -> None:
    linker = wamr.Linker(wamr.Engine())
    with raises(TypeError):
        linker.define("a", "b", 5)  # type: ignore[arg-type]
    with raises(TypeError):
        linker.define("a", 5, print)  # type: ignore[arg-type]
    with raises(TypeError):
        linker.define_instance("a", {})  # type: ignore[arg-type]
    with raises(TypeError):
        linker.instantiate(EMPTY, store=Store(linker.engine))  # type: ignore[arg-type]
