"""Modules: their sources, their descriptions, and malformed bytes."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from collecting import collect_until
from hypothesis import given, settings
from hypothesis import strategies as st

import wamr
from wamr import (
    CompileError,
    Engine,
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Instance,
    Limits,
    LinkError,
    MemoryType,
    Module,
    Store,
    TableType,
    Trap,
    UnavailableError,
    ValType,
    wat2wasm,
)
from wamr._runtime.engine import default_engine

ADD = """(module $adder (func $sum (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))"""
TYPES = """(module
    (import "a" "f" (func (param i32 i64) (result f32 f64)))
    (import "a" "g" (global (mut v128)))
    (import "b" "m" (memory 1 7))
    (import "b" "t" (table 3 externref))
    (import "a" "g" (global i64))
    (func (export "z") (param externref funcref))
    (export "f" (func 0)) (export "mem" (memory 0)) (export "tab" (table 0))
    (table (export "own") 2 5 funcref) (global (export "c") f32 (f32.const 1)))"""
HEADER = b"\0asm\1\0\0\0"


def section(name: bytes, content: bytes) -> bytes:
    body = bytes([len(name)]) + name + content
    return b"\0" + bytes([len(body)]) + body


REWRITTEN = """(module (global $g (mut i64) (i64.const 1))
    (func (param i64) (result i64)
        (drop (local.get 0))
        (block (result i64) (loop (if (i32.const 0) (then (br 1)))) (global.get $g))
        (global.set $g)
        (select (local.get 0) (global.get $g) (i32.const 1)))
    (data "abc"))"""  # what WAMR's classic interpreter would write to


# ------------------------------------------------------------------ sources
def test_loading_changes_no_bytes():
    for data in (wat2wasm(REWRITTEN), wat2wasm(TYPES), wat2wasm(ADD)):
        before = bytes(bytearray(data))
        Module(Engine(), data)
        assert data == before


def test_made_from_path_bytes_and_text(store, tmp_path):
    data = wat2wasm(ADD)
    path = tmp_path / "add.wasm"
    path.write_bytes(data)
    text = tmp_path / "add.wat"
    text.write_text(ADD, encoding="utf-8")
    sources = [ADD, ADD.encode(), data, bytearray(data), memoryview(data), str(path), path, text]
    for source in sources:
        module = Module(store, source)
        assert Instance(store, module).exports.add(2, 3) == 5
        assert module.serialize() == data


def test_later_changes_of_the_source_change_nothing(store):
    data = bytearray(wat2wasm(ADD))
    module = Module(store, data)
    data[:] = bytes(len(data))
    assert Instance(store, module).exports.add(2, 3) == 5


def test_made_for_a_store_or_an_engine(store):
    assert Module(store, ADD).engine is store.engine
    engine = Engine()
    assert Module(engine, ADD).engine is engine


def test_path_that_is_not_there(store, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.wasm"):
        Module(store, str(tmp_path / "none.wasm"))
    with pytest.raises(IsADirectoryError):
        Module(store, tmp_path)


@pytest.mark.parametrize("source", [None, 5, 1.5, ["x"], Module, Path])
def test_source_of_a_wrong_kind(store, source):
    with pytest.raises(TypeError, match=f"source must be .* not {type(source).__name__}"):
        Module(store, source)


@pytest.mark.parametrize("place", [None, 5, "store", Store, Engine])
def test_store_of_a_wrong_kind(place):
    with pytest.raises(TypeError, match=f"store must be a Store .* not {type(place).__name__}"):
        Module(place, ADD)


def test_a_module_is_no_store(store):
    with pytest.raises(TypeError, match="store must be a Store or an Engine, not Module"):
        Module(Module(store, ADD), ADD)


# ------------------------------------------------------------------ bad code
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\0as", "it ends after 3 bytes"),
        (HEADER[:6], "unexpected end"),
        (b"\0asm\2\0\0\0", "unknown binary version"),
        (b"hello", "begins with b'hello'"),
        (b"\x7fELF\2\1\1", "ELF"),
        (b"\0aot" + bytes(40), "AOT code"),
        (HEADER + b"\1", "unexpected end"),
        (HEADER + b"\x7f\1\0", "invalid section id"),
        ("(module (func (result i32)))", "type mismatch"),
        ('(module (export "f" (func 3)))', "unknown func"),
    ],
)
def test_bad_code_is_a_compile_error_that_says_why(store, data, reason):
    with pytest.raises(CompileError, match=reason) as caught:
        Module(store, data)
    assert isinstance(caught.value, ValueError)
    assert "WASM module load failed" not in str(caught.value)
    assert not Module.validate(store, data)


AOT = b"\0aot\5\0\0\0" + bytes(40)


def test_aot_code_has_to_be_trusted_and_is_unavailable_then(store, tmp_path):
    path = tmp_path / "code.aot"
    path.write_bytes(AOT)
    for source in (AOT, bytearray(AOT), path, str(path)):
        with pytest.raises(CompileError, match=r"AOT code, .* only trusted=True takes it"):
            Module(store, source)
        with pytest.raises(
            UnavailableError, match=r'"aot" is not in wamr\.FEATURES\); give the wasm'
        ):
            Module(store, source, trusted=True)
    assert "aot" not in wamr.FEATURES
    assert not Module.validate(store, AOT)
    with pytest.raises(CompileError, match="AOT code"):
        Module.deserialize(store, AOT)


def test_trust_changes_nothing_for_wasm(store):
    assert Module(store, HEADER, trusted=True).exports == ()
    with pytest.raises(CompileError, match="invalid section id"):
        Module(store, HEADER + b"\x7f\1\0", trusted=True)


@pytest.mark.parametrize("trusted", [None, 1, "yes"])
def test_trust_is_a_bool(store, trusted):
    with pytest.raises(TypeError, match=f"trusted must be a bool, not {type(trusted).__name__}"):
        Module(store, AOT, trusted=trusted)


def test_every_truncation_is_refused_or_a_module(store):
    data = wat2wasm(TYPES)
    whole = 0
    for end in range(len(data)):
        try:
            module = Module(store, data[:end])
        except CompileError:
            continue
        described(module)
        whole += 1
    assert whole < 12  # it may end after a section


def described(module):
    return module.name, module.imports, module.exports, repr(module), module.custom_section("x")


@settings(max_examples=300)
@given(st.data())
def test_flipped_bits_are_refused_or_a_module(data):
    binary = bytearray(wat2wasm(TYPES if data.draw(st.booleans()) else ADD))
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(64, len(binary) * 8 - 1))
        binary[bit // 8] ^= 1 << bit % 8
    store = Store()
    try:
        module = Module(store, bytes(binary))
    except CompileError:
        return
    described(module)
    try:
        instance = Instance(store, module)
    except (LinkError, Trap, MemoryError):
        return
    assert list(instance.exports) == [export.name for export in module.exports]


@given(st.binary(max_size=60))
def test_random_bytes_behind_the_header(data):
    try:
        module = Module(default_engine(), HEADER + data)
    except CompileError:
        return
    described(module)


def test_validate_tells_and_raises_for_what_is_no_code(store, tmp_path):
    assert Module.validate(store, ADD)
    assert Module.validate(store.engine, wat2wasm(ADD))
    assert not Module.validate(store, "(module (func (result i32)))")
    assert not Module.validate(store, "(modul)")
    with pytest.raises(FileNotFoundError):
        Module.validate(store, tmp_path / "none.wasm")
    with pytest.raises(TypeError, match="source must be"):
        Module.validate(store, None)
    with pytest.raises(TypeError, match="store must be"):
        Module.validate(None, ADD)


# ------------------------------------------------------------------ descriptions
def test_imports_and_exports_in_the_modules_order(store):
    module = Module(store, TYPES)
    i32, i64, f32, f64 = ValType.I32, ValType.I64, ValType.F32, ValType.F64
    f = FuncType([i32, i64], [f32, f64])
    memory, table = MemoryType(Limits(1, 7)), TableType(ValType.EXTERNREF, Limits(3))
    assert module.imports == (
        ImportType("a", "f", f),
        ImportType("a", "g", GlobalType(ValType.V128, mutable=True)),
        ImportType("b", "m", memory),
        ImportType("b", "t", table),
        ImportType("a", "g", GlobalType(i64)),
    )
    assert module.exports == (
        ExportType("z", FuncType([ValType.EXTERNREF, ValType.FUNCREF])),
        ExportType("f", f),
        ExportType("mem", memory),
        ExportType("tab", table),
        ExportType("own", TableType(ValType.FUNCREF, Limits(2, 5))),
        ExportType("c", GlobalType(f32)),
    )
    assert module.imports is module.imports
    assert module.exports is module.exports


def test_an_empty_module(store):
    module = Module(store, "(module)")
    assert (module.imports, module.exports, module.name) == ((), (), None)
    assert repr(module) == "<wamr.Module, 0 imports, 0 exports>"


def test_name_comes_from_the_name_section(store):
    assert Module(store, ADD).name == "adder"
    assert repr(Module(store, ADD)) == "<wamr.Module 'adder', 0 imports, 1 exports>"
    assert Module(store, '(module $"Grüße 🎉")').name == "Grüße 🎉"


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\1", b"\0\5\x7fab", b"\0\x80", b"\1\0"])
def test_a_broken_name_section_gives_no_name(store, content):
    module = Module(store, HEADER + section(b"name", content))
    assert module.name is None
    assert repr(module) == "<wamr.Module, 0 imports, 0 exports>"


def test_names_may_be_any_text(store):
    names = ["", " ", "a b", "ä", "日本", "🎉", 'q"q', "new\nline"]
    quoted = [name.replace("\n", "\\n").replace('"', '\\"') for name in names]
    module = Module(
        store, "(module (func) " + "".join(f'(export "{n}" (func 0))' for n in quoted) + ")"
    )
    assert [export.name for export in module.exports] == names
    exports = Instance(store, module).exports
    for name in names:
        assert exports[name].name == name
        assert exports[name]() is None


def test_custom_sections(store):
    data = HEADER + section(b"one", b"\1\2\3") + section(b"two", b"") + section(b"one", b"later")
    module = Module(store, data)
    assert module.custom_section("one") == b"\1\2\3"
    assert module.custom_section("two") == b""
    assert module.custom_section("three") is None
    assert Module(store, ADD).custom_section("name").startswith(b"\0")


@pytest.mark.parametrize("name", [None, b"one", 1])
def test_custom_section_of_a_wrong_kind(store, name):
    with pytest.raises(TypeError, match=f"name must be a str, not {type(name).__name__}"):
        Module(store, ADD).custom_section(name)


# ------------------------------------------------------------------ serialized, pickled, copied
def test_serialize_and_deserialize(store):
    data = Module(store, ADD).serialize()
    assert type(data) is bytes
    again = Module.deserialize(Engine(), data)
    assert again.serialize() == data
    assert again.exports == Module(store, ADD).exports


@pytest.mark.parametrize("data", [None, 5, "text"])
def test_deserialize_of_a_wrong_kind(store, data):
    with pytest.raises(TypeError, match=f"data must be bytes, not {type(data).__name__}"):
        Module.deserialize(store, data)


def test_deserialize_of_bad_bytes(store):
    with pytest.raises(CompileError):
        Module.deserialize(store, b"nonsense")


def test_copies_are_the_module_itself(store):
    module = Module(store, ADD)
    assert copy.copy(module) is module
    assert copy.deepcopy([module])[0] is module


def test_pickled_it_comes_back_for_the_default_engine():
    module = Module(Engine(), ADD)
    again = pickle.loads(pickle.dumps(module))
    assert again.engine is default_engine()
    assert Instance(Store(), again).exports.add(20, 22) == 42


def test_pickled_into_another_process(store):
    data = pickle.dumps(Module(store, ADD))
    code = (
        "import pickle, sys, wamr\n"
        "module = pickle.load(sys.stdin.buffer)\n"
        "print(wamr.Instance(wamr.Store(), module).exports.add(2, 3))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout.split() == [b"5"]


# ------------------------------------------------------------------ life
def test_an_instance_keeps_its_module_alive(store):
    instance = Instance(store, Module(store, ADD))
    gc.collect()
    assert instance.module.name == "adder"
    gone = weakref.ref(instance.module)
    assert instance.exports.add(1, 1) == 2
    del instance
    assert collect_until(lambda: gone() is None)


def test_one_module_in_many_threads():
    engine = Engine()
    module = Module(engine, ADD)

    def work(n):
        return sum(Instance(Store(engine), module).exports.add(n, i) for i in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [50 * n + 1225 for n in range(16)]


def test_modules_are_made_in_many_threads_at_once():
    engine = Engine()

    def work(n):
        text = f'(module (func (export "f") (result i32) (i32.const {n})))'
        return Instance(Store(engine), Module(engine, text)).exports.f()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(100))) == list(range(100))


def test_exports_that_begin_where_a_type_ends_are_not_taken_for_others():
    """Descriptions of exports are cached by type and name."""
    text = '(module (func (export "\\7f") (result i32 i32) unreachable))'
    other = '(module (func (export "\\7f\\7f") (result i32) unreachable))'
    for _ in range(2):
        for source, name, results in ((text, "\x7f", 2), (other, "\x7f\x7f", 1)):
            (export,) = Module(Engine(), source).exports
            assert (export.name, len(export.type.results)) == (name, results)
