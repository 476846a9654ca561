"""The speed of wasm code: kernels, and the cost of limits."""

from __future__ import annotations

from functools import partial

from .installed import supported_cases, this_package
from .kernels import KERNELS
from .lines import US, WASM3, Goal, Line, Samples, timed
from .timing import Case, Pace, Sample, measure


def _cases(kernel: str) -> dict[str, Case]:
    text, argument = KERNELS[kernel]
    cases = supported_cases(lambda peer: peer.call(text, "run", str(argument)))
    results = {n: eval(x.statement, dict(x.names)) & 0xFFFFFFFF for n, x in cases.items()}
    if len(set(results.values())) > 1:
        raise ValueError(f"{kernel}: the engines do not agree: {results}")
    return cases


def _limited(pace: Pace) -> Samples:
    """Return the factor by which fuel and a timeout slow down a kernel.

    Both are measured in one instance: two instances of the same code differ by up to 15 %,
    depending on their addresses.
    """
    text, argument = KERNELS["fib"]
    names = {"f": this_package().instance(text).exports.run.call}
    cases = {
        "limited": Case(f"f({argument}, fuel=1 << 60, timeout=3600)", names),
        "plain": Case(f"f({argument})", names),
    }
    samples = measure(cases, pace)
    a, b = samples["limited"], samples["plain"]
    return {US: Sample(a.best / b.best, a.median / b.median, a.rounds)}


LINES = (
    *(
        timed(
            f"compute.{kernel}",
            f"{kernel}({argument})",
            partial(_cases, kernel),
            Goal(times={WASM3: 1}),
        )
        for kernel, (_, argument) in KERNELS.items()
    ),
    Line("compute.limited", "fib under fuel and timeout, x fib", _limited, Goal(1.02), "x"),
)
