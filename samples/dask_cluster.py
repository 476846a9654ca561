"""Map a wasm function over the partitions of a range with Dask, on this machine or on a cluster.

`python samples/dask_cluster.py` starts two workers, and kills one of them in the middle;
`python samples/dask_cluster.py tcp://scheduler:8786` uses a cluster whose workers have `wamr`.
`pip install "wamr[cluster,wat]"` brings the packages.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from hashlib import sha256
from pathlib import Path

from distributed import Client, LocalCluster, Worker, WorkerPlugin, as_completed, get_worker

import wamr

COLLATZ = Path(__file__).with_name("collatz.wat")
FUEL, SECONDS = 20_000_000, 60  # of each task
LIMITS = wamr.ResourceLimits(memory_bytes=16 << 20, stack_bytes=64 << 10)  # of each instance


class Shipped(WorkerPlugin):
    """A module on a worker: sent once, compiled once, with an instance for each thread."""

    idempotent = True  # a worker that has the module already keeps it

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.name = f"wasm-{sha256(code).hexdigest()}"

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's interface
        """Compile the module; Dask calls this on each present and future worker."""
        if self.name != f"wasm-{sha256(self.code).hexdigest()}":
            raise ValueError("these are the bytes of another module")
        self.module = wamr.Module(wamr.Store(), self.code)
        self.instances: dict[int, wamr.Instance] = {}

    def call(self, function: str, *args: int) -> int:
        """Call a function in this thread's instance."""
        thread = threading.get_ident()
        if thread not in self.instances:
            self.instances[thread] = wamr.Instance(wamr.Store(), self.module, limits=LIMITS)
        try:
            return self.instances[thread].exports[function].call(*args, fuel=FUEL, timeout=SECONDS)
        except wamr.Trap:
            del self.instances[thread]  # its memory is as the trap left it
            raise


def task(module: str, function: str, *args: int) -> tuple[int | None, str]:
    """Return a result, or why there is none. A task may run twice: it has no effects."""
    try:
        return get_worker().plugins[module].call(function, *args), ""
    except wamr.Trap as trap:  # trying again would end in the same way
        return None, trap.message


def instances(module: str, dask_worker: Worker) -> tuple[int, int]:
    """Return how many instances a worker has, and how many threads."""
    return len(dask_worker.plugins[module].instances), dask_worker.state.nthreads


def work(client: Client, *, kill: bool) -> None:
    """Sum up the steps of all numbers below 200 000, in 40 partitions."""
    shipped = Shipped(wamr.wat2wasm(COLLATZ.read_text()))
    client.register_plugin(shipped)
    starts = range(0, 200_000, 5_000)
    tasks = {client.submit(task, shipped.name, "sum_of_steps", n, n + 5_000): n for n in starts}
    results: dict[int, int] = {}
    for future, (result, _) in as_completed(tasks, with_results=True):
        results[tasks[future]] = result
        if kill and len(results) == 5:
            victim, *_ = client.run(os.getpid).values()
            os.kill(victim, getattr(signal, "SIGKILL", signal.SIGTERM))
            print("one of the workers was killed")
    print(f"partitions: {len(results)} of {len(starts)}, steps: {sum(results.values())}")
    made = client.run(instances, shipped.name).values()
    print("at most one instance for each thread:", all(count <= threads for count, threads in made))
    too_much = client.submit(task, shipped.name, "sum_of_steps", 1, 10**9)
    print("a task that takes too long:", too_much.result())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with Client(sys.argv[1]) as client:
            work(client, kill=False)
    else:
        for name in ("client", "nanny", "scheduler"):  # they would log the end of the killed worker
            logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
        with (
            LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            work(client, kill=True)
