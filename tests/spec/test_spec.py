"""The official test suite, a test for each of its files; known.py has the expected failures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import suite
from known import COMPLETE, FOREIGN, KNOWN
from lacking import LACKING

from wamr._diagnosis.proposals import PROPOSALS

pytestmark = pytest.mark.spec

# The scripts that run with a stop at each check: all take ten minutes.
EVERYTHING = bool(os.environ.get("WAMR_SUSPEND_EVERYTHING"))
OFTEN = re.compile(
    r".*/(br\w*|call\w*|fac|if|imports|linking\w*|loop|memory_grow|return_call\w*|start\d*"
    r"|table_grow|throw\w*|try_table)$"
).match

WORKER = Path(__file__).with_name("runner.py")
NEEDS = {
    f"{folder}/{name}": {*features.split()}
    for features, folders in LACKING.items()
    for folder, names in folders.items()
    for name in names.split()
}
PATIENCE = 240  # seconds: the worker stops a script itself, somewhat earlier

# A memory section with (memory 1 1 shared), and with (memory 1 1).
SHARED, UNSHARED = b"\5\4\1\3\1\1", b"\5\4\1\1\1\1"

# Why a command fails that refuses a module, or comes after a refused module.
REFUSED = ("CompileError: ", "LinkError: ", "LookupError: there is no module", "KeyError: ")

try:
    SCRIPTS, MISSING = suite.scripts((*COMPLETE, *FOREIGN)), ""
except suite.SuiteError as error:  # a test below reports this; collecting the others must go on
    SCRIPTS, MISSING = {}, str(error)


def below(folders: dict[str, int]) -> list[str]:
    return [name for name in SCRIPTS if name.startswith(tuple(f"{f}/" for f in folders))]


class Worker:
    """The process that runs the scripts; see runner.py."""

    def __init__(self, *arguments: str) -> None:
        # It must import the wamr that is tested, wherever that is. It is not measured for coverage:
        # that takes four times as long, and other tests cover the same code.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )

    def run(self, script: Path) -> dict:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        timer = threading.Timer(PATIENCE, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{script}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()
        return json.loads(answer) if answer else {"died": "the worker, too"}

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def failures(worker: Worker, name: str) -> list[tuple[int, str, str]]:
    """Run a script; return the failed assertions, without the known ones."""
    answer = worker.run(SCRIPTS[name])
    assert "died" not in answer, f"{name}: {answer['died']}"
    failed = [(line, kind, reason) for line, kind, reason in answer["failures"]]
    known = [line for entry in KNOWN if entry.file == name for line in entry.lines]
    healed = sorted(set(known) - {line for line, _, _ in failed})
    assert not healed, f"{name}: known.py says that these lines fail, but they do not: {healed}"
    assert answer["passed"] + answer["text"] + len(failed) > 0, f"{name}: there is nothing in it"
    return [failure for failure in failed if failure[0] not in known]


def lacked(reason: str) -> set[str]:
    """Return the features that the error of a refused module says this build lacks."""
    used = reason.partition("the module uses ")[2].partition(", which this build does not have")[0]
    return {feature for feature, (name, _) in PROPOSALS.items() if f"{name} (" in used}


def shown(name: str, failed: list[tuple[int, str, str]]) -> str:
    lines = [f"{name}.wast:{line}: {kind}: {reason}" for line, kind, reason in failed[:20]]
    return "\n".join(lines + [f"… {len(failed) - 20} more"] * (len(failed) > 20))


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
    # These lines wait.
    wrong = "Trap: expected shared memory"
    assert [(line, reason) for line, _, reason in answer["failures"]] == [
        (434, wrong),
        (435, wrong),
    ]
    assert answer["passed"] == 295


@pytest.fixture(scope="module")
def suspending_worker() -> Iterator[Worker]:
    worker = Worker("suspend")
    yield worker
    worker.close()


@pytest.mark.parametrize(
    "name", below(COMPLETE) if EVERYTHING else [*filter(OFTEN, below(COMPLETE))]
)
def test_every_assertion_passes_with_a_stop_at_each_check(
    suspending_worker: Worker, name: str
) -> None:
    failed = failures(suspending_worker, name)
    assert not failed, shown(name, failed)


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
