"""Programs: started once, run many times, with a small program."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired

import pytest
from fed_programs import fed

import wamr

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def program():
    with wamr.Program([fed()]) as program:
        yield program


@pytest.mark.parametrize(
    "options",
    [
        {"input": b"ehello", "capture_output": True},
        {"input": "2é\r\n", "capture_output": True, "text": True},
        {"input": b"2err", "stdout": PIPE, "stderr": STDOUT},
        {"input": b"x\x07", "capture_output": True},
        {"input": b"n", "stdout": PIPE, "stderr": DEVNULL},
        {"input": "eé", "capture_output": True, "encoding": "latin-1"},
        {"stdin": DEVNULL, "capture_output": True},
        {"stdin": PIPE, "capture_output": True},
        {"input": b"s", "capture_output": True},
    ],
)
def test_a_run_gives_what_wamr_run_gives(program, options):
    for _ in range(2):
        assert vars(program.run(**options)) == vars(wamr.run([fed()], **options))


def test_runs_share_nothing(program):
    for _ in range(3):
        done = program.run(input=b"n", stdout=PIPE)
        assert isinstance(done, CompletedProcess)
        assert (done.args, done.returncode, done.stdout) == ([fed()], 0, b"ready\n1bye\n")


def test_what_the_program_wrote_until_it_waited(program):
    assert (program.stdout, program.stderr) == (b"ready\n", b"")
    assert program.args == [fed()]
    assert repr(program) == "<wamr.Program program>"


def test_stdio_of_all_kinds(program, tmp_path, capfd):
    path = tmp_path / "out"
    program.run(input=b"ex", stdout=path)
    assert path.read_bytes() == b"ready\nxbye\n"
    program.run(input=b"2x", stdout=str(path), stderr=STDOUT)
    assert path.read_bytes() == b"ready\nxbye\n"
    with path.open("wb") as file:
        file.write(b"first ")
        program.run(input=b"ex", stdout=file)
    assert path.read_bytes() == b"first ready\nxbye\n"
    memory = io.BytesIO()
    program.run(input=b"ex", stdout=memory)
    assert memory.getvalue() == b"ready\nxbye\n"
    got = []
    program.run(input="eé", stdout=got.append, text=True)
    assert "".join(got) == "ready\nébye\n"
    pieces = [b"ehe", b"ello", b""]
    done = program.run(stdin=lambda _: pieces.pop(0), stdout=PIPE)
    assert done.stdout == b"ready\nhellobye\n"
    capfd.readouterr()
    program.run(input=b"2x")
    assert capfd.readouterr() == ("ready\nbye\n", "x")
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as reads, os.fdopen(theirs, "wb") as writes:
        program.run(input=b"ex", stdout=writes)
        writes.close()
        assert reads.read() == b"ready\nxbye\n"


def test_input_from_a_pipe(program):
    ours, theirs = os.pipe()

    def write():
        with os.fdopen(theirs, "wb") as file:
            file.write(b"elate")

    timer = threading.Timer(0.05, write)
    with os.fdopen(ours, "rb") as stdin:
        timer.start()
        assert program.run(stdin=stdin, stdout=PIPE).stdout == b"ready\nlatebye\n"
    timer.join()


@pytest.mark.parametrize("command", [b"l", b"S"])
def test_timeout(program, command):
    with pytest.raises(TimeoutExpired) as caught:
        program.run(input=command, capture_output=True, timeout=0.3)
    error = caught.value
    assert (error.cmd, error.timeout) == ([fed()], 0.3)
    assert (error.stdout, error.stderr) == (b"ready\n", None)


def test_limits(program):
    limits = wamr.ResourceLimits(fuel=5000)
    for _ in range(3):  # each run has all of it
        assert program.run(input=b"n", stdout=PIPE, limits=limits).returncode == 0
    with pytest.raises(wamr.FuelTrap) as caught:
        program.run(input=b"l", stdout=PIPE, limits=limits)
    assert caught.value.stdout == b"ready\n"
    with pytest.raises(wamr.TimeoutTrap):
        program.run(input=b"S", stdout=PIPE, limits=wamr.ResourceLimits(timeout=0.05), timeout=60)
    with pytest.raises(wamr.MemoryLimitError):
        program.run(input=b"", limits=wamr.ResourceLimits(memory_bytes=65536))
    with wamr.Program([fed()], limits=limits) as limited:
        with pytest.raises(wamr.FuelTrap):
            limited.run(input=b"l", stdout=PIPE)
        with pytest.raises(TimeoutExpired):  # instead of those of the Program
            limits = wamr.ResourceLimits(memory_bytes=1 << 20)
            limited.run(input=b"l", stdout=PIPE, limits=limits, timeout=0.1)


def test_exceptions(program):
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        program.run(input=b"t", capture_output=True)
    assert caught.value.stdout == b"ready\n"
    with pytest.raises(subprocess.CalledProcessError) as called:
        program.run(input=b"x\x02", capture_output=True, check=True)
    assert (called.value.returncode, called.value.stdout) == (2, b"ready\n")

    def fail(data):
        raise KeyError(data)

    with pytest.raises(KeyError):
        program.run(input=b"", stdout=fail)
    assert program.run(input=b"n", stdout=PIPE).stdout == b"ready\n1bye\n"


def test_threads(program):
    outputs = []

    def work(i):
        for _ in range(20):
            done = program.run(input=b"e%d" % i, stdout=PIPE)
            outputs.append((i, done.stdout))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*outputs} == {(i, b"ready\n%dbye\n" % i) for i in range(4)}
    assert len(outputs) == 80


# ------------------------------------------------------------------ starting
def test_a_program_that_ends_before_it_waits():
    text = """(module (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
        (call $exit (i32.const 3))))"""
    with pytest.raises(ValueError, match="has ended, with exit code 3, before it waited") as caught:
        wamr.Program([text])
    assert (caught.value.stdout, caught.value.stderr) == (b"hello\n", b"hello\n")
    with pytest.raises(wamr.Trap, match="unreachable"):
        wamr.Program(['(module (func (export "_start") unreachable))'])
    with pytest.raises(ValueError, match="exit code 0"):
        wamr.Program(['(module (func (export "_start")))'])


def test_a_program_that_does_not_wait_in_time():
    text = '(module (func (export "_start") (loop $l (br $l))))'
    with pytest.raises(TimeoutExpired) as caught:
        wamr.Program([text], timeout=0.05)
    assert caught.value.timeout == 0.05
    with pytest.raises(wamr.TimeoutTrap):
        wamr.Program([text], limits=wamr.ResourceLimits(timeout=0.05))


async def unrun(instance):
    """Stand for a hook that awaits something."""


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((None,), {}, TypeError),
        (([],), {}, ValueError),
        ((["nowhere.wasm"],), {}, FileNotFoundError),
        (([fed],), {}, TypeError),
        ((["(module)"],), {}, wamr.LinkError),
        (None, {"timeout": -1}, ValueError),
        (None, {"limits": 1}, TypeError),
        (None, {"env": 1}, TypeError),
        (None, {"dirs": {"/x": "/nowhere"}}, FileNotFoundError),
        (None, {"on_restore": 7}, TypeError),
        (None, {"on_restore": "nothing"}, ValueError),
        (None, {"on_restore": unrun}, TypeError),  # nobody would await it
        (None, {"on_restore": "mark"}, ValueError),  # it has a parameter
    ],
)
def test_wrong_arguments_of_a_program(arguments, options, error):
    with pytest.raises(error):
        wamr.Program(*(arguments or ([fed()],)), **options)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"args": []}, TypeError, r"run\(\) takes no args: the program has read its args when"),
        ({"env": {}}, TypeError, r"run\(\) takes no env: the program has read its env when"),
        ({"nothing": 1}, TypeError, "unexpected keyword argument 'nothing'"),
        ({"input": "text"}, TypeError, "input must be bytes"),
        ({"input": b"", "stdin": b""}, ValueError, "can't both be used"),
        ({"timeout": "1"}, TypeError, "timeout must be a number"),
        ({"limits": 1}, TypeError, "limits must be ResourceLimits"),
        ({"dirs": {"/x": "."}}, wamr.SnapshotError, "preopens-differ|directories"),
    ],
)
def test_wrong_arguments_of_a_run(program, options, error, text):
    with pytest.raises(error, match=text):
        program.run(**options)


def test_directories_may_be_others_with_the_same_guest_paths(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with wamr.Program([fed()], dirs={"/a": one, "/b": two}) as program:
        assert program.run(input=b"n", stdout=PIPE).returncode == 0
        assert program.run(input=b"n", stdout=PIPE, dirs={"/b": one, "/a": two}).returncode == 0
        with pytest.raises(wamr.SnapshotError) as caught:
            program.run(input=b"n", stdout=PIPE, dirs={"/a": one})
        assert caught.value.reason == "preopens-differ"


def test_private_directories_are_those_of_each_run():
    dirs = {"/w": {"a": b"1"}}
    with wamr.Program([fed()], dirs=dirs) as program:
        for _ in range(2):
            done = program.run(input=b"n", stdout=PIPE)
            assert dict(done.files["/w"]) == {"a": b"1"}
        done = program.run(input=b"n", stdout=PIPE, dirs={"/w": {"b": b"2"}})
        assert dict(done.files["/w"]) == {"b": b"2"}
        with program.session() as session:
            session.files["/w"]["c"] = b"3"
            session.feed(b"n")
            assert sorted(session.files["/w"]) == ["a", "c"]


def test_closing(program):
    session = program.session()
    program.close()
    program.close()
    for call in (lambda: program.run(input=b""), program.session):
        with pytest.raises(wamr.ClosedError, match="this Program is closed"):
            call()
    assert repr(program) == "<wamr.Program program, closed>"
    assert session.feed(b"n") == b"ready\n1"
    session.close()


def test_a_program_is_made_once_and_cannot_be_copied(program):
    import copy
    import pickle

    with pytest.raises(TypeError, match="this Program was made already"):
        program.__init__([fed()])
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Program cannot be copied or pickled"):
            call(program)


# ------------------------------------------------------------------ sessions
def test_sessions(program):
    with program.session(stderr=PIPE) as one, program.session(text=True) as two:
        assert one.waiting == two.waiting == "stdin"
        assert one.feed(b"n") == b"ready\n1"
        assert one.feed(b"2x") == b""
        assert one.stderr == b"x"
        assert two.feed("") == "ready\n"
        assert two.feed("n") == "1"
        assert one.end().stdout == b"bye\n"
        assert two.args == [fed()]
    with pytest.raises(TypeError, match=r"session\(\) takes no env"):
        program.session(env={})
    with pytest.raises(TypeError, match="unexpected keyword argument 'input'"):
        program.session(input=b"")
    got = []
    with program.session(stdout=got.append, limits=wamr.ResourceLimits(fuel=5000)) as session:
        assert session.feed(b"") == b""
        assert got == [b"ready\n"]
        with pytest.raises(wamr.FuelTrap):
            session.feed(b"l")
    limits = wamr.ResourceLimits(timeout=0.05)
    with program.session(limits=limits) as session, pytest.raises(wamr.TimeoutTrap):
        session.feed(b"l")


def test_the_outputs_of_sessions_can_go_elsewhere(program, tmp_path, capfd):
    path = tmp_path / "out"
    with program.session(stdout=path, stderr=STDOUT) as session:
        assert session.feed(b"2x") == b""
        assert path.read_bytes() == b"ready\nx"
    memory = io.BytesIO()
    with program.session(stdout=memory) as session:
        session.feed(b"ex")
        assert memory.getvalue() == b"ready\nx"
    capfd.readouterr()
    with program.session(stdout="inherit", stderr=DEVNULL) as session:
        session.feed(b"2x")
    assert capfd.readouterr() == ("ready\n", "")
    with program.session(stderr=PIPE, errors="replace") as session:
        session._fed.feed(b"2\xff")
        assert (session.feed(""), session.stderr) == ("ready\n", "\ufffd")


# ------------------------------------------------------------------ random state
SEEDED = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $r (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $seed (drop (call $random (i32.const 64) (i32.const 16))))
  {export}
  (func (export "_start")
    (call $seed)
    (i32.store (i32.const 0) (i32.const 128)) (i32.store (i32.const 4) (i32.const 128))
    (drop (call $r (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 16))
    (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def seeds(export="", **options):
    with wamr.Program([SEEDED.replace("{export}", export)], **options) as program:
        runs = {program.run(input=b"", stdout=PIPE).stdout for _ in range(5)}
        sessions = {program.session().end().stdout for _ in range(5)}
        return len(runs | sessions)


def test_random_state_is_that_of_the_start_unless_it_is_drawn_again():
    assert seeds() == 1
    assert seeds('(export "seed" (func $seed))') == 1
    assert seeds('(export "seed" (func $seed))', on_restore="seed") == 10
    assert seeds('(export "wamr_restored" (func $seed))') == 10

    def write(instance):
        instance.exports.memory.write(64, os.urandom(16))

    assert seeds(on_restore=write) == 10


def test_random_numbers_that_a_run_asks_for_are_fresh(program):
    outputs = [program.run(input=b"r", stdout=PIPE).stdout for _ in range(5)]
    assert len({*outputs}) == 5


def test_input_that_each_run_reads_first():
    with wamr.Program([fed()], on_restore=b"en") as program:
        assert program.run(input=b"x", stdout=PIPE).stdout == b"ready\nnxbye\n"
        pieces = [b"ex", b""]
        done = program.run(stdin=lambda _: pieces.pop(0), stdout=PIPE)
        assert done.stdout == b"ready\nnxbye\n"
        assert program.session().feed(b"x") == b"ready\nnx"
        assert program.run(stdin=DEVNULL, stdout=PIPE).stdout == b"ready\nnbye\n"
        with pytest.raises(
            ValueError, match="stdin must be bytes or a callable, or input be given"
        ):
            program.run(stdout=PIPE)


def test_a_hook_that_fails(program):
    def fail(instance):
        raise KeyError("hook")

    with wamr.Program([fed()], on_restore=fail) as failing:
        with pytest.raises(KeyError, match="hook"):
            failing.run(input=b"", stdout=PIPE)
        with pytest.raises(KeyError, match="hook"):
            failing.session()
