"""What a line of the table is: a title, who is measured, and what we want to reach.

A line's figures are one of three kinds: seconds and bytes, where less is better, and `x`, a plain
ratio. Goals are those of the project's plan; a line without one is there to be watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .timing import Case, Pace, Sample, measure

US = "wamr"
WASMTIME = "wasmtime-py"
WASM3 = "pywasm3"
WASMER = "wasmer"
EXTISM = "extism"
NAMES = (US, WASMTIME, WASM3, WASMER, EXTISM)

Unit = Literal["s", "B", "x"]
Samples = Mapping[str, Sample]


class Unavailable(Exception):
    """Somebody can't do what a line asks for; the reason is for the reader."""


@dataclass(frozen=True)
class Goal:
    """What our minimum should be, in the line's unit or beside a peer's."""

    most: float | None = None
    least: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)  # peer -> at most so many of its time

    def met(self, samples: Samples) -> bool | None:
        """Tell whether it is reached; None: there is nothing to tell it by."""
        ours = samples.get(US)
        if ours is None:
            return None
        checks = [ours.best <= self.most] if self.most is not None else []
        if self.least is not None:
            checks.append(ours.best >= self.least)
        for peer, times in self.times.items():
            if peer in samples:
                checks.append(ours.best <= times * samples[peer].best)
        return all(checks) if checks else None


@dataclass(frozen=True)
class Point:
    """Where a line is on a curve, all of whose points measure the same, of more and more."""

    curve: str
    x: float
    axis: str  # what there is more and more of


@dataclass(frozen=True)
class Line:
    """One thing that is measured."""

    key: str  # module.name, to choose it by
    title: str
    measure: Callable[[Pace], Samples]
    goal: Goal = Goal()
    unit: Unit = "s"
    slow: bool = False  # left out by --quick, unless it is named
    point: Point | None = None


def timed(
    key: str,
    title: str,
    cases: Callable[[], Mapping[str, Case]],
    goal: Goal = Goal(),
    *,
    slow: bool = False,
) -> Line:
    """Return a line that times a statement of each contender."""
    return Line(key, title, lambda pace: measure(cases(), pace), goal, slow=slow)
