"""Samples of clusters: a worker is killed and nothing is lost; a module is sent once.

Other tests run on the same cores meanwhile, so no test here depends on time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bounds import COMPILING
from needs import needs, needs_large

import wamr

pytestmark = [pytest.mark.slow, pytest.mark.seconds(COMPILING)]

SAMPLES = Path(__file__).parents[2] / "samples"


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=COMPILING, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def steps(wat) -> str:
    """Return the sum that all partitions together must have, computed without a cluster."""
    exports = wamr.load(wat((SAMPLES / "collatz.wat").read_text(encoding="utf-8"))).exports
    numbers = range(1, 2_000)
    in_python = sum(_steps(number) for number in numbers)
    assert exports.sum_of_steps(numbers.start, numbers.stop) == in_python
    return f"partitions: 40 of 40, steps: {exports.sum_of_steps(0, 200_000)}\n"


def _steps(number: int) -> int:
    count = 0
    while number > 1:
        number = 3 * number + 1 if number % 2 else number // 2
        count += 1
    return count


TOO_LONG = "a task that takes too long: (None, 'out of fuel')\n"
ONE_EACH = "at most one instance for each thread: True\n"
KILLED = "one of the workers was killed\n"


def test_dask_loses_nothing_when_a_worker_is_killed(steps: str) -> None:
    needs("distributed", "cluster")
    assert run(str(SAMPLES / "dask_cluster.py")) == KILLED + steps + ONE_EACH + TOO_LONG


def test_ray_loses_nothing_when_a_worker_is_killed(steps: str) -> None:
    needs_large("ray", "ray")
    shown = run(str(SAMPLES / "ray_cluster.py"))
    assert shown.splitlines()[0] + "\n" == KILLED
    assert steps in shown
    assert TOO_LONG in shown


# ------------------------------------------------------------------ a scheduler and workers
def _read_if_complete(place: Path) -> dict[str, str]:
    """Return what Dask writes of its scheduler; empty while the file isn't there, or not whole."""
    try:
        described: dict[str, str] = json.loads(place.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return described


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a scheduler and two workers as processes; return the scheduler's address."""
    needs("distributed", "cluster")
    tmp_path = tmp_path_factory.mktemp("dask")
    place = tmp_path / "scheduler.json"
    log = (tmp_path / "log").open("wb")
    dask = [sys.executable, "-m", "dask"]
    network = ["--scheduler-file", str(place), "--no-dashboard"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *network]]
    commands += [[*dask, "worker", "--nthreads", "2", "--no-nanny", *network]] * 2
    started = [
        subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) for command in commands
    ]
    try:
        while not (described := _read_if_complete(place)):
            assert started[0].poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield described["address"]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        log.close()


def test_the_same_code_runs_with_the_address_of_a_scheduler(scheduler: str, steps: str) -> None:
    shown = run(str(SAMPLES / "dask_cluster.py"), scheduler)
    assert shown == steps + ONE_EACH + TOO_LONG


# The code of the sample is part of the program, as if the sample were the program: Dask sends
# functions of the main module to the workers with their code.
CLIENT = """
import sys
import cloudpickle
__file__ = sys.argv[2]
exec(open(__file__, encoding="utf-8").read().replace('if __name__ == "__main__"', "if False"))

text = COLLATZ.read_text().rstrip().removesuffix(")")
shipped = Shipped(wamr.wat2wasm(text + '(@custom "padding" "' + 10**6 * "x" + '"))'))

def modules(name, dask_worker):
    return id(dask_worker.plugins[name].module)

with Client(sys.argv[1]) as client:
    client.wait_for_workers(2)
    client.register_plugin(shipped)
    first = client.run(modules, shipped.name)
    client.register_plugin(Shipped(shipped.code))
    print("kept:", client.run(modules, shipped.name) == first, len(first))
    sent = cloudpickle.dumps((task, shipped.name, "sum_of_steps", 0, 10))
    print("module in the task:", len(sent) > 100_000, len(shipped.code) > 1_000_000)
    print(client.submit(task, shipped.name, "sum_of_steps", 0, 10).result())
    shipped.name = "wasm-" + 64 * "0"
    try:
        client.register_plugin(shipped)
    except ValueError as error:
        print("refused:", error)
"""


def test_a_module_is_sent_once_and_only_under_its_hash(scheduler: str) -> None:
    assert run("-c", CLIENT, scheduler, str(SAMPLES / "dask_cluster.py")).splitlines() == [
        "kept: True 2",
        "module in the task: False True",
        "(61, '')",
        "refused: these are the bytes of another module",
    ]
