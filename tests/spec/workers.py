"""The processes that run the scripts of the suite, and what fails in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import suite
from known import COMPLETE, FOREIGN, KNOWN
from platforms import EMULATED

WORKER = Path(__file__).with_name("runner.py")
# Seconds: the worker stops a script itself, somewhat earlier.
PATIENCE = 240 * (10 if EMULATED else 1)

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


def shown(name: str, failed: list[tuple[int, str, str]]) -> str:
    lines = [f"{name}.wast:{line}: {kind}: {reason}" for line, kind, reason in failed[:20]]
    return "\n".join(lines + [f"… {len(failed) - 20} more"] * (len(failed) > 20))
