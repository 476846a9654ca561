"""An exception of a signal handler, wherever it comes, leaves no store in use."""

import _thread
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from capi import api
from capi_echo import Echo
from interrupts import interruptions
from thread_helpers import in_another_thread

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def adds(world, number):
    """Return a function that calls `add`, with vectors of its own."""
    func = world.func()
    args = api.WASM_ARRAY_VEC("val", [api.WASM_I32_VAL(number), api.WASM_I32_VAL(1)])
    results = api.WASM_ARRAY_VEC("val", [api.WASM_INIT_VAL()])

    def call():
        trap = api.wasm_func_call(func, args, results)
        assert not trap, api.wasm_trap_to_str(trap)
        return results.data[0].of.i32

    return call


def add(world, number):
    return adds(world, number)()


def can_be_used(world):
    return in_another_thread(add, world, 5) == 6


def test_a_store_is_free_after_each_interruption_of_a_call(world):
    for _ in interruptions(adds(world, 4)):
        assert can_be_used(world)
    assert add(world, 4) == 5


def test_a_store_is_free_after_each_interruption_of_a_nested_call(wat):
    """The inner call has the argument 0."""
    echo = Echo(wat, lambda number: number and echo.call(number - 1))
    for number in interruptions(lambda: echo.call(1)):
        if number % 8 == 1:
            assert in_another_thread(echo.call, 2) == 2
    assert in_another_thread(echo.call, 2) == 2
    assert echo.call(1) == 1


def test_a_store_is_free_after_each_interruption_of_an_instantiation(world):
    def use():
        instance = api.wasm_instance_new(world.store, world.module, world.imports, None)
        api.wasm_instance_delete(instance)

    for number in interruptions(use):
        if number % 8 == 1:
            assert can_be_used(world)
    assert can_be_used(world)


def test_waiting_for_a_store_can_be_interrupted(wat):
    """The other thread is in the store until the end."""
    entered, leave = threading.Event(), threading.Event()

    def stay(number):
        if number == 1:
            entered.set()
            leave.wait()

    echo = Echo(wat, stay)
    with ThreadPoolExecutor(1) as pool:
        inside = pool.submit(echo.call, 1)
        try:
            entered.wait()
            for number in (2, 3):
                timer = threading.Timer(0.1, _thread.interrupt_main)
                timer.start()
                with pytest.raises(KeyboardInterrupt):
                    echo.call(number)
                timer.join()
            assert not inside.done()
        finally:
            leave.set()
        assert inside.result() == 1
    assert echo.call(4) == 4
