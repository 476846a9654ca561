"""Exceptions that host functions throw into instances that are not linked with the tag's."""

from __future__ import annotations

import gc
import threading

import pytest

from wamr import (
    Instance,
    Module,
    Store,
    Tag,
    TagType,
    Trap,
    TrapCode,
    ValType,
    WasmException,
)

CATCHER = """(module
    (import "m" "throw" (func $throw))
    (global $kept (export "kept") (mut exnref) (ref.null exn))
    (func (export "all") (result i32)
        (block $h (try_table (catch_all $h) (call $throw)) (return (i32.const 0)))
        (i32.const 1))
    (func (export "keep")
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw)) (unreachable))
        (global.set $kept))
    (func (export "rethrow") (throw_ref (global.get $kept))))"""
BUSY = """(module
    (import "m" "wait" (func $wait))
    (tag (export "t") (param i32))
    (func (export "busy") (call $wait)))"""


class Pair:
    """An instance that catches, and an instance with a tag in which another thread may be."""

    def __init__(self) -> None:
        self.store = Store()
        self.entered, self.go = threading.Event(), threading.Event()
        self.exception: WasmException | None = None
        self.catcher = Instance(
            self.store, Module(self.store, CATCHER), {"m": {"throw": self.throw}}
        ).exports
        self.busy = Instance(self.store, Module(self.store, BUSY), {"m": {"wait": self.wait}})

    def throw(self) -> None:
        assert self.exception is not None
        raise self.exception

    def wait(self) -> None:
        self.entered.set()
        assert self.go.wait(60)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_caught_without_the_tag(pair: Pair) -> None:
    pair.exception = WasmException(pair.busy.exports.t, 7)
    assert pair.catcher.all() == 1
    pair.catcher.keep()
    assert pair.catcher.kept.value is pair.exception
    with pytest.raises(WasmException) as raised:
        pair.catcher.rethrow()
    assert raised.value is pair.exception


def test_kept_by_wasm_alone(pair: Pair) -> None:
    """wasm keeps the tag and the values, whatever Python has dropped."""
    tag = Tag(pair.store, TagType([ValType.I32, ValType.EXTERNREF]))
    value = object()
    pair.exception = WasmException(tag, 7, value)
    pair.catcher.keep()
    pair.exception = None
    del tag
    with pytest.raises(WasmException) as raised:
        pair.catcher.rethrow()
    assert raised.value.values == (7, value)
    assert raised.value.tag.type == TagType([ValType.I32, ValType.EXTERNREF])


def test_waits_for_the_thread_that_is_in_the_tags_instance(pair: Pair) -> None:
    pair.exception = WasmException(pair.busy.exports.t, 7)
    pair.exception._handle()  # in the group of the tag
    busy = threading.Thread(target=pair.busy.exports.busy)
    busy.start()
    assert pair.entered.wait(60)
    threading.Timer(0.2, pair.go.set).start()
    assert pair.catcher.all() == 1
    busy.join()


def test_interrupted_while_it_waits(pair: Pair) -> None:
    pair.exception = WasmException(pair.busy.exports.t, 7)
    pair.exception._handle()
    busy = threading.Thread(target=pair.busy.exports.busy)
    busy.start()
    try:
        assert pair.entered.wait(60)
        with pytest.raises(Trap) as raised:
            pair.catcher.all.call(timeout=0.2)
        assert raised.value.code is TrapCode.TIMEOUT
    finally:
        pair.go.set()
        busy.join()
    assert pair.catcher.all() == 1


def test_the_functions_of_its_values_live_as_long(pair: Pair) -> None:
    """Also if nothing in Python refers to the tag, the function, or their instance any more."""
    other = Instance(
        pair.store,
        Module(
            pair.store,
            """(module (tag (export "t") (param funcref))
            (func (export "f") (result i32) (i32.const 42)))""",
        ),
    )
    pair.exception = WasmException(other.exports.t, other.exports.f)
    pair.catcher.keep()
    pair.exception = None
    del other
    gc.collect()
    with pytest.raises(WasmException) as raised:
        pair.catcher.rethrow()
    assert raised.value.values[0]() == 42
