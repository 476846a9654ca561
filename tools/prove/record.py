"""A pytest plugin: appends the outcome of each test to a file of JSON lines, as they arrive.

The first line of a run has the facts about the machine that the tests run on, and the last one
pytest's status, unless the run was killed. table.py counts the file. A run of limited time takes a
few tests of each file in turn, so that it covers all files. This module knows nothing
of the targets.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

TURN = 4  # tests of a file at a time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", help="the file that outcomes are appended to")
    parser.addoption("--record-passed", help="a file with names of tests that are not run again")
    parser.addoption(
        "--record-minutes", type=float, help="the run stops after these minutes of tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--record")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(path), config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    path = config.getoption("--record-passed")
    if path:
        passed = set(Path(path).read_text(encoding="utf-8").split("\n"))
        items[:] = [item for item in items if item.nodeid not in passed]
    if config.getoption("--record-minutes"):
        order = turns([item.nodeid for item in items])
        items[:] = [items[number] for number in order]


def turns(names: Sequence[str]) -> list[int]:
    """Return the numbers of the tests: the first few of each file, then the next few, and so on.

    The files that take longest come last.
    """
    from distribution import FIRST, share

    seen: Counter[str] = Counter()
    order = []
    for name in names:
        file = name.partition("::")[0]
        order.append((share(name) in FIRST, seen[file] // TURN))
        seen[file] += 1
    return sorted(range(len(names)), key=order.__getitem__)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Return a scheduler that keeps the order of `turns`; None where the time has no limit."""
    if not config.getoption("--record-minutes"):
        return None
    from distribution import plain
    from xdist.scheduler import LoadScheduling

    class Turns(LoadScheduling):  # type: ignore[misc]
        def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
            super().add_node_collection(node, plain(collection))

    config.option.maxschedchunk = TURN
    return Turns(config, log)


class Recorder:
    """Writes a line for each test: the name, the outcome and why."""

    def __init__(self, path: Path, config: pytest.Config) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._write({"facts": facts(), "arguments": [*config.invocation_params.args]})
        self._minutes = config.getoption("--record-minutes")
        self._end: float | None = None

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def pytest_runtest_logstart(self) -> None:
        """Begin to count the minutes: an emulator takes long to collect the tests."""
        if self._minutes and self._end is None:
            self._end = time.monotonic() + 60 * self._minutes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when in {"setup", "teardown"} and report.outcome == "passed":
            return
        why = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            why = report.longrepr[2].removeprefix("Skipped: ")
        elif report.outcome == "skipped":  # a test that is expected to fail
            why = f"xfail: {getattr(report, 'wasxfail', '')}"
        elif report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message if crash else str(report.longrepr).rstrip().rpartition("\n")[2]
        line = {"test": report.nodeid, "outcome": report.outcome, "why": why[:2000]}
        self._write({**line, "seconds": round(report.duration, 2)})
        if self._end is not None and time.monotonic() > self._end:
            pytest.exit("the minutes of the run are over", returncode=2)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome == "failed":
            why = str(report.longrepr).rstrip().rpartition("\n")[2]
            line = {"test": report.nodeid, "outcome": "failed", "why": why[:2000], "seconds": 0}
            self._write(line)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._write({"status": int(exitstatus)})


def facts() -> dict[str, str]:
    """Return what the table says about this machine and its Python."""
    gil = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", GIL off"
    return {
        "machine": os.environ.get("PROVE_MACHINE") or f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {python_version()}{gil}",
        "bits": str(sys.maxsize.bit_length() + 1),
        "libc": os.environ.get("PROVE_LIBC") or libc(),
        "compiler": os.environ.get("PROVE_COMPILER", ""),
    }


def python_version() -> str:
    """Return the version of the interpreter; PyPy's differs from that of the language."""
    pypy = getattr(sys, "pypy_version_info", None)
    return platform.python_version() + (" (" + ".".join(map(str, pypy[:3])) + ")" if pypy else "")


def libc() -> str:
    """Return name and version of the C library."""
    if os.name == "nt":
        return "Universal CRT"
    name, version = platform.libc_ver()
    if name:
        return f"{name} {version}"
    multiarch = str(sysconfig.get_config_var("MULTIARCH") or "")
    return "musl" if multiarch.endswith("musl") else platform.system()
