"""The patches of WAMR: how they are read and applied, and that each names a test which exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import patches
import sources

PARTS = ("core", "LICENSE")
HEAD = "Subject: change a number\nForwarded: no\nTest: tests/test_a.py::test_a\nGone-when: never\n"
ONE = """\
--- a/core/a.c
+++ b/core/a.c
@@ -1,3 +1,3 @@
 int a = 1;
-int b = 1;
+int b = 2;
 int c = 1;
"""
TWO = """\
--- a/core/a.c
+++ b/core/a.c
@@ -1,4 +1,5 @@
 int a = 1;
 int b = 2;
+int b2;
 int c = 1;
 int d = 1;
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "core").mkdir(parents=True)
    (tmp_path / "tree" / "core" / "a.c").write_text("".join(f"int {x} = 1;\n" for x in "abcde"))
    (tmp_path / "tree" / "core" / "b.c").write_text("int b;\n")
    (tmp_path / "tree" / "LICENSE").write_text("licence\n")
    (tmp_path / "tree" / "other").write_text("not needed\n")
    return tmp_path / "tree"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def written(folder: Path, **diffs: str) -> tuple[patches.Patch, ...]:
    """Write patches with these diffs and a series that lists them; return them as they are read."""
    (folder / "bugs").mkdir(parents=True, exist_ok=True)
    for name, diff in diffs.items():
        (folder / "bugs" / f"{name}.patch").write_text(f"{HEAD}\nBecause.\n---\n{diff}")
    (folder / "series").write_text("# order\n" + "".join(f"bugs/{name}.patch\n" for name in diffs))
    return patches.series(folder)


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_patches_of_one_file_are_applied_in_order(tree: Path, copy: Path, tmp_path: Path) -> None:
    both = written(tmp_path / "patches", one=ONE, two=TWO)
    patches.apply(tree, copy, PARTS, both)
    text = "int a = 1;\nint b = 2;\nint b2;\nint c = 1;\nint d = 1;\nint e = 1;\n"
    assert (copy / "core" / "a.c").read_text() == text
    assert "int b = 1;" in (tree / "core" / "a.c").read_text()
    assert sorted(path.name for path in stamps(copy)) == ["LICENSE", "a.c", "b.c"]
    assert both[0].fields["Subject"] == "change a number"
    assert both[0].reason == "Because."
    assert both[0].tests == ("tests/test_a.py::test_a",)


def test_a_patch_adds_a_file_and_needs_no_newline_at_the_end(
    tree: Path, copy: Path, tmp_path: Path
) -> None:
    new = "--- /dev/null\n+++ b/core/new/n.h\n@@ -0,0 +1,2 @@\n+int n;\n+int m;\n"
    end = (
        "--- a/core/b.c\n+++ b/core/b.c\n@@ -1 +1 @@\n-int b;\n+int z;\n"
        "\\ No newline at end of file\n"
    )
    patches.apply(tree, copy, PARTS, written(tmp_path / "patches", new=new, end=end))
    assert (copy / "core" / "new" / "n.h").read_text() == "int n;\nint m;\n"
    assert (copy / "core" / "b.c").read_text() == "int z;"
    before = stamps(copy)
    patches.apply(tree, copy, PARTS, written(tmp_path / "patches", new=new, end=end))
    assert stamps(copy) == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("int b = 1;", "int b = 7;", ["core/a.c, line 2", "| int b = 1;", "| int b = 7;"]),
        ("int c = 1;", "int c = 8;", ["core/a.c, line 3", "| int c = 1;", "| int c = 8;"]),
        ("int a = 1;\n", "\nint a = 1;\n", ["These lines are at core/a.c:2", "wamr-upgrade"]),
        ("int c = 1;\nint d = 1;\nint e = 1;\n", "", ["core/a.c, line 3", "the file ends here"]),
    ],
)
def test_a_hunk_that_does_not_fit_exactly_stops_the_build(
    tree: Path, copy: Path, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    file = tree / "core" / "a.c"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(patches.PatchError) as refused:
        patches.apply(tree, copy, PARTS, written(tmp_path / "patches", one=ONE))
    for word in ["bugs/one.patch:10: does not apply to", *words]:
        assert word in str(refused.value)


def test_a_file_that_is_not_there_stops_the_build(tree: Path, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(patches.PatchError, match=r"one\.patch: core/z\.c is not in"):
        patches.apply(tree, copy, PARTS, written(tmp_path / "p", one=ONE.replace("a.c", "z.c")))
    new = "--- /dev/null\n+++ b/core/a.c\n@@ -0,0 +1 @@\n+int n;\n"
    with pytest.raises(patches.PatchError, match=r"one\.patch: core/a\.c is already in"):
        patches.apply(tree, copy, PARTS, written(tmp_path / "p", one=new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("Forwarded: no\n", ""), "its head lacks Forwarded"),
        (("Forwarded: no\n", "Forwarded:\n"), "its head lacks Forwarded"),
        (("Gone-when:", "Gone-then:"), "'Gone-then: never' is none of the fields Subject, Forw"),
        (("\n---\n", "\n"), "a line '---' must stand between the head and the diff"),
        (("+++ b/core/a.c", "+++ core/a.c"), r":9: '\+\+\+ b/…' is due, not 'core/a.c'"),
        (("@@ -1,3 +1,3 @@", "@@ -1,4 +1,4 @@"), "is shorter than its head says"),
        (("@@ -1,3 +1,3 @@", "@@ -1,1 +1,2 @@"), "longer than its head says"),
        (("@@ -1,3 +1,3 @@", "@@ broken @@"), ":10: '@@ broken @@' belongs to no hunk"),
        ((ONE, ""), "changes nothing"),
    ],
)
def test_a_malformed_patch_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    path = tmp_path / "one.patch"
    path.write_text(f"{HEAD}\nBecause.\n---\n{ONE}".replace(*change))
    with pytest.raises(patches.PatchError, match=words):
        patches.read(path)


@pytest.mark.parametrize("build", ["debug", "undefined", "needed", ""])
def test_a_patch_says_which_build_proves_it(tmp_path: Path, build: str) -> None:
    path = tmp_path / "one.patch"
    field = f"Build: {build}\n" if build else ""
    path.write_text(f"{HEAD}{field}\nBecause.\n---\n{ONE}")
    patch = patches.read(path)
    assert patch.needed == (build == "needed")
    assert patch.variant == ("" if patch.needed else build)


@pytest.mark.parametrize("build", ["release", "", "debug needed"])
def test_another_build_is_refused(tmp_path: Path, build: str) -> None:
    path = tmp_path / "one.patch"
    path.write_text(f"{HEAD}Build: {build}\n\nBecause.\n---\n{ONE}")
    with pytest.raises(patches.PatchError, match=f"'Build: {build}' must be left out, or one of"):
        patches.read(path)


def test_the_series_lists_each_patch_once(tmp_path: Path) -> None:
    folder = tmp_path / "patches"
    written(folder, one=ONE)
    (folder / "bugs" / "forgotten.patch").write_text(f"{HEAD}\nBecause.\n---\n{ONE}")
    with pytest.raises(patches.PatchError, match=r"list each patch .* once: bugs/forgotten\.patch"):
        patches.series(folder)
    (folder / "bugs" / "forgotten.patch").unlink()
    (folder / "series").write_text("bugs/one.patch\nbugs/one.patch\n")
    with pytest.raises(patches.PatchError, match="a path is listed twice"):
        patches.series(folder)
    (folder / "series").write_text("bugs/one.patch\nwasi/one.patch\n")
    (folder / "wasi").mkdir()
    (folder / "wasi" / "one.patch").write_text(f"{HEAD}\nBecause.\n---\n{ONE}")
    with pytest.raises(patches.PatchError, match="two patches have the same name: one"):
        patches.series(folder)


def test_what_changes_is_written_and_what_goes_is_removed(
    tree: Path, copy: Path, tmp_path: Path
) -> None:
    patches.apply(tree, copy, PARTS, written(tmp_path / "patches", one=ONE))
    before = stamps(copy)
    patches.apply(tree, copy, PARTS, written(tmp_path / "patches", one=ONE))
    assert stamps(copy) == before
    (tree / "core" / "b.c").unlink()
    patches.apply(tree, copy, PARTS, written(tmp_path / "q", one=ONE.replace("= 2", "= 9")))
    after = stamps(copy)
    assert copy / "core" / "b.c" not in after
    assert after[copy / "LICENSE"] == before[copy / "LICENSE"]
    assert "int b = 9;" in (copy / "core" / "a.c").read_text()


def test_patches_can_be_left_out(
    tree: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = written(tmp_path / "patches", one=ONE, two=TWO)
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "two")
    patches.apply(tree, copy, PARTS, both)
    assert "int b = 2;\nint c" in (copy / "core" / "a.c").read_text()
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "one")  # the second has its line as context
    patches.apply(tree, copy, PARTS, both)
    assert (copy / "core" / "a.c").read_text().startswith("int a = 1;\nint b = 1;\nint b2;\nint c")
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "one,two")
    patches.apply(tree, copy, PARTS, both)
    assert (copy / "core" / "a.c").read_text() == (tree / "core" / "a.c").read_text()
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "one,tow")
    with pytest.raises(patches.PatchError, match="there is no patch tow"):
        patches.apply(tree, copy, PARTS, both)


CHANGES_ONE = "--- a/core/a.c\n+++ b/core/a.c\n@@ -2,1 +2,1 @@\n-int b = 2;\n+int b = 3;\n"


def test_a_patch_that_changes_lines_of_another_one_does_not_apply_without_it(
    tree: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = written(tmp_path / "patches", one=ONE, changing=CHANGES_ONE)
    patches.apply(tree, copy, PARTS, both)
    assert "int b = 3;" in (copy / "core" / "a.c").read_text()
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "one")
    with pytest.raises(
        patches.MisfitError, match=r"changing\.patch:10: .*left out\n  \| int b = 2;"
    ):
        patches.apply(tree, copy, PARTS, both)
    monkeypatch.setenv("WAMR_WITHOUT_PATCH", "one,changing")
    patches.apply(tree, copy, PARTS, both)
    assert "int b = 1;" in (copy / "core" / "a.c").read_text()


def test_dependents_are_the_patches_that_do_not_apply_without_another_one(
    tree: Path, tmp_path: Path
) -> None:
    again = CHANGES_ONE.replace("= 3", "= 4").replace("= 2", "= 3")
    found = written(tmp_path / "patches", one=ONE, two=TWO, changing=CHANGES_ONE, again=again)
    names = {patch.name: patches.dependents(tree, patch.name, found) for patch in found}
    assert names == {"one": ("changing", "again"), "two": (), "changing": ("again",), "again": ()}


@pytest.mark.parametrize("name", ["one", "two", "changing", "again"])
def test_leaving_a_patch_out_changes_nothing_for_those_before_it(
    tree: Path, tmp_path: Path, name: str
) -> None:
    again = CHANGES_ONE.replace("= 3", "= 4").replace("= 2", "= 3")
    found = written(tmp_path / "patches", one=ONE, two=TWO, changing=CHANGES_ONE, again=again)
    at = [patch.name for patch in found].index(name)
    without = {patch.name for patch in found[at:]}
    assert patches.edited_files(tree, found, without) == {
        "core/a.c": (tree / "core" / "a.c").read_text(),
        **patches.edited_files(tree, found[:at]),
    }


def test_git_applies_the_series_as_we_do(root: Path, tmp_path: Path) -> None:
    """`git apply` and patches.py make the same tree from WAMR and the series."""
    tree = sources.resolve(root, tmp_path).path
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    patches.apply(tree, ours, sources.PARTS)
    patches.apply(tree, theirs, sources.PARTS, ())
    paths = [str(patch.path) for patch in patches.series()]
    subprocess.run(["git", "init", "--quiet"], cwd=theirs, check=True)
    subprocess.run(["git", "apply", "--whitespace=nowarn", *paths], cwd=theirs, check=True)
    edited = {name for patch in patches.series() for name in patch.edits}
    assert edited
    for name in edited:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


def test_every_patch_has_a_reason_and_names_a_test_that_exists(root: Path) -> None:
    for patch in patches.series():
        assert patch.reason, f"{patch.path}: say why the change exists"
        forwarded = patch.fields["Forwarded"]
        report = "Report:" in patch.reason
        assert re.fullmatch(r"no|not-needed|https://\S+", forwarded), patch.path
        assert report == (forwarded == "no"), f"{patch.path}: a fault of WAMR has a report to send"
        for test in patch.tests:
            file, _, name = test.partition("::")
            text = (root / file).read_text(encoding="utf-8")
            assert re.search(rf"def {re.escape(name)}\b", text), f"{patch.path}: {test}"
