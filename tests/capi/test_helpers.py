"""The helpers: vectors and lists, names, values, files, comparisons, texts."""

import array
import math

import pytest
from capi import NULL, api, ffi


def test_vectors_and_lists():
    vec = api.wasm_byte_vec_from_list([104, 105])
    assert api.wasm_byte_vec_to_list(vec) == [b"h", b"i"]
    assert api.wasm_byte_vec_to_bytes(vec) == b"hi"
    assert api.wasm_byte_vec_same(vec, api.wasm_byte_vec_from_bytes(b"hi"))
    api.wasm_byte_vec_delete(vec)
    assert api.wasm_valtype_vec_to_list(None) == []
    assert api.wasm_valtype_vec_to_list(api.WASM_EMPTY_VEC("valtype")) == []
    for bad in (5, None, "text", [object()]):
        with pytest.raises(TypeError):
            api.wasm_valtype_vec_from_list(bad)


@pytest.mark.parametrize(
    "buffer",
    [
        array.array("i", [1, 2, 300]),
        memoryview(b"abcdef").cast("B", (2, 3)),
        memoryview(b"abcdef")[::2],
        memoryview(b"abcd").cast("b"),
        bytearray(b"ab\0"),
    ],
    ids=["ints", "two dimensions", "steps", "signed", "bytearray"],
)
@pytest.mark.parametrize("name", ["wasm_byte_vec_from_bytes", "wasm_byte_vec_from_list"])
def test_all_bytes_of_a_buffer(name, buffer):
    vec = getattr(api, name)(memoryview(buffer))
    assert api.wasm_byte_vec_to_bytes(vec) == memoryview(buffer).tobytes()
    api.wasm_byte_vec_delete(vec)


def test_names():
    for text in ("", "hi", "n\u00e4me \U0001f600"):
        name = api.wasm_name_from_str(text)
        assert api.wasm_name_to_str(name) == text
        api.wasm_name_delete(name)
    with pytest.raises(TypeError, match="str"):
        api.wasm_name_from_str(b"bytes")


def test_values():
    vals = [
        api.WASM_I32_VAL(-(2**31)),
        api.WASM_I64_VAL(2**63 - 1),
        api.WASM_F32_VAL(0.5),
        api.WASM_F64_VAL(math.inf),
        api.WASM_REF_VAL(None),
        api.WASM_FUNCREF_VAL(None),
    ]
    expected = [-(2**31), 2**63 - 1, 0.5, math.inf, None, None]
    assert [api.wasm_val_value(v) for v in vals] == expected
    vec = api.wasm_val_vec_from_values(vals)
    assert api.wasm_val_vec_to_values(vec) == expected
    assert api.wasm_repr(vec).startswith("val_vec [i32 -2147483648, i64 ")
    assert api.wasm_val_same(vals[0], api.WASM_I32_VAL(-(2**31)))
    assert not api.wasm_val_same(vals[0], vals[1])
    nan = api.WASM_F64_VAL(math.nan)
    assert api.wasm_val_same(nan, nan)
    for make, large in ((api.WASM_I64_VAL, 2**63), (api.WASM_F64_VAL, 10**400)):
        with pytest.raises(OverflowError):
            make(large)
    for wrong in ("1", 1.5, None):
        with pytest.raises(TypeError):
            api.WASM_I32_VAL(wrong)
    assert api.wasm_val_value(vec.data[0]) == -(2**31)
    assert api.KILOBYTE(2) == 2048


V128, UNKNOWN = (ffi.new("wasm_val_t *", {"kind": kind}) for kind in (api.WASM_V128, 99))


@pytest.mark.parametrize(
    ("name", "arguments", "error", "text"),
    [
        ("wasm_val_value", [5], TypeError, "val must be a"),
        ("wasm_val_value", [None], ValueError, "val must not be NULL"),
        ("wasm_val_value", [V128], ValueError, "val is a v128, for which a wasm_val_t has no room"),
        ("wasm_val_value", [UNKNOWN], ValueError, "no kind has the number 99"),
        ("wasm_val_same", [1, 2], TypeError, "a must be a"),
        ("wasm_limits_same", [1, 2], TypeError, "a must be a"),
        ("wasm_byte_vec_same", [1, 2], TypeError, "a must be a"),
        ("WASM_F32_VAL", ["1"], TypeError, "z must be a number, not str"),
        ("WASM_F64_VAL", [None], TypeError, "z must be a number, not NoneType"),
        ("WASM_REF_VAL", [5], TypeError, "r must be a pointer or None, not int"),
        ("WASM_FUNCREF_VAL", [2.5], TypeError, "r must be a pointer or None, not float"),
        ("WASM_ARRAY_VEC", ["vals", []], ValueError, "name must be one of byte, .* not 'vals'"),
        ("WASM_EMPTY_VEC", [5], ValueError, "name must be one of byte, .* not 5"),
        ("wasm_val_vec_from_values", [None], TypeError, "vals must be a list"),
        ("wasm_val_vec_from_values", [[1, 2]], TypeError, "vals must be a list"),
        ("wasm_val_vec_to_values", [5], TypeError, "vec must be a"),
        ("wasm_byte_vec_from_bytes", ["text"], TypeError, "data must be bytes, not str"),
        ("wasm_byte_vec_from_list", [[300]], OverflowError, "data: bytes must be in range"),
        ("wasm_byte_vec_from_list", [[b"ab"]], TypeError, "b'ab' is not one byte"),
        ("wasm_name_to_str", [5], TypeError, "name must be a"),
        ("wasm_module_load_error", [5], TypeError, "binary must be a"),
        ("wasm_trust_aot", ["yes"], TypeError, "trust must be a bool, not str"),
        ("KILOBYTE", ["x"], TypeError, "n must be an integer, not str"),
    ],
)
def test_helpers_say_what_they_expect(name, arguments, error, text):
    with pytest.raises(error, match=f"^{name}: .*{text}"):
        getattr(api, name)(*arguments)


def test_load_module_file(world, tmp_path):
    path = tmp_path / "module.bin"
    path.write_bytes(world.binary_bytes)
    assert api.load_module_file(world.store, path)
    assert api.load_module_file(world.store, str(path))
    path.write_bytes(b"text")
    assert api.load_module_file(world.store, path) == NULL
    with pytest.raises(FileNotFoundError):
        api.load_module_file(world.store, tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        api.load_module_file(world.store, tmp_path)


def test_callbacks_stay_functions():
    @api.wasm_func_callback
    def plain(args, results):
        """What it does."""
        return args, results

    assert plain(1, 2) == (1, 2)
    assert plain.__doc__ == "What it does."
    assert "plain" in repr(plain)
    for decorate in (
        api.wasm_func_callback,
        api.wasm_func_callback_with_env,
        api.wasm_finalizer,
    ):
        with pytest.raises(TypeError, match="callable"):
            decorate(5)


def test_the_decorator_must_fit_the_function(world):
    type_ = world.new("functype")
    plain, with_env = api.wasm_func_callback(print), api.wasm_func_callback_with_env(print)
    with pytest.raises(TypeError, match="@wasm_func_callback"):
        api.wasm_func_new(world.store, type_, with_env)
    with pytest.raises(TypeError, match="@wasm_func_callback_with_env"):
        api.wasm_func_new_with_env(world.store, type_, plain, None, None)
    with pytest.raises(TypeError, match="made with @wasm_func_callback"):
        api.wasm_func_new(world.store, type_, print)


def test_a_callback_of_c(world):
    @ffi.callback("wasm_func_callback_t")
    def triple(args, results):
        results.data[0].kind = api.WASM_I32
        results.data[0].of.i32 = 3 * args.data[0].of.i32
        return NULL

    func = api.wasm_func_new(world.store, api.wasm_func_type(world.host), triple)
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(func), world.imports.data[1]])
    assert api.wasm_instance_new(world.store, world.module, imports, None)
    results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
    args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(14)])
    assert not api.wasm_func_call(func, args, results)
    assert api.wasm_val_vec_to_values(results) == [42]


def test_comparisons(world):
    assert api.wasm_valtype_same(api.wasm_valtype_new_i32(), api.wasm_valtype_new_i32())
    assert not api.wasm_valtype_same(api.wasm_valtype_new_i32(), api.wasm_valtype_new_i64())
    assert api.wasm_functype_same(world.new("functype"), world.new("functype"))
    assert not api.wasm_functype_same(world.new("functype"), world.functype(["i32"], []))
    assert not api.wasm_functype_same(world.new("functype"), None)
    assert api.wasm_functype_same(None, None)
    assert api.wasm_limits_same(None, None)
    assert not api.wasm_limits_same(world.limits(1, 2), None)
    assert not api.wasm_val_same(api.WASM_I32_VAL(1), NULL)
    assert api.wasm_limits_same(world.limits(1, 2), world.limits(1, 2))
    assert not api.wasm_limits_same(world.limits(1, 2), world.limits(1, 3))
    dead = world.new("functype")
    api.wasm_functype_delete(dead)
    with pytest.raises(ReferenceError):
        api.wasm_functype_same(dead, dead)
    with pytest.raises(TypeError):
        api.wasm_functype_same(world.new("valtype"), 5)


def test_texts(world):
    texts = {
        "valtype": "valtype i32",
        "functype": "functype (i32) -> (i64)",
        "globaltype": "globaltype var i32",
        "tabletype": "tabletype funcref 1..5",
        "memorytype": "memorytype 1..5 pages",
        "externtype": "externtype func (i32) -> (i64)",
        "importtype": 'importtype "m" "n" func (i32) -> (i64)',
        "exporttype": 'exporttype "n" func (i32) -> (i64)',
        "func": "func (i32, i32) -> (i32)",
        "global": "global var i32 = i32 7",
        "table": "table funcref 4..20, 4 elements",
        "memory": "memory 1..10 pages, 1 pages",
        "extern": "extern func (i32, i32) -> (i32)",
        "trap": "trap 'oh'",
    }
    for kind, text in texts.items():
        assert api.wasm_repr(world.new(kind)) == text
    for kind in ("engine", "store", "module", "instance", "ref", "foreign", "frame", "config"):
        assert api.wasm_repr(world.borrowed(kind)).startswith(kind)
    assert api.wasm_repr(world.limits(3, 0xFFFFFFFF)) == "limits 3.."
    assert api.wasm_repr(world.vec("valtype")) == "valtype_vec [valtype i32, valtype i32]"
    assert api.wasm_repr(world.vec("byte")) == "byte_vec b'abc'"
    assert api.wasm_repr(ffi.new("InstantiationArgs *")).startswith("InstantiationArgs ")
    assert api.wasm_repr(ffi.new("MemAllocOption *")).startswith("MemAllocOption at ")
    for index, name in enumerate(("func", "global")):
        placeholder = api.wasm_extern_new_empty(world.store, index)
        assert api.wasm_repr(placeholder) == f"extern {name} placeholder"
    assert api.wasm_repr(None) == api.wasm_repr(NULL) == "NULL"
    gone = world.new("trap")
    api.wasm_trap_delete(gone)
    assert api.wasm_repr(gone) == "dead trap: it was deleted by wasm_trap_delete"
    with pytest.raises(TypeError):
        api.wasm_repr(5)


def test_aot_code_is_refused_until_it_is_trusted(world):
    aot = api.wasm_byte_vec_from_bytes(b"\0aot\x05\0\0\0nothing")
    assert not api.wasm_module_new(world.store, aot)
    refused = "AOT code is refused: wasm_trust_aot has not allowed it"
    assert api.wasm_module_load_error(aot) == refused
    api.wasm_trust_aot(True)
    try:
        # Refused for its invalid code, so the file was read.
        assert not api.wasm_module_new(world.store, aot)
        assert "load failed: " in api.wasm_module_load_error(aot)
    finally:
        api.wasm_trust_aot(False)
