"""What a task costs on the workers of Dask and Ray: `python -m benchmarks.cluster [engines]`.

Three kinds of task are sent in the same way: one that does nothing, one that works in plain Python,
and one that works in a wasm function as samples/dask_cluster.py and samples/ray_cluster.py do it.
The work is the sum of the Collatz steps of 20 numbers. `here` are the same functions, called in a
loop in this process. The last line is what wasm adds to a task: finding the instance by the hash
and the thread, and a call with limits. Engines that are not installed are left out.
"""

from __future__ import annotations

import argparse
import logging
import os
import runpy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import wamr

SAMPLES = Path(__file__).parents[1] / "samples"
ROUNDS = 5
KINDS = ("nothing", "Python", "wasm")

# A function that sends so many tasks of a kind and waits for their results.
Send = Callable[[str, int], list[Any]]


def nothing(start: int) -> int:
    """Return at once."""
    return start


def in_python(start: int) -> int:
    """Do the work in plain Python."""
    total = 0
    for number in range(start, start + 20):
        while number > 1:
            number = 3 * number + 1 if number % 2 else number // 2
            total += 1
    return total


def in_wasm_on_dask(start: int) -> Any:
    """Do the work in the instance of this thread of a worker, as the sample does."""
    from distributed import get_worker

    name = next(name for name in get_worker().plugins if name.startswith("wasm-"))
    return get_worker().plugins[name].call("sum_of_steps", start, start + 20)


def code() -> bytes:
    """Return the module of the samples."""
    return wamr.wat2wasm((SAMPLES / "collatz.wat").read_text(encoding="utf-8"))


@contextmanager
def here() -> Iterator[Send]:
    """Call the functions in this process."""
    instance = wamr.load(code())
    call = instance.exports.sum_of_steps.call

    def in_wasm(start: int) -> Any:
        return call(start, start + 20, fuel=1_000_000, timeout=10)

    functions = dict(zip(KINDS, (nothing, in_python, in_wasm), strict=True))
    yield lambda kind, count: [functions[kind](start) for start in range(count)]


@contextmanager
def dask() -> Iterator[Send]:
    """Send tasks to two workers with two threads each."""
    from distributed import Client, LocalCluster

    sample = runpy.run_path(str(SAMPLES / "dask_cluster.py"))
    functions = dict(zip(KINDS, (nothing, in_python, in_wasm_on_dask), strict=True))
    workers = LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, silence_logs=logging.ERROR
    )
    with workers, Client(workers) as client:
        client.register_plugin(sample["Shipped"](code()))

        def send(kind: str, count: int) -> list[Any]:
            results: list[Any] = client.gather(
                client.map(functions[kind], range(count), pure=False, batch_size=count)
            )
            return results

        yield send


@contextmanager
def ray() -> Iterator[Send]:
    """Send tasks to two workers."""
    import ray

    sample = runpy.run_path(str(SAMPLES / "ray_cluster.py"))
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 << 20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    digest, place = sample["named"](code())

    def in_wasm(start: int) -> Any:
        return sample_call(digest, place, "sum_of_steps", start, start + 20)

    sample_call = sample["call"]
    functions = {
        kind: ray.remote(function)
        for kind, function in zip(KINDS, (nothing, in_python, in_wasm), strict=True)
    }
    try:
        yield lambda kind, count: ray.get([functions[kind].remote(n) for n in range(count)])
    finally:
        ray.shutdown()


def added() -> float:
    """Return the least time that a task of Dask in the sample takes, without the work itself."""
    sample = runpy.run_path(str(SAMPLES / "dask_cluster.py"))
    shipped = sample["Shipped"](code())
    shipped.setup(None)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(10_000):
            shipped.call("sum_of_steps", 1, 1)
        best = min(best, (time.perf_counter() - start) / 10_000 * 1e6)
    return best


def measured(send: Send, tasks: int, rounds: int) -> dict[str, float]:
    """Return the least time of a task of each kind, in microseconds. The kinds take turns."""
    best = dict.fromkeys(KINDS, float("inf"))
    right = [in_python(start) for start in range(tasks)]
    for _ in range(rounds + 1):  # the first round starts threads and sends the module
        for kind in KINDS:
            start = time.perf_counter()
            results = send(kind, tasks)
            best[kind] = min(best[kind], (time.perf_counter() - start) / tasks * 1e6)
            if kind != "nothing" and results != right:
                raise AssertionError(f"{kind}: wrong results")
    return best


def main() -> None:
    """Print a table."""
    engines = {"here": here, "dask": dask, "ray": ray}
    packages = {"dask": "distributed", "ray": "ray"}
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("engines", nargs="*", choices=[[], *engines], help="all, if none is named")
    parser.add_argument("--tasks", type=int, default=1000, help="how many are sent at once")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which the best counts")
    options = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    print(f"{'µs for a task':<16}" + "".join(f"{kind:>10}" for kind in KINDS))
    for name in options.engines or engines:
        if name in packages and find_spec(packages[name]) is None:
            print(f"{name:<16}  not installed")
            continue
        with engines[name]() as send:
            best = measured(send, options.tasks, options.rounds)
        print(f"{name:<16}" + "".join(f"{best[kind]:>10.1f}" for kind in KINDS), flush=True)
    if find_spec("distributed") is not None:
        print(f"{'wasm adds':<16}{added():>30.1f}")


if __name__ == "__main__":
    main()
