"""`load`: the one call for the common case."""

import pytest

from wamr import (
    CompileError,
    Instance,
    LinkError,
    ResourceLimits,
    TimeoutTrap,
    Trap,
    WasiConfig,
    load,
    wat2wasm,
)

ADD = """(module (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))"""
CALLS = '(module (import "m" "f" (func (param i32))) (func (export "run") (call 0 (i32.const 7))))'


def test_from_text_bytes_and_path(tmp_path):
    path = tmp_path / "add.wasm"
    path.write_bytes(wat2wasm(ADD))
    for source in (ADD, ADD.encode(), wat2wasm(ADD), bytearray(wat2wasm(ADD)), path, str(path)):
        instance = load(source)
        assert isinstance(instance, Instance)
        assert instance.exports.add(2, 3) == 5


def test_each_in_a_store_of_its_own():
    assert load(ADD).store is not load(ADD).store


def test_imports_as_mapping_and_sequence():
    seen = []
    load(CALLS, {"m": {"f": seen.append}}).exports.run()
    load(CALLS, [seen.append]).exports.run()
    load(CALLS, imports=[seen.append]).exports.run()
    assert seen == [7, 7, 7]


def test_limits():
    forever = '(module (func (export "run") (loop (br 0))))'
    with pytest.raises(TimeoutTrap):
        load(forever, limits=ResourceLimits(timeout=0.01)).exports.run()
    assert load(ADD, limits=ResourceLimits(fuel=10)).fuel == 10


def test_wasi():
    text = """(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1) (func (export "run") (call 0 (i32.const 3))))"""
    with pytest.raises(Trap) as caught:
        load(text, wasi=WasiConfig()).exports.run()
    assert caught.value.exit_code == 3
    with pytest.raises(LinkError, match=r"proc_exit is WASI's: give the instance a `wasi="):
        load(text)


def test_bad_sources(tmp_path):
    with pytest.raises(TypeError, match="source must be"):
        load(None)
    with pytest.raises(FileNotFoundError):
        load("there-is-no-such.wasm")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    empty = tmp_path / "empty.wasm"
    empty.touch()
    with pytest.raises(CompileError, match="it is empty"):
        load(empty)
    with pytest.raises(CompileError, match="line 1, column 10"):
        load("(module (fun))")


def test_bad_options():
    with pytest.raises(TypeError, match="imports must be"):
        load(ADD, 5)
    with pytest.raises(TypeError, match="wasi must be a WasiConfig or None, not int"):
        load(ADD, wasi=5)
    with pytest.raises(TypeError, match="limits must be"):
        load(ADD, limits=5)
    with pytest.raises(TypeError):
        load(ADD, None, None)
    with pytest.raises(LinkError, match=r"import m\.f is missing"):
        load(CALLS)
