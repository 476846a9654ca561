"""Editing the patches of WAMR as commits, and moving them to another version of WAMR."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import patches
import pin
import sources
import upstream

HEAD = (
    "Subject: {0}\nForwarded: no\nTest: tests/test_a.py::test_{0}\nGone-when: never\n\n"
    "For {0}.\n---\n"
)
FILE = "".join(f"int x{number};\n" for number in range(40))
OLD, NEW = "1" * 40, "2" * 40


def diff(line: int, change: str) -> str:
    before = [f" int x{n};\n" for n in range(line - 3, line)]
    after = [f" int x{n};\n" for n in range(line + 1, line + 4)]
    return "".join(
        [
            "--- a/core/a.c\n+++ b/core/a.c\n",
            f"@@ -{line - 2},7 +{line - 2},7 @@ int x{line - 4};\n",
            *before,
            f"-int x{line};\n+{change}\n",
            *after,
        ]
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in place of WAMR's, with the parts that the build takes."""
    tree = tmp_path / "tree"
    (tree / "core" / "iwasm").mkdir(parents=True)
    (tree / "build-scripts").mkdir()
    (tree / "core" / "a.c").write_text(FILE)
    (tree / "core" / "iwasm" / "run.sh").write_text("#!/bin/sh\n")
    (tree / "core" / "iwasm" / "run.sh").chmod(0o755)
    version = "".join(f"#define WAMR_VERSION_{p} 3\n" for p in ("MAJOR", "MINOR", "PATCH"))
    (tree / "core" / "version.h").write_text(version)
    for name in ("build-scripts/a.cmake", "CMakeLists.txt", "LICENSE"):
        (tree / name).write_text("text\n")
    return tree


@pytest.fixture
def repository(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> upstream.Repository:
    """The repository of commits of a checkout with three patches."""
    checkout = tmp_path / "checkout"
    folder = checkout / "patches"
    for name, line, area in (("one", 5, "bugs"), ("two", 20, "wasi"), ("three", 35, "bugs")):
        (folder / area).mkdir(parents=True, exist_ok=True)
        text = HEAD.format(name) + diff(line, f"int {name};")
        (folder / area / f"{name}.patch").write_text(text)
    (folder / "series").write_text("bugs/one.patch\nwasi/two.patch\nbugs/three.patch\n")
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    (checkout / "pin.json").write_text("{}")
    monkeypatch.setattr(upstream, "ROOT", checkout)
    monkeypatch.setattr(patches, "FOLDER", folder)
    monkeypatch.setattr(pin, "FILE", checkout / "pin.json")
    monkeypatch.setattr(pin, "COMMIT", OLD)
    monkeypatch.setenv("WAMR_SRC", str(tree))
    monkeypatch.setenv("WAMR_ALLOW_OTHER", "1")
    return upstream.edit(checkout / "build" / "wamr-edit")


def texts() -> dict[str, str]:
    return {
        path.relative_to(patches.FOLDER).as_posix(): path.read_text()
        for path in sorted(patches.FOLDER.rglob("*"))
        if path.is_file()
    }


def order() -> list[str]:
    return [patch.name for patch in patches.series(patches.FOLDER)]


def test_patches_become_commits_and_come_back_the_same(repository: upstream.Repository) -> None:
    log = repository.git("log", "--reverse", "--format=%s").splitlines()
    assert log == [f"WAMR {OLD}", "one", "two", "three"]
    before = {name: text for name, text in texts().items() if name != "series"}
    assert len(upstream.export(repository)) == 3
    assert {name: text for name, text in texts().items() if name != "series"} == before
    assert order() == ["one", "two", "three"]
    first = texts()
    head = repository.git("rev-parse", "HEAD")
    # A second round gives the same files and commits.
    upstream.export(upstream.edit(repository.path))
    assert texts() == first
    assert repository.git("rev-parse", "HEAD") == head


@pytest.mark.packaging
def test_the_patches_are_as_an_export_writes_them(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the export of one patch would rewrite others."""
    monkeypatch.setattr(patches, "FOLDER", tmp_path / "patches")
    shutil.copytree(root / "cmake" / "patches", patches.FOLDER)
    before = texts()
    upstream.export(upstream.edit(tmp_path / "wamr-edit"))
    changed = [name for name, text in texts().items() if text != before.get(name)]
    assert changed == [], "run `make wamr-edit wamr-export`, and commit the result"
    assert texts().keys() == before.keys()


def test_a_commit_is_a_new_patch_and_a_fixup_changes_one(repository: upstream.Repository) -> None:
    file = repository.path / "core" / "a.c"
    file.write_text(file.read_text().replace("int x10;", "int ten;"))
    with pytest.raises(upstream.UpstreamError, match="changes that are not committed"):
        upstream.export(repository)
    repository.git("commit", "--quiet", "--all", "--message", "ten\n\nFor ten.")
    with pytest.raises(upstream.UpstreamError, match=r"'ten'\) lacks the trailers Forwarded, Test"):
        upstream.export(repository)
    trailers = "Forwarded: no\nTest: a::b\nGone-when: never\nBuild: debug\nPatch: limits/ten.patch"
    repository.git("commit", "--quiet", "--amend", "--message", f"ten\n\nFor ten.\n\n{trailers}")
    file.write_text(file.read_text().replace("int two;", "int too;"))
    repository.git("commit", "--quiet", "--all", "--fixup", ":/two")
    with pytest.raises(upstream.UpstreamError, match="'fixup! two' is not folded yet"):
        upstream.export(repository)
    repository.git("-c", "sequence.editor=true", "rebase", "-i", "--autosquash", "upstream")
    upstream.export(repository)
    assert order() == ["one", "two", "three", "ten"]
    assert "+int too;" in texts()["wasi/two.patch"]
    assert "\nBuild: debug\n\nFor ten.\n---\n" in texts()["limits/ten.patch"]
    assert texts()["wasi/two.patch"].count("Build: ") == 0


def test_a_dropped_commit_is_a_dropped_patch(repository: upstream.Repository) -> None:
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    upstream.export(repository)
    assert order() == ["one", "two"]
    assert "bugs/three.patch" not in texts()


def test_what_was_not_exported_is_not_lost(repository: upstream.Repository) -> None:
    file = repository.path / "core" / "a.c"
    file.write_text("changed\n")
    with pytest.raises(upstream.UpstreamError, match="changes that are not committed"):
        upstream.edit(repository.path)
    repository.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    with pytest.raises(upstream.UpstreamError, match="commits that are not exported"):
        upstream.edit(repository.path)
    assert file.read_text() == "changed\n"


def test_an_export_does_not_undo_what_changed_meanwhile(repository: upstream.Repository) -> None:
    path = patches.FOLDER / "bugs" / "one.patch"
    path.write_text(path.read_text().replace("For one.", "For one, and more."))
    with pytest.raises(upstream.UpstreamError, match="has changed since"):
        upstream.export(repository)
    assert "and more" in path.read_text()
    repository.git("commit", "--quiet", "--amend", "--message", "unfinished")
    with pytest.raises(upstream.UpstreamError, match="commits that can't be exported"):
        upstream.edit(repository.path)


def test_a_repository_without_own_commits_follows_the_patches(
    repository: upstream.Repository,
) -> None:
    path = patches.FOLDER / "bugs" / "one.patch"
    path.write_text(path.read_text().replace("For one.", "For one, pulled."))
    upstream.edit(repository.path)
    assert "For one, pulled." in repository.git("log", "--format=%b")
    (repository.path / ".git" / upstream.STATE).unlink()  # an edit that was interrupted
    path.write_text(path.read_text().replace("pulled", "pulled again"))
    with pytest.raises(upstream.UpstreamError, match="commits that are not exported"):
        upstream.edit(repository.path)


def test_an_upgrade_moves_the_patches_and_the_pin(
    repository: upstream.Repository, tree: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "wamrx-sys-9.9.9" / "newer"
    shutil.copytree(tree, newer)
    text = FILE.replace("int x0;", "int new1;\nint new2;\nint x0;").replace("int x20;", "int two;")
    (newer / "core" / "a.c").write_text(text)
    report = upstream.upgrade(NEW, newer, repository.path)
    assert "WAMR is 3.3.3, 222222222222: 2 patches" in report
    assert "became empty, and is gone: wasi/two.patch" in report
    assert order() == ["one", "three"]
    assert "@@ -5,7 +5,7 @@" in texts()["bugs/one.patch"]
    pinned = json.loads(pin.FILE.read_text())
    assert pinned["commit"] == NEW
    assert pinned["crate"] == "wamrx-sys=9.9.9"
    assert pinned["executables"] == ["iwasm/run.sh"]
    modes = frozenset({"iwasm/run.sh"})
    assert pinned["core_tree"] == sources.tree_id(newer / "core", executables=modes)
    git = repository.git("rev-parse", "upstream:core").strip()
    assert pinned["core_tree"] == git
    link = upstream.Repository(upstream.ROOT).git("ls-files", "--stage")
    assert f"160000 {NEW} 0\twamr-src" in link
    # The exported patches apply to the new tree.
    patches.apply(newer, tmp_path / "copy", sources.PARTS, patches.series(patches.FOLDER))
    assert "int one;" in (tmp_path / "copy" / "core" / "a.c").read_text()


def test_an_upgrade_stops_at_a_conflict_and_can_be_finished(
    repository: upstream.Repository, tree: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(tree, newer)
    (newer / "core" / "a.c").write_text(FILE.replace("int x20;", "long x20;"))
    before = texts()
    with pytest.raises(upstream.UpstreamError, match=r"conflicts with 222222222222:\nUU core/a.c"):
        upstream.upgrade(NEW, newer, repository.path)
    assert texts() == before
    file = repository.path / "core" / "a.c"
    assert "<<<<<<<" in file.read_text()
    lines = FILE.replace("int x5;", "int one;").replace("int x20;", "long two;")
    file.write_text(lines)
    repository.git("add", "core/a.c")
    repository.git("rebase", "--continue")
    assert "3 patches" in upstream.finish(repository)
    assert "-long x20;\n+long two;" in texts()["wasi/two.patch"]
    with pytest.raises(upstream.UpstreamError, match="There is no upgrade to finish"):
        upstream.finish(repository)


def test_an_upgrade_without_a_network_says_what_helps(
    repository: upstream.Repository, tmp_path: Path
) -> None:
    modules = f'[submodule "wamr-src"]\n\tpath = wamr-src\n\turl = {tmp_path / "nowhere"}\n'
    (upstream.ROOT / ".gitmodules").write_text(modules)
    before = texts()
    with pytest.raises(upstream.UpstreamError, match="FROM=/path takes the tree"):
        upstream.upgrade(NEW, None, repository.path)
    assert texts() == before
