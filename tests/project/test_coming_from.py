"""docs/coming-from.md: the code of both columns runs, as far as the packages are installed."""

from __future__ import annotations

import ast
import ctypes
import re
from pathlib import Path
from typing import Any

import pytest
from needs import needs, needs_large

import wamr
import wamr.ffi

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
TEXT = """
(module
  (import "m" "n" (func $n (param i32)))
  (import "m" "memory" (memory 1))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "fail") unreachable))
"""
ALONE = """
(module (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1) (table (export "table") 4 funcref)
  (global (export "global") (mut i32) (i32.const 1))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop (br 0))) (func (export "fail") unreachable))
"""
PROGRAM = """
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 3))))
"""


def rows(heading: str) -> list[tuple[list[str], list[str]]]:
    """Return the pieces of code in both columns of a section's table, row by row."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)[1:]
    return [
        (re.findall(r"`([^`]+)`", left), re.findall(r"`([^`]+)`", right)) for left, right in found
    ]


def run(pieces: list[str], names: dict[str, Any]) -> None:
    """Run pieces of code: statements, or expressions, which may be names of attributes."""
    for piece in pieces:
        try:
            exec(compile(ast.parse(piece), piece, "exec"), names)
        except Exception as error:
            pytest.fail(f"{piece!r}: {type(error).__name__}: {error}")


def test_the_tables_are_found() -> None:
    assert [len(rows(name)) for name in ("wasmtime-py", "wasmer-python", "pywasm3")] == [18, 9, 5]
    assert len(rows("C, with wasm-c-api")) == 8


# ------------------------------------------------------------------ the left columns
@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wat: Any) -> Path:
    (tmp_path / "module.wasm").write_bytes(wat(ALONE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_wasmtime(files: Path) -> None:
    needs("wasmtime", "wat")
    import wasmtime as w

    config = w.Config()
    config.consume_fuel = True
    engine = w.Engine(config)
    store = w.Store(engine)
    store.set_fuel(10_000)
    func = w.Func(store, w.FuncType([w.ValType.i32()], []), lambda value: None)
    memory = w.Memory(store, w.MemoryType(w.Limits(1, 2)))
    instance = w.Instance(store, w.Module(engine, ALONE), [func])
    exports = instance.exports(store)
    with pytest.raises(w.Trap) as trap:
        exports["fail"](store)
    with pytest.raises(w.ExitTrap) as left:
        linker = w.Linker(engine)
        linker.define_wasi()
        store.set_wasi(w.WasiConfig())
        linker.instantiate(store, w.Module(engine, PROGRAM)).exports(store)["_start"](store)
    seen = []

    def look(caller: Any, value: int) -> None:
        seen.append(eval('caller["memory"]', {"caller": caller}))

    names = {
        **vars(w),
        "engine": engine,
        "store": store,
        "func": func,
        "memory": memory,
        "text_or_bytes": TEXT,
        "path": "module.wasm",
        "module": w.Module(engine, TEXT),
        "instance": instance,
        "callback": print,
        "ctypes": ctypes,
        "start": 0,
        "stop": 4,
        "data": b"data",
        "table": exports["table"],
        "f": func,
        "global_": exports["global"],
        "linker": w.Linker(engine),
        "item": func,
        "config": w.WasiConfig(),
        "guest": "/data",
        "n": 1 << 20,
        "text": TEXT,
        "access_caller": look,
    }
    skipped = set()
    for pieces, _ in rows("wasmtime-py"):
        for piece in pieces:
            if piece in {"Trap.message", "Trap.frames"}:
                assert getattr(trap.value, piece.partition(".")[2])
            elif piece == "ExitTrap.code":
                assert left.value.code == 3
            elif piece == "config.preopen_dir(path, guest)":
                run([piece], {**names, "path": str(files)})
            elif piece == "config.stdout_file = path":
                run([piece], {**names, "path": str(files / "out")})
            elif piece.startswith("Config."):
                assert hasattr(w.Config, piece.partition(".")[2])
            elif piece in {"access_caller=True", 'caller["memory"]'}:
                skipped.add(piece)  # the two are run together below
            else:
                run([piece.replace("…", "['name']")], names)
    assert len(skipped) == 2
    looks = w.Func(store, w.FuncType([w.ValType.i32()], []), look, access_caller=True)
    text = """(module (import "a" "b" (func $b (param i32))) (memory (export "memory") 1)
        (func (export "run") (call $b (i32.const 1))))"""
    w.Instance(store, w.Module(engine, text), [looks]).exports(store)["run"](store)
    assert isinstance(seen[0], w.Memory)


def test_pywasm3(wat: Any) -> None:
    needs_large("pywasm3", "bench")  # it has to be compiled
    from wasm3 import Environment

    seen: list[int] = []
    names = {"Environment": Environment, "stack_bytes": 65_536, "data": wat(ALONE)}
    names |= {"f": seen.append, "a": 0, "b": 4}
    for pieces, _ in rows("pywasm3"):
        run(pieces, names)
    assert eval('rt.find_function("add")(1, 2)', names) == 3


def test_wasmer(files: Path) -> None:
    needs_large("wasmer-compiler-cranelift", "bench")  # its newest wheels are for CPython 3.10
    import wasmer
    from wasmer_compiler_cranelift import Compiler

    store = wasmer.Store(wasmer.engine.JIT(Compiler))
    imports = wasmer.ImportObject()
    imports.register("env", {"log": wasmer.Function(store, lambda value: None, None)})
    data = (files / "module.wasm").read_bytes()
    text = """(module (import "env" "f" (func)) (memory (export "memory") 1)
        (func (export "add") (param i32 i32) (result i32) local.get 0))"""
    instance = wasmer.Instance(wasmer.Module(store, text), _with_f(wasmer, store))
    program = wasmer.Module(store, PROGRAM)
    names = {**vars(wasmer), "Compiler": Compiler, "store": store, "bytes": data, "f": lambda: None}
    names |= {"import_object": wasmer.ImportObject(), "instance": instance, "offset": 0, "pages": 1}
    names |= {"memory": instance.exports.memory, "path": str(files), "module": program}
    names["wasi_env"] = wasmer.wasi.StateBuilder("name").finalize()
    for pieces, _ in rows("wasmer-python"):
        run(
            [piece for piece in pieces if "…" not in piece and "ImportObject()" not in piece], names
        )


def _with_f(wasmer: Any, store: Any) -> Any:
    imports = wasmer.ImportObject()
    imports.register("env", {"f": wasmer.Function(store, lambda: None)})
    return imports


def test_c_functions_exist() -> None:
    for pieces, _ in rows("C, with wasm-c-api"):
        for name in re.findall(r"wasm_\w+", " ".join(pieces)):
            if not name.endswith("_"):
                assert hasattr(wamr.ffi, name), name


# ------------------------------------------------------------------ the right columns: wamr
def nothing(value: int) -> None:
    pass


def test_ours(files: Path) -> None:
    store = wamr.Store()
    instance = wamr.load("module.wasm", {"env": {"log": print}})
    exports = instance.exports
    names = {
        **{name: getattr(wamr, name) for name in wamr.__all__},
        "store": store,
        "engine": store.engine,
        "store_or_engine": store,
        "data": b"data",
        "source": ALONE,
        "callback": nothing,
        "exports": exports,
        "instance": instance,
        "inst": instance,
        "func": exports.add,
        "memory": exports.memory,
        "table": exports.table,
        "global_": exports["global"],
        "linker": wamr.Linker(store),
        "f": exports.add,
        "path": str(files),
        "guest": "/data",
        "n": 10**6,
        "seconds": 1.0,
        "file_or_callable": print,
        "offset": 0,
        "size": 8,
        "start": 0,
        "stop": 4,
        "a": 0,
        "b": 4,
        "config": wamr.WasiConfig(),
        "item": wamr.Func(store, None, nothing),
        "trap": wamr.Trap("text"),
        "args": (1, 2),
        "type": None,
        "stack_bytes": 65_536,
    }
    tried = []
    for heading in ("wasmtime-py", "wasmer-python", "pywasm3", "C, with wasm-c-api"):
        for _, pieces in rows(heading):
            for piece in pieces:
                first = re.split(r"[.(\[]", piece)[0]
                if "…" in piece or piece.startswith(("{", "access_caller", "caller.", '"i"')):
                    continue
                if first in {"Instance", "Module"} or piece in {"Trap", "RuntimeError"}:
                    continue  # with imports of their own: the examples of the page run
                if piece.startswith(("func(", "instance.exports.add", "inst.exports.add")):
                    assert eval(piece, names) == 3 or piece.endswith("(2, 3)")
                elif piece in {"Trap.message", "Trap.frames", "ExitTrap.exit_code"}:
                    assert hasattr(wamr.ExitTrap(1), piece.partition(".")[2])
                elif piece == "inst = wamr.load(data, imports)":
                    continue
                elif piece == "close()":
                    assert hasattr(wamr.Store, "close")
                elif piece in {"memory.grow(pages)", "callback"}:
                    continue
                else:
                    run([piece], {**names, "wamr": wamr})
                tried.append(piece)
    assert len(tried) > 25
