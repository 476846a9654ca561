"""Vectors with wrong sizes, vectors that outlive their elements, and elements of wrong stores."""

import gc

import pytest
from capi import World, api, ffi


def add(world, args, results):
    trap = api.wasm_func_call(world.func("add"), args, results)
    return api.wasm_trap_to_str(trap) if trap else results.data[0].of.i32


def made(*values):
    vec = api.WASM_EMPTY_VEC("val")
    api.wasm_val_vec_new(vec, len(values), list(values))
    return vec


def test_a_call_looks_how_much_there_is_in_its_vectors(world):
    args, results = made(api.WASM_I32_VAL(20), api.WASM_I32_VAL(22)), made(api.WASM_INIT_VAL())
    assert add(world, args, results) == 42
    few = made(api.WASM_I32_VAL(1))
    few.size = few.num_elems = 2
    with pytest.raises(ValueError, match="wasm_func_call: args says 2 where there are 1"):
        add(world, few, results)
    results.size = 3
    with pytest.raises(ValueError, match="wasm_func_call: results says 3 where there are 1"):
        add(world, args, results)
    results.size = 1
    assert add(world, args, results) == 42
    # The same struct with other data, after it was looked at.
    api.wasm_val_vec_delete(args)
    api.wasm_val_vec_new(args, 2, [api.WASM_I32_VAL(1), api.WASM_I32_VAL(2)])
    assert add(world, args, results) == 3
    args.size = 5
    with pytest.raises(ValueError, match="args says 5 where there are 2"):
        add(world, args, results)


def test_a_call_takes_vectors_in_every_form(world):
    args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(20), api.WASM_I32_VAL(22)])
    results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
    for form in (args, args[0], ffi.new("wasm_val_vec_t[1]", [args[0]])):
        assert add(world, form, results) == 42
    for wrong in (5, [], (), b"", "text", ffi.cast("void *", args), ffi.new("wasm_byte_vec_t *")):
        with pytest.raises(TypeError, match="wasm_func_call: args must be"):
            api.wasm_func_call(world.func("add"), wrong, results)
        with pytest.raises(TypeError, match="wasm_func_call: results must be"):
            api.wasm_func_call(world.func("add"), args, wrong)


def test_a_copy_of_a_vector_goes_with_the_store(world):
    externs, frames = api.WASM_EMPTY_VEC("extern"), api.WASM_EMPTY_VEC("frame")
    api.wasm_extern_vec_copy(externs, world.exports)
    trace = api.WASM_EMPTY_VEC("frame")
    api.wasm_trap_trace(world.boom(), trace)
    api.wasm_frame_vec_copy(frames, trace)
    func, frame = api.wasm_extern_as_func(externs.data[4]), frames.data[0]
    assert api.wasm_repr(func) == "func (i32, i32) -> (i32)"
    assert api.wasm_frame_func_index(frame) >= 0
    api.wasm_store_delete(world.store)
    for call in (
        lambda: api.wasm_func_call(func, None, None),
        lambda: api.wasm_frame_func_index(frame),
        lambda: api.wasm_extern_kind(externs.data[4]),
        lambda: api.wasm_extern_vec_delete(externs),
        lambda: api.wasm_frame_vec_delete(frames),
    ):
        with pytest.raises(ReferenceError):
            call()


def test_a_vector_is_of_one_store(wat):
    worlds = [World(wat), World(wat)]

    def externs():
        return [api.wasm_func_as_extern(api.wasm_func_copy(w.func())) for w in worlds]

    match = "the elements of a vector must be of one store"
    with pytest.raises(ValueError, match=f"wasm_extern_vec_from_list: {match}"):
        api.wasm_extern_vec_from_list(externs())
    mixed = api.WASM_EMPTY_VEC("extern")
    api.wasm_extern_vec_new_uninitialized(mixed, 2)
    mixed.data[0], mixed.data[1] = externs()
    mixed.num_elems = 2
    with pytest.raises(ValueError, match=f"wasm_extern_vec_copy: {match}"):
        api.wasm_extern_vec_copy(api.WASM_EMPTY_VEC("extern"), mixed)
    with pytest.raises(ValueError, match=f"wasm_extern_vec_delete: {match}"):
        api.wasm_extern_vec_delete(mixed)
    mixed.num_elems = 1
    api.wasm_extern_vec_delete(mixed)
    for world in worlds:
        world.close()


def test_values_outlive_the_vector_that_they_were_in():
    vals = api.wasm_val_vec_to_list(
        api.wasm_val_vec_from_values([api.WASM_I32_VAL(42), api.WASM_I64_VAL(43)])
    )
    vec = made(api.WASM_I32_VAL(44))
    vals += api.wasm_val_vec_to_list(vec)
    api.wasm_val_vec_delete(vec)
    gc.collect()
    assert [api.wasm_val_value(val) for val in vals] == [42, 43, 44]


def test_the_struct_of_an_array_keeps_the_array():
    struct = api.wasm_val_vec_from_values([api.WASM_I32_VAL(42)])[0]
    gc.collect()
    assert api.wasm_val_vec_to_values(struct) == [42]
    assert api.wasm_val_vec_to_values(ffi.new("wasm_val_vec_t *", struct)) == [42]


def test_texts_of_vectors_that_say_too_much():
    vec = made(api.WASM_I32_VAL(1))
    vec.num_elems = vec.size = 1000
    with pytest.raises(ValueError, match="wasm_repr: pointer says 1000 where there are 1"):
        api.wasm_repr(vec)
    vec.num_elems = vec.size = 1
    assert api.wasm_repr(vec) == "val_vec [i32 1]"
    for name in ("byte", "extern"):
        nothing = ffi.new(f"wasm_{name}_vec_t *")
        nothing.size = nothing.num_elems = 3
        with pytest.raises(ValueError, match="wasm_repr: pointer has a size of 3 and no data"):
            api.wasm_repr(nothing)
    stray = api.WASM_ARRAY_VEC("extern", [ffi.cast("wasm_extern_t *", 0x1230)])
    with pytest.raises(ReferenceError, match=r"wasm_repr: pointer.data\[0\] is no live"):
        api.wasm_repr(stray)


def test_a_vector_that_was_given_away_is_not_read_after_its_new_owner(world):
    module, name = api.wasm_name_from_str("m"), api.wasm_name_from_str("n")
    importtype = api.wasm_importtype_new(module, name, world.new("externtype"))
    assert api.wasm_name_to_str(name) == "n"
    api.wasm_importtype_delete(importtype)
    for use in (
        lambda: api.wasm_name_to_str(name),
        lambda: api.wasm_name_to_str(name[0]),
        lambda: api.wasm_name_copy(api.WASM_EMPTY_VEC("byte"), name),
        lambda: api.wasm_module_new(world.store, name),
        lambda: api.wasm_repr(name),
    ):
        with pytest.raises(ReferenceError, match=r"\.data went with a wasm_importtype_t, which"):
            use()
    # As in C, the struct can be used for another vector.
    api.wasm_name_new_from_string(name, "new")
    assert api.wasm_name_to_str(name) == "new"
    api.wasm_name_delete(name)
    assert api.wasm_name_to_str(name) == ""


def test_exports_are_not_read_after_their_store(world):
    api.wasm_store_delete(world.store)
    with pytest.raises(ReferenceError, match=r"vec\.data went with its store"):
        api.wasm_extern_vec_to_list(world.exports)
    with pytest.raises(ReferenceError, match=r"vec\.data went with its store"):
        api.wasm_extern_vec_copy(api.WASM_EMPTY_VEC("extern"), world.exports)


def test_what_c_leaves_as_it_was_is_not_taken_for_its_own(world):
    """Copying NULL doesn't write to `out`, so `out` keeps the vector that it had."""
    for name in ("byte", "val", "valtype", "memorytype", "extern"):
        array = api.WASM_ARRAY_VEC(name, world.items(name))
        for fill in (
            lambda out, name=name: getattr(api, f"wasm_{name}_vec_copy")(out, None),
            lambda out, name=name: getattr(api, f"wasm_{name}_vec_new")(out, 0, None),
        ):
            out = ffi.new(f"wasm_{name}_vec_t *", array[0])
            fill(out)
            assert (out.size, out.num_elems, out.data) == (0, 0, ffi.NULL)
            getattr(api, f"wasm_{name}_vec_delete")(out)
    out = api.WASM_ARRAY_VEC("extern", [world.by_name["add"]])
    api.wasm_instance_exports(None, out)
    assert not out.data
    # A vector may be copied onto itself.
    vec = api.wasm_byte_vec_from_bytes(b"abc")
    old = ffi.new("wasm_byte_vec_t *", vec[0])
    api.wasm_byte_vec_copy(vec, vec)
    assert api.wasm_byte_vec_to_bytes(vec) == b"abc"
    api.wasm_byte_vec_delete(vec)
    api.wasm_byte_vec_delete(old)


def test_a_copy_of_a_struct_is_not_the_next_vector_at_its_address():
    vec = api.wasm_valtype_vec_from_list([api.wasm_valtype_new_i32()])
    copy = ffi.new("wasm_valtype_vec_t *", vec[0])
    copy.lock = ffi.cast("void *", 0x1230)
    with pytest.raises(ReferenceError, match="no copy of the vector that has the data"):
        api.wasm_valtype_vec_delete(copy)
    api.wasm_valtype_vec_delete(vec)


def test_a_struct_with_data_that_has_gone_is_no_other_vector():
    name = api.wasm_name_from_str("m" * 40)
    type_ = api.wasm_functype_as_externtype(api.wasm_functype_new_0_0())
    importtype = api.wasm_importtype_new(name, api.wasm_name_from_str("n"), type_)
    api.wasm_importtype_delete(importtype)
    # Whether or not the allocator gives the same memory to one of these.
    others = [api.wasm_name_from_str("f" * 40) for _ in range(100)]
    with pytest.raises(ReferenceError, match=r"name\.data went with a wasm_importtype_t"):
        api.wasm_name_to_str(name)
    with pytest.raises(ReferenceError, match=r"vec\.data went with a wasm_importtype_t"):
        api.wasm_byte_vec_delete(name)
    for other in others:
        api.wasm_name_delete(other)
