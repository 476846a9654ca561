"""The tables of `make prove`: of one run, of all targets, and in docs/platforms.md.

    table.py list                         the targets, with the last result of each
    table.py passed FOLDER                the names of the tests that passed
    table.py summary TARGET FOLDER SECONDS STATUS
                                          count the outcomes, print and keep the table
    table.py keep TARGET…                 take the table into results/ and the documentation
    table.py docs                         write docs/platforms.md anew from results/

FOLDER is build/prove/<target>; record.py wrote its outcomes.jsonl.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results"
DOCS = ROOT / "docs" / "platforms.md"
BEGIN, END = "<!-- table.py: begin -->", "<!-- table.py: end -->"
COLUMNS = (
    "target",
    "machine",
    "Python, C library",
    "wheel, compiler",
    "tests",
    "passed",
    "failed",
    "skipped",
    "date, source",
)
WHEEL = ("wheel.name", "wheel.size", "commit")
LONGEST = 100  # characters of a reason that the table shows
OWN_ARGUMENTS = re.compile(
    r"-p|record|gil_off|--record.*|no:cacheprovider|--tb=.*|--seconds=.*|--hypothesis-profile=.*"
    r"|-q|-n\d*|\d+"
)


def targets() -> dict[str, tuple[str, str]]:
    """Return the script and the description of each target."""
    lines = (HERE / "targets.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(None, 2) for line in lines if line and not line.startswith("#")]
    return {name: (script, text) for name, script, text in rows}


def outcomes(folder: Path) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return the last outcome of each test, and the runs: facts, pytest's arguments and status.

    A failure of the setup or the teardown is one of the test. A run that was killed has no status.
    """
    tests: dict[str, dict[str, Any]] = {}
    runs: list[dict[str, Any]] = []
    for text in (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "facts" in line:
            runs.append(line)
        elif "status" in line:
            runs[-1].update(line)
        else:
            file = tests.get(line["test"].partition("::")[0])
            if file and file["run"] < len(runs):  # it could not be imported then
                del tests[file["test"]]
            known = tests.get(line["test"])
            if not (known and known["run"] == len(runs) and known["outcome"] == "failed"):
                tests[line["test"]] = {**line, "run": len(runs)}
    return tests, runs


def selections(runs: list[dict[str, Any]]) -> list[list[Any]]:
    """Return each selection of tests, and whether its last run came to its end.

    A selection that is part of another one is left out.
    """
    found = {selection(run["arguments"]): run.get("status") in {0, 1} for run in runs}
    for wide in [text for text in found if text == "all tests" or text.startswith("--ignore")]:
        left_out = {*re.findall(r"--ignore=(\S+)", wide)}
        for text in [*found]:
            narrow = {*re.findall(r"--ignore=(\S+)", text)}
            if text.startswith("--ignore"):
                covered = left_out < narrow
            else:
                covered = text != "all tests" and not any(folder in text for folder in left_out)
            if text != wide and covered:
                del found[text]
    parts = [{*text.split()} for text in found]
    return [
        [text, ended]
        for text, ended in found.items()
        if not any({*text.split()} < others for others in parts)
    ]


def selection(arguments: list[str]) -> str:
    """Return pytest's arguments without those of every target; what is left out comes last."""
    own = [a for a in arguments if not OWN_ARGUMENTS.fullmatch(a)]
    return " ".join(own) or "all tests"


def plain(reason: str) -> str:
    """Return a reason without what differs from test to test, so that equal ones are counted."""
    text = re.sub(r"0x[0-9a-f]+|\b\d{5,}\b", "…", " ".join(reason.split()))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def size(count: int) -> str:
    """Return the size of a wheel; 0 bytes: the target only compiles, and has none."""
    return f"{count / 1000:,.0f} kB" if count else "no wheel"


def summary(target: str, folder: Path, seconds: int, status: int) -> dict[str, Any]:
    """Count the outcomes and return the table's content."""
    tests, runs = outcomes(folder)
    runs[-1].setdefault("status", status)
    count = Counter(line["outcome"] for line in tests.values())
    reasons = Counter(plain(t["why"]) for t in tests.values() if t["outcome"] == "skipped")
    read = {name: (folder / name).read_text(encoding="utf-8").strip() for name in WHEEL}
    return {
        "target": target,
        **runs[-1]["facts"],
        "wheel": read["wheel.name"],
        "wheel_bytes": int(read["wheel.size"]),
        "commit": read["commit"],
        "date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "selections": selections(runs),
        "passed": count["passed"],
        "failed": count["failed"],
        "skipped": count["skipped"],
        "skipped_because": dict(reasons.most_common()),
        "failures": sorted(name for name, t in tests.items() if t["outcome"] == "failed"),
        "minutes": round(sum(t["seconds"] for t in tests.values()) / 60, 1),
        "last_run_minutes": round(seconds / 60, 1),
        "runs": len(runs),
        "pytest_status": status,
    }


def printed(result: dict[str, Any]) -> str:
    """Return the table of a run as text."""
    rows = [
        ("target", result["target"]),
        ("machine", result["machine"]),
        ("Python", f"{result['python']}, {result['bits']} bits"),
        ("C library", result["libc"]),
        ("compiler", result["compiler"]),
        ("wheel", f"{result['wheel']}, {result['wheel_bytes']:,} bytes"),
        ("source", f"{result['commit']}, {result['date']}"),
        ("run", shown_runs(result)),
        ("passed", result["passed"]),
        ("failed", result["failed"]),
        *(("", name) for name in result["failures"]),
        ("skipped", result["skipped"]),
        *(("", f"{count} x {why}") for why, count in result["skipped_because"].items()),
        ("minutes", f"{result['minutes']} in tests; {result['last_run_minutes']} for the last run"),
    ]
    return "\n".join(f"| {name:9} | {value}" for name, value in rows)


def listed() -> str:
    """Return the list of the targets."""
    lines = []
    for name, (_, text) in targets().items():
        path = RESULTS / f"{name}.json"
        last = "never run"
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            last = f"{kept['date']}: {kept['passed']} passed, {kept['failed']} failed"
        lines.append(f"{name:16} {text:52} {last}")
    return "\n".join(["make prove TARGET=…", *lines])


def shown_runs(result: dict[str, Any]) -> str:
    """Return which tests were run, and whether all of them were."""
    if "selections" not in result:  # from before results had more than one selection
        result = {**result, "selections": [[result["run"], result["pytest_status"] in {0, 1}]]}
    text = "; ".join(shown_selection(*one) for one in result["selections"])
    return f"{text}, in {result['runs']} runs" if result.get("runs", 1) > 1 else text


def shown_selection(selected: str, ended: bool) -> str:
    """Return what pytest's arguments select, in words."""
    count = selected.count("tests/")
    left_out = selected.count("--ignore=")
    run = f"`{selected}`" if count <= 6 else f"{count} files and folders"
    run = f"all but {left_out} folders" if left_out else run
    run = "all" if selected == "all tests" else run
    return run if ended else f"{run}, stopped before the end"


def documented() -> str:
    """Return the rows of docs/platforms.md."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for name, (_, text) in targets().items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            lines.append(f"| `{name}` | {text} | | | never run | | | | |")
            continue
        one = json.loads(path.read_text(encoding="utf-8"))
        cells = [
            f"`{name}`",
            one["machine"],
            f"{one['python']}, {one['libc']}",
            f"{size(one['wheel_bytes'])}, {one['compiler']}",
            shown_runs(one),
            *(f"{one[key]:,}" for key in ("passed", "failed", "skipped")),
            f"{one['date']}, {one['commit']}",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def write_docs() -> None:
    """Put the rows between the two marks of the page."""
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n\n{documented()}\n\n{END}{after}", encoding="utf-8")


def keep(target: str) -> None:
    """Copy the table of the last run into results/."""
    text = (ROOT / "build" / "prove" / target / "table.json").read_text(encoding="utf-8")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{target}.json").write_text(text, encoding="utf-8")


def main(command: str, *rest: str) -> int:
    if command == "list":
        print(listed())
    elif command == "passed":
        folder = Path(rest[0])
        tests = outcomes(folder)[0] if (folder / "outcomes.jsonl").exists() else {}
        print("\n".join(n for n, t in tests.items() if t["outcome"] == "passed"))
    elif command == "summary":
        target, folder, seconds, status = rest[0], Path(rest[1]), int(rest[2]), int(rest[3])
        result = summary(target, folder, seconds, status)
        (folder / "table.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (folder / "table.txt").write_text(printed(result) + "\n", encoding="utf-8")
        print(printed(result))
        ended = {0, 1, 2} if os.environ.get("MINUTES") else {0, 1}  # 2: the time was over
        return 1 if result["failed"] or status not in ended else 0
    elif command in {"keep", "docs"}:
        for target in rest:
            keep(target)
        write_docs()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
