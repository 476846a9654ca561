"""Scaling with the number of live instances, the size of a module, its number of items, threads.

Each line is a point of a curve; superlinear growth is a defect. The instances of each point are
created in a process of their own, so that memory of other points has no effect:

    python -m benchmarks.scaling wamr 1000    prints what each of a thousand instances takes
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from . import binaries
from .host import LOOPING, add
from .installed import peers, supported_cases
from .lines import EXTISM, US, WASM3, WASMTIME, Line, Point, Samples, Unavailable
from .modules import small
from .peers import HostFunction, Peer
from .timing import Case, Pace, Sample, measure

INSTANCES = (1, 10, 100, 1_000, 10_000)
BYTES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 30_000_000)
COUNTS = (100, 1_000, 10_000, 100_000)
THREADS = (1, 2, 4, 8, 16)

# Engines that compile to machine code would take minutes for these.
MOST_TO_COMPILE = 1_000_000
STATM = Path("/proc/self/statm")
PAGE = 4096


# ------------------------------------------------------------------ live instances
def _maker(name: str) -> Callable[[], tuple[object, Callable[..., int]]]:
    """Return a function that creates an instance of the small module and returns its `add`."""
    if name == US:
        import wamr

        store = wamr.Store()
        module = wamr.Module(store, small())

        def make() -> tuple[object, Callable[..., int]]:
            instance = wamr.Instance(store, module)
            return instance, instance.exports.add.callable

    elif name == WASMTIME:
        import wasmtime

        engine = wasmtime.Engine()
        compiled = wasmtime.Module(engine, small())

        def make() -> tuple[object, Callable[..., int]]:
            store = wasmtime.Store(engine)
            instance = wasmtime.Instance(store, compiled, [])
            function = instance.exports(store)["add"]
            return (instance, store), lambda a, b: function(store, a, b)

    elif name == WASM3:
        import wasm3

        environment = wasm3.Environment()

        def make() -> tuple[object, Callable[..., int]]:
            runtime = environment.new_runtime(65536)
            runtime.load(environment.parse_module(small()))
            return runtime, runtime.find_function("add")

    else:
        raise Unavailable(f"{name}: not among those whose instances are counted")
    return make


def live(name: str, count: int) -> dict[str, float]:
    """Return the seconds and bytes of each of `count` live instances, and the seconds of a call."""
    make = _maker(name)
    make()[1](2, 3)
    gc.collect()
    instances = []
    before, start = _resident(), time.perf_counter()
    for _ in range(count):
        instance, function = make()
        function(2, 3)
        instances.append((instance, function))
    made = time.perf_counter()
    after = _resident()
    rounds = max(1, 20_000 // count)
    begun = time.perf_counter()
    for _ in range(rounds):
        for _, function in instances:
            function(2, 3)
    called = (time.perf_counter() - begun) / rounds
    begun = time.perf_counter()
    instances.clear()
    ended = time.perf_counter() - begun
    return {
        "make": (made - start) / count,
        "bytes": (after - before) / count,
        "call": called / count,
        "end": ended / count,
    }


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * PAGE if STATM.exists() else 0


@cache
def _living(name: str, count: int, times: int) -> dict[str, Sample]:
    command = [sys.executable, "-m", "benchmarks.scaling", name, str(count)]
    found = []
    for _ in range(times):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    return {key: Sample.of([each[key] for each in found]) for key in found[0]}


def _live(what: str, count: int, pace: Pace) -> Samples:
    samples = {}
    times = 1 if pace.quick else 3
    for peer in peers():
        if peer.name == WASM3 and what == "end":
            continue  # this engine doesn't free memory
        if peer.name in (US, WASMTIME, WASM3):
            sample = _living(peer.name, count, times)[what]
            if sample.best > 0:  # a single instance may reuse pooled memory
                samples[peer.name] = sample
    return samples


# ------------------------------------------------------------------ modules
@cache
def _code(size: int) -> bytes:
    return binaries.code(size)


def _load(binary: Callable[[], bytes], divisor: int, most: int, pace: Pace) -> Samples:
    """Return the seconds of loading for each byte or item."""

    def ask(peer: Peer) -> Case:
        if peer.name not in (US, WASM3) and divisor > most:
            raise Unavailable("it would take minutes")
        if peer.name == EXTISM and divisor > most // 10:
            raise Unavailable("it is wasmtime, once more")
        case = peer.load(binary())
        try:
            case.run()
        except RuntimeError as error:  # pywasm3 supports no more functions
            raise Unavailable(str(error)) from None
        return case

    found = measure(supported_cases(ask), pace)
    return {
        name: Sample(x.best / divisor, x.median / divisor, x.rounds) for name, x in found.items()
    }


def _loading(shape: str, count: int, pace: Pace) -> Samples:
    """Return the seconds of loading for each item, for this package only: others have limits."""
    case = peers()[0].load(binaries.SHAPES[shape](count))
    found = measure({US: case}, pace)[US]
    return {US: Sample(found.best / count, found.median / count, found.rounds)}


# ------------------------------------------------------------------ threads
def _callbacks(threads: int, pace: Pace) -> Samples:
    """Return the seconds per callback of `count` threads, each with its own instance."""
    count = 2_000 if pace.quick else 20_000
    works: dict[str, list[Case]] = {}
    for _ in range(threads):
        cases = supported_cases(
            lambda peer: peer.call(LOOPING, "run", str(count), HostFunction("i(ii)", add))
        )
        for name, case in cases.items():
            works.setdefault(name, []).append(case)
    values: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(max(3, pace.rounds // 3)):
        for name, each in works.items():
            values[name].append(_at_once(each) / (count * threads))
    return {name: Sample.of(found) for name, found in values.items()}


def _at_once(cases: list[Case]) -> float:
    timers: list[Any] = [case.timer() for case in cases]
    workers = [threading.Thread(target=timer, args=(1,)) for timer in timers]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


# ------------------------------------------------------------------ lines
def _short(value: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value // unit}{name}"
    return str(value)


def _instance_lines(key: str, what: str, title: str) -> list[Line]:
    return [
        Line(
            f"scaling.{key}_{_short(n)}",
            f"{title}, {n} live",
            lambda pace, n=n: _live(what, n, pace),  # type: ignore[misc]
            unit="B" if what == "bytes" else "s",
            slow=True,
            point=Point(title, n, "live instances"),
        )
        for n in INSTANCES
    ]


def _byte_lines() -> list[Line]:
    title = "load, per byte of code"
    return [
        Line(
            f"scaling.load_{_short(n)}",
            f"{title}, {_short(n)}B",
            lambda pace, n=n: _load(lambda: _code(n), n, MOST_TO_COMPILE, pace),  # type: ignore[misc]
            slow=True,
            point=Point(title, n, "bytes"),
        )
        for n in BYTES
    ]


def _loading_lines(shape: str) -> list[Line]:
    title = f"load, for each of many {shape}"
    return [
        Line(
            f"scaling.{shape}_{_short(n)}",
            f"load {n} {shape}, each",
            lambda pace, n=n: _loading(shape, n, pace),  # type: ignore[misc]
            slow=True,
            point=Point(title, n, shape),
        )
        for n in COUNTS
        if n <= binaries.MOST.get(shape, n)
    ]


def _thread_lines() -> list[Line]:
    title = "a callback, in many threads"
    return [
        Line(
            f"scaling.callbacks_{n}",
            f"a callback, {n} threads",
            lambda pace, n=n: _callbacks(n, pace),  # type: ignore[misc]
            slow=True,
            point=Point(title, n, "threads"),
        )
        for n in THREADS
    ]


LINES = (
    *_instance_lines("make", "make", "an instance made and called"),
    *_instance_lines("bytes", "bytes", "memory of an instance"),
    *_instance_lines("call", "call", "a call, each instance in turn"),
    *_instance_lines("end", "end", "an instance let go"),
    *_byte_lines(),
    *(line for shape in binaries.SHAPES for line in _loading_lines(shape)),
    *_thread_lines(),
)

if __name__ == "__main__":
    print(json.dumps(live(sys.argv[1], int(sys.argv[2]))))
