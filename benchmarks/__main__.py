"""`python -m benchmarks`: selects lines, measures them, prints and saves the results."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from . import report
from .lines import Line
from .timing import FULL, QUICK, Pace

TOPICS = (
    *("calls", "host", "modules", "memory", "references", "exceptions", "threads", "startup"),
    *("programs", "micropython", "compute", "event_loops", "snapshots", "sessions", "scaling"),
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare the speed of wamr with that of other installed engines.",
        epilog=f"Topics: {', '.join(TOPICS)}.",
    )
    parser.add_argument("lines", nargs="*", help="topics or keys of lines; all of them otherwise")
    parser.add_argument("--quick", action="store_true", help="roughly, and without slow lines")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show its figures, too")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw them")
    parser.add_argument("--install", action="store_true", help="time a fresh `pip install .`, too")
    parser.add_argument("--list", action="store_true", help="show what there is to measure")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Line]:
    """Return the selected lines; raise SystemExit for an unknown name."""
    topics = (*TOPICS, "install") if options.install or "install" in options.lines else TOPICS
    lines = [line for topic in topics for line in import_module(f".{topic}", __package__).LINES]
    for name in options.lines:
        if not any(_named(line, [name]) for line in lines):
            sys.exit(f"there is no line or topic {name!r}; --list shows them")
    if options.lines:
        wanted = [*options.lines, *(["install"] if options.install else [])]
        return [line for line in lines if _named(line, wanted)]
    return [line for line in lines if not (options.quick and line.slow)]


def _named(line: Line, names: list[str]) -> bool:
    return line.key in names or line.key.partition(".")[0] in names


def _run(line: Line, pace: Pace) -> report.Result:
    """Measure a line; an error is recorded, and does not stop the other lines."""
    try:
        return report.Result(line, line.measure(pace))
    except Exception as error:
        return report.Result(line, {}, f"{type(error).__name__}: {error}"[:120])


def main() -> int:
    """Run the command line; return 1 if a line could not be measured."""
    options = _arguments()
    lines = _chosen(options)
    if options.list:
        for line in lines:
            print(f"{line.key:<20} {line.title}")
        return 0
    pace = QUICK if options.quick else FULL
    old = report.read(options.compare) if options.compare else None
    machine = report.machine()
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"{versions}; {machine['python']}, {machine['system']}, {machine['cores']} cores")
    for name, reason in machine["missing"].items():
        print(f"not here: {name} ({reason})")
    table = report.Table(old)
    table.head()
    results = []
    for line in lines:
        results.append(_run(line, pace))
        table.row(results[-1])
    table.foot(results)
    run = report.as_json(results, "quick" if options.quick else "full")
    if options.json:
        report.write(options.json, run)
    if options.plot:
        from . import plot

        options.plot.write_text(plot.drawn(run), encoding="utf-8")
    return int(any(result.problem for result in results))


if __name__ == "__main__":
    sys.exit(main())
