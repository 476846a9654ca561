"""The official test suite in executions that stop at each check, which is where code can stop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from known import COMPLETE
from workers import Worker, below, failures, shown

pytestmark = [pytest.mark.spec, pytest.mark.slow]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker("suspend")
    yield worker
    worker.close()


@pytest.mark.parametrize("folder", COMPLETE)
def test_every_assertion_passes_with_a_stop_at_each_check(worker: Worker, folder: str) -> None:
    names = below({folder: 0})
    assert names
    for name in names:
        failed = failures(worker, name)
        assert not failed, shown(name, failed)
