"""Reentrant calls into an instance: how the inner call ends, and its effect on the outer one."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from reentrant_instances import World, frames_of

from wamr import (
    ClosedError,
    FuelTrap,
    Instance,
    Module,
    TimeoutTrap,
    Trap,
    TrapCode,
    WasiConfig,
)


# ------------------------------------------------------------------ caught in a host function
@pytest.mark.parametrize("slot", [0, 1])
def test_an_inner_trap_that_is_caught_is_over(world, slot):
    seen = []

    def action(value):
        for call in (world.a.exports.trap, lambda: world.a.exports.go(7, 1)):
            with pytest.raises(Trap) as caught:
                call()
            seen.append(caught.value)
        return value

    world.action = action
    assert world.a.exports.twice(slot, 5) == 2 * (16 if slot == 0 else 116)
    assert [frames_of(trap) for trap in seen] == [["trap"], ["go"]] * 2
    world.works()


@pytest.mark.parametrize("slot", [0, 1])
def test_another_exception_instead_has_the_inner_one_as_its_context(world, slot):
    def action(value):
        try:
            world.a.exports.trap()
        except Trap:
            raise LookupError(value)  # noqa: B904 - the context is what is looked at

    world.action = action
    with pytest.raises(LookupError) as caught:
        world.a.exports.go(slot, 5)
    assert frames_of(caught.value.__context__) == ["trap"]
    world.works()


@pytest.mark.parametrize("slot", [0, 1])
def test_an_outer_trap_is_not_lost_when_an_inner_one_is_swallowed(world, slot):
    """The inner call fails and is caught; then the host function itself raises a trap."""
    error = Trap("outer")

    def action(value):
        with pytest.raises(Trap):
            world.a.exports.trap()
        raise error

    world.action = action
    with pytest.raises(Trap) as caught:
        world.a.exports.go(slot, 5)
    assert caught.value is error
    assert frames_of(error) == (["h", "go"] if slot == 0 else ["h", "through", "go"])
    world.works()


# ------------------------------------------------------------------ closing
@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("who", ["a", "b"])
@pytest.mark.parametrize("end", ["return", "raise"])
def test_closing_what_runs_lets_the_chain_end(world, slot, who, end):
    def action(value):
        getattr(world, who).close()
        if end == "raise":
            raise LookupError(value)
        return value

    go, through = world.a.exports.go, world.b.exports.through
    world.action = action
    if end == "return":
        assert go(slot, 5) == (16 if slot == 0 else 116)
    else:
        with pytest.raises(LookupError):
            go(slot, 5)
    world.action = lambda value: value
    if who == "a":
        with pytest.raises(ClosedError, match=r"^go\(i32, i32\) -> i32: its instance is closed"):
            go(slot, 5)
        with pytest.raises(
            ClosedError, match=r"^through\(i32\) -> i32: it called a function of an instance"
        ):
            through(5)
    else:
        assert go(0, 5) == 16  # a's own function, whoever made the reference
        with pytest.raises(
            ClosedError,
            match=r"^go\(i32, i32\) -> i32: it called a function of an instance that is",
        ):
            go(1, 5)
        with pytest.raises(ClosedError, match=r"^through\(i32\) -> i32: its instance is closed"):
            through(5)


def test_a_tail_call_into_a_closed_instance(world):
    world.b.close()
    for call in (world.a.exports.tail, world.a.exports.tail.call):
        with pytest.raises(ClosedError, match=r"^tail\(i32, i32\) -> i32: it called a function"):
            call(1, 5)
    assert world.a.exports.tail(0, 5) == 6


def test_functions_of_an_instance_that_could_not_be_made(store):
    """The segments or the start function failed after functions were written to a table."""
    world = World(store)
    for rest, value in (
        ('(memory 1) (data (i32.const 65536) "x")', 1),
        ("(start $s) (func $s unreachable)", 2),
    ):
        text = f"""(module $half (import "a" "t" (table 8 funcref))
            (elem (i32.const 2) $one $bad) {rest}
            (func $one (param i32) (result i32) (i32.const {value}))
            (func $bad (param i32) (result i32) unreachable))"""
        with pytest.raises(Trap):
            Instance(store, Module(store, text), {"a": world.a})
        gc.collect()
        for _ in range(2):
            assert world.a.exports.go(2, 5) == 10 + value
            with pytest.raises(Trap, match="unreachable") as caught:
                world.a.exports.go(3, 5)
            assert frames_of(caught.value) == ["bad", "go"]
        world.works()


# ------------------------------------------------------------------ while linking
START = """(module $late (import "a" "go" (func $go (param i32 i32) (result i32)))
    (import "a" "t" (table 8 funcref)) (elem (i32.const 4) $mine)
    (global (export "got") (mut i32) (i32.const 0)) (start $start)
    (func $mine (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 99)) (then unreachable))
        (i32.add (call $go (i32.const 1) (local.get 0)) (i32.const 1000)))
    (func $start (global.set 0 (call $go (i32.const 4) (i32.const %d)))))"""


def test_a_start_function_that_is_entered_again_by_what_it_calls(world):
    late = Instance(world.store, Module(world.store, START % 5), {"a": world.a})
    assert late.exports.got.value == 10 + 1000 + 116
    world.works()
    with pytest.raises(Trap, match="unreachable") as caught:
        Instance(world.store, Module(world.store, START % 99), {"a": world.a})
    assert frames_of(caught.value) == ["mine", "go", "start"]
    assert [frame.instance for frame in caught.value.frames] == [None, world.a, None]
    world.works()


def test_groups_that_are_merged_while_a_chain_runs(world):
    other = Instance(
        world.store,
        Module(
            world.store,
            """(module $other (func $f (export "f") (param i32) (result i32)
                (i32.div_u (i32.const 60) (local.get 0))))""",
        ),
    )
    text = """(module (import "o" "f" (func $f (param i32) (result i32)))
        (import "a" "t" (table 8 funcref)) (elem (i32.const 5) $f))"""
    made = []

    def action(value):
        if not made:
            made.append(
                Instance(world.store, Module(world.store, text), {"a": world.a, "o": other})
            )
        return world.a.exports.go(5, value)

    world.action = action
    assert world.a.exports.go(1, 5) == 10 + 100 + 1 + 10 + 12
    with pytest.raises(Trap, match="divide by zero") as caught:
        world.a.exports.go(1, 0)
    assert frames_of(caught.value) == ["f", "go", "h", "through", "go"]
    answers = []  # the lock was released as often as it was taken
    thread = threading.Thread(target=lambda: answers.append(other.exports.f(6)))
    thread.start()
    thread.join()
    assert answers == [10]
    world.works()


# ------------------------------------------------------------------ other call paths
def test_a_bounded_function_in_a_chain_with_itself(world):
    """Called with the GIL held, and reentered from its own host function, also after a trap."""
    bounded = world.a.exports.bounded.callable

    def action(value):
        if value == 0:
            with pytest.raises(Trap):
                world.a.exports.trap()
            return 1
        if value == 1000:
            raise LookupError
        return bounded(value - 1)

    world.action = action
    assert bounded(5) == 2**6
    with pytest.raises(LookupError):
        bounded(1010)
    assert bounded(5) == 2**6
    world.works()


def test_a_chain_in_a_thread_of_asyncio(world):
    error = LookupError("mine")

    def action(value):
        if value == 3:
            raise error
        return world.a.exports.go(0, value - 1)

    async def run():
        with pytest.raises(LookupError) as caught:
            await world.a.exports.go.call_async(1, 9)
        assert caught.value is error
        with pytest.raises(FuelTrap):
            await world.a.exports.spin.call_async(fuel=1000)
        return await world.a.exports.ok.call_async()

    world.action = action
    assert asyncio.run(run()) == 7
    world.works()


def test_another_thread_waits_for_the_chain_and_not_for_ever(world):
    """A host function that waits for a thread which enters the instance must limit the wait."""
    answers = []

    def other():
        try:
            world.a.exports.ok.call(timeout=0.05)
        except TimeoutTrap as trap:
            answers.append(trap.code)

    def action(value):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return value

    world.action = action
    assert world.a.exports.go(1, 5) == 116
    assert answers == [TrapCode.TIMEOUT]
    world.works()


STREAM = """(module
    (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00")
    (data (i32.const 16) "hi")
    (func $write (export "write") (result i32)
        (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (func (export "close") (result i32) (call $close (i32.const 1)))
    (func (export "trap") unreachable))"""


def test_a_stream_of_python_that_calls_the_program_again(store):
    """WASI streams reenter an instance, too: by writing, trapping, closing the stream."""
    steps = ["write", "trap", "close", "raise"]
    seen: list[object] = []

    def take(data: bytes) -> None:
        step = steps.pop(0)
        if step == "write":
            seen.append(instance.exports.write())
        elif step == "trap":
            with pytest.raises(Trap) as caught:
                instance.exports.trap()
            seen.append(frames_of(caught.value))
        elif step == "close":
            seen.append(instance.exports.close())
        else:
            raise LookupError(data)

    def made() -> Instance:
        return Instance(store, Module(store, STREAM), wasi=WasiConfig(stdout=take))

    instance = made()
    assert instance.exports.write() == 0
    assert seen == [["trap"], 0]
    assert instance.exports.write() == 0
    assert seen[2:] == [0]
    badf = 8
    assert instance.exports.write() == badf
    instance = made()
    with pytest.raises(LookupError):
        instance.exports.write()
    assert steps == []
