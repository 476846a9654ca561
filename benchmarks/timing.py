"""Times statements in turns, in many short rounds, without the cost of the loop.

A `Case` is a statement with its names, run in a loop that is compiled for it, as in `timeit`, since
a call of a lambda would cost as much as the statement. `measure` times several cases in turns, so
that a slow moment of the machine affects all of them; the order changes with each round. This
module knows nothing of engines.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any


@dataclass(frozen=True)
class Pace:
    """Limits of the time for measuring."""

    rounds: int = 15
    round_seconds: float = 0.02  # the duration of a round
    patience: float = 6.0  # a case gets no more rounds after this total
    processes: int = 20  # where each round is a process

    @property
    def quick(self) -> bool:
        """Return whether only the order of magnitude matters."""
        return self.rounds < 10


QUICK = Pace(rounds=5, round_seconds=0.002, patience=0.5, processes=3)
FULL = Pace()


@dataclass(frozen=True)
class Sample:
    """The result of an engine, in the unit of the line."""

    best: float
    median: float
    rounds: int = 1

    @staticmethod
    def of(values: list[float], *, more: bool = False) -> Sample:
        """Summarise the rounds; `more` says that larger values are better."""
        return Sample((max if more else min)(values), statistics.median(values), len(values))

    @staticmethod
    def one(value: float) -> Sample:
        """Return the result for a constant figure."""
        return Sample(value, value)


@dataclass(frozen=True)
class Case:
    """A statement to be repeated, with its names as locals."""

    statement: str
    names: Mapping[str, Any] = field(default_factory=dict)

    def timer(self) -> Callable[[int], int]:
        """Compile the function that repeats the statement and returns the nanoseconds."""
        text = (
            f"def timer(_n, {', '.join(f'{name}={name}' for name in self.names)}):\n"
            "    _items = _repeat(None, _n)\n"
            "    _start = _clock()\n"
            "    for _ in _items:\n"
            f"{indent(self.statement, ' ' * 8)}\n"
            "    return _clock() - _start\n"
        )
        names: dict[str, Any] = dict(self.names)
        exec("from itertools import repeat as _repeat", names)
        exec("from time import perf_counter_ns as _clock", names)
        exec(compile(text, f"<{self.statement.splitlines()[0]}>", "exec"), names)
        timer: Callable[[int], int] = names["timer"]
        return timer

    def run(self, count: int = 1) -> None:
        """Repeat the statement without timing."""
        self.timer()(count)


def measure(cases: Mapping[str, Case], pace: Pace) -> dict[str, Sample]:
    """Return the seconds of one repetition of each case; a case without results is left out."""
    if not cases:
        return {}
    loop_timer, loop = Case("pass").timer(), 1.0
    runners = [_Runner(name, case, pace) for name, case in cases.items()]
    gc.collect()
    for round_ in range(pace.rounds):
        loop = min(loop, loop_timer(10_000) / 1e13)
        start = round_ % len(runners)
        for runner in runners[start:] + runners[:start]:
            runner.round()
    return {
        runner.name: Sample.of([max(value - loop, 1e-12) for value in runner.values])
        for runner in runners
    }


class _Runner:
    """The rounds of one case, each about as long as the pace demands."""

    def __init__(self, name: str, case: Case, pace: Pace) -> None:
        self.name = name
        self._timer = case.timer()
        self._left = pace.patience
        self.values: list[float] = []
        self._count, wanted = 1, pace.round_seconds
        while True:
            seconds = self._timer(self._count) / 1e9
            if seconds >= wanted / 2:
                break
            self._count *= min(10, max(2, int(wanted / max(seconds, 1e-9))))
        if seconds > pace.patience:  # too slow to be warmed up
            self._add(seconds)

    def round(self) -> None:
        """Time one more round, if there is time."""
        if self._left > 0:
            self._add(self._timer(self._count) / 1e9)

    def _add(self, seconds: float) -> None:
        self._left -= seconds
        self.values.append(seconds / self._count)
