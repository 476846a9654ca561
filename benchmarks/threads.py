"""Threads: two on two instances, compared with two processes, and sixteen on one instance."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .calls import MODULE
from .installed import supported_cases, this_package
from .kernels import KERNELS
from .lines import US, Goal, Line, Samples, Unavailable
from .timing import Case, Pace, Sample

ALONE = 0.15  # seconds of work of one thread


def _at_once(works: Iterable[Callable[[], object]]) -> float:
    """Return the seconds until all tasks are done, each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _forked(works: Iterable[Callable[[], object]]) -> float:
    """Return the seconds until all tasks are done, each in a process of its own."""
    gate, opener = os.pipe()
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.read(gate, 1)  # returns when the parent has closed its end
            work()
            os._exit(0)
        children.append(child)
    os.close(gate)
    start = time.perf_counter()
    os.close(opener)
    for child in children:
        os.waitpid(child, 0)
    return time.perf_counter() - start


def _rate(
    cases: Sequence[Case],
    pace: Pace,
    together: Callable[[Iterable[Callable[[], object]]], float] = _at_once,
) -> Sample:
    """Return the speed-up of working at once, compared with one after another."""
    timers = [case.timer() for case in cases]
    wanted = ALONE / 10 if pace.quick else ALONE
    count = max(1, int(wanted / (timers[0](10) / 1e10)))
    works = [partial(timer, count) for timer in timers]
    # One case represents many; it is measured once, in as many rounds as the others.
    single = {id(case): work for case, work in zip(cases, works, strict=True)}
    alone: dict[int, list[float]] = {key: [] for key in single}
    at_once = []
    for _ in range(max(3, pace.rounds // 3)):
        for key, work in single.items():
            alone[key].append(together([work]))
        at_once.append(together(works))
    best = sum(min(alone[id(case)]) for case in cases)
    median = sum(statistics.median(alone[id(case)]) for case in cases)
    return Sample(best / min(at_once), median / statistics.median(at_once), len(at_once))


def _two_instances(pace: Pace) -> Samples:
    text, argument = KERNELS["fib"]
    one, other = (supported_cases(lambda peer: peer.call(text, "run", str(argument))) for _ in "12")
    return {name: _rate([one[name], other[name]], pace) for name in one}


def _two_processes(pace: Pace) -> Samples:
    """Return the speed-up of processes, which share nothing: the limit of the machine."""
    if not hasattr(os, "fork"):
        raise Unavailable("no fork")
    text, argument = KERNELS["fib"]
    return {
        US: _rate([this_package().call(text, "run", str(argument)) for _ in "12"], pace, _forked)
    }


def _one_instance(pace: Pace) -> Samples:
    return {US: _rate([this_package().call(MODULE, "add", "2, 3")] * 16, pace)}


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
        "threads.processes",
        "2 processes, x one: the machine",
        _two_processes,
        unit="x",
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
