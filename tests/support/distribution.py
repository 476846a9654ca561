"""A pytest plugin: how pytest-xdist shares the tests out (`make test` has a process for each core).

A file is a share, run by one process in order, so that what its fixtures make is made once. Files
that share something expensive are one share, and large ones without are several. What takes long
begins first: then the processes end at about the same time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# The shares that take longest, in the order of what they take; all others come behind them.
FIRST = (
    "packaging",
    "packaging/test_threads.py",
    "wasi/test_conformance.py",
    "differential/test_cpython.py",
    "unit/test_portable.py 0",
    "unit/test_portable.py 1",
    "stress/test_memory_failures.py",
    "unit/test_cli.py",
    "perf",
)
# By the beginning of the file's path in tests/: the share that it is a part of.
TOGETHER = {
    "packaging/test_sdist.py": "packaging",
    "packaging/test_wheel.py": "packaging",
    "differential/test_cpython": "differential/test_cpython.py",
    "differential/test_resvg.py": "differential/test_resvg.py",
    "perf/": "perf",
}
# Files of which each test may run anywhere, in so many shares.
PARTS = {"unit/test_portable.py": 2}

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def share(nodeid: str) -> str:
    """Return the name of the share that a test is in."""
    path, _, name = nodeid.partition("::")
    path = path.removeprefix("tests/")
    if path in PARTS:
        return f"{path} {sum(name.encode()) % PARTS[path]}"
    return next((known for start, known in TOGETHER.items() if path.startswith(start)), path)


def plain(nodeids: Iterable[str]) -> list[str]:
    """Return the names without addresses, which each process has others of, and each name once."""
    seen: Counter[str] = Counter()
    names = []
    for nodeid in nodeids:
        name = ADDRESS.sub("", nodeid)
        seen[name] += 1
        names.append(f"{name} {seen[name]}" if seen[name] > 1 else name)
    return names


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What comes first; and the parameters of a test in one order, where a set has given them."""
    order = {name: number for number, name in enumerate(FIRST)}
    tests = [list(same) for _, same in groupby(items, lambda item: item.nodeid.partition("[")[0])]
    for same in tests:
        same.sort(key=lambda item: ADDRESS.sub("", item.nodeid))
    tests.sort(key=lambda same: order.get(share(same[0].nodeid), len(order)))
    items[:] = chain.from_iterable(tests)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

        def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
            super().add_node_collection(node, plain(collection))

        def remove_node(self, node: WorkerController) -> str | None:
            """As it is, but for the test that a process died of: another would die of it again."""
            left = {
                name: {nodeid: False for nodeid, done in tests.items() if not done}
                for name, tests in self.assigned_work.pop(node).items()
            }
            left = {name: tests for name, tests in left.items() if tests}
            if not left:
                return None
            name, tests = next(iter(left.items()))
            died = next(iter(tests))
            del tests[died]
            if not tests:
                del left[name]
            self.workqueue.update(left)
            for other in self.assigned_work:
                self._reschedule(other)
            return died

    config.option.loadscopereorder = False
    return Shares(config, log)
