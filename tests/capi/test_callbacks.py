"""Callbacks that delete, keep, call and raise; threads that take turns in a store."""

import gc
import sys
import threading
import time

import pytest
from capi import api, ffi

from wamr._capi import callbacks


def call_inside(world, action):
    """Call wasm that calls back `action`; return the text of the trap, or None."""

    @api.wasm_func_callback
    def callback(args, results):
        action(args, results)

    type_ = api.wasm_func_type(world.host)
    host = api.wasm_func_new(world.store, type_, callback)
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(host), world.imports.data[1]])
    instance = api.wasm_instance_new(world.store, world.module, imports, None)
    exports = ffi.new("wasm_extern_vec_t *")
    api.wasm_instance_exports(instance, exports)
    func = api.wasm_extern_as_func(exports.data[5])
    args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(21)])
    results = ffi.new("wasm_val_vec_t *")
    api.wasm_val_vec_new_uninitialized(results, 1)
    world.inside = func, args, results
    trap = api.wasm_func_call(*world.inside)
    return api.wasm_trap_to_str(trap) if trap else None


@pytest.mark.parametrize(
    "action",
    [
        lambda w: api.wasm_store_delete(w.store),
        lambda w: api.wasm_func_delete(w.inside[0]),
        lambda w: api.wasm_val_vec_delete(w.inside[2]),
    ],
    ids=["store", "function", "results"],
)
def test_what_a_running_call_needs_can_not_be_deleted_by_its_callback(world, action):
    text = call_inside(world, lambda args, results: action(world))
    assert "Exception: " in text
    assert "ValueError" in text or "ReferenceError" in text
    assert not call_inside(world, lambda args, results: None)


def test_an_engine_with_a_running_store_is_not_deleted(world):
    def action(args, results):
        while True:
            api.wasm_engine_delete(world.engine)

    assert "is running a function" in call_inside(world, action)
    assert api.wasm_store_new(world.engine)


def test_a_callback_can_delete_other_objects_and_call_wasm(world):
    def action(args, results):
        api.wasm_instance_delete(world.new("instance"))
        out = api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()])
        two = api.wasm_val_vec_from_values([api.WASM_I32_VAL(20), api.WASM_I32_VAL(22)])
        assert not api.wasm_func_call(world.func("add"), two, out)
        results.data[0].of.i32 = api.wasm_val_vec_to_values(out)[0]

    assert call_inside(world, action) is None
    assert api.wasm_val_vec_to_values(world.inside[2]) == [42]


def test_a_callback_may_keep_its_vectors(world):
    kept = []
    assert call_inside(world, lambda args, results: kept.append((args, results))) is None
    gc.collect()
    (args, results) = kept[0]
    assert api.wasm_val_vec_to_values(args) == [21]
    assert results.size == 1
    with pytest.raises(ReferenceError):
        api.wasm_val_vec_delete(args)


def test_vectors_that_a_callback_keeps_live_longer_than_the_store(world):
    kept = []

    def action(args, results):
        kept.append((args, results))
        if len(kept) == 1:  # a nested call gets vectors of its own
            again = api.wasm_val_vec_from_values([api.WASM_I32_VAL(5)])
            out = api.wasm_val_vec_from_values([api.WASM_INIT_VAL()])
            assert not api.wasm_func_call(world.inside[0], again, out)

    assert call_inside(world, action) is None
    world.close()
    gc.collect()
    others = [ffi.new("wasm_val_t *", {"kind": api.WASM_F64}) for _ in range(1000)]
    assert [api.wasm_val_vec_to_values(args) for args, _ in kept] == [[21], [5]]
    assert [api.wasm_val_vec_to_values(results) for _, results in kept] == [[0], [0]]
    del others


def test_a_callback_that_changes_its_vectors_gets_whole_ones_in_the_next_call(world):
    seen = []

    def action(args, results):
        seen.append((api.wasm_val_vec_to_values(args), api.wasm_val_vec_to_values(results)))
        for vec in (args, results):
            vec.data, vec.size, vec.num_elems = ffi.NULL, 0, 0

    assert call_inside(world, action) is None
    assert not api.wasm_func_call(*world.inside)
    assert seen == [([21], [0])] * 2


def test_threads_take_turns_in_a_store(world):
    running, most = [], []

    def action(args, results):
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    assert call_inside(world, action) is None
    threads = [
        threading.Thread(target=api.wasm_func_call, args=(world.inside[0], world.inside[1], out))
        for out in [api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()]) for _ in range(8)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 9
    assert set(most) == {1}


def test_a_store_that_another_thread_is_in_is_not_deleted(world):
    entered, leave = threading.Event(), threading.Event()

    def action(args, results):
        entered.set()
        leave.wait(200)

    thread = threading.Thread(target=call_inside, args=(world, action))
    thread.start()
    assert entered.wait(200)
    with pytest.raises(ValueError, match="is running a function"):
        api.wasm_store_delete(world.store)
    leave.set()
    thread.join()
    api.wasm_store_delete(world.store)


def test_calls_are_checked_against_the_type(world):
    def text(args, results):
        trap = api.wasm_func_call(world.func("add"), args, results)
        return api.wasm_trap_to_str(trap)

    one, two = [api.WASM_I32_VAL(1)], [api.WASM_I32_VAL(1), api.WASM_I64_VAL(2)]
    values = api.wasm_val_vec_from_values
    room = values([api.WASM_INIT_VAL()])
    assert text(None, room) == "2 arguments are expected, not 0"
    assert text(values(one), room) == "2 arguments are expected, not 1"
    assert text(values(one * 3), room) == "2 arguments are expected, not 3"
    assert text(values(two), room) == "argument 1 must be of kind i32, not i64"
    assert text(values(one * 2), None) == "room for 1 results is needed, not 0"
    assert text(values(one * 2), values([])) == "room for 1 results is needed, not 0"
    with pytest.raises(ValueError, match="wasm_func_call: func must not be NULL"):
        api.wasm_func_call(None, room, room)


@pytest.mark.parametrize("kept", [True, False])
def test_a_callback_that_python_can_make_no_trap_of_is_a_trap(world, monkeypatch, kept):
    """Without stack the handlers of an exception raise another one, and cffi gets that."""

    def fail(*_):
        raise RecursionError("no stack")

    class Full(dict):
        __setitem__ = fail

    monkeypatch.setattr(callbacks, "describe", fail)
    if not kept:  # nor can the last exception be kept
        monkeypatch.setattr(callbacks, "_raised", Full())
        monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    def action(args, results):
        raise KeyError("oh")

    assert call_inside(world, action) == (
        "Exception: a host function failed where Python could make no trap"
    )
    if kept:
        trap = api.wasm_func_call(*world.inside)
        assert isinstance(api.wasm_trap_exception(trap), RecursionError)


def test_exceptions_of_callbacks_are_traps_that_remember_them(world):
    error = KeyError("oh \0 no")

    def action(args, results):
        raise error

    text = call_inside(world, action)
    assert text == "Exception: KeyError: 'oh \\x00 no'"
    trap = api.wasm_func_call(*world.inside)
    assert api.wasm_trap_exception(trap) is error
    assert api.wasm_trap_exception(world.boom()) is None

    def interrupt(args, results):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_inside(world, interrupt)


def test_callbacks_with_wrong_answers_trap(world):
    def wrong_kind(args, results):
        results.data[0].kind = api.WASM_F64

    assert "result 0 has the kind 3, not 0" in call_inside(world, wrong_kind)

    @api.wasm_func_callback
    def wrong_answer(args, results):
        return 5

    type_ = api.wasm_func_type(world.host)
    host = api.wasm_func_new(world.store, type_, wrong_answer)
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(host), world.imports.data[1]])
    assert api.wasm_instance_new(world.store, world.module, imports, None)
    args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(1)])
    trap = api.wasm_func_call(host, args, api.wasm_val_vec_from_values([api.WASM_INIT_VAL()]))
    assert "TypeError" in api.wasm_trap_to_str(trap)


def test_a_callback_returns_a_trap_of_its_own(world):
    given = []

    @api.wasm_func_callback
    def refuse(args, results):
        given.append(api.wasm_trap_new(world.store, api.wasm_name_from_str("refused\0")))
        return given[0]

    host = api.wasm_func_new(world.store, api.wasm_func_type(world.host), refuse)
    imports = api.WASM_ARRAY_VEC("extern", [api.wasm_func_as_extern(host), world.imports.data[1]])
    assert api.wasm_instance_new(world.store, world.module, imports, None)
    args = api.wasm_val_vec_from_values([api.WASM_I32_VAL(1)])
    trap = api.wasm_func_call(host, args, api.wasm_val_vec_from_values([api.WASM_INIT_VAL()]))
    assert api.wasm_trap_to_str(trap) == "Exception: refused"
    with pytest.raises(ReferenceError, match="was given to the runtime by a callback"):
        api.wasm_trap_delete(given[0])
