"""Objects that a running call needs can't be deleted; threads take turns without deadlocks."""

import sys
import threading

import pytest
from capi import api, ffi
from capi_echo import Echo


def copied_by_hand(echo):
    vec = api.WASM_EMPTY_VEC("extern")
    api.wasm_extern_vec_new_uninitialized(vec, 2)
    vec.data[0] = api.wasm_func_as_extern(api.wasm_func_copy(echo.func))
    vec.num_elems = 1
    return vec


VECTORS = {
    "exports": lambda echo: echo.exports,
    "another struct": lambda echo: ffi.new("wasm_extern_vec_t *", echo.exports[0]),
    "a list": lambda echo: api.wasm_extern_vec_from_list(
        [api.wasm_func_as_extern(api.wasm_func_copy(echo.func))]
    ),
    "by hand": copied_by_hand,
}


@pytest.mark.parametrize("which", VECTORS)
def test_a_vector_that_owns_the_running_function_is_not_deleted(wat, which):
    def action(_):
        api.wasm_extern_vec_delete(vec)

    echo = Echo(wat, action)
    vec = VECTORS[which](echo)
    func = api.wasm_extern_as_func(vec.data[0])
    assert "wasm_extern_vec_delete: vec holds what is being called" in echo.call(1, func)
    action(1)  # after the call the vector can be deleted
    with pytest.raises(ReferenceError, match="wasm_func_call: func"):
        echo.call(1, func)


def test_another_thread_deletes_nothing_that_runs(wat):
    entered, leave = threading.Event(), threading.Event()

    def action(_):
        entered.set()
        leave.wait(200)

    echo = Echo(wat, action)
    found = []
    thread = threading.Thread(target=lambda: found.append(echo.call(7)))
    thread.start()
    assert entered.wait(200)
    for delete, what in (
        (api.wasm_extern_vec_delete, echo.exports),
        (api.wasm_store_delete, echo.store),
    ):
        with pytest.raises(ValueError, match=delete.__name__):
            delete(what)
    leave.set()
    thread.join()
    assert found == [7]
    api.wasm_extern_vec_delete(echo.exports)


def test_a_finalizer_may_call_into_the_store_that_goes(wat):
    echo = Echo(wat, lambda _: None)
    seen = []

    def finalizer(_):
        try:
            seen.append(echo.call(3))
        except ReferenceError:
            seen.append("gone")
        for call in (
            lambda: api.wasm_store_delete(echo.store),
            lambda: api.wasm_store_new(echo.engine),
            lambda: api.wasm_engine_delete(echo.engine),
        ):
            try:
                call()
            except (ReferenceError, ValueError) as error:
                seen.append(type(error))

    for _ in range(4):
        trap = api.wasm_trap_new(echo.store, None)
        api.wasm_trap_set_host_info_with_finalizer(trap, ffi.cast("void *", 64), finalizer)
    api.wasm_store_delete(echo.store)
    assert seen.count(3) + seen.count("gone") == 4
    assert seen.count(ReferenceError) == 4
    with pytest.raises(ReferenceError):
        echo.call(3)


def test_two_threads_that_wait_for_each_other_are_told(wat):
    both = threading.Barrier(2)
    echoes = []

    def other_than(index):
        def action(value):
            if value:
                both.wait(200)
                text = echoes[1 - index].call(0)
                if text != 0:
                    raise LookupError(text)

        return action

    echoes += [Echo(wat, other_than(0)), Echo(wat, other_than(1))]
    found = []
    threads = [
        threading.Thread(target=lambda echo=echo: found.append(echo.call(1))) for echo in echoes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
        assert not thread.is_alive()
    # At least one of the two threads gets the error; the other may then go on.
    assert any("would wait for ever" in str(answer) for answer in found), found
    assert [echo.call(0) for echo in echoes] == [0, 0]


def test_threads_may_make_and_delete_at_the_same_time():
    """The registry of deleted handles is swept while other threads write to it."""
    errors = []

    def run():
        try:
            for _ in range(10_000):
                api.wasm_valtype_delete(api.wasm_valtype_new_i32())
        except Exception as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not errors


def test_of_two_threads_that_delete_the_same_one_is_told(world):
    import contextlib

    def shared_foreign():
        foreign = world.new("foreign")
        # With host info the foreign object is deleted on another path.
        api.wasm_foreign_set_host_info(foreign, ffi.cast("void *", 64))
        return foreign

    makers = {
        "valtype": api.wasm_valtype_new_i32,
        "trap": world.trap,
        "foreign": shared_foreign,
        "valtype_vec": lambda: world.vec("valtype"),
        "byte_vec": lambda: world.vec("byte"),
    }
    objects = [(name, make()) for name, make in makers.items() for _ in range(100)]
    done, threads = [], 4

    def run():
        for name, obj in objects:
            # Deleting a vector twice is allowed when its struct is already empty.
            with contextlib.suppress(ReferenceError):
                getattr(api, f"wasm_{name}_delete")(obj)
                done.append(name)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    for name in ("valtype", "trap", "foreign"):
        assert done.count(name) == 100
    for name in ("valtype_vec", "byte_vec"):
        assert 100 <= done.count(name) <= 400


def test_a_function_that_is_deleted_between_two_calls_is_found_out(wat):
    echo = Echo(wat, lambda _: None)
    func = api.wasm_func_copy(echo.func)
    assert echo.call(5, func) == 5
    api.wasm_func_delete(func)
    other = api.wasm_func_copy(echo.func)  # most likely at the same address
    assert echo.call(6, other) == 6
    with pytest.raises(ReferenceError, match="wasm_func_call: func was deleted"):
        echo.call(7, func)
    for wrong in ([], {}, 5, "text", echo.instance, ffi.cast("void *", other)):
        with pytest.raises(TypeError, match="wasm_func_call: func must be"):
            api.wasm_func_call(wrong, None, None)
