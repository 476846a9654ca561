"""Pending exceptions of host functions, while other Python code runs before they are raised."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from small_modules import HostError

from wamr import Instance, Module, Store, Trap, WasiConfig
from wamr._backend.binding import keep_raised, take_raised, throw_raised

TEXT = """(module (import "m" "f" (func $f (param externref)))
    (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00hi")
    (func $inner (call $f (ref.null extern)))
    (func (export "refs") (param externref) (call $f (local.get 0)))
    (func (export "go") (call $inner))
    (func (export "write")
        (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))))
    (func (export "trap") unreachable))"""


def made(store: Store, fail: Callable[..., Any]) -> Any:
    """Return exports of an instance whose calls to Python all fail."""
    wasi = WasiConfig(stdout=fail)
    return Instance(store, Module(store, TEXT), {"m": {"f": fail}}, wasi=wasi).exports


def ways(exports: Any) -> list[Callable[[], Any]]:
    """Return calls that end with the exception of the host function."""
    return [
        exports.go.callable,
        exports.go,
        exports.go.call,
        lambda: exports.go.call(timeout=3600, fuel=1000),
        lambda: exports.refs(exports),
        lambda: exports.refs.call(7),
        exports.write,
        exports.write.call,
    ]


@contextmanager
def in_between(run: Callable[[], object]) -> Iterator[list[str]]:
    """Run an action at each call and return of Python code, as signal handlers may."""
    events: list[str] = []

    def profile(_frame: object, event: str, _arg: object) -> None:
        events.append(event)
        run()

    sys.setprofile(profile)
    try:
        yield events
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(
    "inner", [HostError, Trap, KeyboardInterrupt], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("outer", [HostError, Trap, SystemExit], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("way", range(8))
def test_what_fails_in_between_takes_nothing(store, outer, inner, way):
    error = outer("outer")
    others = []

    def fail(*_: object) -> None:
        raise error

    def fail_otherwise(*_: object) -> None:
        raise inner("inner")

    call = ways(made(store, fail))[way]
    nested = ways(made(store, fail_otherwise))[way % 2 :: 3]

    def run() -> None:
        for other in nested:
            with pytest.raises(inner, match="inner") as seen:
                other()
            others.append(seen.value)

    with pytest.raises(outer) as caught, in_between(run):
        call()
    assert caught.value is error
    assert others
    if isinstance(error, Trap):
        assert len(error.frames) in (1, 2)
    with pytest.raises(outer) as caught:
        call()
    assert caught.value is error


def test_those_that_nobody_took_come_out_nowhere(store):
    """The code in between may raise itself: then the pending exception is never taken."""
    answers: list[BaseException] = []

    def fail(*_: object) -> None:
        raise answers[-1]

    def stop() -> None:
        frame = sys._getframe(2)
        if frame.f_code.co_name in ("raise_call_error", "take_error", "raise_status"):
            raise KeyboardInterrupt

    exports = made(store, fail)
    for count in range(20):  # more than can be pending
        for call in ways(exports):
            answers.append(Trap(f"left behind {count}"))
            with pytest.raises((KeyboardInterrupt, Trap)), in_between(stop):
                call()
            answers.append(HostError(count))
            with pytest.raises(HostError) as caught:
                call()
            assert caught.value is answers[-1]
    answers.append(ValueError("no trap of wasm's"))
    with pytest.raises(Trap, match="unreachable"):
        exports.trap()


def test_many_wait_at_once(store):
    """Each call is made while the exception of the one before is pending, as in a destructor."""
    depth = 5
    errors = [Trap(str(i)) for i in range(depth)]
    caught: list[BaseException] = []

    def fail(*_: object) -> None:
        raise errors[len(running) - 1]

    exports = made(store, fail)
    running: list[int] = []

    def deeper(frame: Any, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code.co_name == "raise_call_error" and len(running) < depth:
            call()

    def call() -> None:
        running.append(1)
        sys.setprofile(deeper)
        try:
            exports.go()
        except Trap as trap:
            caught.append(trap)
        finally:
            running.pop()

    try:
        call()
    finally:
        sys.setprofile(None)
    assert caught
    assert caught[-1] is errors[0]
    assert all(trap in errors for trap in caught)


def test_a_memory_error_of_the_host_is_its_own(store):
    error = MemoryError()

    def fail(*_: object) -> None:
        raise error

    for call in ways(made(store, fail)):
        with pytest.raises(MemoryError) as caught:
            call()
        assert caught.value is error


@pytest.mark.parametrize("keep", [keep_raised, throw_raised])
def test_a_failure_without_an_exception_is_a_system_error(keep: Callable[..., int]) -> None:
    """CPython's `raise` may fail without setting one where it has no memory for it."""
    error = take_raised(keep(None, None, None))
    assert isinstance(error, SystemError)
    assert "without setting an exception" in str(error)


@pytest.mark.parametrize("keep", [keep_raised, throw_raised])
def test_a_class_without_an_object_is_called(keep: Callable[..., int]) -> None:
    assert isinstance(take_raised(keep(KeyError, None, None)), KeyError)
