"""Async host functions: calls that an event loop awaits.

wasmtime-py has none. Its lines do what its users do: a thread makes the call, and the host function
runs the coroutine in the loop by run_coroutine_threadsafe and waits for it.
"""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import wamr

from .lines import US, WASMTIME, Goal, Line, Samples, Unavailable
from .timing import Pace, Sample

TEXT = """(module
  (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (func (export "one") (param i32) (result i32) (call $fetch (local.get 0)))
  (func (export "many") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $fetch (local.get $n))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))"""
IN_FLIGHT = 5000
MOST_THREADS = 3

Batch = Callable[[int], Awaitable[object]]
Fetch = Callable[[int], Awaitable[int]]


async def _ready(number: int) -> int:
    return number


async def _turn(number: int) -> int:
    await asyncio.sleep(0)
    return number


def _ours(fetch: Fetch, name: str, *, each: bool, **mode: Any) -> Batch:
    """Return what makes so many calls of `fetch`: in a loop of wasm code, or one in `each` call."""
    func = wamr.load(TEXT, {"env": {"fetch": fetch}}).exports[name]

    async def batch(count: int) -> None:
        if not each:
            await func.call_async(count, **mode)
            return
        for _ in range(count):
            await func.call_async(1, **mode)

    return batch


def _by_threads(fetch: Fetch, name: str, *, each: bool) -> Batch:
    try:
        import wasmtime
    except ImportError as error:
        raise Unavailable("not installed") from error
    loops: list[asyncio.AbstractEventLoop] = []

    def host(number: int) -> int:
        coroutine: Any = fetch(number)
        result: int = asyncio.run_coroutine_threadsafe(coroutine, loops[0]).result()
        return result

    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, TEXT)
    i32 = wasmtime.ValType.i32()
    imported = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), host)
    func: Any = wasmtime.Instance(store, module, [imported]).exports(store)[name]

    async def batch(count: int) -> None:
        loops[:] = [asyncio.get_running_loop()]
        if not each:
            await asyncio.to_thread(func, store, count)
            return
        for _ in range(count):
            await asyncio.to_thread(func, store, 1)

    return batch


def _measured(pace: Pace, batches: dict[str, Batch]) -> Samples:
    """Return the seconds of one call of the host function for each engine, by turns."""

    async def main() -> dict[str, list[float]]:
        counts = dict.fromkeys(batches, 1)
        values: dict[str, list[float]] = {name: [] for name in batches}
        for name, batch in batches.items():
            await batch(1)  # imports, threads
            while True:
                start = perf_counter()
                await batch(counts[name])
                if perf_counter() - start >= pace.round_seconds / 10:
                    break
                counts[name] *= 2
        for _ in range(10 * pace.rounds):  # many short rounds, since each one wakes other threads
            for name, batch in batches.items():
                start = perf_counter()
                await batch(counts[name])
                values[name].append((perf_counter() - start) / counts[name])
        return values

    return {name: Sample.of(found) for name, found in asyncio.run(main()).items()}


def _line(fetch: Fetch, *, each: bool, **mode: Any) -> Callable[[Pace], Samples]:
    name = "one" if each else "many"

    def measure(pace: Pace) -> Samples:
        batches = {US: _ours(fetch, name, each=each, **mode)}
        with suppress(Unavailable):
            batches[WASMTIME] = _by_threads(fetch, name, each=each)
        return _measured(pace, batches)

    return measure


async def _in_flight() -> tuple[float, int]:
    """Return the bytes of each of many calls that wait at once, and how many threads there are."""
    opened = asyncio.Event()

    async def fetch(number: int) -> int:
        await opened.wait()
        return number

    store = wamr.Store()
    module = wamr.Module(store, TEXT)
    instances = [wamr.Instance(store, module, [fetch]) for _ in range(IN_FLIGHT)]
    before = _resident()
    calls = [asyncio.create_task(inst.exports.one.call_async(1, slice=0.005)) for inst in instances]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    used, threads = (_resident() - before) / IN_FLIGHT, threading.active_count()
    opened.set()
    await asyncio.gather(*calls)
    return used, threads


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def _bytes_in_flight(_: Pace) -> Samples:
    used, threads = asyncio.run(_in_flight())
    if threads > MOST_THREADS:
        raise AssertionError(f"{IN_FLIGHT} calls need {threads} threads")
    return {US: Sample.one(used)}


LINES = (
    Line(
        "event_loops.ready",
        "async host function, ready at once (slice=)",
        _line(_ready, each=False, slice=0.005),
        Goal(5e-6, times={WASMTIME: 0.1}),
    ),
    Line(
        "event_loops.turn",
        "the same, after one turn of the loop",
        _line(_turn, each=False, slice=0.005),
        Goal(times={WASMTIME: 0.5}),
    ),
    Line(
        "event_loops.whole",
        "whole call_async with one suspension (slice=)",
        _line(_turn, each=True, slice=0.005),
        Goal(times={WASMTIME: 0.5}),
    ),
    Line(
        "event_loops.executor",
        "the same in the executor",
        _line(_turn, each=True),
    ),
    Line(
        "event_loops.in_flight",
        f"{IN_FLIGHT} calls in flight, each",
        _bytes_in_flight,
        Goal(100 * 1024),
        "B",
        slow=True,
    ),
)
