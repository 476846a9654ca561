"""Prints the results of a run as a table, line by line, and writes them as JSON.

Next to a peer's figure is the factor by which this package is faster: "150x" is good, "0.40x" is
not. With an older run, a column has the change of our figure since then. The change of the machine
itself is estimated by the figures of the peers.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .installed import missing, peers, versions
from .lines import US, WASM3, Goal, Line, Samples, Unit
from .timing import Sample

FORMAT = 1
MEAN_GOAL = 0.95  # the goal for the geometric mean of the kernels' times, relative to pywasm3's


@dataclass(frozen=True)
class Result:
    """The results of a line, or why there are none."""

    line: Line
    samples: Samples
    problem: str = ""

    def ratio(self, peer: str) -> float | None:
        """Return the factor by which this package is faster, or smaller, than a peer."""
        ours, theirs = self.samples.get(US), self.samples.get(peer)
        if not ours or not theirs or not ours.best or peer == US:
            return None
        return ours.best / theirs.best if self.line.unit == "x" else theirs.best / ours.best


# ------------------------------------------------------------------ the table
class Table:
    """Prints results as they come."""

    def __init__(self, old: Mapping[str, Any] | None = None) -> None:
        self._old = {line["key"]: line for line in old["lines"]} if old else None
        self._peers = [peer.name for peer in peers() if peer.name != US]

    def head(self) -> None:
        """Print the names of the columns."""
        before = f"{'before':>16}" if self._old is not None else ""
        names = "".join(f"{name:>20}" for name in self._peers)
        print(f"{'':<59}{US:>9}{'median':>10}{before}{names}   goal")

    def row(self, result: Result) -> None:
        """Print a line."""
        line = result.line
        left = f"{line.key:<20} {line.title:<38}"
        if result.problem:
            print(f"{left}{'-':>9}  {result.problem}", flush=True)
            return
        ours = result.samples.get(US)
        best, median = (ours.best, ours.median) if ours else (None, None)
        figures = f"{shown(best, line.unit):>9}{shown(median, line.unit):>10}"
        if self._old is not None:
            figures += f"{self._before(result):>16}"
        for peer in self._peers:
            sample, ratio = result.samples.get(peer), result.ratio(peer)
            times = f"{short(ratio)}x" if ratio else ""
            figures += f"{shown(sample.best if sample else None, line.unit):>11} {times:>8}"
        others = result.samples.keys() - {US, *self._peers}  # that have no column
        for peer in sorted(others):
            sample = result.samples[peer]
            figures += f"  {peer} {shown(sample.best, line.unit)} {short(result.ratio(peer) or 0)}x"
        met = line.goal.met(result.samples)
        verdict = {True: "met    ", False: "MISSED ", None: "       "}[met]
        print(f"{left}{figures}   {verdict}{goal_text(line.goal, line.unit)}".rstrip(), flush=True)

    def _before(self, result: Result) -> str:
        assert self._old is not None
        old = self._old.get(result.line.key, {}).get("results", {}).get(US)
        ours = result.samples.get(US)
        if not old or not ours or not old["best"]:
            return "-"
        change = 100 * (ours.best / old["best"] - 1)
        return f"{shown(old['best'], result.line.unit)} {change:+.0f} %"

    def foot(self, results: Iterable[Result]) -> None:
        """Print the summary of all lines."""
        results = list(results)
        mean = kernels_mean(results)
        if mean is not None:
            verdict = "met" if mean <= MEAN_GOAL else "MISSED"
            print(
                f"\ncompute: our times are {mean:.2f} of {WASM3}'s, geometric mean "
                f"(goal: at most {MEAN_GOAL}; {verdict})"
            )
        if self._old is not None:
            drift = machine_drift(results, self._old)
            if drift is not None:
                print(f"the peers' times are {drift:.2f} of those before: so much is the machine")


def shown(value: float | None, unit: Unit) -> str:
    """Format a figure in a suitable unit."""
    if value is None:
        return "-"
    if unit == "x":
        return f"{value:.2f}x"
    steps = (
        ((1e6, "MB"), (1e3, "kB"), (1, "B"))
        if unit == "B"
        else ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
    )
    for scale, name in steps:
        if abs(value) >= scale:
            return f"{short(value / scale)} {name}"
    return f"{short(value / steps[-1][0])} {steps[-1][1]}"


def short(value: float) -> str:
    """Format a number with about three digits."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def goal_text(goal: Goal, unit: Unit) -> str:
    """Describe a goal."""
    parts = []
    if goal.most is not None:
        parts.append(f"<= {shown(goal.most, unit)}")
    if goal.least is not None:
        parts.append(f">= {shown(goal.least, unit)}")
    for peer, times in goal.times.items():
        if times < 1:
            parts.append(f"{short(1 / times).removesuffix('.0')}x as fast as {peer}")
        else:
            parts.append(f"<= {times:g} x {peer}")
    return ", ".join(parts)


# ------------------------------------------------------------------ all lines together
def _mean(ratios: Iterable[float]) -> float | None:
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else None


def kernels_mean(results: Iterable[Result]) -> float | None:
    """Return the geometric mean of our kernels' times, relative to pywasm3's."""
    ratios = [r.ratio(WASM3) for r in results if r.line.key.startswith("compute.")]
    return _mean(1 / ratio for ratio in ratios if ratio)


def machine_drift(results: Iterable[Result], old: Mapping[str, Any]) -> float | None:
    """Return the geometric mean of the changes of the peers' times since the older run."""
    return _mean(
        sample.best / old[result.line.key]["results"][peer]["best"]
        for result in results
        if result.line.unit == "s" and result.line.key in old
        for peer, sample in result.samples.items()
        if peer != US and peer in old[result.line.key]["results"]
    )


# ------------------------------------------------------------------ JSON
def as_json(results: Iterable[Result], pace: str) -> dict[str, Any]:
    """Return a run in the form that `--json` writes and `--compare` reads."""
    results = list(results)
    return {
        "format": FORMAT,
        "pace": pace,
        "machine": machine(),
        "kernels_mean": kernels_mean(results),
        "lines": [
            {
                "key": result.line.key,
                "title": result.line.title,
                "unit": result.line.unit,
                "results": {name: _plain(sample) for name, sample in result.samples.items()},
                "goal": goal_text(result.line.goal, result.line.unit),
                "met": result.line.goal.met(result.samples),
                "problem": result.problem,
                "point": asdict(result.line.point) if result.line.point else None,
            }
            for result in results
        ],
    }


def _plain(sample: Sample) -> dict[str, float]:
    return {"best": sample.best, "median": sample.median, "rounds": sample.rounds}


def machine() -> dict[str, Any]:
    """Return the environment of the run: Python, system, processor, versions."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "versions": versions(),
        "missing": missing(),
        "processor": _processor(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    found = re.search(r"(?m)^model name\s*: (.*)$", text)
    return found[1] if found else platform.processor()


def read(path: Path) -> dict[str, Any]:
    """Return an older run; raise ValueError if the file is none."""
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by this version's --json")
    return found


def write(path: Path, run: Mapping[str, Any]) -> None:
    """Save a run."""
    path.write_text(json.dumps(run, indent=1) + "\n")
