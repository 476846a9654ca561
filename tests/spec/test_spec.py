"""The official test suite, a test for each of its files; known.py has the expected failures."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from known import COMPLETE, FOREIGN, KNOWN
from lacking import LACKING
from platforms import NO_SIMD
from workers import MISSING, SCRIPTS, Worker, below, failures, shown

from wamr import FEATURES
from wamr._diagnosis.proposals import PROPOSALS

pytestmark = pytest.mark.spec

NEEDS = {
    f"{folder}/{name}": {*features.split()}
    for features, folders in LACKING.items()
    for folder, names in folders.items()
    for name in names.split()
}
# A memory section with (memory 1 1 shared), and with (memory 1 1).
SHARED, UNSHARED = b"\5\4\1\3\1\1", b"\5\4\1\1\1\1"

# The reasons of a command that fails because its module, or an earlier one, was refused.
REFUSED = ("CompileError: ", "LinkError: ", "LookupError: there is no module", "KeyError: ")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def lacked(reason: str) -> set[str]:
    """Return the features that the error of a refused module says this build lacks."""
    used = reason.partition("the module uses ")[2].partition(", which this build does not have")[0]
    return {feature for feature, (name, _) in PROPOSALS.items() if f"{name} (" in used}


def test_the_suite_is_there() -> None:
    assert not MISSING, MISSING
    counts = Counter(name.rpartition("/")[0] for name in SCRIPTS)
    assert dict(counts) == COMPLETE | FOREIGN


def test_what_is_known_to_fail_is_in_the_suite() -> None:
    assert not MISSING, MISSING
    assert {entry.file for entry in KNOWN} | {*NEEDS} <= set(SCRIPTS)
    assert {feature for needs in NEEDS.values() for feature in needs} <= set(PROPOSALS)


@pytest.mark.parametrize("name", below(COMPLETE))
def test_every_assertion_passes(worker: Worker, name: str) -> None:
    failed = failures(worker, name)
    if "simd" not in FEATURES and any("SIMD" in reason for _, _, reason in failed):
        wrong = [item for item in failed if not item[2].startswith(REFUSED)]
        assert not wrong, shown(name, wrong)
        pytest.skip(NO_SIMD)
    assert not failed, shown(name, failed)


def test_atomic_instructions_do_all_that_the_suite_says_on_a_memory_that_is_not_shared(
    worker: Worker, tmp_path: Path
) -> None:
    script = SCRIPTS["proposals/threads/atomic"]
    shutil.copytree(script.parent, tmp_path / "made")
    changed = 0
    for path in (tmp_path / "made").glob("*.wasm"):
        module = path.read_bytes()
        changed += module.count(SHARED)
        path.write_bytes(module.replace(SHARED, UNSHARED))
    assert changed == 2
    answer = worker.run(tmp_path / "made" / script.name)
    # These lines have a wait instruction.
    wrong = "Trap: expected shared memory"
    assert [(line, reason) for line, _, reason in answer["failures"]] == [
        (434, wrong),
        (435, wrong),
    ]
    assert answer["passed"] == 295


@pytest.mark.parametrize("name", below(FOREIGN))
def test_what_this_build_lacks_is_refused(worker: Worker, name: str) -> None:
    failed = failures(worker, name)
    wrong = [item for item in failed if not item[2].startswith(REFUSED)]
    assert not wrong, shown(name, wrong)
    if name not in NEEDS:
        assert not failed, shown(name, failed)
        return
    assert failed, f"{name} passes: take it out of lacking.py"
    refused = [(item, lacked(item[2])) for item in failed]
    others = [item for item, features in refused if not features <= NEEDS[name]]
    assert not others, shown(name, others)
