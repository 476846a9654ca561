"""One test for each patch of a difference from the specification (cmake/patches/spec/).

Each fails without its patch: WAMR_WITHOUT_PATCH=name pip install -e ., then run it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

import wamr
import wamr.ffi as c
from wamr import Val, ValType

Wat = Callable[[str], bytes]

SECTIONS = "custom types imports functions tables memory globals exports start elements code data"
NUMBERS = {section: number for number, section in enumerate(SECTIONS.split())}
VOID = b"\x60\0\0"  # () -> ()
NOTHING = b"\2\0\x0b"  # the body of a function


def binary(**sections: bytes) -> bytes:
    """Return a module of these sections, all shorter than 128 bytes."""
    parts = [bytes([NUMBERS[name], len(body)]) + body for name, body in sections.items()]
    return b"\0asm\1\0\0\0" + b"".join(parts)


def vec(*items: bytes) -> bytes:
    return bytes([len(items)]) + b"".join(items)


def name(text: str) -> bytes:
    return vec(*[bytes([byte]) for byte in text.encode()])


def load(data: bytes) -> wamr.Module:
    return wamr.Module(wamr.Store(), data)


NUL_NAMES = binary(
    types=vec(VOID),
    imports=vec(name("m\0d") + name("\0") + b"\0\0"),
    functions=vec(b"\0"),
    exports=vec(name("e\0x") + b"\0\1", name("\0\0") + b"\0\0"),
    code=vec(NOTHING),
    custom=name("custom\0") + b"content",
)


def test_names_may_hold_nul() -> None:
    module = load(NUL_NAMES)
    assert [(item.module, item.name) for item in module.imports] == [("m\0d", "\0")]
    assert [item.name for item in module.exports] == ["e\0x", "\0\0"]
    assert module.custom_section("custom\0") == b"content"
    called: list[str] = []
    exports = wamr.load(NUL_NAMES, {"m\0d": {"\0": lambda: called.append("host")}}).exports
    exports["e\0x"]()
    assert called == []
    exports["\0\0"]()
    assert called == ["host"]


def test_names_that_differ_after_nul() -> None:
    def exporting(*names: str) -> bytes:
        exports = vec(*[name(text) + b"\0\0" for text in names])
        return binary(types=vec(VOID), functions=vec(b"\0"), exports=exports, code=vec(NOTHING))

    assert list(wamr.load(exporting("a", "a\0", "a\0b", "a\0c")).exports) == [
        *("a", "a\0", "a\0b", "a\0c")
    ]
    with pytest.raises(wamr.CompileError, match="duplicate export name"):
        load(exporting("a\0b", "a", "a\0b"))
    # An import whose name has one of WASI's names before its NUL is not WASI's.
    for module, field in (("wasi_snapshot_preview1\0", "proc_exit"), ("wasi_unstable", "x\0y")):
        imports = vec(name(module) + name(field) + b"\0\0")
        with pytest.raises(wamr.LinkError, match="is missing"):
            wamr.load(binary(types=vec(VOID), imports=imports), wasi=wamr.WasiConfig())


def test_name_of_a_function_with_nul() -> None:
    functions = vec(b"\0" + name("tr\0p"))
    data = binary(
        types=vec(VOID),
        functions=vec(b"\0"),
        exports=vec(name("go") + b"\0\0"),
        code=vec(b"\3\0\0\x0b"),
        custom=name("name") + bytes([1, len(functions)]) + functions,
    )
    with pytest.raises(wamr.Trap) as caught:
        wamr.load(data).exports.go()
    assert caught.value.frames[0].func_name == "tr\0p"


def test_names_with_nul_through_wasm_c_api() -> None:
    engine = c.wasm_engine_new()
    store = c.wasm_store_new(engine)
    module = c.wasm_module_new(store, c.wasm_byte_vec_from_bytes(NUL_NAMES))
    imports, exports = c.ffi.new("wasm_importtype_vec_t *"), c.ffi.new("wasm_exporttype_vec_t *")
    c.wasm_module_imports(module, imports)
    c.wasm_module_exports(module, exports)
    (imported,) = c.wasm_importtype_vec_to_list(imports)
    assert c.wasm_name_to_str(c.wasm_importtype_module(imported)) == "m\0d"
    assert c.wasm_name_to_str(c.wasm_importtype_name(imported)) == "\0"
    names = [c.wasm_exporttype_name(item) for item in c.wasm_exporttype_vec_to_list(exports)]
    assert [c.wasm_name_to_str(item) for item in names] == ["e\0x", "\0\0"]
    c.wasm_importtype_vec_delete(imports)
    c.wasm_exporttype_vec_delete(exports)
    c.wasm_store_delete(store)
    c.wasm_engine_delete(engine)


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("operator", ["ceil", "floor", "trunc", "nearest", "sqrt"])
def test_rounding_quiets_a_nan(wat: Wat, kind: str, operator: str) -> None:
    whole, fraction = ("i32", 23) if kind == "f32" else ("i64", 52)
    text = f"""(module (func (export "f") (param {kind}) (result {whole})
        ({whole}.reinterpret_{kind} ({kind}.{operator} (local.get 0)))))"""
    f = wamr.load(wat(text)).exports.f
    quiet = 1 << fraction - 1
    infinity = ((1 << (8 if kind == "f32" else 11)) - 1) << fraction
    for payload in (1, 0x1234, quiet - 1):
        bits = f(Val.from_bits(ValType(kind), infinity | payload))
        assert bits & infinity == infinity
        assert bits & quiet
    assert f(Val.from_bits(ValType(kind), infinity | quiet)) & infinity | quiet == infinity | quiet
    code = "<f" if kind == "f32" else "<d"
    same = "<i" if kind == "f32" else "<q"
    for number in (0.0, -0.0, 1.0, 4.0, float("inf")):
        assert struct.pack(same, f(number)) == struct.pack(code, ROUNDED[operator](number))


ROUNDED = dict.fromkeys(["ceil", "floor", "trunc", "nearest"], lambda x: x) | {
    "sqrt": lambda x: x**0.5 if x else x
}


@pytest.mark.parametrize("zero", [b"\0", b"\x80\0", b"\x80\x80\x80\x80\0"], ids=len)
@pytest.mark.parametrize(
    "code",
    [(b"\x3f", b"\x1a"), (b"\x41\0\x40", b"\x1a"), (b"\x41\0\x41\0\x41\0\xfc\x0b", b"")],
    ids=["size", "grow", "fill"],
)
def test_reserved_byte_is_one_byte(zero: bytes, code: tuple[bytes, bytes]) -> None:
    body = b"\0" + code[0] + zero + code[1] + b"\x0b"
    data = binary(
        types=vec(VOID),
        functions=vec(b"\0"),
        memory=vec(b"\0\1"),
        code=vec(bytes([len(body)]) + body),
    )
    if zero == b"\0":
        load(data)
    else:
        with pytest.raises(wamr.CompileError, match="zero byte expected"):
            load(data)


@pytest.mark.parametrize("opcode", [b"\x0c", b"\x8c\0", b"\x0d", b"\0", b"\x8c\1"], ids=bytes.hex)
def test_constant_vector_is_v128_const(opcode: bytes) -> None:
    value = bytes(range(16))
    data = binary(
        globals=vec(b"\x7b\0\xfd" + opcode + value + b"\x0b"),
        exports=vec(name("v") + b"\3\0"),
    )
    if opcode in (b"\x0c", b"\x8c\0"):
        assert wamr.load(data).exports.v.value == value
    else:
        with pytest.raises(wamr.CompileError, match="constant expression required"):
            load(data)


@pytest.mark.parametrize("flags", [b"\0", b"\x08", b"\x80\1", b"\x80\x02"], ids=bytes.hex)
def test_kinds_of_element_segments(flags: bytes) -> None:
    data = binary(
        types=vec(VOID),
        functions=vec(b"\0"),
        tables=vec(b"\x70\0\1"),
        elements=vec(flags + b"\x41\0\x0b" + vec(b"\0")),
        code=vec(NOTHING),
    )
    if flags == b"\0":
        load(data)
    else:
        with pytest.raises(wamr.CompileError, match="unknown element segment kind"):
            load(data)


@pytest.mark.parametrize("flags", [b"\0", b"\x04", b"\x80\1", b"\x82\1"], ids=bytes.hex)
def test_kinds_of_data_segments(flags: bytes) -> None:
    offset = b"\x41\0\x0b"
    data = binary(memory=vec(b"\0\1"), data=vec(flags + offset + name("x")))
    if flags == b"\0":
        load(data)
    else:
        with pytest.raises(wamr.CompileError, match="unknown memory"):
            load(data)


@pytest.mark.parametrize("flags", [b"\0", b"\1", b"\2", b"\3"], ids=bytes.hex)
@pytest.mark.parametrize("imported", [False, True])
def test_no_table_is_shared(flags: bytes, imported: bool) -> None:
    table = b"\x70" + flags + (b"\1\2" if flags in b"\1\3" else b"\1")
    if imported:
        data = binary(imports=vec(name("m") + name("t") + b"\1" + table))
    else:
        data = binary(tables=vec(table))
    if flags in (b"\0", b"\1"):
        load(data)
    else:
        with pytest.raises(wamr.CompileError, match="tables cannot be shared"):
            load(data)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\1",
        b"\1\x7f",
        b"\1\4\1\5\1x",  # function 5 is not there
        b"\1\4\1\0\1\xff",  # no UTF-8
        b"\1\7\2\0\1x\0\1y",  # twice the same function
        b"\2\0\1\0",  # subsections out of order
        b"\0\2\1m\1\4\1\0\1f",  # good
    ],
    ids=bytes.hex,
)
def test_broken_name_section(content: bytes) -> None:
    data = binary(
        types=vec(VOID),
        functions=vec(b"\0"),
        exports=vec(name("go") + b"\0\0"),
        code=vec(b"\3\0\0\x0b"),
        custom=name("name") + content,
    )
    assert load(data).custom_section("name") == content
    with pytest.raises(wamr.Trap, match="unreachable"):
        wamr.load(data).exports.go()


def test_elements_come_before_data(wat: Wat) -> None:
    store = wamr.Store()
    table = wamr.Table(store, wamr.TableType(ValType.FUNCREF, wamr.Limits(2)))
    memory = wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))
    imports = {"m": {"table": table, "memory": memory}}

    def make(element: int, datum: int) -> None:
        text = f"""(module
            (import "m" "table" (table 2 funcref)) (import "m" "memory" (memory 1))
            (func $f (result i32) (i32.const {element}))
            (elem (i32.const {element}) $f) (data (i32.const {datum}) "x"))"""
        wamr.Instance(store, wamr.Module(store, wat(text)), imports)

    with pytest.raises(wamr.Trap, match="out of bounds table access"):
        make(element=2, datum=0)
    assert memory[0] == 0
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        make(element=1, datum=65536)
    assert table[0] is None
    assert table[1]() == 1
