"""Call paths go one way: down to C, and never back to a package that they have left.

Each test makes one call of the public API and looks at the Python stack at every call of our C: the
packages on it, from the caller to C, must be different ones.
"""

import gc
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import wamr

ROOT = Path(wamr.__file__).parent


@contextmanager
def recorded_paths():
    """Record the packages on the stack at each call of our C, without the garbage collector's."""
    paths = {}

    def profile(frame, event, function):
        name = getattr(function, "__name__", "")
        if event != "c_call" or not name.startswith("wpy_"):
            return
        packages = []
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(ROOT):
                package = file.relative_to(ROOT).parts[0].removesuffix(".py")
                if not packages or packages[-1] != package:
                    packages.append(package)
            frame = frame.f_back
        paths.setdefault(tuple(reversed(packages)), set()).add(name)

    gc.collect()
    gc.disable()
    sys.setprofile(profile)
    try:
        yield paths
    finally:
        sys.setprofile(None)
        gc.enable()


def check(paths, function):
    """Check that no path returns, and that `function` was called."""
    for path, names in paths.items():
        print(" -> ".join(path), "->", ", ".join(sorted(names)))
        assert len({*path}) == len(path), f"{' -> '.join(path)} returns to a package it has left"
    assert any(function in names for names in paths.values()), f"{function} was not called"


@pytest.fixture
def binary(wat):
    return wat(
        """(module
          (import "env" "f" (func $f (param i32) (result i32)))
          (import "env" "memory" (memory 1))
          (import "env" "global" (global i32))
          (import "env" "table" (table 1 funcref))
          (func (export "call") (param i32) (result i32) (call $f (local.get 0)))
          (func (export "take") (param i32 f32 v128 externref funcref)))"""
    )


@pytest.fixture
def command(wat):
    return wat(
        """(module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00")
          (data (i32.const 16) "hi\\n")
          (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    )


def imports_for(store):
    return {
        "f": wamr.Func(store, wamr.FuncType.parse("(i32) -> i32"), lambda x: x),
        "memory": wamr.Memory(store, wamr.MemoryType(wamr.Limits(1))),
        "global": wamr.Global(store, wamr.GlobalType(wamr.ValType.I32), 1),
        "table": wamr.Table(store, wamr.TableType(wamr.ValType.FUNCREF, wamr.Limits(1))),
    }


@pytest.mark.parametrize("kind", ["bytes", "path", "text"])
def test_the_source_of_load(kind, tmp_path, wat):
    text = "(module)"
    source = wat(text) if kind == "bytes" else text
    if kind == "path":
        source = tmp_path / "module.wasm"
        source.write_bytes(wat(text))
    with recorded_paths() as paths:
        wamr.load(source)
    check(paths, "wpy_module_new")


@pytest.mark.parametrize("kind", ["mapping", "sequence", "instance", "callable"])
def test_an_import_of_an_instance(kind, binary, wat):
    store = wamr.Store()
    items = imports_for(store)
    if kind == "callable":
        items["f"] = lambda x: x
    imports = [*items.values()] if kind == "sequence" else {"env": items}
    module = wamr.Module(store, binary)
    if kind == "instance":
        exporter = """(module (memory (export "memory") 1)
          (global (export "global") i32 (i32.const 1))
          (table (export "table") 1 funcref)
          (func (export "f") (param i32) (result i32) (local.get 0)))"""
        imports = {"env": wamr.Instance(store, wamr.Module(store, wat(exporter)))}
    with recorded_paths() as paths:
        wamr.Instance(store, module, imports)
    check(paths, "wpy_instance_new")


def test_the_arguments_of_a_call(binary):
    store = wamr.Store()
    inst = wamr.Instance(store, wamr.Module(store, binary), {"env": imports_for(store)})
    val = wamr.Val.from_bits(wamr.ValType.F32, 0x7FA00001)
    foreign = wamr.Foreign(store, object())
    func = wamr.Func(store, wamr.FuncType.parse("() -> ()"), lambda: None)
    with recorded_paths() as paths:
        inst.exports.take.call(1, val, bytes(16), foreign, func, timeout=10)
        inst.exports.take(wamr.Val(wamr.ValType.I32, 1), 1.5, bytes(16), None, inst.exports.call)
    check(paths, "wpy_call_cells")


def test_the_dirs_of_a_wasi_config(tmp_path, command):
    store = wamr.Store()
    module = wamr.Module(store, command)
    with recorded_paths() as paths:
        wasi = wamr.WasiConfig(dirs={"/": tmp_path})
        wamr.Instance(store, module, wasi=wasi)
    check(paths, "wpy_wasi_dir")


def test_the_arguments_of_run(tmp_path, command):
    program = tmp_path / "program.wasm"
    program.write_bytes(command)
    with recorded_paths() as paths:
        done = wamr.run([program, "an argument"], env={"A": "b"}, capture_output=True, text=True)
    assert done.stdout == "hi\n"
    check(paths, "wpy_wasi_new")


def test_a_path_that_returns_is_found():
    paths = {("_wasi", "_runtime", "_wasi"): {"wpy_wasi_new"}}
    with pytest.raises(AssertionError, match="_wasi -> _runtime -> _wasi returns"):
        check(paths, "wpy_wasi_new")
