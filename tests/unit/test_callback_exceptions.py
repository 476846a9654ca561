"""Exceptions of Python functions called from wasm, on their way through."""

import sys
import threading
import traceback

import pytest
from small_modules import HostError, forwarding

import wamr
from wamr import (
    ExitTrap,
    Instance,
    Module,
    Trap,
    TrapCode,
    load,
)


# ------------------------------------------------------------------ exceptions
@pytest.mark.parametrize(
    "error",
    [
        HostError("x"),
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        StopIteration(5),
        MemoryError(),
        RecursionError(),
        TypeError("t"),
        OverflowError("o"),
        Trap("mine"),
        ExitTrap(7),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("result", [[], ["i32"], ["i64"], ["f64"], ["v128"]], ids=str)
def test_an_exception_comes_out_as_the_same_object(error, result):
    def f():
        raise error

    go = load(forwarding([], result), [f]).exports.go
    for call in (go, go.call, go.callable):
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error
        assert caught.value.__context__ is None
    assert "raise error" in "".join(traceback.format_tb(error.__traceback__))


def test_through_many_levels_and_instances(store):
    error = HostError("deep")
    levels = []

    def fail():
        raise error

    inner = fail
    for depth in range(20):
        exports = Instance(store, Module(store, forwarding([], [])), [inner]).exports
        if depth % 2:
            inner = exports.go
        else:

            def inner(go=exports.go):
                levels.append(go)
                try:
                    go()
                finally:
                    levels.append(None)

    with pytest.raises(HostError) as caught:
        inner()
    assert caught.value is error
    assert len(levels) == 20


def test_it_can_be_caught_on_the_way_and_replaced():
    inner = load('(module (func (export "f") unreachable))').exports.f

    def catch():
        with pytest.raises(Trap) as caught:
            inner()
        return 1 if caught.value.code is TrapCode.UNREACHABLE else 0

    assert load(forwarding([], ["i32"]), [catch]).exports.go() == 1

    def replace():
        try:
            inner()
        except Trap as trap:
            raise HostError("instead") from trap

    with pytest.raises(HostError) as caught:
        load(forwarding([], []), [replace]).exports.go()
    assert isinstance(caught.value.__cause__, Trap)


def test_an_exception_has_the_one_that_was_handled_as_its_context():
    text = """(module (import "m" "f" (func $f))
        (func $inner (call $f)) (func (export "go") (call $inner)))"""
    first, second = KeyError("first"), ValueError("second")

    def f():
        raise second

    go = wamr.load(text, {"m": {"f": f}}).exports.go
    for _ in range(100):  # more than there are records: none may stay
        try:
            raise first
        except KeyError:
            with pytest.raises(ValueError, match="second") as caught:
                go()
    assert caught.value is second
    assert second.__context__ is first
    names = [frame.name for frame in traceback.extract_tb(second.__traceback__)]
    assert names[-1] == "f"


def test_a_caught_exception_does_not_come_back():
    calls = []

    def f():
        calls.append(1)
        if len(calls) == 1:
            raise HostError
        return 5

    go = load(forwarding([], ["i32"]), [f]).exports.go
    with pytest.raises(HostError):
        go()
    assert [go(), go()] == [5, 5]


def test_a_trap_of_the_user_gets_its_frames_in_wasm():
    trap = Trap("mine")
    assert trap.frames == ()

    def fail():
        raise trap

    text = """(module $outer (import "m" "f" (func $import))
        (func $middle (call $import)) (func (export "go") (call $middle)))"""
    instance = load(text, [fail])
    with pytest.raises(Trap, match="mine") as caught:
        instance.exports.go()
    assert caught.value is trap
    assert trap.code is TrapCode.HOST
    assert [frame.func_name for frame in trap.frames][-2:] == ["middle", "go"]
    assert all(frame.instance is instance for frame in trap.frames)
    assert "at middle" in str(trap)


def test_frames_of_all_instances_that_a_trap_went_through():
    inner = load('(module $inner (func (export "f") unreachable))').exports.f
    text = '(module $outer (import "m" "f" (func $f)) (func (export "go") (call $f)))'
    with pytest.raises(Trap) as caught:
        load(text, [lambda: inner()]).exports.go()
    names = [(frame.module_name, frame.func_name) for frame in caught.value.frames]
    assert names[0] == ("inner", "f")
    assert names[-1] == ("outer", "go")


def test_an_exception_while_another_thread_has_one_too():
    barrier = threading.Barrier(4)

    def fail(n):
        barrier.wait()
        raise HostError(n)

    seen = {}

    def work(n):
        go = load(forwarding(["i32"], []), [fail]).exports.go
        for _ in range(50):
            try:
                go(n)
            except HostError as error:
                seen.setdefault(n, set()).add(error.args[0])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {n: {n} for n in range(4)}


def test_at_the_recursion_limit_of_python():
    """Where no Python code can run, the error is still raised, and nothing breaks."""
    go = load(forwarding(["i32"], ["i32"]), [lambda x: x + 1]).exports.go

    def down(n):
        try:
            go(1)
        except RecursionError:
            return n
        return down(n + 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        with pytest.raises(RecursionError):
            while True:
                down(0)
                raise RecursionError
    finally:
        sys.setrecursionlimit(limit)
    assert go(41) == 42
