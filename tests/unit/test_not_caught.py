"""Traps, exits, limits and other Python exceptions, which wasm code never catches."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from throwing import CATCHING, CatchingInstance

from wamr import ExitTrap, Instance, Module, Trap, TrapCode, WasiConfig, WasmException


@pytest.fixture
def catching(store):
    return CatchingInstance(store)


class Mine(Exception):
    pass


@pytest.mark.parametrize("name", [*CATCHING, "again"])
@pytest.mark.parametrize("kind", [Mine, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
def test_other_exceptions_are_not_caught(catching, name, kind):
    catching.throws(thrown := kind("mine"))
    with pytest.raises(kind) as out:
        catching.exports[name]()
    assert out.value is thrown
    catching.throws(WasmException(catching.tag, 1))
    assert catching.exports.by_tag() == 1


@pytest.mark.parametrize("name", [*CATCHING, "again"])
def test_traps_are_not_caught(catching, name):
    catching.action = catching.exports.trap_in_try
    with pytest.raises(Trap, match="unreachable"):
        catching.exports[name]()
    with pytest.raises(Trap, match="unreachable"):
        catching.exports.trap_in_try()
    catching.throws(Trap("of the host"))
    with pytest.raises(Trap, match="of the host"):
        catching.exports[name]()
    with pytest.raises(Trap, match="null exception reference"):
        catching.exports.throw_ref(None)


LIMITED = """(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func $deep (call $deep))
    (func $spin (loop $l (br $l)))
    (func (export "f") (param i32) (result i32)
        (block $c
            (try_table (catch_all $c)
                (block $3 (block $2 (block $1 (block $0
                    (br_table $0 $1 $2 $3 (local.get 0)))
                    (call $spin)) (call $deep)) (call $exit (i32.const 3)))
                (drop (i32.div_s (i32.const 1) (i32.const 0))))
            (return (i32.const 0)))
        (i32.const 1)))"""


def test_limits_and_exits_are_not_caught(store):
    wasi = WasiConfig()
    f = Instance(store, Module(store, LIMITED), wasi=wasi).exports.f
    with pytest.raises(Trap) as caught:
        f.call(0, timeout=0.05)
    assert caught.value.code is TrapCode.TIMEOUT
    with pytest.raises(Trap) as caught:
        f.call(0, fuel=100)
    assert caught.value.code is TrapCode.OUT_OF_FUEL
    with pytest.raises(Trap) as caught:
        f(1)
    assert caught.value.code is TrapCode.STACK_OVERFLOW
    with pytest.raises(ExitTrap):
        f(2)
    f = Instance(store, Module(store, LIMITED), wasi=wasi).exports.f
    with pytest.raises(Trap) as caught:
        f(3)
    assert caught.value.code is TrapCode.INTEGER_DIVIDE_BY_ZERO


# ------------------------------------------------------------------ code that runs in between


def during(run: Callable[[], object], call: Callable[[], Any]) -> Any:
    """Call, and run a function at each profiling event, where signal handlers may run.

    The garbage collector waits: CPython drops what a function of gc.callbacks raises.
    """
    gc.disable()
    sys.setprofile(lambda frame, event, arg: run())
    try:
        return call()
    finally:
        sys.setprofile(None)
        gc.enable()


@pytest.mark.parametrize("name", CATCHING)
@pytest.mark.parametrize("nested", ["ok", "trap_in_try", "throw", "by_all"])
def test_calls_before_the_catch_change_nothing(catching, name, nested):
    """Calls of the same instance, between the raise in a host function and the catch."""
    answers = set()
    thrown = WasmException(catching.tag, 42)

    def fail() -> None:
        raise thrown

    def run() -> None:
        catching.action = lambda: None
        try:
            answers.add(catching.exports[nested](*[7] * (nested == "throw")))
        except (Trap, WasmException) as error:
            answers.add(str(error).partition("\n")[0])
        catching.action = fail

    catching.action = fail
    result = during(run, catching.exports[name])
    assert result == {"by_tag": 42, "by_all": 1, "by_ref": (42, thrown)}.get(name, thrown)
    expected = {
        "ok": 7,
        "by_all": -1,
        "trap_in_try": "unreachable",
        "throw": "uncaught exception (i32): (7)",
    }
    assert answers == {expected[nested]}


def test_a_destructor_calls_while_an_exception_is_dropped(catching):
    """The frame of the host function is freed when wasm code has caught its exception."""
    seen = []

    class Calls:
        def __del__(self) -> None:
            try:
                seen.append(catching.exports.ok())
                catching.exports.trap_in_try()
            except Trap as error:
                seen.append(str(error).partition("\n")[0])

    def fail() -> None:
        caller = Calls()
        raise WasmException(catching.tag, len(repr(caller)) and 42)

    catching.action = fail
    assert catching.exports.by_tag() == 42
    assert catching.exports.by_all() == 1
    assert seen == [7, "unreachable"] * 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_exception_of_a_signal_handler_is_not_lost(catching, kind):
    """At each profiling event of the call."""
    thrown = WasmException(catching.tag, 42)
    catching.throws(thrown)
    at, events = [0], []

    def run() -> None:
        events.append(None)
        if len(events) == at[0]:
            raise kind

    catching.exports.by_all()  # makes what later calls reuse
    during(run, catching.exports.by_all)
    assert len(events) > 10
    for at[0] in range(1, len(events) + 1):
        events.clear()
        with pytest.raises(kind):
            during(run, catching.exports.by_all)
    at[0] = 0
    assert catching.exports.by_all() == 1
    with ThreadPoolExecutor(1) as pool:  # which waits for ever for a lock that is still taken
        assert pool.submit(catching.exports.by_all).result() == 1


# ------------------------------------------------------------------ async calls


def test_async_call(catching):
    async def run() -> None:
        catching.throws(thrown := WasmException(catching.tag, 42))
        assert await catching.exports.by_tag.call_async() == 42
        with pytest.raises(WasmException) as caught:
            await catching.exports.bare.call_async()
        assert caught.value is thrown
        with pytest.raises(WasmException) as caught:
            await catching.exports.throw.call_async(5)
        assert caught.value.values == (5,)

    asyncio.run(run())
