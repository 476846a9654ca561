# ruff: noqa: E501 - lists of code
"""Copies of sessions, in memory and on disk."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sandboxes import SMALL, echo, javascript, python

import wamr
from wamr.sandbox import Python, SandboxError


def test_a_copy_of_a_session_goes_on_from_the_same_state():
    with python().session(files={"a": b"1"}) as first:
        first.run("x = [1]\nopen('b', 'w').write('2')")
        with first.copy() as second:
            second.run("x.append(2)\nopen('c', 'w').write('3')")
            assert first.run("x").value == [1]
            assert second.run("x").value == [1, 2]
            assert second.run("import os; sorted(os.listdir())").value == ["a", "b", "c"]
            assert first.run("import os; sorted(os.listdir())").value == ["a", "b"]
            assert second.run("greet('x')").value == "Hello, x!"
    with python().session() as new, new.copy() as copy:
        assert copy.run("1").value == 1


def test_a_copy_of_a_session_has_its_folders():
    folders = "import os; sorted(os.path.join(x[0], y) for x in os.walk('.') for y in x[1])"
    with python().session(files={"a/b": b"1"}) as first:
        assert first.run("import os; os.makedirs('empty/er')").exception is None
        with first.copy() as second:
            assert second.run(folders).value == ["./a", "./empty", "./empty/er"]
            assert second.run("os.rmdir('empty/er')").exception is None
            assert first.run(folders).value == ["./a", "./empty", "./empty/er"]
            assert second.run(folders).value == ["./a", "./empty"]


def test_copies_have_random_numbers_of_their_own():
    with python().session() as session:
        session.run("import random")
        values = {session.copy().run("random.random()").value for _ in range(5)}
        assert len(values) == 5
    with javascript().session() as session:
        session.run("1")
        assert len({session.copy().run("Math.random()").value for _ in range(5)}) == 5


def test_a_module_of_the_code_may_be_named_random():
    with Python(limits=SMALL).session(files={"random.py": "x = 1"}) as session:
        assert session.run("import random; random.x").value == 1
        assert session.copy().run("random.x").value == 1


def test_the_files_of_a_session_can_be_read():
    with python().session(files={"a": "é"}) as session:
        assert session.files == {"a": "é".encode()}
        session.run("open('b', 'w').write('2')")
        assert session.files == {"a": "é".encode(), "b": b"2"}
    with pytest.raises(wamr.ClosedError):
        _ = session.files
    with pytest.raises(wamr.ClosedError):
        session.copy()


def test_a_session_that_runs_code_cannot_be_copied():
    seen = []

    def look():
        for use in (session.copy, lambda: session.files):
            with pytest.raises(RuntimeError, match="one run at a time"):
                use()
        seen.append(1)

    sandbox = Python(tools=[look], limits=SMALL)
    session = sandbox.session()
    assert session.run("look()").check().tool_calls == 1
    assert seen == [1]
    assert session.copy().run("look.__name__").value == "look"


def test_copies_of_a_session_with_open_files_are_refused():
    with python().session() as session:
        session.run("f = open('a', 'w')")
        with pytest.raises(wamr.SnapshotError, match="open"):
            session.copy()
        assert session.run("f.close()\n1").value == 1
        assert session.copy().run("open('a').read()").value == ""


# ---- on disk
def test_a_sandbox_on_disk_is_the_same_with_other_tools(tmp_path):
    path = tmp_path / "python.snapshot"
    python().save(path)
    sandbox = Python.load(path, tools=[echo], limits=SMALL)
    assert sandbox.run(
        "import sys\n['random' in sys.modules, echo(5), 'greet' in globals()]"
    ).value == [True, 5, False]
    assert sandbox.limits == SMALL
    values = {sandbox.run("import random; random.random()").value for _ in range(3)}
    assert len(values) == 3


def test_another_process_can_use_the_file(tmp_path):
    path = tmp_path / "python.snapshot"
    python().save(path)
    session_path = tmp_path / "session.snapshot"
    with python().session() as session:
        session.run("x = 41\ndef f(): return echo(x + 1)")
        session.save(session_path)
    code = f"""
from wamr.sandbox import Python
sandbox = Python.load({str(path)!r}, tools={{"echo": lambda value: value}})
print(sandbox.run("echo(6) * 7").value)
session = sandbox.load_session({str(session_path)!r}, files={{"a": b"file"}})
print(session.run("f()").value, session.run("open('a').read()").value, session.run("greet").exception.type)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["42", "42", "file", "NameError"], done.stderr


def test_javascript_sessions_survive_on_disk(tmp_path):
    path = tmp_path / "session"
    with javascript().session() as session:
        session.run("let x = 41; function f() { return echo(x + 1) }")
        session.save(path)
    again = javascript().load_session(path)
    assert again.run("f()").value == 42
    assert again.run("throw new Error('e')").exception.type == "Error"


@pytest.mark.parametrize(
    ("sandbox", "code"),
    [
        (python, "import os\ndef chdir(path):\n  while True: pass\nos.chdir = chdir"),
        (
            javascript,
            "Object.defineProperty(Object.prototype, 'greet', {set() { for (;;); }}); 1",
        ),
    ],
)
def test_a_session_whose_code_never_lets_it_be_loaded_is_given_up(
    sandbox, code, tmp_path, monkeypatch
):
    with sandbox().session() as session:
        assert session.run(code).exception is None
        session.save(tmp_path / "session")
    monkeypatch.setattr("wamr.sandbox._sandbox._LOAD_TIMEOUT", 0.3)
    with pytest.raises(SandboxError, match="the interpreter could not start: time"):
        sandbox().load_session(tmp_path / "session")


def test_files_that_are_no_snapshots_are_refused(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        Python.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(wamr.SnapshotError):
        Python.load(path)
    with pytest.raises(wamr.SnapshotError):
        python().load_session(path)
    javascript().save(path)
    with pytest.raises(wamr.SnapshotError):
        Python.load(path)


def test_a_file_that_somebody_has_changed_is_refused(tmp_path):
    path = tmp_path / "python.snapshot"
    python().save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(wamr.SnapshotError):
        Python.load(path)


def test_the_cache_is_made_once_and_again_if_it_does_not_fit(tmp_path):
    path = tmp_path / "cache"
    first = Python(cache=path, preload=["json"], tools=[echo], limits=SMALL)
    made = path.stat().st_mtime_ns
    assert first.run("echo(1)").value == 1
    second = Python(cache=path, preload=["json", "csv"], limits=SMALL)
    assert second.run("import sys; 'csv' in sys.modules").value is True
    assert second.run("echo").exception.type == "NameError"
    assert path.stat().st_mtime_ns == made
    path.write_bytes(b"nothing")
    assert Python(cache=path, limits=SMALL).run("1").value == 1
    assert path.stat().st_size > 1000


def test_a_cache_of_javascript_fits_the_same_scripts_only(tmp_path):
    path = tmp_path / "cache"
    scripts = ["const x = 1; let y = 0; y++"]
    for _ in range(2):
        assert type(javascript())(preload=scripts, cache=path).run("x + y").value == 2
    made = path.stat().st_mtime_ns
    loaded = type(javascript()).load(path, tools=[echo])
    assert loaded.run("echo(x + y)").value == 2
    assert path.stat().st_mtime_ns == made
    for scripts in (["const x = 5"], []):
        other = type(javascript())(preload=scripts, cache=path)
        assert other.run("typeof y").value == "undefined"
        assert other.run("typeof x").value == ("number" if scripts else "undefined")
    assert type(javascript()).load(path).run("typeof x").value == "undefined"


def test_sandboxes_and_sessions_cannot_be_pickled():
    import copy
    import pickle

    with python().session() as session:
        for item in (session, python()):
            with pytest.raises(TypeError, match="cannot be"):
                pickle.dumps(item)
            with pytest.raises(TypeError, match="cannot be"):
                copy.copy(item)
        assert repr(session) == "<wamr.sandbox.Session>"
    assert repr(session) == "<wamr.sandbox.Session, closed>"
    assert repr(python()).startswith("<wamr.sandbox.Python, tools: greet, total")


@pytest.mark.parametrize(
    ("sandbox", "where"),
    [(python, "wamr.sandbox._python"), (javascript, "wamr.sandbox._javascript")],
)
def test_files_of_another_version_of_the_program_are_refused_and_caches_renewed(
    sandbox, where, tmp_path, monkeypatch
):
    kind, path = type(sandbox()), tmp_path / "saved"
    module = wamr.Module.deserialize(wamr.Engine(), sandbox()._interpreter.module.serialize())
    with monkeypatch.context() as patches:
        patches.setattr(f"{where}.version_of", lambda *texts: "old")
        old = kind(module, limits=SMALL)
        old.save(path)
        assert kind.load(path, module).run("1 + 1").value == 2
    with old.session() as session:
        session.save(tmp_path / "session")
    for load in (lambda: kind.load(path), lambda: sandbox().load_session(tmp_path / "session")):
        with pytest.raises(
            wamr.SnapshotError, match=r"of another version of wamr\.sandbox"
        ) as caught:
            load()
        assert caught.value.reason == "other-build"
    assert kind(cache=path, limits=SMALL).run("1 + 1").value == 2
    assert kind.load(path).run("1 + 1").value == 2
