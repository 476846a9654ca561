"""Threads: two on two instances, sixteen on one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from .calls import MODULE
from .kernels import KERNELS
from .lines import US, Goal, Line, Samples
from .peers import everybody, us
from .timing import Case, Pace, Sample

CALLS = 20_000


def _together(works: Iterable[Callable[[], object]]) -> float:
    """Return the seconds until all are done, each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _two_instances(pace: Pace) -> Samples:
    """Return how many times the work of one thread two do."""
    text, argument = KERNELS["fib"]
    pairs = [everybody(lambda peer: peer.call(text, "run", str(argument))) for _ in range(2)]
    samples = {}
    for name in pairs[0]:
        works = [_repeated(pair[name], 5) for pair in pairs]
        values = []
        for _ in range(max(3, pace.rounds // 2)):
            alone = _together(works[:1])
            values.append(2 * alone / _together(works))
        samples[name] = Sample.of(values, more=True)
    return samples


def _repeated(case: Case, count: int) -> Callable[[], object]:
    timer = case.timer()
    return lambda: timer(count)


def _one_instance(pace: Pace) -> Samples:
    """Return the rate of sixteen threads' calls of one instance beside that of one thread's."""
    case = us().call(MODULE, "add", "2, 3")
    calls = CALLS // 10 if pace.quick else CALLS
    values = []
    for _ in range(max(3, pace.rounds // 2)):
        alone = _together([_repeated(case, 16 * calls)])
        values.append(alone / _together([_repeated(case, calls)] * 16))
    return {US: Sample.of(values, more=True)}


LINES = (
    Line(
        "threads.two",
        "2 threads on 2 instances, x one",
        _two_instances,
        Goal(least=1.9),
        "x",
        slow=True,
    ),
    Line(
        "threads.sixteen",
        "16 threads on 1 instance, x one's rate",
        _one_instance,
        Goal(least=0.5),
        "x",
        slow=True,
    ),
)
