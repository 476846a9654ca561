"""Ownership: deleted, passed-on and borrowed objects, reused addresses, and objects of a store."""

import pytest
from capi import NULL, api, ffi, in_child
from platforms import BITS


def test_an_address_that_is_reused_is_another_object():
    old = api.wasm_valtype_new_i32()
    address = int(ffi.cast("uintptr_t", old))
    api.wasm_valtype_delete(old)
    for _ in range(1000):
        new = api.wasm_valtype_new_f64()
        if int(ffi.cast("uintptr_t", new)) == address:
            break
    else:
        pytest.skip("the allocator does not reuse it")
    assert new == old, "cffi can't tell them apart"
    assert api.wasm_valtype_kind(new) == api.WASM_F64
    with pytest.raises(ReferenceError, match="valtype was deleted by wasm_valtype_delete"):
        api.wasm_valtype_kind(old)
    with pytest.raises(ReferenceError, match="wasm_valtype_delete"):
        api.wasm_valtype_delete(old)
    api.wasm_valtype_delete(new)


def test_dead_handles_are_remembered_as_long_as_somebody_holds_them():
    from wamr._capi import handles

    held = []
    for _ in range(3):
        for index in range(6000):
            valtype = api.wasm_valtype_new_i32()
            if index % 1000 == 0:
                held.append(valtype)
            api.wasm_valtype_delete(valtype)
        del valtype
    assert len(handles.dead) < 14000
    for valtype in held:
        with pytest.raises(ReferenceError, match="was deleted"):
            api.wasm_valtype_kind(valtype)


def test_what_is_given_away_is_the_new_owners():
    valtype = api.wasm_valtype_new_i32()
    globaltype = api.wasm_globaltype_new(valtype, api.WASM_CONST)
    for use in (api.wasm_valtype_kind, api.wasm_valtype_delete):
        with pytest.raises(ReferenceError, match="was given to wasm_globaltype_new"):
            use(valtype)
    content = api.wasm_globaltype_content(globaltype)
    assert api.wasm_valtype_kind(content) == api.WASM_I32
    with pytest.raises(ReferenceError, match="belongs to a wasm_globaltype_t"):
        api.wasm_valtype_delete(content)
    with pytest.raises(ReferenceError, match="belongs to a wasm_globaltype_t"):
        api.wasm_globaltype_new(content, api.WASM_CONST)
    api.wasm_globaltype_delete(globaltype)
    with pytest.raises(ReferenceError, match="went with a wasm_globaltype_t"):
        api.wasm_valtype_kind(content)


def test_nothing_is_given_away_twice_in_one_call():
    valtype = api.wasm_valtype_new_i32()
    with pytest.raises(ReferenceError, match="twice"):
        api.wasm_functype_new_2_0(valtype, valtype)
    with pytest.raises(ReferenceError, match="twice"):
        api.wasm_valtype_vec_from_list([valtype, valtype])
    vec = api.wasm_valtype_vec_from_list([valtype])
    with pytest.raises(ReferenceError, match="twice"):
        api.wasm_functype_new(vec, vec)
    assert api.wasm_functype_new(vec, None)


def test_a_failed_call_takes_nothing(world):
    valtype = api.wasm_valtype_new_i32()
    for bad in (None, world.limits(1, 2)):
        assert not api.wasm_tabletype_new(valtype, bad)
    with pytest.raises(TypeError):
        api.wasm_globaltype_new(valtype, "const")
    with pytest.raises(OverflowError):
        api.wasm_globaltype_new(valtype, 256)
    assert api.wasm_valtype_kind(valtype) == api.WASM_I32
    api.wasm_valtype_delete(valtype)


def test_a_vector_that_a_type_took_over_is_not_the_callers(world):
    params = world.valtypes(["i32"])
    functype = api.wasm_functype_new(params, None)
    with pytest.raises(ReferenceError, match="belongs to a wasm_functype_t"):
        api.wasm_valtype_vec_delete(params)
    with pytest.raises(ReferenceError, match="belongs to a wasm_functype_t"):
        api.wasm_functype_new(None, params)
    borrowed = api.wasm_functype_params(functype)
    with pytest.raises(ReferenceError, match="belongs to a wasm_functype_t"):
        api.wasm_valtype_vec_delete(borrowed)
    element = borrowed.data[0]
    assert api.wasm_valtype_kind(element) == api.WASM_I32
    api.wasm_functype_delete(functype)
    with pytest.raises(ReferenceError):
        api.wasm_valtype_kind(element)
    with pytest.raises(ReferenceError):
        api.wasm_valtype_vec_copy(ffi.new("wasm_valtype_vec_t *"), borrowed)


def test_pointers_read_from_a_vector_are_followed(world):
    from wamr._capi import handles

    functype = api.wasm_functype_new(world.valtypes(["i32"]), None)
    vec = api.wasm_functype_params(functype)
    for _ in range(1000):
        assert api.wasm_valtype_kind(vec.data[0]) == api.WASM_I32
    assert len(handles.kind("valtype").live) < 300
    api.wasm_functype_delete(functype)


def test_elements_written_by_hand_are_looked_at():
    vec = ffi.new("wasm_valtype_vec_t *")
    api.wasm_valtype_vec_new_uninitialized(vec, 3)
    kept = api.wasm_valtype_new_i32()
    vec.data[0], vec.data[1], vec.num_elems = kept, kept, 2
    with pytest.raises(ReferenceError, match=r"data\[1\] is in the vector twice"):
        api.wasm_valtype_vec_delete(vec)
    vec.data[1] = ffi.cast("wasm_valtype_t *", 0x1230)
    with pytest.raises(ReferenceError, match=r"data\[1\] is no live"):
        api.wasm_valtype_vec_delete(vec)
    gone = api.wasm_valtype_new_i32()
    vec.data[1] = gone
    api.wasm_valtype_delete(gone)
    with pytest.raises(ReferenceError, match=r"data\[1\] is no live"):
        api.wasm_valtype_vec_copy(ffi.new("wasm_valtype_vec_t *"), vec)
    vec.data[1] = NULL
    api.wasm_valtype_vec_delete(vec)
    with pytest.raises(ReferenceError):
        api.wasm_valtype_kind(kept)


def test_data_that_c_did_not_allocate_is_not_freed():
    vec = api.WASM_ARRAY_VEC("valtype", [api.wasm_valtype_new_i32()])
    with pytest.raises(ReferenceError, match="not made by wasm_valtype_vec_new"):
        api.wasm_valtype_vec_delete(vec)
    with pytest.raises(ReferenceError, match="not made by wasm_valtype_vec_new"):
        api.wasm_functype_new(vec, None)
    with pytest.raises(ReferenceError):
        api.wasm_byte_vec_delete(api.WASM_ARRAY_VEC("byte", b"abc"))


def test_everything_of_a_store_goes_with_it(world):
    objects = {
        name: world.new(name)
        for name in (
            "func",
            "global",
            "table",
            "memory",
            "extern",
            "ref",
            "trap",
            "foreign",
            "frame",
        )
    }
    functype = world.new("functype")
    api.wasm_store_delete(world.store)
    for name, obj in objects.items():
        for verb in ("copy", "delete"):
            with pytest.raises(ReferenceError, match=f"wasm_{name}_{verb}: .* went with its store"):
                getattr(api, f"wasm_{name}_{verb}")(obj)
    for call in (
        lambda: api.wasm_store_delete(world.store),
        lambda: api.wasm_module_new(world.store, world.binary),
        lambda: api.wasm_module_get_name(world.module),
        lambda: api.wasm_instance_delete(world.instance),
        lambda: api.wasm_extern_vec_delete(world.exports),
        lambda: api.wasm_func_call(world.func, None, None),
    ):
        with pytest.raises((ReferenceError, TypeError)):
            call()
    assert api.wasm_repr(functype) == "functype (i32) -> (i64)"


def test_everything_of_an_engine_goes_with_it():
    engine = api.wasm_engine_new()
    if api.wasm_engine_new() is engine:
        api.wasm_engine_delete(engine)
    store = api.wasm_store_new(engine)
    trap = api.wasm_trap_new(store, None)
    api.wasm_engine_delete(engine)
    for call in (
        lambda: api.wasm_store_delete(store),
        lambda: api.wasm_trap_delete(trap),
        lambda: api.wasm_store_new(engine),
        lambda: api.wasm_engine_delete(engine),
    ):
        with pytest.raises(ReferenceError):
            call()


def test_a_store_in_a_forked_child(world):
    def run():
        results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
        args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(20), api.WASM_I32_VAL(22)])
        assert not api.wasm_func_call(world.func("add"), args, results)
        assert api.wasm_val_vec_to_values(results) == [42]
        world.close()

    assert not in_child([("a call", run)])


def test_a_finalizer_may_delete_what_goes_with_the_store(world, capsys):
    seen, traps = [], [world.trap() for _ in range(20)]

    def finalizer(info):
        seen.append(info)
        for trap in traps:
            if not api.wasm_repr(trap).startswith("dead"):
                api.wasm_trap_delete(trap)
        api.wasm_store_delete(world.store)

    for trap in traps:
        info = ffi.cast("void *", 64)
        api.wasm_trap_set_host_info_with_finalizer(trap, info, finalizer)
    api.wasm_store_delete(world.store)
    assert len(seen) == 20
    assert "wasm_store_delete: store was deleted by wasm_store_delete" in capsys.readouterr().err


def test_sizes_that_are_too_large_make_empty_vectors():
    sizes = (2**32, 2**40, 2**64 - 1) if BITS == 64 else (2**31, 2**32 - 1)  # of size_t
    for size in sizes:
        for name in ("byte", "val", "valtype", "memorytype"):
            out = ffi.new(f"wasm_{name}_vec_t *")
            getattr(api, f"wasm_{name}_vec_new_uninitialized")(out, size)
            assert out.data == NULL
            getattr(api, f"wasm_{name}_vec_delete")(out)
    # Where size_t has 32 bits, the size of this vector in bytes wraps around.
    vals = ffi.new("wasm_val_vec_t *")
    api.wasm_val_vec_new_uninitialized(vals, 2**32 // ffi.sizeof("wasm_val_t") + 1)
    assert vals.data == NULL
    out = ffi.new("wasm_byte_vec_t *")
    for size in (2**BITS, -1):
        with pytest.raises(OverflowError):
            api.wasm_byte_vec_new_uninitialized(out, size)
