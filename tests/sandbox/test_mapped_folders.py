"""Sandboxes where programs can have private directories only, as on Windows."""

# ruff: noqa: E501 - lists of code
from __future__ import annotations

import gc
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
import sandboxes

import wamr
from wamr.sandbox import JavaScript, Python, RunLimits, _mapped_folder


@pytest.fixture(autouse=True)
def without_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mapped_folder, "FEATURES", wamr.FEATURES - {"wasi-directories"})


@lru_cache
def python() -> Python:
    """A sandbox of this file's own: its interpreter was started with a private directory."""
    module = sandboxes.python()._interpreter.module
    return Python(module)


@lru_cache
def javascript() -> JavaScript:
    return JavaScript(sandboxes.javascript()._interpreter.module)


@pytest.mark.parametrize("sandbox", [python, javascript])
def test_code_runs_and_sessions_keep_their_state(sandbox):
    with sandbox().session(files={}) as session:
        assert session.run("x = 20; x + 1").check().value == 21
        assert session.run("x + 22").check().value == 42
        copy = session.copy()
    with copy:
        result = copy.run("x")
    assert (result.value, result.files, result.removed) == (20, {}, ())
    assert sandbox().run("1", files=None).value == 1


def test_code_finds_its_files_and_nothing_of_the_host():
    code = "import os\n[os.getcwd(), sorted(os.listdir()), open('sub/b').read(), os.path.exists('C:/'), os.path.exists('../x')]"
    result = python().run(code, files={"a": b"1", "sub/b": "text"})
    assert result.check().value == ["/work", ["a", "sub"], "text", False, False]
    assert (result.files, result.removed) == ({}, ())


def test_files_that_are_made_changed_or_removed_come_back():
    code = "import os\nos.makedirs('x/y')\nopen('x/y/z', 'wb').write(b'\\0')\nos.remove('a')\nf = open('b', 'a'); f.write('2')\nNone"
    result = python().run(code, files={"a": b"1", "b": b"1"})
    assert (result.check().files, result.removed) == ({"x/y/z": b"\0", "b": b"12"}, ("a",))
    assert python().run("import os; os.listdir()").value == []


def test_sessions_and_their_copies_have_files_and_folders_of_their_own():
    with python().session(files={"a": b"1"}) as session:
        session.run("import os; os.makedirs('empty/er')").check()
        copy = session.copy()
        assert session.run("open('a', 'w').write('2')").files == {"a": b"2"}
        assert session.run("open('b').read()", files={"b": "new"}).value == "new"
        with copy:
            assert copy.run("open('a').read()").value == "1"
            assert copy.run("sorted(os.listdir()), os.listdir('empty')").value == [
                ["a", "empty"],
                ["er"],
            ]


@pytest.mark.parametrize(
    "code",
    [
        "open('a', 'wb').write(b'x' * 200_000)",
        "f = open('a', 'wb')\nf.truncate(10**9)",
        "while True:\n  with open('a', 'ab') as f: f.write(b'x' * 1000)",
        "i = 0\nwhile True:\n  open(str(i), 'w').close()\n  i += 1",
        "import os\ni = 0\nwhile True:\n  os.mkdir(str(i))\n  i += 1",
        "import os\nfor i in range(200):\n  os.mkdir('d' * 50)\n  os.chdir('d' * 50)\nwhile True: pass",
    ],
)
def test_too_many_too_long_or_too_deep_files_are_a_limit(code, monkeypatch):
    monkeypatch.setattr("wamr.sandbox._mapped_folder.MOST_ENTRIES", 300)
    result = python().run(code, limits=RunLimits(file_bytes=100_000, time=60))
    assert (result.limit, result.files) == ("files", {})


def test_times_that_code_sets_do_not_reach_the_next_run():
    sandbox = JavaScript(sandboxes.javascript()._interpreter.module)
    code = "const os = await import('qjs:os'); os.utimes('.', 1000, 2000); os.stat('.')[0].mtime"
    sandbox.run(code).check()
    (machine,) = sandboxes.kept_machines(sandbox)
    code = "const os = await import('qjs:os'); os.stat('.')[0].mtime"
    assert sandbox.run(code).check().value > 2000
    assert sandboxes.kept_machines(sandbox) == [machine]


@pytest.mark.parametrize("files", [{"../a": b""}, {"/a": b""}, {"": b""}, {"a\0": b""}])
@pytest.mark.parametrize("run", ["run", "session"])
def test_wrong_files_are_refused(run, files):
    sandbox = python()
    with pytest.raises(ValueError, match="a name in"):
        sandbox.run("1", files=files) if run == "run" else sandbox.session(files=files)
    with pytest.raises(TypeError, match="files must be a mapping"):
        sandbox.run("1", files=[])
    with sandbox.session() as session:
        with pytest.raises(ValueError, match="a name in"):
            session.run("1", files=files)
        assert session.run("2").value == 2


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python().run("1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for code in ("open('a', 'w').write('x')", "open('a', 'w').write('x')\nimport os\nos._exit(1)"):
        python().run(code)
    session = python().session()
    session.run("open('a', 'w').write('x')")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]
    session.close()
    gc.collect()
    assert list(tmp_path.iterdir()) == []
