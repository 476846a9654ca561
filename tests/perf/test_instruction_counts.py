"""No path of our C takes more instructions than counts.txt records; and the counts are right.

Where instructions can't be counted or compared, these tests are skipped and say why, unless
WAMR_INSTRUCTION_COUNTS=required, which .ci/run sets.
"""

import os
import shutil
from collections import Counter

import calling
import counting
import pytest

import iwasm


@pytest.fixture(scope="module")
def counted(skip_if_unfit, wat):
    return skip_if_unfit(counting.count)


def test_no_path_takes_more_instructions_than_recorded(counted, skip_if_unfit):
    recorded = skip_if_unfit(counting.recorded, skip_if_unfit(counting.compiler))
    paths = {**counted, **skip_if_unfit(calling.count)}
    assert paths.keys() > calling.PATHS.keys()
    changes = counting.compare(recorded, counting.totals(paths))
    wrong = counting.report(changes, paths)
    assert not wrong, f"\n{wrong}"


def test_a_path_that_does_more_is_told_with_the_functions_it_is_in(counted, skip_if_unfit):
    more = skip_if_unfit(counting.count, "MORE_WORK")
    changes = counting.compare(counting.totals(counted), counting.totals(more))
    assert [x.path for x in changes if x.verdict] == ["call"]
    text = counting.report(changes, more)
    assert "call " in text
    assert "grew by more than 3%" in text
    assert "wpy_call_cells" in text
    assert "counting.py --update" in text


def test_counts_are_those_of_one_time(counted):
    per_round = counting.totals(counted)["interpret"] / 1000
    assert 10 < per_round < 1000  # one round of a loop of seven instructions


def test_a_path_that_fails_counts_as_nothing(counted):
    module = counting.MODULE.replace('(export "add")', '(export "sum")')
    with pytest.raises(RuntimeError, match="the module has no export add"):
        counting.count(module=module)


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (1000.0, ""),
        (1030.0, ""),
        (1030.1, "grew by more than 3%"),
        (900.0, ""),
        (899.9, "shrank by more than 10%: record it"),
        (None, "is recorded and not counted any more"),
    ],
)
def test_how_much_is_too_much(new, verdict):
    assert counting.Change("path", 1000.0, new).verdict == verdict


@pytest.fixture
def built(tmp_path):
    """Return a build of made-up files, and its extension: each file is older than the next one."""
    place = iwasm.Layout(tmp_path, tmp_path / "build")
    sources = [place.native / name for name in ("core/a.c", "interp/b.h", "cpython/c.c")]
    extension = tmp_path / "_wamr.so"
    for age, path in enumerate([*sources, *place.libraries[:2], extension]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (age, age))
    return place, extension


def change(path, time):
    os.utime(path, (time, time))


@pytest.mark.parametrize(
    ("source", "product"),
    [("core/a.c", 0), ("interp/b.h", 1), ("cpython/c.c", 2)],
)
def test_a_build_makes_only_what_has_changed(built, source, product):
    place, extension = built
    counting.check_built(place, extension)
    change(place.native / source, 20)
    with pytest.raises(counting.Unfit, match=rf"{source[-3:]} is newer than what was built"):
        counting.check_built(place, extension)
    change([*place.libraries[:2], extension][product], 21)
    counting.check_built(place, extension)


def test_a_build_without_libraries_or_extension_is_told(built):
    place, extension = built
    counting.check_built(place, None)
    change(place.native / "cpython/c.c", 20)
    with pytest.raises(counting.Unfit, match=r"c\.c is newer"):
        counting.check_built(place, None)
    place.libraries[1].unlink()
    with pytest.raises(counting.Unfit, match=" is missing"):
        counting.check_built(place, extension)


def test_newer_headers_of_python_have_a_few_more(monkeypatch):
    for headers, verdict in ((0, "grew by more than 3%"), (4, "")):
        monkeypatch.setattr(counting, "HEADERS", headers)
        assert counting.Change("py_write", 66.0, 69.0).verdict == verdict
        assert counting.Change("write", 66.0, 69.0).verdict == "grew by more than 3%"
        assert counting.Change("py_write", 66.0, 73.0).verdict == "grew by more than 3%"


def test_paths_of_one_side_only_are_told():
    changes = counting.compare({"gone": 1.0, "kept": 5.0}, {"kept": 5.0, "new": 2.0})
    assert {x.path: x.verdict for x in changes} == {
        "gone": "is recorded and not counted any more",
        "kept": "",
        "new": "is not recorded",
    }
    assert counting.report(changes[:0], {}) == ""
    assert "is not recorded" in counting.report(changes, {"new": Counter()})


def test_each_compiler_has_its_own_counts(tmp_path):
    file = tmp_path / "counts.txt"
    shutil.copy(counting.COUNTS, file)
    counting.record("gcc 99.1.0 pdp11", {"call": 17.04, "load": 3.0}, file)
    counting.record("gcc 98.1.0 pdp11", {"call": 18.0}, file)
    counting.record("gcc 99.1.0 pdp11", {"call": 16.0}, file)
    assert counting.recorded("gcc 99.1.0 pdp11", file) == {"call": 16.0}
    assert counting.recorded("gcc 98.1.0 pdp11", file) == {"call": 18.0}
    words = counting.COUNTS.read_text(encoding="utf-8").partition("\n[")[0]
    assert file.read_text(encoding="utf-8").startswith(words)
    with pytest.raises(counting.Unfit, match=r"nothing is recorded for gcc 97.* gcc 98\.1\.0"):
        counting.recorded("gcc 97.1.0 pdp11", file)


def test_only_a_release_is_compared(monkeypatch):
    monkeypatch.setenv("WAMR_DEBUG", "1")
    with pytest.raises(counting.Unfit, match="not a variant"):
        counting.count()


def test_an_installed_debug_build_is_not_compared(tmp_path, monkeypatch):
    """`make debug` and `make asan` set their variables for the installation only."""
    text = (counting.ROOT / "src" / "native" / "core" / "thread.c").read_text(encoding="utf-8")
    assert "(see lock_order.h)" in text
    extension = tmp_path / "_wamr.abi3.so"
    monkeypatch.setattr(counting, "installed", lambda: extension)
    monkeypatch.setattr(counting.sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: name)  # valgrind
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    extension.write_bytes(b"... assertion failed: %s (see lock_order.h)\n ...")
    for count in (counting.count, calling.count):
        with pytest.raises(counting.Unfit, match=r"_wamr\.abi3\.so has assertions: only"):
            count()
    extension.write_bytes(b"...")
    counting.check_machine()


def test_without_valgrind_that_is_the_reason(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    monkeypatch.setattr(counting, "installed", lambda: None)  # a debug build is another reason
    with pytest.raises(counting.Unfit, match=r"no valgrind|Linux only"):
        counting.count()
