"""The sweep of the tests (support/capi_sweep.py) deletes all objects that a test has left."""

import pytest
from capi import api, ffi
from capi_sweep import sweep

from wamr._capi import handles, vectors


def address(pointer):
    return int(ffi.cast("uintptr_t", pointer))


def given_away(text):
    """Return the struct of a vector that an import type owned and has deleted with itself."""
    name = api.wasm_name_from_str(text)
    type_ = api.wasm_functype_as_externtype(api.wasm_functype_new_0_0())
    api.wasm_importtype_delete(api.wasm_importtype_new(name, api.wasm_name_from_str("n"), type_))
    return name


@pytest.mark.parametrize("size", [1, 24, 40, 100, 5000])
def test_a_live_vector_may_be_where_one_was_that_was_given_away(size):
    old = [given_away("m" * size) for _ in range(10)]
    new = []
    for _ in range(1000):  # until the allocator returns the same memory again
        new.append(api.wasm_name_from_str("f" * size))
        if address(new[-1].data) in {address(name.data) for name in old}:
            break
    sweep()
    assert not vectors.blocks


def test_a_live_vector_of_another_type_may_be_there():
    old = [given_away("m" * 8) for _ in range(10)]
    new = [api.wasm_valtype_vec_from_list([api.wasm_valtype_new_i32()]) for _ in range(100)]
    sweep()
    assert not vectors.blocks
    assert len(old) + len(new) == 110  # keeps both lists alive until here


def test_elements_that_came_into_a_vector_by_hand_go_with_it():
    vec = ffi.new("wasm_valtype_vec_t *")
    api.wasm_valtype_vec_new_uninitialized(vec, 2)
    vec.data[0] = vec.data[1] = api.wasm_valtype_new_i32()
    vec.num_elems = 2
    with pytest.raises(ReferenceError, match="is in the vector twice"):
        api.wasm_valtype_vec_delete(vec)
    vec.data[1] = api.wasm_valtype_new_i64()
    sweep()
    assert not vectors.blocks
    assert not handles.by_address


def test_what_cannot_be_deleted_fails_once():
    handles.by_address[1] = type("Unknown", (), {"kind": "an unknown object"})()
    with pytest.raises(AssertionError, match="an unknown object"):
        sweep()
    sweep()
