"""Types and their vectors: each function does what its documentation says, as C programs use it."""

import pytest
from capi import NULL, POSITIVE, api, c, each, ffi, positive

KINDS = ["i32", "i64", "f32", "f64", "v128", "externref", "funcref"]
TYPES = [
    "valtype",
    "functype",
    "globaltype",
    "tabletype",
    "memorytype",
    "externtype",
    "importtype",
    "exporttype",
]
VECTORS = [*TYPES, "byte", "val", "frame", "extern"]
EXTERN_TYPES = {
    "functype": "FUNC",
    "globaltype": "GLOBAL",
    "tabletype": "TABLE",
    "memorytype": "MEMORY",
}


def code(kind):
    return getattr(api, f"WASM_{kind.upper()}")


@positive("wasm_valtype_new", "wasm_valtype_kind", "wasm_valtype_delete")
def test_valtype_of_each_kind():
    for kind in KINDS:
        valtype = c.wasm_valtype_new(code(kind))
        assert c.wasm_valtype_kind(valtype) == code(kind)
        c.wasm_valtype_delete(valtype)
    assert not api.wasm_valtype_new(7)


@positive(
    "wasm_valkind_is_num", "wasm_valkind_is_ref", "wasm_valtype_is_num", "wasm_valtype_is_ref"
)
def test_numbers_and_references():
    for kind in KINDS:
        reference = kind.endswith("ref")
        valtype = api.wasm_valtype_new(code(kind))
        assert c.wasm_valkind_is_num(code(kind)) is not reference
        assert c.wasm_valkind_is_ref(code(kind)) is reference
        assert c.wasm_valtype_is_num(valtype) is not reference
        assert c.wasm_valtype_is_ref(valtype) is reference
        api.wasm_valtype_delete(valtype)


SHORT = {
    "i32": "i32",
    "i64": "i64",
    "f32": "f32",
    "f64": "f64",
    "v128": "v128",
    "anyref": "externref",
    "funcref": "funcref",
}


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_valtype_new_{}", list(SHORT)))
def test_short_valtypes(name):
    valtype = getattr(api, f"wasm_valtype_new_{name}")()
    assert api.wasm_valtype_kind(valtype) == code(SHORT[name])
    api.wasm_valtype_delete(valtype)


SHAPES = [f"{p}_{r}" for r in range(3) for p in range(4)]


@pytest.mark.parametrize("shape", each(POSITIVE, "wasm_functype_new_{}", SHAPES))
def test_short_functypes(shape):
    params, results = map(int, shape.split("_"))
    kinds = [code(KINDS[i]) for i in range(params + results)]
    functype = getattr(api, f"wasm_functype_new_{shape}")(*map(api.wasm_valtype_new, kinds))
    found = [*api.wasm_valtype_vec_to_list(api.wasm_functype_params(functype))]
    assert len(found) == params
    found += api.wasm_valtype_vec_to_list(api.wasm_functype_results(functype))
    assert [api.wasm_valtype_kind(v) for v in found] == kinds
    api.wasm_functype_delete(functype)


@positive(
    "wasm_functype_new", "wasm_functype_params", "wasm_functype_results", "wasm_functype_delete"
)
def test_functype(world):
    functype = c.wasm_functype_new(world.valtypes(["i32", "f64"]), world.valtypes(["i64"]))
    params, results = c.wasm_functype_params(functype), c.wasm_functype_results(functype)
    assert [api.wasm_valtype_kind(params.data[i]) for i in range(params.size)] == [0, 3]
    assert api.wasm_valtype_kind(results.data[0]) == api.WASM_I64
    assert c.wasm_functype_params(functype) is params
    c.wasm_functype_delete(functype)


@positive(
    "wasm_globaltype_new",
    "wasm_globaltype_content",
    "wasm_globaltype_mutability",
    "wasm_globaltype_delete",
)
def test_globaltype():
    globaltype = c.wasm_globaltype_new(api.wasm_valtype_new_f32(), api.WASM_VAR)
    assert api.wasm_valtype_kind(c.wasm_globaltype_content(globaltype)) == api.WASM_F32
    assert c.wasm_globaltype_mutability(globaltype) == api.WASM_VAR
    c.wasm_globaltype_delete(globaltype)


@positive(
    "wasm_tabletype_new", "wasm_tabletype_element", "wasm_tabletype_limits", "wasm_tabletype_delete"
)
def test_tabletype(world):
    tabletype = c.wasm_tabletype_new(api.wasm_valtype_new_funcref(), world.limits(2, 9))
    assert api.wasm_valtype_kind(c.wasm_tabletype_element(tabletype)) == api.WASM_FUNCREF
    limits = c.wasm_tabletype_limits(tabletype)
    assert (limits.min, limits.max) == (2, 9)
    c.wasm_tabletype_delete(tabletype)


def test_a_tabletype_of_numbers_is_null_and_the_valtype_stays_the_callers(world):
    valtype = api.wasm_valtype_new_i32()
    assert not api.wasm_tabletype_new(valtype, world.limits(1, 2))
    assert api.wasm_valtype_kind(valtype) == api.WASM_I32
    api.wasm_valtype_delete(valtype)


@positive("wasm_memorytype_new", "wasm_memorytype_limits", "wasm_memorytype_delete")
def test_memorytype(world):
    memorytype = c.wasm_memorytype_new(world.limits(1, api.wasm_limits_max_default))
    assert c.wasm_memorytype_limits(memorytype).max == 0xFFFFFFFF
    c.wasm_memorytype_delete(memorytype)


@positive("wasm_externtype_kind", "wasm_externtype_delete")
def test_externtype(world):
    externtype = world.new("externtype")
    assert c.wasm_externtype_kind(externtype) == api.WASM_EXTERN_FUNC
    c.wasm_externtype_delete(externtype)


for _name in EXTERN_TYPES:
    for _suffix in ("", "_const"):
        each(POSITIVE, f"wasm_{{}}_as_externtype{_suffix}", [_name])
        each(POSITIVE, f"wasm_externtype_as_{{}}{_suffix}", [_name])


@pytest.mark.parametrize("suffix", ["", "_const"])
@pytest.mark.parametrize("name", EXTERN_TYPES)
def test_externtype_casts(world, name, suffix):
    type_ = world.new(name)
    externtype = getattr(api, f"wasm_{name}_as_externtype{suffix}")(type_)
    assert externtype == type_
    assert api.wasm_externtype_kind(externtype) == getattr(api, f"WASM_EXTERN_{EXTERN_TYPES[name]}")
    for other in EXTERN_TYPES:
        cast = getattr(api, f"wasm_externtype_as_{other}{suffix}")(externtype)
        assert (cast is type_) if other == name else (cast == NULL)
    api.wasm_externtype_delete(externtype)
    with pytest.raises(ReferenceError):
        getattr(api, f"wasm_{name}_delete")(type_)


@positive(
    "wasm_importtype_new",
    "wasm_importtype_module",
    "wasm_importtype_name",
    "wasm_importtype_type",
    "wasm_importtype_is_linked",
    "wasm_importtype_delete",
)
def test_importtype(world):
    def make(module, name):
        names = api.wasm_name_from_str(module), api.wasm_name_from_str(name)
        return c.wasm_importtype_new(*names, world.new("externtype"))

    importtype = make("wasi_snapshot_preview1", "fd_write")
    assert api.wasm_name_to_str(c.wasm_importtype_module(importtype)) == "wasi_snapshot_preview1"
    assert api.wasm_name_to_str(c.wasm_importtype_name(importtype)) == "fd_write"
    assert api.wasm_externtype_kind(c.wasm_importtype_type(importtype)) == api.WASM_EXTERN_FUNC
    assert c.wasm_importtype_is_linked(importtype)
    c.wasm_importtype_delete(importtype)
    for names in (("m", "n"), ("", "")):
        other = make(*names)
        assert not c.wasm_importtype_is_linked(other)
        c.wasm_importtype_delete(other)


@positive(
    "wasm_exporttype_new", "wasm_exporttype_name", "wasm_exporttype_type", "wasm_exporttype_delete"
)
def test_exporttype(world):
    exporttype = c.wasm_exporttype_new(api.wasm_name_from_str("n\u00e4me"), world.new("externtype"))
    assert api.wasm_name_to_str(c.wasm_exporttype_name(exporttype)) == "n\u00e4me"
    assert api.wasm_externtype_kind(c.wasm_exporttype_type(exporttype)) == api.WASM_EXTERN_FUNC
    c.wasm_exporttype_delete(exporttype)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_copy", TYPES))
def test_copies_of_types_are_equal_and_independent(world, name):
    one = world.new(name)
    other = getattr(api, f"wasm_{name}_copy")(one)
    assert other != one
    assert getattr(api, f"wasm_{name}_same")(one, other)
    getattr(api, f"wasm_{name}_delete")(one)
    assert api.wasm_repr(other).startswith(name)
    getattr(api, f"wasm_{name}_delete")(other)


# Vectors


def vec(name):
    return ffi.new(f"wasm_{name}_vec_t *")


def end(name, *vecs):
    for each_vec in vecs:
        getattr(api, f"wasm_{name}_vec_delete")(each_vec)
        assert not each_vec.data


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_vec_new_empty", VECTORS))
def test_empty_vectors(name):
    out = vec(name)
    out.size = 5
    getattr(api, f"wasm_{name}_vec_new_empty")(out)
    assert (out.size, out.num_elems, out.data) == (0, 0, NULL)
    end(name, out, out)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_vec_new_uninitialized", VECTORS))
def test_uninitialized_vectors(world, name):
    out = vec(name)
    getattr(api, f"wasm_{name}_vec_new_uninitialized")(out, 3)
    assert (out.size, out.num_elems) == (3, 0)
    if name not in ("byte", "val"):
        # Filled by hand, as C programs do; WAMR counts the elements separately.
        item = out.data[1] = world.new(name)
        out.data[0] = NULL
        out.num_elems = 2
        end(name, out)
        assert api.wasm_repr(item).startswith("dead")
    else:
        end(name, out)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_vec_new", VECTORS))
def test_vectors_own_their_elements(world, name):
    out, items = vec(name), world.items(name)
    getattr(api, f"wasm_{name}_vec_new")(out, 2, items)
    assert (out.size, out.num_elems) == (2, 2)
    found = getattr(api, f"wasm_{name}_vec_to_list")(out)
    assert len(found) == 2
    if name == "byte":
        assert found == [b"a", b"b"]
    elif name == "val":
        assert [api.wasm_val_value(v) for v in found] == [1, 2.5]
    else:
        assert found == items
        with pytest.raises(ReferenceError, match=f"was given to wasm_{name}_vec_new"):
            getattr(api, f"wasm_{name}_copy")(items[0])
        assert api.wasm_repr(found[0])
    end(name, out)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_vec_copy", VECTORS))
def test_copies_of_vectors(world, name):
    out, source = vec(name), world.vec(name)
    getattr(api, f"wasm_{name}_vec_copy")(out, source)
    assert out.data != source.data
    assert out.num_elems == source.num_elems
    if name != "frame":
        assert api.wasm_repr(out) == api.wasm_repr(source)
    end(name, out, source)


@pytest.mark.parametrize("name", each(POSITIVE, "wasm_{}_vec_delete", VECTORS))
def test_deleted_vectors_are_empty(world, name):
    out = world.vec(name)
    end(name, out)
    assert (out.size, out.num_elems) == (0, 0)
    end(name, out)


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_of_another_vectors_data_can_not_be_deleted_twice(world, name):
    out = world.vec(name)
    alias = ffi.new(f"wasm_{name}_vec_t *", out[0])
    end(name, out)
    with pytest.raises(ReferenceError, match=f"wasm_{name}_vec_delete"):
        getattr(api, f"wasm_{name}_vec_delete")(alias)


@pytest.mark.parametrize("name", VECTORS)
def test_sizes_that_are_not_true_are_refused(world, name):
    out = world.vec(name)
    out.size = out.num_elems = 1000
    with pytest.raises(ValueError, match="says 1000"):
        getattr(api, f"wasm_{name}_vec_copy")(vec(name), out)
    with pytest.raises((ValueError, TypeError)):
        getattr(api, f"wasm_{name}_vec_new")(vec(name), 3, world.items(name)[:1])


@positive(
    "wasm_name_new",
    "wasm_name_new_empty",
    "wasm_name_new_new_uninitialized",
    "wasm_name_copy",
    "wasm_name_delete",
    "wasm_name_new_from_string",
    "wasm_name_new_from_string_nt",
)
def test_names():
    name, other = vec("byte"), vec("byte")
    c.wasm_name_new(name, 2, b"hi")
    c.wasm_name_copy(other, name)
    assert api.wasm_name_to_str(other) == "hi"
    c.wasm_name_delete(name)
    c.wasm_name_delete(other)
    c.wasm_name_new_empty(name)
    assert api.wasm_name_to_str(name) == ""
    c.wasm_name_new_new_uninitialized(name, 4)
    assert name.size == 4
    c.wasm_name_delete(name)
    c.wasm_name_new_from_string(name, "n\u00e4me")
    assert api.wasm_byte_vec_to_bytes(name) == "n\u00e4me".encode()
    c.wasm_name_delete(name)
    c.wasm_name_new_from_string_nt(name, "")
    assert api.wasm_byte_vec_to_bytes(name) == b"\0"
    c.wasm_name_delete(name)


@positive("wasm_val_copy", "wasm_val_delete", "wasm_val_init_ptr", "wasm_val_ptr")
def test_values():
    one, other = api.WASM_I64_VAL(-(2**63)), ffi.new("wasm_val_t *")
    c.wasm_val_copy(other, one)
    assert api.wasm_val_same(one, other)
    c.wasm_val_delete(other)
    assert (other.kind, other.of.i64) == (api.WASM_I64, 0)
    pointer = ffi.cast("void *", 0x1234)
    c.wasm_val_init_ptr(other, pointer)
    assert c.wasm_val_ptr(other) == pointer
