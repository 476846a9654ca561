"""The machinery of the cures, and that each names a test which exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cures
from cures import Cure

PARTS = ("core", "LICENSE")


def cure(expect: str, replace: str, name: str = "one", file: str = "core/a.c") -> Cure:
    return Cure(name, file, expect, replace, why="a test", test="here")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "core").mkdir(parents=True)
    (tmp_path / "tree" / "core" / "a.c").write_text("int a = 1;\nint b = 1;\n")
    (tmp_path / "tree" / "core" / "b.c").write_text("int c;\n")
    (tmp_path / "tree" / "LICENSE").write_text("licence\n")
    (tmp_path / "tree" / "other").write_text("not needed\n")
    return tmp_path / "tree"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_cures_of_one_file_are_applied_in_order(tree: Path, copy: Path) -> None:
    both = (cure("int a = 1;", "int a = 2;"), cure("a = 2", "a = 3", name="two"))
    cures.apply(tree, copy, PARTS, both)
    assert (copy / "core" / "a.c").read_text() == "int a = 3;\nint b = 1;\n"
    assert (tree / "core" / "a.c").read_text() == "int a = 1;\nint b = 1;\n"
    assert sorted(path.name for path in stamps(copy)) == ["LICENSE", "a.c", "b.c"]


@pytest.mark.parametrize(("expect", "count"), [("int z;", 0), ("= 1;", 2)])
def test_a_text_that_is_not_there_once_stops_the_build(
    tree: Path, copy: Path, expect: str, count: int
) -> None:
    with pytest.raises(cures.CureError, match=rf"cure one: its text is {count} times in core/a.c"):
        cures.apply(tree, copy, PARTS, (cure(expect, "x"),))


def test_a_file_that_is_not_there_stops_the_build(tree: Path, copy: Path) -> None:
    with pytest.raises(cures.CureError, match=r"cure one: core/z.c is not in"):
        cures.apply(tree, copy, PARTS, (cure("a", "b", file="core/z.c"),))


def test_an_unchanged_tree_is_not_written_again(tree: Path, copy: Path) -> None:
    one = (cure("int a = 1;", "int a = 2;"),)
    cures.apply(tree, copy, PARTS, one)
    before = stamps(copy)
    cures.apply(tree, copy, PARTS, one)
    assert stamps(copy) == before


def test_what_changes_is_written_and_what_goes_is_removed(tree: Path, copy: Path) -> None:
    cures.apply(tree, copy, PARTS, (cure("int a = 1;", "int a = 2;"),))
    before = stamps(copy)
    (tree / "core" / "b.c").unlink()
    cures.apply(tree, copy, PARTS, (cure("int a = 1;", "int a = 9;"),))
    after = stamps(copy)
    assert copy / "core" / "b.c" not in after
    assert after[copy / "LICENSE"] == before[copy / "LICENSE"]
    assert (copy / "core" / "a.c").read_text().startswith("int a = 9;")


def test_cures_can_be_left_out(tree: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = (cure("int a = 1;", "int a = 2;"), cure("int b = 1;", "int b = 2;", name="two"))
    monkeypatch.setenv("WAMR_WITHOUT_CURE", "two")
    cures.apply(tree, copy, PARTS, some)
    assert (copy / "core" / "a.c").read_text() == "int a = 2;\nint b = 1;\n"
    monkeypatch.setenv("WAMR_WITHOUT_CURE", "one,tow")
    with pytest.raises(cures.CureError, match="there is no cure tow"):
        cures.apply(tree, copy, PARTS, some)


def test_every_cure_says_why_and_names_a_test_that_exists(root: Path) -> None:
    for each in cures.all_cures():
        assert each.why, each.name
        file, _, name = each.test.partition("::")
        text = (root / file).read_text(encoding="utf-8")
        assert re.search(rf"def {re.escape(name)}\b", text), f"{each.name}: {each.test}"
