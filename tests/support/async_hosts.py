"""Modules and helpers for tests of `async def` host functions."""

from __future__ import annotations

import asyncio
import functools
import types
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from collecting import collect

import wamr
from wamr import Instance, Module, Store

# `run` adds 1 to what the host function returns; `twice` calls it two times; `spin` needs no host.
MODULE = """(module
  (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $run (export "run") (param i32) (result i32)
    (i32.add (i32.const 1) (call $fetch (local.get 0))))
  (func (export "twice") (param i32) (result i32)
    (i32.add (call $run (local.get 0)) (call $run (i32.const 100))))
  (func (export "many") (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (call $fetch (i32.const 1))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (export "tail") (param i32) (result i32) (return_call $fetch (local.get 0)))
  (func (export "fetch_then_spin") (param i32) (drop (call $fetch (local.get 0))) (loop (br 0)))
  (func (export "spin") (loop (br 0)))
  (func (export "count") (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (i32.const 3)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""

# Linked with an instance of MODULE.
LINKED = """(module
  (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (import "lib" "run" (func $run (param i32) (result i32)))
  (func (export "run") (param i32) (result i32) (call $fetch (local.get 0)))
  (func (export "through") (param i32) (result i32) (call $run (local.get 0))))"""

IS_ASYNC = (
    r"host function env\.fetch\(i32\) -> i32 is async: only a call that can be suspended may call "
    r"it \(call_async, Execution\)"
)

# How a call can be awaited: in the executor, and in slices in the thread of the loop.
MODES: dict[str, dict[str, Any]] = {
    "executor": {},
    "slices": {"slice": 0.002},
    "tiny slices": {"slice": 0},
}
in_each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


def exports_with(fetch: Callable[..., Any], **rest: Any) -> wamr.Exports:
    """Return the exports of a new instance of MODULE."""
    return wamr.load(MODULE, {"env": {"fetch": fetch}}, **rest).exports


def run(main: Coroutine[Any, Any, Any], *, seconds: float = 60) -> Any:
    """Run a coroutine in a new event loop; a test that hangs fails."""

    async def limited() -> Any:
        return await asyncio.wait_for(main, seconds)

    with no_warnings():
        return asyncio.run(limited())


@contextmanager
def no_warnings() -> Iterator[None]:
    """Fail for warnings, such as that a coroutine was never awaited.

    The garbage of earlier tests is not blamed on this one.
    """
    collect()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
        collect()
    assert [str(warning.message) for warning in found] == []


class Gate:
    """An async host function that waits until it is opened, and counts who is in it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.entering: Callable[[], object] = lambda: None
        self.calls: list[int] = []
        self.left: list[int] = []

    async def fetch(self, number: int) -> int:
        self.calls.append(number)
        self.entered.set()
        self.entering()
        try:
            await self.opened.wait()
        finally:
            self.left.append(number)
        return number * 2


async def fetch(number: int) -> int:
    await asyncio.sleep(0.001)
    return number * 2


async def ready(number: int) -> int:
    return number * 2


class Methods:
    async def fetch(self, number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def __call__(self, number: int) -> int:
        return number * 2


class Awaitable:
    """Something that can be awaited and is no coroutine."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return self.number * 2


@types.coroutine
def by_generator(number: int) -> Any:
    yield from asyncio.sleep(0.001).__await__()
    return number * 2


KINDS: dict[str, Callable[..., Any]] = {
    "async def": fetch,
    "ready at once": ready,
    "lambda": lambda number: fetch(number),
    "partial": functools.partial(fetch),
    "method": Methods().fetch,
    "object": Methods(),
    "awaitable": Awaitable,
    "generator-based": by_generator,
    "static method": staticmethod(fetch),
    "plain": lambda number: number * 2,
}


def by_mapping(function: Any, store: Store) -> Instance:
    return Instance(store, Module(store, MODULE), {"env": {"fetch": function}})


async def started(gate: Gate, func: wamr.Func, mode: Any, **rest: Any) -> asyncio.Task[Any]:
    """Return a task of a call that is in the host function."""
    task = asyncio.create_task(func.call_async(5, **mode, **rest))
    await gate.entered.wait()
    return task


async def forever(number: int) -> int:
    await asyncio.sleep(1000)
    return number
