"""The C API in the child of a fork, whose parent has a thread in a store."""

from __future__ import annotations

import pytest
from capi import World
from forks import another_thread, is_true_in_child
from platforms import needs_fork

import wamr.ffi as api
from wamr._capi import dead_handles
from wamr._capi.engines import STORE

pytestmark = needs_fork


def test_a_store_that_a_lost_thread_is_in_is_refused(wat):
    world = World(wat)
    store = STORE.live[id(world.store)].extra

    def add():
        results = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
        args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(20), api.WASM_I32_VAL(22)])
        assert not api.wasm_func_call(func, args, results)
        return api.wasm_val_vec_to_values(results) == [42]

    def is_refused():
        with pytest.raises(RuntimeError, match="another thread was in this store when this proc"):
            add()
        with pytest.raises(ValueError, match="store is running a function"):
            api.wasm_store_delete(world.store)
        other = World(wat)
        other.close()
        return True

    func = world.func("add")
    with another_thread(store.run):
        assert is_true_in_child(is_refused)
    assert add()
    assert store.run(lambda: is_true_in_child(add))  # of this thread: the call is within another
    world.close()


def test_dead_handles_are_swept_although_a_lost_thread_sweeps():
    def sweeps():
        dead_handles.limit = -1
        dead_handles.sweep()
        return dead_handles.limit > 0

    def sweeping(wait):
        dead_handles._sweeping.run(ValueError, wait)

    with another_thread(sweeping):
        assert is_true_in_child(sweeps)
