"""The decisions of `make release-check`, with small cases: what may go out, and what may not."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "release"))

import decisions  # noqa: E402

TODAY = dt.date(2026, 11, 30)
COMMIT = "9" * 40
TREE = "7" * 40
RELEASED = f"# Changelog\n\n## 1.2.0 - 2026-11-30\n\nWAMR 2.4.3, commit `{COMMIT}`.\n\n- New.\n"


def said(problems: list[str], *words: str) -> None:
    """Check that there is one problem, and that it contains these words."""
    assert len(problems) == 1, problems
    assert all(word in problems[0] for word in words), problems


# -- version, changelog, tag -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["0.1.0", "1.2.3", "10.20.30", "1.2.3rc1", "1.0.0a2", "1.0.0b10"])
def test_a_version_may_go_out(name: str) -> None:
    assert decisions.version(name) == []


@pytest.mark.parametrize(
    "name", ["", "1", "1.2", "v1.2.3", "1.2.3.dev0", "1.2.3+local", "1.2.3-rc1", "None", "1.2.3 "]
)
def test_a_version_may_not_go_out(name: str) -> None:
    said(decisions.version(name), repr(name))


@pytest.mark.parametrize(
    "text",
    [
        RELEASED,
        RELEASED.replace("1.2.0 -", "[1.2.0] -"),
        RELEASED.replace("# Changelog\n", "# Changelog\n\n## Unreleased\n\n"),
        RELEASED + "\n## 1.1.0 - 2026-01-01\n\n- Old.\n",
        RELEASED.replace("2026-11-30", "2026-12-01"),  # already tomorrow in another time zone
    ],
)
def test_a_changelog_may_go_out(text: str) -> None:
    assert decisions.changelog(text, "1.2.0", COMMIT, TODAY) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            RELEASED.replace("# Changelog", "## Unreleased\n\n- More."),
            ["rename", "1.2.0 - 2026-11-30"],
        ),
        (RELEASED.replace("1.2.0", "1.1.0"), ["of 1.1.0, not of 1.2.0"]),
        ("# Changelog\n", ["of none, not of 1.2.0"]),
        ("", ["of none"]),
        ("## 1.2.0\n\nnothing\n", ["of none"]),
        ("## 1.3.0 - 2026-11-30\n\nx\n" + RELEASED, ["of 1.3.0, not of 1.2.0"]),
        (RELEASED.replace("2026-11-30", "2026-13-01"), ["2026-13-01 is no date"]),
        (RELEASED.replace("2026-11-30", "2027-01-01"), ["2027-01-01 is in the future"]),
        (RELEASED.replace(COMMIT, "8" * 40), ["does not name", COMMIT]),
        ("## 1.2.0 - 2026-11-30\n\n", ["is empty"]),
    ],
)
def test_a_changelog_may_not_go_out(text: str, words: list[str]) -> None:
    said(decisions.changelog(text, "1.2.0", COMMIT, TODAY), *words)


def test_a_tag_is_at_the_commit_and_of_the_version() -> None:
    tags = {"v1.1.0": "a" * 40, "v1.2.0": "b" * 40}
    assert decisions.tag("1.2.0", tags, "b" * 40, required=True) == []
    assert decisions.tag("1.3.0", tags, "b" * 40, required=False) == []
    said(decisions.tag("1.3.0", tags, "b" * 40, required=True), "git tag v1.3.0")
    said(decisions.tag("1.2.0", tags, "c" * 40, required=False), "v1.2.0 is at bbbbbbbbbbbb")
    said(decisions.tag("1.2.0", {"1.2.0": "b" * 40}, "b" * 40, required=True), "no tag v1.2.0")


# -- sources ---------------------------------------------------------------------------------------


def test_the_pin_is_the_submodule_and_the_tree() -> None:
    pinned = {"commit": COMMIT, "core_tree": TREE}
    assert decisions.pin(pinned, COMMIT, TREE) == []
    said(decisions.pin(pinned, "8" * 40, TREE), "wamr-src", "8" * 40, COMMIT)
    said(decisions.pin(pinned, COMMIT, "8" * 40), "core/", "8" * 40, TREE)
    said(decisions.pin(pinned, "", TREE), "wamr-src")


def test_a_clean_tree_may_go_out_and_no_other() -> None:
    assert decisions.clean("") == decisions.clean("\n") == []
    said(decisions.clean(" M setup.py\n?? new file.py\n"), "setup.py, new file.py")
    many = "".join(f"?? {number}\n" for number in range(9))
    said(decisions.clean(many), "0, 1, 2, 3, 4 and 4 more")


GIT = {"setup.py": "1", "src/wamr/a.py": "2", ".ci/run": "3", ".gitmodules": "4", ".gitignore": "5"}
SDIST = {
    "setup.py": "1",
    "src/wamr/a.py": "2",
    ".gitmodules": "4",
    "PKG-INFO": "9",
    "wamr-src/core/x.c": "8",
}


def test_an_sdist_has_the_files_of_git() -> None:
    assert decisions.same_files(GIT, SDIST) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"setup.py": None}, ["lacks setup.py"]),
        ({".gitmodules": None}, ["lacks .gitmodules"]),
        ({"src/wamr/a.py": "7"}, ["another content of src/wamr/a.py"]),
        ({"src/wamr/b.py": "7"}, ["git has not", "src/wamr/b.py"]),
        ({"build/x.o": "7"}, ["git has not", "build/x.o"]),
    ],
)
def test_an_sdist_with_other_files_may_not_go_out(
    changed: dict[str, str | None], words: list[str]
) -> None:
    files = {path: blob for path, blob in (SDIST | changed).items() if blob}
    said(decisions.same_files(GIT, files), *words)


# -- files -----------------------------------------------------------------------------------------

SMALL = decisions.File("wamr-1.2.0.tar.gz", 4_000_000, "1.2.0", TREE)
WHEEL = decisions.File("wamr-1.2.0-cp310-abi3-macosx_11_0_arm64.whl", 1_000_000, "1.2.0", TREE)


def test_files_of_one_version_and_one_tree_may_go_out() -> None:
    assert decisions.names([SMALL, WHEEL], "1.2.0", TREE) == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (decisions.File(SMALL.name, 4_000_001, "1.2.0", TREE), ["4000001 bytes", "4000000"]),
        (decisions.File(WHEEL.name, 1_000_001, "1.2.0", TREE), ["1000001 bytes", "1000000"]),
        (decisions.File(WHEEL.name, 1, "1.1.0", TREE), ["says that it is 1.1.0, not 1.2.0"]),
        (decisions.File(WHEEL.name, 1, "1.2.0", COMMIT), ["tree", COMMIT, TREE]),
        (decisions.File(WHEEL.name, 1, "1.2.0", ""), ["of no id"]),
    ],
)
def test_a_file_of_another_version_or_tree_may_not(file: decisions.File, words: list[str]) -> None:
    said(decisions.names([SMALL, WHEEL, file], "1.2.0", TREE), *words)


@pytest.mark.parametrize(
    "tags",
    [
        "cp310-abi3-manylinux_2_26_x86_64",
        "cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp310-abi3-manylinux_2_28_aarch64",
        "cp310-abi3-manylinux_2_31_armv7l",
        "cp310-abi3-manylinux_2_39_riscv64",
        "cp310-abi3-musllinux_1_2_x86_64",
        "cp310-abi3-macosx_11_0_arm64",
        "cp310-abi3-macosx_10_9_x86_64",
        "cp314-cp314t-manylinux_2_28_x86_64",
    ],
)
def test_a_platform_may_go_out(tags: str) -> None:
    assert decisions.platform(f"wamr-1.2.0-{tags}.whl") == []


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ("cp310-abi3-linux_x86_64", ["no platform of an index", "auditwheel"]),
        ("cp310-abi3-manylinux_2_34_x86_64", ["glibc 2.34", "2.28"]),
        ("cp310-abi3-manylinux_2_39_aarch64", ["glibc 2.39", "2.28"]),
        ("cp310-abi3-manylinux_2_32_armv7l", ["glibc 2.32", "2.31"]),
        ("cp310-abi3-musllinux_1_3_x86_64", ["musl"]),
        ("cp310-abi3-macosx_14_0_arm64", ["macOS newer than 11.0"]),
        ("cp310-abi3-macosx_11_0_universal2", ["no platform"]),
        ("cp310-abi3-win_amd64", ["Windows"]),
        ("cp310-abi3-win_arm64", ["Windows"]),
        ("cp313-cp313-manylinux_2_28_x86_64", ["cp313-cp313"]),
        ("cp311-abi3-manylinux_2_28_x86_64", ["cp311-abi3"]),
        ("py3-none-any", ["py3-none", "any"]),
    ],
)
def test_a_platform_may_not_go_out(tags: str, words: list[str]) -> None:
    problems = decisions.platform(f"wamr-1.2.0-{tags}.whl")
    assert problems
    assert all(any(word in problem for problem in problems) for word in words), problems


@pytest.mark.parametrize("name", ["wamr.whl", "wamr-1.2.0-cp310-abi3.whl", ""])
def test_a_name_that_is_none_of_a_wheel(name: str) -> None:
    said(decisions.platform(name), "no name of a wheel")


def test_every_platform_has_a_wheel_or_is_named() -> None:
    tags = {
        "manylinux": "manylinux_2_28_{}",
        "musllinux": "musllinux_1_2_{}",
        "macosx": "macosx_11_0_{}",
    }
    split = [platform.split() for platform in decisions.PLATFORMS]
    wheels = [f"wamr-1.2.0-cp310-abi3-{tags[system].format(arch)}.whl" for system, arch in split]
    assert decisions.missing_platforms(wheels) == []
    said(decisions.missing_platforms(wheels[1:]), f"no wheel for {decisions.PLATFORMS[0]}")
    threaded = [wheels[0].replace("cp310-abi3", "cp314-cp314t"), *wheels[1:]]
    said(decisions.missing_platforms(threaded), decisions.PLATFORMS[0])
    old = [wheels[0].replace("2_28_x86_64", "2_17_x86_64.manylinux2014_x86_64"), *wheels[1:]]
    assert decisions.missing_platforms(old) == []
    said(decisions.missing_platforms([]), *decisions.PLATFORMS)


def test_no_path_of_the_building_machine_is_inside() -> None:
    strings = [b"core/iwasm/interpreter/wasm_loader.c", b"/dev/urandom"]
    assert decisions.paths_inside(strings, ["/home/me/wamr", "/tmp/"]) == []
    assert decisions.paths_inside(strings, ["/", ""]) == []
    said(decisions.paths_inside([*strings, b"/tmp/x/a.c"], ["/tmp/"]), "/tmp/x/a.c")


KNOWN = [f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)]


def test_metadata_may_go_out() -> None:
    assert decisions.metadata(KNOWN, KNOWN, ">=3.10", 2) == []
    assert decisions.metadata(KNOWN, [], ">=3.10", 2) == []  # the index's list can't be had


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([*KNOWN, "Mine"], KNOWN, ">=3.10", 1), ["'Mine'"]),
        (([*KNOWN, KNOWN[0]], KNOWN, ">=3.10", 1), ["twice"]),
        ((KNOWN[1:], KNOWN, ">=3.10", 1), ["begin with 3.11", ">=3.10"]),
        ((KNOWN, KNOWN, ">=3.11", 1), ["begin with 3.10"]),
        (([], KNOWN, ">=3.10", 1), ["no version of Python"]),
        ((KNOWN, KNOWN, "", 1), ["requires-python is ''"]),
        (
            (KNOWN, KNOWN, ">=3.10", 0),
            ["[project.urls]", "Add the addresses that this project owns"],
        ),
    ],
)
def test_metadata_may_not_go_out(
    arguments: tuple[list[str], list[str], str, int], words: list[str]
) -> None:
    said(decisions.metadata(*arguments), *words)


# -- the table -------------------------------------------------------------------------------------


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "release" / "check.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_says_what_is_to_do(tmp_path: Path) -> None:
    done = check("--dist", str(tmp_path), "--only", "version,sdist,wheels,classifiers")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok     version ")
    assert lines[1].startswith("to do  sdist ")
    assert "has 0 sdists; one is expected" in lines[2]
    assert "has no wheel" in done.stdout
    assert lines[-1] == "No release: 3 of 4 say no."


def test_a_yes_to_all_is_a_yes() -> None:
    done = check("--only", "version")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "It may go out."


def test_an_unknown_question_is_refused() -> None:
    done = check("--only", "version,nonsense")
    assert done.returncode == 2
    assert "there is no question 'nonsense'; choose from version, changelog" in done.stderr


def test_the_page_lists_the_wheels_that_a_release_wants():
    text = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (Linux|macOS)( .*) or later \| (.*) \|$", text, re.MULTILINE)
    listed = set()
    for system, needed, machines in rows:
        name = "macosx" if system == "macOS" else "musllinux" if "musl" in needed else "manylinux"
        least = tuple(int(part) for part in re.findall(r"\d+", needed))
        for machine in machines.split(", "):
            listed.add(f"{name} {machine}")
            if name == "manylinux":
                assert least == decisions.GLIBC.get(machine, decisions.GLIBC_OTHERS), machine
            else:
                wanted = decisions.MUSL if name == "musllinux" else decisions.MACOS[:1]
                assert least == wanted, machine
    assert sorted(listed) == sorted(decisions.PLATFORMS)
