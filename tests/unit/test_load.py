"""`load` compiles and instantiates a module in one call."""

import pytest

from wamr import (
    CompileError,
    Config,
    Engine,
    Func,
    FuncType,
    Instance,
    Linker,
    LinkError,
    Module,
    ResourceLimits,
    Store,
    TimeoutTrap,
    Trap,
    WasiConfig,
    load,
    run,
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


def test_from_a_module():
    engine = Engine(Config(stack_bytes=1 << 17))
    module = Module(engine, ADD)
    first, second = load(module), load(module, limits=ResourceLimits(fuel=1000))
    assert first.module is second.module is module
    assert first.store is not second.store
    assert first.store.engine is second.store.engine is engine
    assert first.exports.add(2, 3) == second.exports.add(2, 3) == 5
    assert second.fuel < 1000
    with Store(engine) as store:
        made_there = Module(store, ADD)
    assert load(made_there).exports.add(2, 3) == 5  # a module outlives the store it was made with


def test_from_a_module_with_imports_and_wasi():
    seen = []
    load(Module(Engine(), CALLS), {"m": {"f": seen.append}}).exports.run()
    assert seen == [7]
    with pytest.raises(LinkError, match=r"m\.f is missing"):
        load(Module(Engine(), CALLS))
    with pytest.raises(ValueError, match="another store"):
        func = Func(Store(), FuncType.parse("(i32) -> ()"), seen.append)
        load(Module(Engine(), CALLS), {"m": {"f": func}})


def test_from_a_module_in_another_process():
    import pickle

    module = pickle.loads(pickle.dumps(Module(Engine(), ADD)))
    assert load(module).exports.add(2, 3) == 5


@pytest.mark.parametrize("bad", [None, 3, Module, Store, [], object()])
def test_what_is_neither_source_nor_module(bad):
    with pytest.raises(TypeError, match="source must be a path, the bytes of a module"):
        load(bad)


def test_where_only_a_module_will_do_the_message_says_how_to_make_one(store):
    linker = Linker(store)
    for source in (ADD, wat2wasm(ADD), "add.wasm", None):
        for take in (lambda x: Instance(store, x), linker.instantiate):
            with pytest.raises(
                TypeError, match=r"must be a Module, not .*; Module\(store, source\)"
            ):
                take(source)
    with pytest.raises(TypeError, match=r"wamr.Module\(wamr.Engine\(\), data\) makes one of bytes"):
        run([wat2wasm(ADD)])


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
