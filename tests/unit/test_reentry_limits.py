"""Limits and interruptions of reentrant calls."""

from __future__ import annotations

import signal
import threading

import pytest
from reentrant_instances import World, frames_of

from wamr import FuelTrap, Instance, Module, TimeoutTrap, Trap, TrapCode


# ------------------------------------------------------------------ limits
@pytest.mark.parametrize("slot", [0, 1])
def test_fuel_that_an_inner_call_used_up_ends_the_outer_one_too(store, slot):
    world = World(store, fuel=10_000)

    def action(value):
        with pytest.raises(FuelTrap):
            world.a.exports.spin()
        return value

    world.action = action
    with pytest.raises(FuelTrap) as caught:
        world.a.exports.go(slot, 5)
    assert frames_of(caught.value)[0] == "h"
    assert world.a.fuel == 0
    assert world.b.fuel == (10_000 if slot == 0 else 10_000 - 2)
    world.a.fuel = 10_000
    world.works()


@pytest.mark.parametrize("slot", [0, 1])
def test_fuel_of_an_inner_call_is_taken_once_and_the_outer_goes_on(store, slot):
    world = World(store, fuel=100_000)

    def action(value):
        with pytest.raises(FuelTrap):
            world.a.exports.spin.call(fuel=1000)
        return value

    world.action = action
    assert world.a.exports.go(slot, 5) == (16 if slot == 0 else 116)
    with_inner = 100_000 - world.a.fuel
    world.a.fuel = 100_000
    world.action = lambda value: value
    world.a.exports.go(slot, 5)
    assert with_inner == 100_000 - world.a.fuel + 1000


@pytest.mark.parametrize("slot", [0, 1])
def test_the_fuel_of_the_outer_call_ends_an_inner_one_that_has_more(world, slot):
    def action(value):
        world.a.exports.spin.call(fuel=10**9)

    world.action = action
    with pytest.raises(FuelTrap) as caught:
        world.a.exports.go.call(slot, 5, fuel=1000)
    middle = ["h", "go"] if slot == 0 else ["h", "through", "go"]
    assert frames_of(caught.value) == ["spin", *middle]
    world.works()


@pytest.mark.parametrize("slot", [0, 1])
def test_a_shorter_inner_timeout_leaves_the_outer_call_alone(world, slot):
    def action(value):
        with pytest.raises(TimeoutTrap):
            world.a.exports.spin.call(timeout=0.01)
        return value

    world.action = action
    assert world.a.exports.go.call(slot, 5, timeout=3600) == (16 if slot == 0 else 116)
    world.works()


@pytest.mark.parametrize("slot", [0, 1])
def test_an_outer_timeout_ends_every_inner_call_whatever_is_caught(world, slot):
    seen = []

    def action(value):
        for _ in range(3):
            try:
                world.a.exports.spin.call(timeout=3600)
            except TimeoutTrap as trap:
                seen.append(frames_of(trap))
        return value

    world.action = action
    with pytest.raises(TimeoutTrap):
        world.a.exports.go.call(slot, 5, timeout=0.05)
    assert seen in ([["spin"]] * 3, [])  # nothing, if getting there took as long
    world.works()


# ------------------------------------------------------------------ interruption
@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("who", ["a", "b", "store"])
def test_an_interruption_holds_until_the_instance_is_left(world, slot, who):
    """Code that swallows it gets it again; an instance outside of the chain gets none."""
    seen = []
    hit = who != "b" or slot == 1

    def action(value):
        getattr(world, who).interrupt()
        for _ in range(2 if hit else 0):
            with pytest.raises(Trap) as caught:
                world.a.exports.spin()
            seen.append(caught.value.code)
        return value

    world.action = action
    if hit:
        with pytest.raises(Trap, match="interrupted"):
            world.a.exports.go(slot, 5)
        assert seen == [TrapCode.INTERRUPTED] * 2
    else:
        assert world.a.exports.go(slot, 5) == 16
    world.works()


def test_an_interruption_between_two_calls_hits_neither(world):
    for _ in range(3):
        world.a.interrupt()
        world.store.interrupt()
        world.works()


def test_an_interruption_of_a_call_that_has_ended_does_not_wait_for_the_next(world):
    """It came while the call ran, but the call ended before the next check."""

    def action(value):
        world.a.interrupt()
        return value

    world.action = action
    with pytest.raises(Trap, match="interrupted"):
        world.a.exports.go(1, 5)
    tail = Instance(
        world.store,
        Module(
            world.store,
            '(module (import "e" "f" (func $f (result i32)))'
            ' (func (export "go") (result i32) (return_call $f)))',
        ),
        [lambda: (tail.interrupt(), 3)[1]],
    )
    for _ in range(3):  # no code runs after its import, where it would be noticed
        assert tail.exports.go() == 3
    world.works()


def test_interruptions_that_race_with_calls_hit_one_that_runs_or_none(world):
    """Each call returns or is interrupted; without interrupts, all return."""
    ended = threading.Event()

    def interrupt():
        while not ended.is_set():
            world.a.interrupt()
            world.store.interrupt()

    threads = [threading.Thread(target=interrupt) for _ in range(2)]
    for thread in threads:
        thread.start()
    answers = set()
    try:
        for _ in range(2000):
            for call, args in ((world.a.exports.go, (1, 5)), (world.b.exports.through, (5,))):
                try:
                    answers.add(call(*args))
                except Trap as trap:
                    answers.add(trap.code)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert answers <= {116, 106, TrapCode.INTERRUPTED}
    world.works()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of another kind")
@pytest.mark.parametrize("slot", [0, 1])
def test_ctrl_c_ends_a_chain_and_its_instances_go_on(world, slot):
    main = threading.main_thread().ident
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))

    def action(value):
        timer.start()
        world.a.exports.spin()

    world.action = action
    with pytest.raises(KeyboardInterrupt):
        world.a.exports.go(slot, 5)
    timer.join()
    world.works()
