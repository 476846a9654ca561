"""Programs that are saved to files and loaded, here and in other processes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import fed_programs
import pytest
from fed_programs import fed, session

import wamr
from wamr import Program, Snapshot, SnapshotError
from wamr._runtime import snapshot_file

pytestmark = pytest.mark.usefixtures("wat")

LOADS = """
import sys, wamr
from fed_programs import fed
program = wamr.Program.load(sys.argv[1], fed())
print([program.run(input=b"n", stdout=-1).stdout for _ in range(2)])
with program.session(text=True) as session:
    print(session.waiting, repr(session.feed("n")))
"""


CONTENTS = {
    "version": 1,
    "argv": [],
    "env": None,
    "prelude": [],
    "unread": "",
    "first_input": "",
    "hook": None,
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep the user's key in a directory of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "program.snapshot"


def in_another_process(path, **environment):
    paths = [str(Path(fed_programs.__file__).parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", LOADS, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_in_another_process(path):
    with Program([fed(), "an argument"], env={"A": "é"}) as program:
        program.save(path)
    done = in_another_process(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("[b'ready\\n1bye\\n', b'ready\\n1bye\\n']\nstdin 'ready\\n1'\n")
    loaded = Program.load(str(path), fed())
    assert loaded.args == [fed(), "an argument"]
    assert loaded._started.env == {"A": "é"}
    assert loaded._started.command.argv == program._started.command.argv
    assert (loaded.stdout, loaded.stderr) == (b"ready\n", b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_path_that_closes_the_program_is_written_all_the_same(path):
    class Closing:
        def __fspath__(self):
            program.close()
            return str(path)

    program = Program([fed()])
    program.save(Closing())
    assert Program.load(path, fed()).run(input=b"n", stdout=PIPE).stdout == b"ready\n1bye\n"


def test_a_session_that_goes_on_after_a_restart(path):
    with session() as s:
        assert s.feed(b"n") == b"ready\n1"
        Program.from_session(s).save(path)
    with Program.load(path, fed()).session() as s:
        assert s.feed(b"n") == b"2"
        Program.from_session(s).save(path)  # replaces the file
    assert Program.load(path, fed()).run(input=b"n", stdout=PIPE).stdout == b"3bye\n"


@pytest.mark.parametrize("hook", [None, lambda _: None, b"two "])
def test_input_that_was_not_read_is_saved(path, hook):
    with session() as s:
        with pytest.raises(subprocess.TimeoutExpired):
            s.feed(b"eone ", timeout=0)
        Program.from_session(s, on_restore=hook).save(path)
    loaded = Program.load(path, fed(), on_restore=hook)
    written = b"ready\none two three" if isinstance(hook, bytes) else b"ready\none three"
    assert loaded.run(input=b"three", stdout=PIPE).stdout == written + b"bye\n"
    with loaded.session() as s:
        assert s.feed(b"three") == written


def test_a_file_of_a_snapshot_is_a_program(path):
    with session() as s:
        s.feed(b"n")
        s.snapshot().save(path)
    program = Program.load(path, fed())
    assert (program.stdout, program.args) == (b"", [fed()])
    assert program.run(input=b"n", stdout=PIPE).stdout == b"2bye\n"


def test_a_file_of_a_program_is_a_snapshot(path):
    Program([fed()]).save(path)
    instance, execution = Snapshot.load(path, fed()).instantiate(
        wasi=wamr.WasiConfig(stdin=b"n", stdout=(got := []).append)
    )
    assert instance.exports.count.value == 0
    with pytest.raises(StopIteration):
        next(execution)
    assert b"".join(got) == b"1bye\n"


def test_directories_and_limits_are_given_again(path, tmp_path):
    (tmp_path / "files").mkdir()
    limits = wamr.ResourceLimits(fuel=10_000)
    Program([fed()], dirs={"/files": tmp_path / "files"}, limits=limits).save(path)
    loaded = Program.load(path, fed(), dirs={"/files": tmp_path}, limits=limits)
    assert loaded.run(input=b"n", stdout=PIPE).returncode == 0
    with pytest.raises(wamr.FuelTrap):
        loaded.run(input=b"l", stdout=PIPE)
    loaded = Program.load(path, fed())
    with pytest.raises(SnapshotError) as caught:
        loaded.run(input=b"n", stdout=PIPE)
    assert caught.value.reason == "preopens-differ"
    assert loaded.run(input=b"n", stdout=PIPE, dirs={"/files": tmp_path}).returncode == 0


def test_hooks_are_saved_but_callables(path):
    Program([fed()], on_restore=b"efirst ").save(path)
    assert Program.load(path, fed()).run(input=b"x", stdout=PIPE).stdout == b"ready\nfirst xbye\n"
    other = Program.load(path, fed(), on_restore=b"eother ")
    assert other.run(input=b"x", stdout=PIPE).stdout == b"ready\nother xbye\n"
    Program([fed()], on_restore=lambda _: None).save(path)
    with pytest.raises(ValueError, match="on_restore is missing"):
        Program.load(path, fed())
    calls = []
    Program.load(path, fed(), on_restore=calls.append).run(input=b"", stdout=PIPE)
    assert len(calls) == 1


def test_files_of_others_are_not_trusted(path, monkeypatch, tmp_path):
    Program([fed()]).save(path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))  # another user's key
    with pytest.raises(SnapshotError) as caught:
        Program.load(path, fed())
    assert caught.value.reason == "untrusted"
    program = Program.load(path, fed(), trusted=True)
    assert program.run(input=b"n", stdout=PIPE).stdout == b"ready\n1bye\n"


def test_damaged_files_are_refused(path):
    Program([fed()]).save(path)
    data = path.read_bytes()
    for damaged in (
        b"",
        data[:100],
        data[:-1],
        data[:-64],
        data[:-70] + b"x" + data[-69:],  # what the Program has besides the snapshot
        data + b"x",
    ):
        path.write_bytes(damaged)
        for trusted in (False, True):
            with pytest.raises(SnapshotError) as caught:
                Program.load(path, fed(), trusted=trusted)
            assert caught.value.reason == "damaged"


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b"nothing",
        b"[]",
        b"{}",
        b"\xff",
        b'{"version": 2}',
        b"[" * 100_000,
        *[
            json.dumps({**CONTENTS, name: value}).encode()
            for name, value in [
                ("argv", 3),
                ("env", 3),
                ("prelude", 1),
                ("unread", 5),
                ("first_input", 5),
            ]
        ],
    ],
)
def test_wrong_contents_of_a_trusted_file_are_refused(path, extra):
    with session() as s:
        s.feed(b"")
        snapshot = s.snapshot()
    parts = snapshot._c, snapshot.module, snapshot._slice_ns
    snapshot_file.save(*parts, path, snapshot_file.EXTRA + extra)
    with pytest.raises(SnapshotError, match="the file is no whole Program"):
        Program.load(path, fed(), trusted=True)


def test_wrong_arguments(path, tmp_path):
    program = Program([fed()])
    program.save(path)
    with pytest.raises(TypeError, match="module must be a Module"):
        Program.load(path, None)
    with pytest.raises(TypeError, match="limits must be"):
        Program.load(path, fed(), limits=1)
    with pytest.raises(ValueError, match="exports no function"):
        Program.load(path, fed(), on_restore="nothing")
    with pytest.raises(SnapshotError) as caught:
        Program.load(path, wamr.Module(wamr.Engine(), '(module (func (export "_start")))'))
    assert caught.value.reason == "other-module"
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "nowhere", fed())
    with pytest.raises(OSError, match="nowhere"):
        program.save(tmp_path / "nowhere" / "file")
    with pytest.raises(TypeError):
        program.save(None)
    program.close()
    with pytest.raises(wamr.ClosedError, match="this Program is closed"):
        program.save(path)
