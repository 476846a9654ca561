"""Map a wasm function over the partitions of a range with Ray, on this machine or on a cluster.

`python samples/ray_cluster.py` starts two workers, and kills one of them in the middle;
`python samples/ray_cluster.py ray://head:10001` uses a cluster whose workers have `wamr`.
`pip install "wamr[ray,wat]"` brings the packages.
"""

from __future__ import annotations

import os
import signal
import sys
from hashlib import sha256
from pathlib import Path

import ray

import wamr

COLLATZ = Path(__file__).with_name("collatz.wat")
FUEL, SECONDS = 20_000_000, 60  # of each task
LIMITS = wamr.ResourceLimits(memory_bytes=16 << 20, stack_bytes=64 << 10)  # of each instance

# On a worker, whose tasks run one after the other in one thread: compiled modules, and instances.
modules: dict[str, wamr.Module] = {}
instances: dict[str, wamr.Instance] = {}


def named(code: bytes) -> tuple[str, list[ray.ObjectRef]]:
    """Put a module into Ray's store, from which each machine fetches it once; return its name.

    A reference in a list is passed on as it is; by itself, it would be replaced by the bytes.
    """
    return sha256(code).hexdigest(), [ray.put(code)]


def call(digest: str, where: list[ray.ObjectRef], function: str, *args: int) -> int:
    """Call a function of a module, whose bytes are fetched by the first task that needs them."""
    if digest not in modules:
        code = ray.get(where[0])
        if sha256(code).hexdigest() != digest:
            raise ValueError("these are the bytes of another module")
        modules[digest] = wamr.Module(wamr.Store(), code)
    if digest not in instances:
        instances[digest] = wamr.Instance(wamr.Store(), modules[digest], limits=LIMITS)
    try:
        return instances[digest].exports[function].call(*args, fuel=FUEL, timeout=SECONDS)
    except wamr.Trap:
        del instances[digest]  # its memory is as the trap left it
        raise


@ray.remote(max_retries=5)  # if its worker is killed: a task has no effects
def task(digest: str, where: list[ray.ObjectRef], function: str, *args: int):
    """Return a result, or why there is none, and the worker that computed it."""
    try:
        return call(digest, where, function, *args), "", os.getpid()
    except wamr.Trap as trap:  # trying again would end in the same way
        return None, trap.message, os.getpid()


def work(*, kill: bool) -> None:
    """Sum up the steps of all numbers below 200 000, in 40 partitions."""
    module = named(wamr.wat2wasm(COLLATZ.read_text()))
    starts = range(0, 200_000, 5_000)
    tasks = {task.remote(*module, "sum_of_steps", n, n + 5_000): n for n in starts}
    results: dict[int, int] = {}
    left = list(tasks)
    while left:
        done, left = ray.wait(left)
        result, _, worker = ray.get(done[0])
        results[tasks[done[0]]] = result
        if kill and len(results) == 5:
            os.kill(worker, getattr(signal, "SIGKILL", signal.SIGTERM))
            print("one of the workers was killed")
    print(f"partitions: {len(results)} of {len(starts)}, steps: {sum(results.values())}")
    print(
        "a task that takes too long:", ray.get(task.remote(*module, "sum_of_steps", 1, 10**9))[:2]
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ray.init(sys.argv[1], log_to_driver=False)
        work(kill=False)
    else:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80 << 20,
            log_to_driver=False,  # Ray would log the end of the killed worker
        )
        work(kill=True)
    ray.shutdown()
