"""What stops code stops it when a host function ends, however few checks the code makes.

Code calls a host function in an endless loop. The first call takes all the time that the code has,
or the stop is asked for while it runs: the code must not make a second call.
"""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from thread_helpers import in_another_thread

from wamr import (
    Func,
    FuncType,
    Instance,
    Module,
    Store,
    Tag,
    TagType,
    TimeoutTrap,
    Trap,
    TrapCode,
    WasmException,
)

pytestmark = pytest.mark.usefixtures("wat")

CODE = """(module
    (import "host" "call" (func $call))
    (func (export "returning") (loop $again (call $call) (br $again)))
    (func (export "catching")
        (loop $again (try_table (catch_all $again) (call $call)) (br $again)))
    (func (export "once") (call $call))
    (func (export "nothing")))"""
NAMES = "returning", "catching"


class CalledAgain(Exception):
    pass


def code_with(function: Callable[[], None], name: str = "returning") -> tuple[Instance, list[int]]:
    """Code with a host function that runs `function`, once; for "catching", it throws then."""
    store = Store()
    tag = Tag(store, TagType())
    calls = [0]

    def call() -> None:
        calls[0] += 1
        if calls[0] > 1:
            raise CalledAgain
        function()
        if name == "catching":
            raise WasmException(tag)

    return Instance(store, Module(store, CODE), {"host": {"call": call}}), calls


@pytest.mark.parametrize("name", NAMES)
def test_a_timeout(name):
    instance, calls = code_with(lambda: time.sleep(0.02), name)
    with pytest.raises(TimeoutTrap):
        instance.exports[name].call(timeout=0.01)
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_an_interruption_by_another_thread(name):
    instance, calls = code_with(lambda: in_another_thread(instance.interrupt), name)
    with pytest.raises(Trap, match="interrupted") as caught:
        instance.exports[name]()
    assert (caught.value.code, calls) == (TrapCode.INTERRUPTED, [1])
    calls[0] = 0
    with pytest.raises(Trap, match="interrupted"):  # the next call has an interruption of its own
        instance.exports[name]()
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_an_interruption_that_a_call_of_another_instance_has_seen(name):
    """Behind the interruption, a host function of the inner code ends first."""
    inner, inner_calls = code_with(lambda: in_another_thread(outer.interrupt))

    def call_inner() -> None:
        with pytest.raises(Trap, match="interrupted"):
            inner.exports.returning()

    outer, calls = code_with(call_inner, name)
    with pytest.raises(Trap, match="interrupted"):
        outer.exports[name]()
    assert (inner_calls, calls) == ([1], [1])


@pytest.mark.parametrize("name", NAMES)
def test_an_interruption_of_an_outer_instance(name):
    inner, calls = code_with(lambda: in_another_thread(outer.interrupt), name)
    outer, _ = code_with(inner.exports[name])  # through Python
    with pytest.raises(Trap, match="interrupted"):
        outer.exports.once()
    assert calls == [1]
    calls[0] = 0
    store = inner.store
    imports = {"host": {"call": inner.exports[name]}}
    outer = Instance(store, Module(store, CODE), imports)  # without Python
    with pytest.raises(Trap, match="interrupted"):
        outer.exports.once()
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_an_interruption_of_an_execution(name):
    instance, calls = code_with(lambda: in_another_thread(instance.interrupt), name)
    with pytest.raises(Trap, match="interrupted"):
        next(instance.exports[name].execution())
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_a_slice(name):
    instance, calls = code_with(lambda: time.sleep(0.02), name)
    with closing(instance.exports[name].execution(slice=0.01)) as execution:
        while not calls[0]:  # the slice of a busy machine can end before the first call
            assert next(execution).kind == "slice"
    assert calls == [1]


@pytest.mark.parametrize("name", NAMES)
def test_a_cancelled_call(name):
    entered, leave = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert leave.wait(100)

    instance, calls = code_with(wait, name)

    async def main() -> None:
        task = asyncio.create_task(instance.exports[name].call_async())
        while not entered.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0)
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert calls == [1]


def test_a_loop_that_is_closed_over_a_call():
    entered, leave = threading.Event(), threading.Event()
    calls = [0]

    def call() -> None:
        calls[0] += 1
        if calls[0] == 1:
            entered.set()
            assert leave.wait(100)
        assert calls[0] < 50
        time.sleep(0.01)

    store = Store()
    instance = Instance(store, Module(store, CODE), {"host": {"call": call}})
    loop = asyncio.new_event_loop()
    task = loop.create_task(instance.exports.returning.call_async())
    loop.run_until_complete(asyncio.to_thread(entered.wait, 100))
    loop.close()
    leave.set()
    instance.exports.nothing()  # waits until the instance is free
    assert calls[0] < 50
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_signal_where_only_a_built_in_function_runs():
    """The interpreter looks for signals in Python functions only, and here there is none."""

    class Signal(Exception):
        pass

    def handler(*_: object) -> None:
        raise Signal

    store = Store()
    code = """(module
        (import "host" "call" (func $call))
        (global (export "calls") (mut i32) (i32.const 0))
        (func (export "run") (loop $again
            (global.set 0 (i32.add (global.get 0) (i32.const 1)))
            (call $call)
            (br_if $again (i32.lt_u (global.get 0) (i32.const 100))))))"""
    call = Func(store, FuncType([], []), _thread.interrupt_main)
    instance = Instance(store, Module(store, code), {"host": {"call": call}})
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(Signal):
            instance.exports.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert instance.exports.calls.value == 1
