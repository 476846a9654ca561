"""Threads: two on two instances, sixteen on one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .calls import MODULE
from .kernels import KERNELS
from .lines import US, Goal, Line, Samples
from .peers import everybody, us
from .timing import Case, Pace, Sample

ALONE = 0.15  # seconds that one thread works


def _together(works: Iterable[Callable[[], object]]) -> float:
    """Return the seconds until all are done, each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _rate(cases: Sequence[Case], pace: Pace) -> Sample:
    """Return how much more is done when each case has a thread than when the first is alone."""
    timers = [case.timer() for case in cases]
    wanted = ALONE / 10 if pace.quick else ALONE
    count = max(1, int(wanted / (timers[0](10) / 1e10)))
    works = [partial(timer, count) for timer in timers]
    alone, together = [], []
    for _ in range(max(3, pace.rounds // 3)):
        alone.append(_together(works[:1]))
        together.append(_together(works))
    one, all_ = Sample.of(alone), Sample.of(together)
    times = len(cases)
    return Sample(times * one.best / all_.best, times * one.median / all_.median, one.rounds)


def _two_instances(pace: Pace) -> Samples:
    text, argument = KERNELS["fib"]
    one, other = (everybody(lambda peer: peer.call(text, "run", str(argument))) for _ in "12")
    return {name: _rate([one[name], other[name]], pace) for name in one}


def _one_instance(pace: Pace) -> Samples:
    return {US: _rate([us().call(MODULE, "add", "2, 3")] * 16, pace)}


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
