"""The benchmarks run and keep what they measure; how long anything takes is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("wasmtime", reason="needs the extra wamr[wat]")
ROOT = Path(__file__).parent.parent


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    paths = os.pathsep.join(filter(None, sys.path))  # where this process finds wamr
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_quick_line_is_printed_kept_and_compared(tmp_path):
    kept = tmp_path / "run.json"
    first = run("--quick", "calls.callable", "--json", kept)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "add.callable(2, 3)" in first.stdout
    (line,) = json.loads(kept.read_text())["lines"]
    assert (line["key"], line["unit"], line["problem"]) == ("calls.callable", "s", "")
    assert 0 < line["results"]["wamr"]["best"] <= line["results"]["wamr"]["median"]

    second = run("--quick", "calls.callable", "--compare", kept)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "before" in second.stdout
    assert " %" in second.stdout


def test_a_line_that_is_not_there_is_named():
    done = run("calls.nothing")
    assert done.returncode == 1
    assert "'calls.nothing'" in done.stderr
