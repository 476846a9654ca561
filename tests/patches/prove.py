"""Proves the patches: builds once without each, and checks that the tests which it names fail.

    python tests/patches/prove.py [patch …]

It needs the packages of a build and of the tests (`make test` installs them into .venv). Each patch
takes a build of its own, ten to twenty seconds; all of them take some ten minutes. It prints a
table and exits with code 1 if a test passes without its patch or fails with all patches. A failed
build counts as a failed test: other patches depend on that patch. A patch whose head says
`Build: debug` corrects an assertion: it is left out of a debug build, which must then pass with all
patches, too. `make test` does not run this.
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


class Variant(NamedTuple):
    """What to build."""

    without: str  # the name of a patch, or ""
    debug: bool


def main(names: list[str]) -> int:
    tests: dict[Variant, list[str]] = {}
    for patch in patches.series():
        tests[Variant(patch.name, patch.debug)] = list(patch.tests)
    if unknown := set(names) - {variant.without for variant in tests}:
        print(f"there is no patch {', '.join(sorted(unknown))}")
        return 2
    chosen = {x: wanted for x, wanted in tests.items() if not names or x.without in names}
    complete: dict[Variant, list[str]] = {}
    for variant, wanted in chosen.items():
        complete.setdefault(Variant("", variant.debug), []).extend(wanted)
    good = True
    print(f"{'left out':26} {'test':60} without it", flush=True)
    for variant, wanted in [*complete.items(), *chosen.items()]:
        name = variant.without
        outcome = built(variant)
        if outcome and not name:  # otherwise each patch would count as proven
            print(f"the package {outcome}")
            return 1
        for test in wanted:
            result = outcome or run(variant, test)
            as_it_should = (result == "passes") == (not name)
            good = good and as_it_should
            if name or not as_it_should:
                mark = "" if as_it_should else "   <-- WRONG"
                short = test.removeprefix("tests/").removeprefix("regressions/")
                print(f"{name or '(nothing)':26} {short:60} {result}{mark}", flush=True)
        if name and good:
            shutil.rmtree(place(variant).build, ignore_errors=True)
    return 0 if good else 1


def environment(variant: Variant) -> dict[str, str]:
    ours = {"WAMR_WITHOUT_PATCH": variant.without, "WAMR_DEBUG": "1" if variant.debug else "0"}
    return {**os.environ, **ours}


def place(variant: Variant) -> iwasm.Layout:
    os.environ.update(environment(variant))
    return iwasm.layout(ROOT)


def package(variant: Variant) -> Path:
    return place(variant).build / "package"


def built(variant: Variant) -> str:
    """Build the package without a patch; return "" or the error."""
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
    return ""


def run(variant: Variant, test: str) -> str:
    """Run a test on that build; return "passes" or how it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={
            **environment(Variant("", debug=False)),
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
        error = r"^(?:E +)?(?:wamr\.errors\.)?(\w*(?:Error|Trap)\b.*)$"
        found = re.search(error, text, re.MULTILINE)
        return f"fails: {found[1][:90] if found else text[-200:]}"
    if done.returncode < 0:
        return "the test run dies"
    return f"pytest can't run it: {text.strip().splitlines()[-1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
