"""Runs each function of tests/support/shared_by_threads.py under ThreadSanitizer; prints a table.

    python thread_sanitizer.py PYTHON TREE PACKAGES LOGS [NAME…]

PYTHON is an interpreter without a GIL that is built with ThreadSanitizer. PACKAGES has three
folders: `common`, `locks` with wamr as it is, and `none` with wamr built without the locks of
src/native/cpython. With the locks nothing may be reported. Without them, each function that is
about a lock must fail: by a report of a race, by a wrong result, or by a crash.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

THREADS, TIMES = "16", "12"
# Only races that our C takes part in count: others are the interpreter's own, or cffi's.
OURS = re.compile(r"\b(src/native|core/iwasm)/[\w/]+\.c")
# Each load of a module sets the pointers to the tables of the interpreter, to the same addresses.
SAME_VALUES = re.compile("wasm_interp_get_handle_table|#0 load_from_sections ")


def main(python: str, tree: str, packages: str, logs: str, *wanted: str) -> int:
    Path(logs).mkdir(parents=True, exist_ok=True)
    text = Path(tree, "tests/support/shared_by_threads.py").read_text(encoding="utf-8")
    guards = re.findall(r'^    \w+\.(\w+): (?:None|"([\w.]+)"),$', text, re.M)
    wrong = 0
    print(f"{'function':<26}{'with locks':<30}without locks")
    for name, guard in guards:
        if wanted and name not in wanted:
            continue
        clean = outcome(python, tree, [packages + "/locks", packages + "/common"], logs, name)
        line, right = f"{name:<26}{clean:<30}", clean == "right, no race"
        if guard:
            bare = outcome(python, tree, [packages + "/none", packages + "/common"], logs, name)
            # a wrong result, a crash, or a race in the file
            seen = Path(logs, f"{name}-none.log").read_text(encoding="utf-8", errors="replace")
            right = right and (not bare.startswith("right") or f"cpython/{guard}" in seen)
            line += f"{bare} ({guard})"
        wrong += not right
        print(line if right else f"{line}  <- WRONG", flush=True)
    print("all as they must be" if not wrong else f"{wrong} are not as they must be")
    return 1 if wrong else 0


def outcome(python: str, tree: str, path: list[str], logs: str, name: str) -> str:
    """Return what one run has shown, in a few words."""
    log = Path(logs, f"{name}-{Path(path[0]).name}.log")
    options = (
        "history_size=4 exitcode=0 halt_on_error=0 second_deadlock_stack=1 report_signal_unsafe=0"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "TSAN_OPTIONS": options}
    program = Path(tree, "tests/support/shared_by_threads.py")
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                [python, program, name, THREADS, TIMES],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=900,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "does not end"
    text = log.read_text(encoding="utf-8", errors="replace")
    races = [report for report in text.split("WARNING: ThreadSanitizer: ")[1:] if ours(report)]
    result = "right" if done.returncode == 0 else "wrong" if done.returncode > 0 else "crash"
    if "ThreadSanitizer:DEADLYSIGNAL" in text:  # its exit code is 0, too
        result = "crash"
    if not races:
        return f"{result}, no race"
    places = {found[0] for report in races if (found := re.search(r"\w+\.c:\d+", ours(report)))}
    return f"{result}, {len(races)} races, as {min(places)}"


def ours(report: str) -> str:
    """Return the line of a function of ours in the stacks of a race; "": there is none."""
    stacks = re.split(r"^  (?:Location is|Thread T)", report, maxsplit=1, flags=re.M)[0]
    if SAME_VALUES.search(stacks):
        return ""
    for line in stacks.splitlines():
        if OURS.search(line):
            return line
    return ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
