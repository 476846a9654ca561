"""Typed code as users write it: it runs here, and mypy --strict finds no error.

`assert_type` states the type of an expression for type checkers; at run time it returns the value.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import wamr
from wamr import Func, FuncType, Global, Instance, Memory, Module, Store, Table, ValType

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value, _):
        return value


ALL = """(module
    (import "env" "log" (func $log (param i32)))
    (memory (export "memory") 1 4) (table (export "table") 2 8 funcref)
    (global (export "counter") (mut i32) (i32.const 5))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "run") (call $log (i32.const 7)))
    (func (export "trap") unreachable))"""
WAITS = """(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (i32.store (i32.const 4) (i32.const 9))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))"""
HELLO = """(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "\\08\\00\\00\\00\\03\\00\\00\\00")
    (data (i32.const 8) "hi\\n")
    (func (export "_start") (drop (call $write
        (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))))"""


def loaded(source: wamr.Source = ALL) -> tuple[Instance, list[int]]:
    seen: list[int] = []

    def log(value: int) -> None:
        seen.append(value)

    return wamr.load(source, {"env": {"log": log}}), seen


def test_loading_and_calling() -> None:
    instance, seen = loaded()
    assert_type(instance, Instance)
    assert_type(instance.exports, wamr.Exports)
    assert_type(instance.fuel, "int | None")
    for folder in instance.files.values():
        folder["name"] = folder.pop("other", b"")
    instance.exports.run()
    total: int = instance.exports.add(2, 3)
    assert (total, seen) == (5, [7])
    for name, item in instance.exports.items():
        assert_type(name, str)
        assert_type(item, "Func | Global | Table | Memory | wamr.Tag")
        assert_type(item.type, "wamr.ExternType")
        assert_type(item.store, Store)
    with instance as same:
        assert_type(same, Instance)


def test_sources_of_every_kind(tmp_path: Path) -> None:
    data = assert_type(wamr.wat2wasm("(module)"), bytes)
    path = tmp_path / "a.wasm"
    path.write_bytes(data)
    sources: list[wamr.Source] = [path, str(path), data, bytearray(data), memoryview(data)]
    store = Store(wamr.Engine(wamr.Config(stack_bytes=1 << 16, tier="interpreter")))
    for source in sources:
        module = Module(store, source)
        assert_type(module.name, "str | None")
        assert_type(module.imports, tuple[wamr.ImportType, ...])
        assert_type(module.exports, tuple[wamr.ExportType, ...])
        assert_type(module.custom_section("x"), "bytes | None")
        assert_type(module.serialize(), bytes)
        assert_type(Module.validate(store.engine, source), bool)
        assert_type(Module.deserialize(store, module.serialize()), Module)
        assert_type(wamr.load(source), Instance)
        assert_type(wamr.load(module), Instance)
    with store as same:
        assert_type(same, Store)


def test_imports_of_every_kind() -> None:
    store = Store()
    module = Module(store, '(module (import "env" "log" (func (param i32))))')
    func = Func(store, FuncType([ValType.I32]), print)
    plain: Callable[[int], None] = print
    other = Instance(store, Module(store, '(module (func (export "log") (param i32)))'))
    choices: list[wamr.Imports] = [
        [func],
        (plain,),
        {"env": {"log": func}},
        {"env": {"log": plain}},
        {"env": other},
        {"env": other.exports},
    ]
    for imports in choices:
        assert_type(Instance(store, module, imports), Instance)


def test_sessions_and_programs() -> None:
    program = wamr.Program([WAITS], timeout=60, env={"A": "b"}, on_restore=b"n")
    assert_type(program.run(input=b"", stdout=subprocess.PIPE), wamr.CompletedProcess)
    session = program.session(text=True)
    assert_type(session, wamr.Session)
    assert_type(session.waiting, 'Literal["stdin", "sleep"] | None')
    assert_type(session.returncode, "int | None")
    assert_type(session.snapshot(), wamr.Snapshot)
    with wamr.Program.from_session(session) as copied:
        assert_type(copied, wamr.Program)
    assert_type(session.feed("n", timeout=60.0), Any)
    assert_type(session.end(), wamr.CompletedProcess)

    async def later() -> None:
        async with wamr.Session([WAITS], stdout=subprocess.DEVNULL) as session:
            await session.feed_async(b"n", slice=0.01)
            assert_type(await session.end_async(), wamr.CompletedProcess)
        await program.run_async(input=b"", capture_output=True)
        done = await wamr.run_async([WAITS], input=b"", capture_output=True)
        assert_type(done, wamr.CompletedProcess)

    asyncio.run(later())


def test_functions() -> None:
    store = Store()

    def scale(x: wamr.f32, by: wamr.i64) -> wamr.f32:
        return x * by

    func = Func(store, None, scale)
    assert_type(func.type, FuncType)
    assert_type(func.type.params, tuple[ValType, ...])
    assert_type(func.name, "str | None")
    assert_type(func(1.5, 2), Any)
    assert_type(func.callable, Callable[..., Any])
    assert func.call(1.5, 2, timeout=1) == 3.0
    assert_type(FuncType.parse("(i32) -> i32"), FuncType)
    execution = func.execution(1.5, 2, timeout=1, fuel=10, slice=0.5, slice_fuel=100)
    assert_type(execution, wamr.Execution)
    assert_type(execution.state, Literal["new", "running", "suspended", "done"])
    assert_type(execution.func, Func)

    def driven() -> Generator[wamr.Event, Any, Any]:
        return (yield from execution)

    assert_type(next(func.execution(1.5, 2), None), "wamr.Event | None")
    with suppress(StopIteration):
        assert_type(execution.send(None), wamr.Event)
        assert_type(execution.send(None).host, "Func | None")
    assert list(driven()) == []

    async def later() -> object:
        return await func.call_async(1.5, 2, timeout=1.0, slice=0.005)

    assert asyncio.run(later()) == 3.0


def test_snapshots() -> None:
    store = Store()
    instance = Instance(store, Module(store, "(module (memory 1))"))
    snapshot = instance.snapshot()
    assert_type(snapshot, wamr.Snapshot)
    assert_type(snapshot.instantiate(store), "tuple[Instance, wamr.Execution | None]")
    assert_type(wamr.Snapshot(instance, None, on_restore=lambda made: made, keep=1).alive, int)
    assert_type(snapshot.memory_bytes + snapshot.image_bytes, int)
    assert_type(instance.reset(), "wamr.Execution | None")
    with suppress(wamr.SnapshotError), snapshot as same:
        assert_type(same, wamr.Snapshot)
        snapshot.close()
    try:
        snapshot.save("absent")
    except wamr.SnapshotError as error:
        assert_type(error.reason, str)


def test_memories() -> None:
    memory = Memory(Store(), wamr.MemoryType(wamr.Limits(1, 2)))
    memory[0] = 7
    memory[1:3] = b"ab"
    memory.write(3, bytearray(b"cd"))
    assert assert_type(memory[0], int) + 1 == 8
    assert assert_type(memory[1:5], bytes).decode() == "abcd"
    assert_type(memory.read(0, 4), bytes)
    assert_type(memory.view(0, 8, format="I"), memoryview)
    assert_type(memory.grow(1), int)
    assert_type(memory.pages, int)
    assert_type(memory.type.limits.max, "int | None")


THROWING = """(module (import "env" "fail" (func $fail (param i32)))
    (import "env" "failed" (tag $failed (param i32)))
    (export "own" (tag $failed))
    (func (export "run") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $failed $h) (call $fail (local.get 0))) (i32.const -1))))"""


def test_tags_and_exceptions() -> None:
    store = Store()
    kinds = wamr.TagType([ValType.I32])
    assert_type(kinds.params, tuple[ValType, ...])
    failed = wamr.Tag(store, kinds)
    assert_type(failed.type, wamr.TagType)
    exception = wamr.WasmException(failed, 5)
    assert_type(exception.tag, wamr.Tag)
    assert_type(exception.values, tuple[Any, ...])
    assert_type(exception.frames, tuple[wamr.Frame, ...])

    def fail(value: int) -> None:
        if value:
            raise wamr.WasmException(failed, value)

    items: dict[str, wamr.ImportItem] = {"fail": fail, "failed": failed}
    instance = Instance(store, Module(store, THROWING), {"env": items})
    assert [instance.exports.run(n) for n in (0, 7)] == [-1, 7]
    type_: wamr.ExternType = kinds
    assert wamr.ExportType("own", type_) == instance.module.exports[0]
    linker = wamr.Linker(store)
    linker.define("env", "failed", failed)
    assert_type(wamr.Ref(exception).value, "Func | wamr.Foreign | wamr.WasmException | None")
    references = wamr.Table(store, wamr.TableType(ValType.EXNREF, wamr.Limits(1)), exception)
    kept: wamr.exnref = references[0]
    assert kept is exception

    def passed(value: wamr.exnref) -> wamr.exnref:
        return value

    assert Func(store, None, passed)(exception) is exception


def test_tables_globals_and_values() -> None:
    store = Store()
    table = Table(store, wamr.TableType(ValType.EXTERNREF, wamr.Limits(1)), "x")
    assert_type(table.grow(1, None), int)
    assert_type(len(table), int)
    table[0] = {"any": "object"}
    counter = Global(store, wamr.GlobalType(ValType.I32, mutable=True), 1)
    counter.value += 1
    assert_type(counter.type.mutable, bool)
    val = wamr.Val.from_bits(ValType.F32, 0x7FA00001)
    assert_type(val, wamr.Val)
    assert_type(val.bits, int)
    ref = wamr.Ref(wamr.Foreign(store, []))
    assert_type(ref.value, "Func | wamr.Foreign | wamr.WasmException | None")
    assert_type(ref.is_null, bool)
    value: wamr.Value = val
    assert wamr.Val(ValType.F32, value) == val


def test_a_linker() -> None:
    linker = wamr.Linker(wamr.Engine())

    @linker.func("env", "log")
    def log(value: int) -> None:
        assert value == 7

    assert_type(log(7), None)
    assert_type(linker.get("env", "log"), "wamr.ImportItem")
    module = Module(linker.engine, ALL)
    linker.trap_missing(module)
    assert_type(linker.instantiate(module, store=Store(linker.engine)), Instance)


def test_errors() -> None:
    instance, _ = loaded()
    try:
        instance.exports.trap()
    except wamr.Trap as trap:
        assert_type(trap.code, wamr.TrapCode)
        assert_type(trap.frames, tuple[wamr.Frame, ...])
        assert_type(trap.frames[0].module_offset, "int | None")
        assert_type(trap.frames[0].instance, "Instance | None")
        assert_type(trap.frames[0].func_name, "str | None")
    try:
        wamr.wat2wasm("(")
    except wamr.CompileError as error:
        assert_type(error.line, "int | None")


def test_programs(tmp_path: Path) -> None:
    chunks: list[bytes] = []
    limits = wamr.ResourceLimits(timeout=10, fuel=10_000, output_bytes=100)
    wasi = wamr.WasiConfig(
        args=["x"], env={"A": "1"}, dirs={"/a": tmp_path, "/b": wamr.Dir(tmp_path, writable=True)}
    )
    assert_type(wamr.load(HELLO, wasi=wasi, limits=limits), Instance)
    done = wamr.run([Module(wamr.Engine(), HELLO)], stdout=chunks.append, limits=limits)
    assert_type(done, wamr.CompletedProcess)
    plain: subprocess.CompletedProcess[Any] = done
    assert plain.returncode == 0
    private = wamr.run([Module(wamr.Engine(), HELLO)], dirs={"/w": {"a": b"x", "b": {"c": "y"}}})
    assert private.files["/w"]["b/c"] == b"y"
    assert_type(done.returncode, int)
    assert chunks == [b"hi\n"]
    words: list[str] = []
    wamr.run([Module(wamr.Engine(), HELLO)], stdout=words.append, text=True)
    assert words == ["hi\n"]
    with (tmp_path / "out").open("w") as text, (tmp_path / "err").open("wb") as data:
        wamr.run([Module(wamr.Engine(), HELLO)], stdout=text, stderr=data)
    assert (tmp_path / "out").read_text() == "hi\n"
    source: wamr.Stdio = lambda size: "x" * size  # noqa: E731
    try:
        wamr.run([Module(wamr.Engine(), HELLO)], stdin=source, stdout=sys.stdout, check=True)
    except wamr.Trap as trap:
        assert_type(trap.stdout, Any)
        assert_type(trap.output, Any)
    assert_type(wamr.FEATURES, frozenset[str])
