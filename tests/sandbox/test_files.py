# ruff: noqa: E501 - lists of code
"""Files in sandboxes: a mapping in, a mapping out, and nothing of the host."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from platforms import needs_fork
from sandboxes import javascript, python
from time_units import in_units

from wamr.sandbox import RunLimits, SandboxError, _folder

FILES = {"a.csv": b"1,2\n", "sub/b.txt": "é", "lib.py": "def twice(x): return 2 * x"}


def test_code_finds_the_files_in_its_working_directory():
    code = "import lib, os\n[open('a.csv').read(), open('sub/b.txt', encoding='utf-8').read(), lib.twice(2), os.getcwd(), sorted(os.listdir())]"
    result = python().run(code, files=FILES)
    assert result.check().value == ["1,2\n", "é", 4, "/work", ["a.csv", "lib.py", "sub"]]
    assert (result.files, result.removed) == ({}, ())


def test_files_that_are_made_changed_or_removed_come_back():
    code = (
        "import os\nopen('new', 'wb').write(b'\\0\\xff')\nopen('a.csv', 'a').write('3')\nos.remove('lib.py')\n"
        "os.makedirs('x/y')\nopen('x/y/z', 'w').close()\nopen('sub/b.txt', 'wb').write('é'.encode())"
    )
    result = python().run(code, files=FILES)
    assert result.files == {"new": b"\0\xff", "a.csv": b"1,2\n3", "x/y/z": b""}
    assert result.removed == ("lib.py",)


def test_files_that_are_still_open_are_complete():
    result = python().run(
        "f = open('a', 'w')\nf.write('text')\ng = open('b', 'wb')\ng.write(b'bytes')\nNone"
    )
    assert result.files == {"a": b"text", "b": b"bytes"}


@in_units
def test_files_are_there_after_an_exception_and_a_limit(unit):
    assert python().run("open('a', 'w').write('x')\n1/0").files == {"a": b"x"}
    code = "open('a', 'w').write('x')\nwhile True: pass"
    result = python().run(code, limits=RunLimits(time=unit))
    assert (result.limit, result.files) == ("time", {"a": b"x"})


def test_each_run_has_its_own_files():
    assert python().run("open('a', 'w').write('x')").files == {"a": b"x"}
    assert python().run("import os; os.listdir()").value == []


def test_a_session_keeps_files_and_tells_what_each_run_changed():
    with python().session(files={"a": b"1"}) as session:
        assert session.run("open('b', 'w').write(open('a').read())").files == {"b": b"1"}
        assert session.run("import os; sorted(os.listdir())").files == {}
        assert session.run("open('c').read()", files={"c": "new"}).value == "new"
        result = session.run("import os\nos.remove('a')\nopen('b', 'w').write('2')")
        assert (result.files, result.removed) == ({"b": b"2"}, ("a",))
        again = session.run("import os; sorted(os.listdir())", files={"b": b"3"})
        assert (again.value, again.files) == (["b", "c"], {})


@pytest.mark.parametrize(
    "code",
    [
        "open('a', 'wb').write(b'x' * 200_000)",
        "f = open('a', 'wb')\nf.truncate(10**12)",
        "f = open('a', 'wb')\nf.seek(10**11)\nf.write(b'x')\nf.flush()",
        "while True:\n  with open('a', 'ab') as f: f.write(b'x' * 1000)",
        "i = 0\nwhile True:\n  open(str(i), 'w').close()\n  i += 1",
        "import os\ni = 0\nwhile True:\n  os.mkdir(str(i))\n  i += 1",
    ],
)
def test_too_many_or_too_long_files_are_a_limit(code, monkeypatch):
    monkeypatch.setattr("wamr.sandbox._folder.MOST_ENTRIES", 300)
    result = python().run(code, limits=RunLimits(file_bytes=100_000, time=60))
    assert (result.limit, result.files) == ("files", {})


@pytest.mark.parametrize("then", ["time.sleep(1e-5)", "echo()"])
def test_files_are_counted_also_if_no_slice_is_ever_used_up(then):
    code = f"import time\nf = open('a', 'wb')\nf.truncate(10**6)\nwhile True: {then}"
    limits = RunLimits(file_bytes=100_000, time=60, tool_calls=10**9)
    assert python().run(code, limits=limits).limit == "files"


def test_deep_folders_and_odd_names_are_no_problem():
    code = "import os\nfor i in range(200):\n  os.mkdir('d' * 50)\n  os.chdir('d' * 50)\nopen('x', 'w').close()"
    result = python().run(code)
    assert result.limit in (None, "files")
    odd = python().run(
        "import os\nfor name in ('é', 'a b', 'a\\n', '*'):\n  open(name, 'w').write(name)"
    )
    assert odd.files == {name: name.encode() for name in ("é", "a b", "a\n", "*")}


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    python().run("1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("wamr.sandbox._folder._pool", _folder._Pool())
    for code in (
        "open('a', 'w').write('x')",
        "open('a', 'w').write('x')\nimport os\nos._exit(1)",
        "while True: open('a', 'w').write('x')",
    ):
        python().run(code, limits=RunLimits(time=0.2))
    session = python().session()
    session.run("open('a', 'w').write('x')")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]
    session.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_javascript_has_files_through_its_modules():
    code = "const std = await import('qjs:std'); std.writeFile('out', std.loadFile('in') + '!'); std.loadFile('nothing')"
    result = javascript().run(code, files={"in": "text"})
    assert (result.files, result.value) == ({"out": b"text!"}, None)


def test_files_and_streams_that_javascript_has_not_flushed_are_complete():
    code = """
    const std = await import("qjs:std");
    const file = std.open("a", "w");
    file.puts("one "); file.printf("%d ", 2); file.write(new Uint8Array([51]).buffer, 0, 1); file.putByte(33);
    std.out.puts("output");
    std.open("b", "w").puts("4");
    const closed = std.open("c", "w");
    closed.puts("5"); closed.close();
    null
    """
    with javascript().session() as session:
        result = session.run(code).check()
        assert result.files == {"a": b"one 2 3!", "b": b"4", "c": b"5"}
        assert result.stdout == "output"
        assert session.run("file.puts('6'); null").files == {"a": b"one 2 3!6"}
        result = session.run("file.puts('7'); throw new Error('x')")
        assert (result.files, result.exception.message) == ({"a": b"one 2 3!67"}, "x")
        assert session.run("closed.puts('8')").exception.message == "invalid file handle"


@pytest.mark.parametrize(
    ("files", "error", "text"),
    [
        (1, TypeError, "files must be a mapping or None, not int"),
        (["a"], TypeError, "files must be a mapping or None, not list"),
        ({"a": 1}, TypeError, "files['a'] must be bytes or a str, not int"),
        ({"a": None}, TypeError, "files['a'] must be bytes or a str, not NoneType"),
        ({"a": {"b": b""}}, TypeError, "files['a'] must be bytes or a str, not dict"),
        ({1: b""}, TypeError, "a name in files must be a str, not int"),
        ({None: b""}, TypeError, "a name in files must be a str, not NoneType"),
        (
            {"../a": b""},
            ValueError,
            "a name in files must be a relative path without '.', '..' and empty parts, not '../a'",
        ),
        ({"/a": b""}, ValueError, "'/a'"),
        ({"": b""}, ValueError, "''"),
        ({"a\0": b""}, ValueError, "a name in files contains a NUL character"),
        ({"a": b"", "a/b": b""}, ValueError, "files: 'a' is a file and a directory"),
        ({"a": "\ud800"}, ValueError, "files['a'] contains a lone surrogate"),
        (
            {"a": b"x" * (17 << 20)},
            ValueError,
            "files have 17825792 bytes, more than file_bytes=16777216",
        ),
        (
            {"a": "é" * (9 << 20)},
            ValueError,
            "files have 18874368 bytes, more than file_bytes=16777216",
        ),
        (
            {"d/" * 65 + "a": b""},
            ValueError,
            "a name in files has 65 folders in one another, more than 64",
        ),
        (
            {f"{i % 100}/{i}": b"" for i in range(9901)},
            ValueError,
            "there are 10001 files and folders in files, more than 10000",
        ),
    ],
)
def test_wrong_files_are_refused(files, error, text):
    for call in (lambda: python().run("1", files=files), lambda: python().session(files=files)):
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)
    with python().session() as session, pytest.raises(error):
        session.run("1", files=files)


def test_two_names_that_are_one_on_a_file_system_without_case_are_refused(monkeypatch):
    sandbox = python()
    remove, write = _folder.Folder.remove, _folder.Folder.write
    monkeypatch.setattr(_folder.Folder, "remove", lambda self, name: remove(self, name.lower()))
    monkeypatch.setattr(
        _folder.Folder, "write", lambda self, name, data: write(self, name.lower(), data)
    )
    text = r"^files: 'A' and another name are one on this file system$"
    with pytest.raises(ValueError, match=text):
        sandbox.run("1", files={"a": b"1", "A": b"2"})
    with sandbox.session(files={"a": b"1"}) as session:
        assert session.run("open('a').read()", files={"A": b"2"}).value == "2"


def test_files_of_the_most_that_is_allowed_are_no_limit():
    files = {"d/" * 64 + "a": b"1", **{f"{i}/b": b"2" for i in range(300)}}
    result = python().run("open('c', 'w').write('3')", files=files)
    assert (result.limit, result.files) == (None, {"c": b"3"})


IN_THE_WAY = """import os
os.makedirs("folder/with/folders")
open("folder/file", "w").close()
open("file", "w").close()
os.symlink("file", "link")
os.symlink("folder", "link to a folder")
os.symlink("nothing", "link to nothing")
"""


@pytest.mark.parametrize("name", ["folder", "folder/with", "file", "link", "link to a folder"])
def test_files_of_the_host_replace_whatever_code_has_left_there(name):
    with python().session() as session:
        session.run(IN_THE_WAY).check()
        assert session.run(f"open({name!r}).read()", files={name: "new"}).value == "new"
        assert session.files[name] == b"new"


@pytest.mark.parametrize("name", ["file", "link", "link to a folder", "link to nothing"])
def test_folders_of_the_host_replace_files_and_links(name):
    with python().session() as session:
        session.run(IN_THE_WAY).check()
        path = f"{name}/a/b"
        assert session.run(f"open({path!r}).read()", files={path: "new"}).value == "new"
        inside = session.run("import os; os.listdir('folder')").value
        assert sorted(inside) == ["file", "with"]


def session_with_a_file_that_is_too_long():
    """Return a session whose code has written 2000 bytes where 1000 are allowed, and has ended."""
    for _ in range(1000):
        session = python().session(limits=RunLimits(file_bytes=1000))
        code = "with open('a', 'w') as file: file.write('x' * 2000)"
        assert session.run(code).limit == "files"
        if not session.closed:
            return session
        # On a busy machine the slice ends before the code does; the limit then stops the session.
    raise AssertionError("each run was stopped")


def test_more_files_than_a_session_may_have_cannot_be_read_or_copied():
    text = "the files of the session have more than file_bytes=1000"
    with session_with_a_file_that_is_too_long() as session:
        for read in (lambda: session.files, session.copy):
            with pytest.raises(SandboxError, match=text):
                read()
        session.run("1", limits=RunLimits(file_bytes=2000)).check()
        assert (len(session.files["a"]), len(session.copy().files["a"])) == (2000, 2000)
        # The limit is raised, since files are also counted when a slice ends before the code does.
        limits = RunLimits(file_bytes=2000)
        assert session.run("import os; os.remove('a')", limits=limits).limit is None
        assert session.copy().files == {}


@pytest.mark.parametrize("times", ["(1, 1)", "(0, 0)"])
def test_code_that_sets_the_time_of_its_directory_hides_no_files(times):
    code = f"import os\nopen('left', 'w').close()\nos.utime('.', ns={times})\n0"
    sandbox = python()
    for _ in range(3):
        assert sandbox.run(code).files == {"left": b""}
        assert sandbox.run("import os; os.listdir()").value == []


def test_a_directory_without_files_is_used_again():
    sandbox = python()
    sandbox.run("1")
    before = {path.name for path in _directories()}
    for _ in range(3):
        assert sandbox.run("import os; os.listdir()").value == []
    assert {path.name for path in _directories()} == before


def test_a_file_made_in_the_tick_of_the_directory_keeps_it_from_being_used_again(monkeypatch):
    pool = _folder._Pool()
    folder = pool.take()
    file = Path(folder.path) / "json.py"
    file.write_text("left")
    monkeypatch.setattr(_folder.Folder, "is_untouched", lambda _: True)  # code has set the times
    monkeypatch.setattr(_folder, "monotonic", lambda: folder._made + 60)
    assert not folder.is_clean()
    file.unlink()
    assert folder.is_clean()


@needs_fork
@pytest.mark.parametrize(
    "end", ["s.close()", "del s", "s.run('for (;;);', limits=RunLimits(fuel=1000))"]
)
def test_the_child_of_a_fork_leaves_the_files_of_its_parent_alone(end):
    javascript()  # skips without the package
    code = f"""
import os, sys
from wamr.sandbox import JavaScript, RunLimits
sandbox = JavaScript()
s = sandbox.session(files={{"a": b"1"}})
empty = sandbox.session()
s.run("0"), empty.run("0")
child = os.fork()
if not child:
    for s in (s, empty):
        {end}
    assert sandbox.run("1 + 1").value == 2
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
for session in (s, empty):
    assert session.run("1", files={{"b": b"2"}}).check().value == 1
assert s.files == {{"a": b"1", "b": b"2"}} and empty.files == {{"b": b"2"}}
"""
    python_code = [sys.executable, "-c", code]
    done = subprocess.run(python_code, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _directories() -> list[Path]:
    return list(Path(_folder._pool._base).iterdir())


def test_the_collector_may_release_a_directory_while_another_one_is_taken(monkeypatch):
    python()  # skips without the package
    pool = _folder._Pool()
    kept, dropped = pool.take(), pool.take()
    pool.put(kept)

    def untouched(_):  # `take` calls this function, and the collector may run in any call
        monkeypatch.undo()
        pool.put(dropped)
        return True

    monkeypatch.setattr(_folder.Folder, "is_untouched", untouched)
    taken = []
    thread = threading.Thread(target=lambda: taken.append(pool.take()), daemon=True)
    thread.start()
    thread.join(60)
    assert taken == [kept]
    assert pool.take() is dropped
