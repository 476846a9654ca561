"""A pytest plugin: how pytest-xdist distributes the tests over processes, three for two cores.

A file is a share: one process runs it in order, so its fixtures are set up once. Files with a
common expensive fixture form one share; long files without one are split into several. The longest
shares begin first, so that the processes end at about the same time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# The longest shares, longest first; all others follow. A name with "/" at its end is a folder.
FIRST = (
    "packaging",
    "packaging/test_threads.py",
    "compiled by zig",
    "patches/",  # each test forks, which takes the longer the more memory earlier tests have left
    "project/test_samples.py",
    "differential/test_cpython.py",
    "differential/test_exceptions.py",
    "stress/test_memory_failures.py",
    "perf",
    "spec/test_spec_suspended.py",
    "unit/test_portable.py 0",
    "unit/test_portable.py 1",
    "sandbox/test_limits.py",
    "unit/test_hostile.py",
    "unit/test_chains.py",
    "cli/test_run.py",
    "cli/test_program_ends.py",
    "cli/test_commands.py",
)
# The share of a file, by the beginning of its path in tests/.
TOGETHER = {
    "packaging/test_sdist.py": "packaging",
    "packaging/test_wheel.py": "packaging",
    "wasi/test_conformance.py": "compiled by zig",  # which compiles its C library once
    "differential/test_cpp.py": "compiled by zig",
    "differential/test_cpython": "differential/test_cpython.py",
    "differential/test_resvg.py": "differential/test_resvg.py",
    "perf/": "perf",
}
# Files whose tests may run in any process, and into how many shares they are split.
PARTS = {"unit/test_portable.py": 2}

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def share(nodeid: str) -> str:
    """Return the name of a test's share."""
    path, _, name = nodeid.partition("::")
    path = path.removeprefix("tests/")
    if path in PARTS:
        return f"{path} {sum(name.encode()) % PARTS[path]}"
    return next((known for start, known in TOGETHER.items() if path.startswith(start)), path)


def place(name: str) -> int:
    """Return the place of a share in the order in which shares begin."""
    folder = name.partition("/")[0] + "/"
    return next((FIRST.index(key) for key in (name, folder) if key in FIRST), len(FIRST))


def plain(nodeids: Iterable[str]) -> list[str]:
    """Return unique names without addresses, which differ from process to process."""
    seen: Counter[str] = Counter()
    names = []
    for nodeid in nodeids:
        name = ADDRESS.sub("", nodeid)
        seen[name] += 1
        names.append(f"{name} {seen[name]}" if seen[name] > 1 else name)
    return names


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest shares first, and sort parameters of a test, which may come from a set."""
    tests = [list(same) for _, same in groupby(items, lambda item: item.nodeid.partition("[")[0])]
    for same in tests:
        same.sort(key=lambda item: ADDRESS.sub("", item.nodeid))

    tests.sort(key=lambda same: place(share(same[0].nodeid)))
    items[:] = chain.from_iterable(tests)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Start more processes than there are cores: tests also wait, for timers and for processes."""
    cores = yield
    return cores + cores // 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

        def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
            super().add_node_collection(node, plain(collection))

        def remove_node(self, node: WorkerController) -> str | None:
            """Don't give the test that crashed a process to another process."""
            left = {
                name: {nodeid: False for nodeid, done in tests.items() if not done}
                for name, tests in self.assigned_work.pop(node).items()
            }
            left = {name: tests for name, tests in left.items() if tests}
            if not left:
                return None
            name, tests = next(iter(left.items()))
            died: str = next(iter(tests))
            del tests[died]
            if not tests:
                del left[name]
            self.workqueue.update(left)
            for other in self.assigned_work:
                self._reschedule(other)
            return died

    config.option.loadscopereorder = False
    return Shares(config, log)
