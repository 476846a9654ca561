"""docs/platforms.md and tools/prove agree: a target has a row and a script, a result is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from distribution import FIRST

ROOT = Path(__file__).parents[2]
PROVE = ROOT / "tools" / "prove"
PATHS = (PROVE, ROOT / "tests" / "support")
sys.path.insert(0, str(PROVE))
import record  # noqa: E402
import table  # noqa: E402

sys.path.remove(str(PROVE))


def test_the_page_is_what_the_results_say():
    text = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    written = text.partition(table.BEGIN)[2].partition(table.END)[0].strip()
    assert written == table.documented(), "python3 tools/prove/table.py docs writes the page"


@pytest.mark.parametrize("target", table.targets())
def test_each_target_has_a_script_and_a_row(target):
    script, _ = table.targets()[target]
    text = (PROVE / script).read_text(encoding="utf-8")
    assert 'source "$(dirname "$0")/' in text, f"{script} has its own steps"
    assert f"`{target}`" in table.documented()


def test_each_result_is_of_a_target_and_complete():
    for path in table.RESULTS.glob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert kept["target"] == path.stem
        assert path.stem in table.targets(), f"{path.name}: no target of this name"
        assert kept["failed"] == len(kept["failures"])
        assert kept["skipped"] == sum(kept["skipped_because"].values())


def test_an_unknown_target_is_refused():
    command = [PROVE / "prove", "linux-z80"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no target 'linux-z80'" in done.stderr


OUTCOMES = [
    {"facts": {"machine": "M", "python": "CPython 3.13.0"}, "arguments": ["-q", "tests/unit"]},
    {"test": "a", "outcome": "passed", "why": "", "seconds": 30.0},
    {"test": "b", "outcome": "failed", "why": "assert 0", "seconds": 30.0},
    {"test": "c", "outcome": "skipped", "why": "no 0x12ab", "seconds": 0},
    {"test": "d", "outcome": "skipped", "why": "no 0x34cd", "seconds": 0},
    {"test": "e", "outcome": "passed", "why": "", "seconds": 0},
    {"test": "e", "outcome": "failed", "why": "teardown", "seconds": 0},
]


@pytest.fixture
def folder(tmp_path):
    for name, text in {"wheel.name": "w.whl", "wheel.size": "500", "commit": "abc"}.items():
        (tmp_path / name).write_text(text)
    lines = "\n".join(map(json.dumps, OUTCOMES))
    (tmp_path / "outcomes.jsonl").write_text(lines + "\n")
    return tmp_path


def test_outcomes_are_counted_with_their_reasons(folder):
    counted = table.summary("linux-i686", folder, 60, 1)
    assert [counted[key] for key in ("passed", "failed", "skipped")] == [1, 2, 2]
    assert counted["failures"] == ["b", "e"]
    assert counted["skipped_because"] == {"no …": 2}
    assert counted["selections"] == [["tests/unit", True]]
    assert counted["minutes"] == 1.0


@pytest.mark.parametrize(
    ("minutes", "status", "expected"), [("", 0, 0), ("", 2, 1), ("9", 2, 0), ("9", 3, 1)]
)
def test_a_run_that_its_minutes_end_is_fine(folder, monkeypatch, minutes, status, expected):
    monkeypatch.setenv("MINUTES", minutes)
    first: Any = OUTCOMES[0]
    facts = first["facts"] | {"bits": 64, "libc": "L", "compiler": "C"}
    passed = [first | {"facts": facts}, OUTCOMES[1]]
    (folder / "outcomes.jsonl").write_text("\n".join(map(json.dumps, passed)) + "\n")
    assert table.main("summary", "linux-i686", str(folder), "60", str(status)) == expected


def test_a_later_run_replaces_an_outcome(folder):
    again = [OUTCOMES[0], {**OUTCOMES[2], "outcome": "passed"}]
    with (folder / "outcomes.jsonl").open("a") as file:
        file.write("\n".join(map(json.dumps, again)) + "\n")
    counted = table.summary("linux-i686", folder, 60, 0)
    assert counted["failures"] == ["e"]


def test_a_file_that_could_not_be_imported_is_a_failure_until_it_can(folder):
    with (folder / "outcomes.jsonl").open("a") as file:
        file.write(json.dumps({**OUTCOMES[2], "test": "f.py"}) + "\n")
    assert table.summary("linux-i686", folder, 60, 1)["failures"] == ["b", "e", "f.py"]
    with (folder / "outcomes.jsonl").open("a") as file:
        for line in (OUTCOMES[0], {**OUTCOMES[1], "test": "f.py::a"}):
            file.write(json.dumps(line) + "\n")
    assert table.summary("linux-i686", folder, 60, 0)["failures"] == ["b", "e"]


@pytest.mark.parametrize(
    ("runs", "shown"),
    [
        ([("tests/unit", 2)], "`tests/unit`, stopped before the end"),
        ([("tests/unit", None)], "`tests/unit`, stopped before the end"),
        ([("tests/unit", 2), ("tests/unit", 1)], "`tests/unit`, in 2 runs"),
        ([("tests/unit tests/capi", 0), ("tests/unit", 2)], "`tests/unit tests/capi`, in 2 runs"),
        ([("tests/unit", 2), ("-q", 0)], "all, in 2 runs"),
        (
            [("--ignore=tests/spec", 2), ("tests/unit", 0), ("tests/spec", 0)],
            "all but 1 folders, stopped before the end; `tests/spec`, in 3 runs",
        ),
        (
            [("--ignore=tests/spec --ignore=tests/perf", 0), ("--ignore=tests/perf", 2)],
            "all but 1 folders, stopped before the end, in 2 runs",
        ),
        (
            [("--ignore=tests/spec", 0), ("--ignore=tests/perf", 0)],
            "all but 1 folders; all but 1 folders, in 2 runs",
        ),
    ],
)
def test_a_row_says_what_was_run(runs, shown):
    lines = [{"arguments": text.split(), "status": status} for text, status in runs]
    result = {"selections": table.selections(lines), "runs": len(runs)}
    assert table.shown_runs(result) == shown


def test_a_run_of_some_minutes_takes_a_few_tests_of_each_file_in_turn():
    names = [f"a.py::{i}" for i in range(6)] + ["b.py::0"] + [f"c.py::x[{i}]" for i in range(5)]
    long = [f"tests/{FIRST[-1]}::{i}" for i in range(5)]
    order = [(long + names)[number] for number in record.turns(long + names)]
    assert order == [*names[:4], "b.py::0", *names[7:11], *names[4:6], names[11], *long]


def test_minutes_end_a_run_and_the_next_one_goes_on(tmp_path):
    """The first run ends after its first test, and the second one runs the other tests."""
    for name in ("a", "b"):
        (tmp_path / f"test_{name}.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    file, passed = tmp_path / "outcomes.jsonl", tmp_path / "passed.txt"
    passed.write_text("")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "record", f"--record={file}"]
    command += [f"--record-passed={passed}", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [f"--rootdir={tmp_path}"]
    for minutes, status, expected in (("0.0000001", 2, 1), ("60", 0, 4)):
        more = [f"--record-minutes={minutes}", str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
        done = subprocess.run(command + more, check=False, env=environment, capture_output=True)
        assert done.returncode == status, done.stdout
        tests, runs = table.outcomes(tmp_path)
        assert [t["outcome"] for t in tests.values()] == ["passed"] * expected
        assert runs[-1]["status"] == status
        passed.write_text("\n".join(tests))
