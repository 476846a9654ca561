"""Proves the patches: builds once without each, and checks that the tests which it names fail.

    python tests/patches/prove.py [patch …]

It needs the packages of a build and of the tests (`make test` installs them into .venv). Each patch
takes a build that compiles what the patch concerns; all of them take an hour. It prints a table,
and exits with code 1 if a line of the table is marked WRONG. `make test` does not run this.

- First, with all patches, each test must pass. Without its patch, each must fail.
- Where later patches don't apply without a patch, they are left out with it. Then the tests must
  pass in a build that lacks the later ones only: it is this patch that makes them pass.
- `Build: needed` in the head of a patch says that there is no build without it. That must be true,
  and no other patch may break the build: a failed build says nothing about a test.
- `Build: debug` says that the patch corrects an assertion, `Build: undefined` that only UBSan sees
  the fault. The patch is left out of such a build, which must pass with all patches, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "cmake")]

import iwasm  # noqa: E402
import patches  # noqa: E402
import sources  # noqa: E402

FAILURES = ("fails", "dies", "the test run dies")  # a skipped test, for example, shows nothing


class Variant(NamedTuple):
    """A build: the names of the patches that it lacks; and debug, undefined or "" (a release)."""

    without: tuple[str, ...] = ()
    build: str = ""


class Table:
    """Prints a line for each result, and remembers whether all are as they should be."""

    def __init__(self) -> None:
        self.good = True
        print(f"{'left out':26} {'test':60} without it", flush=True)

    def row(self, name: str, test: str, result: str, *, right: bool) -> None:
        self.good = self.good and right
        short = test.removeprefix("tests/").removeprefix("regressions/")
        mark = "" if right else "   <-- WRONG"
        print(f"{name:26} {short:60} {result}{mark}", flush=True)


def main(names: list[str]) -> int:
    series = patches.series()
    if unknown := set(names) - {patch.name for patch in series}:
        print(f"there is no patch {', '.join(sorted(unknown))}")
        return 2
    chosen = [patch for patch in series if not names or patch.name in names]
    tree = sources.resolve(ROOT, place(Variant()).build).path
    table = Table()
    for build in sorted({patch.variant for patch in chosen}):
        complete = Variant((), build)
        if error := built(complete):  # otherwise each patch would count as proven
            print(f"the package {error}")
            return 1
        for test in dict.fromkeys(
            t for patch in chosen if patch.variant == build for t in patch.tests
        ):
            if (result := run(complete, test)) != "passes":
                table.row("(nothing)", test, result, right=False)
    for patch in chosen:
        prove(table, patch, patches.dependents(tree, patch.name, series))
    return 0 if table.good else 1


def prove(table: Table, patch: patches.Patch, dependents: tuple[str, ...]) -> None:
    """Print what happens without a patch, and without those that don't apply without it."""
    variant = Variant((patch.name, *dependents), patch.variant)
    if error := built(variant):
        error = f"needed to build: {error}" if patch.needed else error
        table.row(patch.name, "", error, right=patch.needed)
    elif patch.needed:
        table.row(patch.name, "", "builds: the head must not say 'Build: needed'", right=False)
    else:
        results = {test: run(variant, test) for test in patch.tests}
        for test, result in results.items():
            table.row(patch.name, test, result, right=result.startswith(FAILURES))
        if dependents:
            others = Variant(dependents, patch.variant)
            error = built(others)
            for test in patch.tests:
                result = error or run(others, test)
                name = f"  only {len(dependents)} later ones"
                table.row(name, test, result, right=result == "passes")


def environment(variant: Variant) -> dict[str, str]:
    return {
        **os.environ,
        "WAMR_WITHOUT_PATCH": ",".join(variant.without),
        "WAMR_DEBUG": "1" if variant.build == "debug" else "0",
        "WAMR_SANITIZE": variant.build if variant.build == "undefined" else "",
        "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1",
    }


def place(variant: Variant) -> iwasm.Layout:
    os.environ.update(environment(variant))
    return iwasm.layout(ROOT)


def package(variant: Variant) -> Path:
    return place(variant).build / "package"


def built(variant: Variant) -> str:
    """Build the package of a variant; return "" or the error."""
    folder = package(variant)
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(variant), capture_output=True, text=True, check=False
    )
    if done.returncode:
        text = done.stdout + done.stderr
        found = re.search(r"^.*(error: .*|\S+\.patch:\d+: does not apply)", text, re.MULTILINE)
        return "does not build: " + (found[1] if found else text[-300:])
    for source in (ROOT / "src" / "wamr").rglob("*.py"):
        target = folder / source.relative_to(ROOT / "src")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    done = subprocess.run(
        [sys.executable, "-c", "import wamr"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return "can't be imported: " + done.stderr.splitlines()[-1] if done.returncode else ""


def run(variant: Variant, test: str) -> str:
    """Run a test on that build; return "passes" or how it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={
            **environment(Variant()),
            "PYTHONPATH": str(package(variant)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return "passes" if " passed" in text else "is skipped"
    if done.returncode == 1:
        if killed := re.search(r"killed by (SIG\w+)", text):
            return f"dies of {killed[1]}"
        found = re.search(r"^E +(?:wamr\.errors\.)?(\S.*)$", text, re.MULTILINE)
        return f"fails: {found[1][:90] if found else text.strip().splitlines()[-1]}"
    if done.returncode < 0:
        return "the test run dies"
    return f"pytest can't run it: {text.strip().splitlines()[-1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
