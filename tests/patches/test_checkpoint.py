"""The check that stops wasm code (cmake/patches/limits/) ends each kind of endless loop.

Only an endless loop proves that code was stopped and did not return by itself.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from thread_helpers import repeatedly

import wamr

Wat = Callable[[str], bytes]

# Each way for wasm code to run for ever without growing its stack.
LOOPS = {
    "br": "(loop $l (br $l))",
    "br_if": "(loop $l (br_if $l (i32.const 1)))",
    "br_table": "(loop $l (br_table $l $l (i32.const 0)))",
    "call": "(loop $l (call $nothing) (br $l))",
    "return_call": "(return_call $go)",
    "return_call_indirect": "(return_call_indirect (i32.const 0))",
    "long": "(loop $l " + "(drop (i32.const 1))" * 5000 + "(br $l))",
}


def endless(wat: Wat, loop: str, limits: wamr.ResourceLimits | None = None) -> Any:
    text = f"""(module
        (table 1 funcref) (elem (i32.const 0) $go)
        (func $nothing)
        (func $go (export "go") {LOOPS[loop]})
        (func (export "fine") (result i32) (i32.const 42)))"""
    return wamr.load(wat(text), limits=limits)


@pytest.mark.parametrize("loop", LOOPS)
def test_endless_loop_is_stopped(wat: Wat, loop: str) -> None:
    instance = endless(wat, loop)
    with pytest.raises(wamr.TimeoutTrap):
        instance.exports.go.call(timeout=0.02)
    with pytest.raises(wamr.FuelTrap):
        instance.exports.go.call(fuel=1000)
    assert instance.exports.fine() == 42


@pytest.mark.parametrize("loop", LOOPS)
def test_endless_loop_is_interrupted_from_another_thread(wat: Wat, loop: str) -> None:
    instance = endless(wat, loop)
    interrupting = repeatedly(instance.interrupt)
    with interrupting, pytest.raises(wamr.Trap, match="interrupted") as caught:
        instance.exports.go()
    assert caught.value.code is wamr.TrapCode.INTERRUPTED
    assert instance.exports.fine() == 42


def test_endless_start_function_is_stopped(wat: Wat) -> None:
    text = "(module (func $go (loop $l (br $l))) (start $go))"
    with pytest.raises(wamr.TimeoutTrap):
        wamr.load(wat(text), limits=wamr.ResourceLimits(timeout=0.02))
    with pytest.raises(wamr.FuelTrap):
        wamr.load(wat(text), limits=wamr.ResourceLimits(fuel=100))


def test_endless_loop_in_another_instance_is_stopped_with_the_call(wat: Wat) -> None:
    store = wamr.Store()
    inner = wamr.Instance(
        store, wamr.Module(store, wat('(module (func (export "go") (loop $l (br $l))))'))
    )
    outer = wamr.Instance(
        store,
        wamr.Module(
            store,
            wat("""(module (import "m" "go" (func $go))
                (func (export "go") (loop $l (call $go) (br $l))))"""),
        ),
        {"m": inner},
    )
    with pytest.raises(wamr.TimeoutTrap):
        outer.exports.go.call(timeout=0.02)
    with repeatedly(outer.interrupt), pytest.raises(wamr.Trap, match="interrupted"):
        outer.exports.go()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_signal_handler_ends_an_endless_loop(wat: Wat) -> None:
    def handler(*_: object) -> None:
        raise KeyboardInterrupt("from the handler")

    instance = endless(wat, "br")
    signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
    with pytest.raises(KeyboardInterrupt, match="from the handler"):
        timer.start()
        instance.exports.go()
    timer.join()
    assert instance.exports.fine() == 42


def test_fuel_is_the_same_each_time(wat: Wat) -> None:
    text = """(module (func (export "count") (param i32)
        (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    used = set()
    for _ in range(3):
        instance = wamr.load(wat(text), limits=wamr.ResourceLimits(fuel=1_000_000))
        instance.exports.count(200_000)
        used.add(instance.fuel)
    assert len(used) == 1
    assert 0 < used.pop() <= 800_000


@pytest.mark.parametrize("fuel", [0, 1, 65_520, 65_521, 65_522, 131_042])
def test_fuel_ends_where_it_ends_whatever_the_slice(wat: Wat, fuel: int) -> None:
    text = """(module (global $n (export "n") (mut i32) (i32.const 0))
        (func (export "go")
          (loop $l (global.set $n (i32.add (global.get $n) (i32.const 1))) (br $l))))"""
    instance = wamr.load(wat(text), limits=wamr.ResourceLimits(fuel=fuel))
    with pytest.raises(wamr.FuelTrap):
        instance.exports.go()
    # one for the entry of the function, one for each br but the one that was stopped
    assert instance.exports.n.value == max(fuel, 0)
    assert instance.fuel == 0
