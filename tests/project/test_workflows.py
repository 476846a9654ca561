"""The workflows: actions by commit, few permissions, every target, nothing published unchecked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"

if not FOLDER.is_dir():  # an sdist has no workflows
    pytest.skip("an sdist has no workflows", allow_module_level=True)

FILES = sorted(FOLDER.glob("*.yml"))
TEXT = {path.name: path.read_text(encoding="utf-8") for path in FILES}


def jobs(text: str) -> dict[str, str]:
    """The text of each job."""
    _, _, body = text.partition("\njobs:\n")
    found = re.split(r"^  ([\w-]+):$", body, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


@pytest.mark.parametrize("name", TEXT)
def test_actions_are_named_by_commit_with_their_version(name: str) -> None:
    uses = re.findall(r"uses: *(.*)", TEXT[name])
    assert uses
    wrong = [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use)]
    assert wrong == [], "name the commit, and the version in a comment"


def test_each_action_has_one_commit() -> None:
    uses = {use for text in TEXT.values() for use in re.findall(r"uses: *(\S+)@(\S+)", text)}
    names = [name for name, _ in uses]
    assert len(names) == len(set(names)), sorted(uses)


@pytest.mark.parametrize("name", TEXT)
def test_jobs_have_their_own_permissions_and_a_limit(name: str) -> None:
    assert "\npermissions: {}\n" in TEXT[name]
    for job, text in jobs(TEXT[name]).items():
        assert "    permissions:" in text, job
        assert "    timeout-minutes:" in text, job
        assert "contents: write" not in text, job


@pytest.mark.parametrize(
    "target",
    [
        *('archs: x86_64, build: "cp310-manylinux*', 'archs: x86_64, build: "cp310-musllinux*'),
        *('archs: aarch64, build: "cp310-manylinux*', 'archs: aarch64, build: "cp310-musllinux*'),
        *("archs: i686", "archs: armv7l", "archs: riscv64"),
        *("os: macos-15, archs: arm64", "os: macos-15-intel, archs: x86_64"),
        *("archs: AMD64", "archs: ARM64", "cp314t-"),
    ],
)
def test_each_target_has_a_wheel(target: str) -> None:
    assert target in jobs(TEXT["wheels.yml"])["wheels"]


def test_each_supported_cpython_is_tested_and_a_build_without_the_gil() -> None:
    text = jobs(TEXT["ci.yml"])["test"]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r"Programming Language :: Python :: (3\.\d+)", pyproject)
    assert versions
    for version in [*versions, "3.14t"]:
        assert f'"{version}"' in text
    installed = jobs(TEXT["wheels.yml"])["installed"]
    assert all(f'"{version}"' in installed for version in versions)


def test_only_checked_files_are_published_and_only_for_a_tag() -> None:
    publish = jobs(TEXT["wheels.yml"])["publish"]
    assert "if: startsWith(github.ref, 'refs/tags/v')" in publish
    assert "needs: [check]" in publish
    assert "attestations: true" in publish
    assert "environment: pypi" in publish
    assert re.findall(r"^      (\S+): (\S+)", publish, re.MULTILINE) == [("id-token", "write")]
    check = jobs(TEXT["wheels.yml"])["check"]
    assert "needs: [sdist, wheels, reproduce, installed]" in check
    assert "pattern: dist-*" in publish


def test_wheels_of_windows_are_kept_back_as_release_check_wants_it() -> None:
    rows = [line for line in TEXT["wheels.yml"].splitlines() if "os: windows" in line]
    assert len(rows) == 2
    assert all("kept: true" in row for row in rows)
    assert "name: ${{ matrix.kept && 'kept' || 'dist' }}-" in TEXT["wheels.yml"]


# For each target of `make prove`, the file, the job and a part of the row that tests it. What can
# only be compiled or emulated on Linux x86-64 runs on its own system where GitHub has runners.
JOBS = {
    "linux-x86_64": ("ci.yml", "test", "os: [ubuntu-24.04]"),
    "cpython-3.10": ("ci.yml", "test", '"3.10"'),
    "cpython-3.11": ("ci.yml", "test", '"3.11"'),
    "cpython-3.12": ("ci.yml", "test", '"3.12"'),
    "cpython-3.13": ("ci.yml", "test", '"3.13"'),
    "cpython-3.14": ("ci.yml", "test", '"3.14"'),
    "linux-aarch64": ("ci.yml", "test", "os: ubuntu-24.04-arm"),
    "macos": ("ci.yml", "test", "os: macos-15,"),
    "clang-cl": ("ci.yml", "windows", "CC: clang-cl"),
    "windows-x86_64": ("ci.yml", "windows", "os: windows-2025"),
    "windows-aarch64": ("ci.yml", "windows", "os: windows-11-arm"),
    **{
        target: ("nightly.yml", "prove", f"target: {target}, os: ubuntu-24.04 }}")
        for target in (
            *("switch", "freethreaded", "pypy", "linux-i686", "linux-armv7l", "linux-riscv64"),
            *("musl-x86_64", "musl-aarch64"),
        )
    },
}


def test_each_target_of_make_prove_has_a_job() -> None:
    listed = (ROOT / "tools" / "prove" / "targets.txt").read_text(encoding="utf-8")
    targets = [line.split()[0] for line in listed.splitlines() if line[:1] not in {"#", ""}]
    assert sorted(targets) == sorted(JOBS)
    missing = [
        target for target, (file, job, row) in JOBS.items() if row not in jobs(TEXT[file])[job]
    ]
    assert missing == []


def test_each_night_proves_targets_that_there_are() -> None:
    named = re.findall(r"target: ([\w-]+)", TEXT["nightly.yml"])
    assert named
    assert set(named) <= set(JOBS)
