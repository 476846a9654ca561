"""The lines of the table: a title, the engines that are measured, and a goal.

The figures of a line are seconds or bytes, where less is better, or `x`, a ratio. The goals are
those of the project's plan; a line without a goal is for information.
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
    """An engine doesn't support a measurement; the message says why."""


@dataclass(frozen=True)
class Goal:
    """The goal for our minimum, in the unit of the line or as a ratio to a peer's."""

    most: float | None = None
    least: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)  # peer -> the largest ratio

    def met(self, samples: Samples) -> bool | None:
        """Return whether the goal is reached; None: there are no results to compare with."""
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
    """The position of a line on a curve, whose points measure the same for growing sizes."""

    curve: str
    x: float
    axis: str  # the growing quantity


@dataclass(frozen=True)
class Line:
    """One measurement."""

    key: str  # module.name, to select the line
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
    """Return a line that times a statement of each engine."""
    return Line(key, title, lambda pace: measure(cases(), pace), goal, slow=slow)
