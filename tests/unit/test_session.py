"""Sessions: programs that run until they wait for input, with a small program."""

from __future__ import annotations

import io
import socket
import subprocess
import time
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired

import pytest
from fed_programs import asleep, fed, session
from time_units import in_units

import wamr

pytestmark = pytest.mark.usefixtures("wat")


def test_feed_returns_what_the_program_writes_until_it_waits():
    with session() as s:
        assert (s.waiting, s.returncode) == (None, None)
        assert s.feed(b"eone") == b"ready\none"
        assert (s.waiting, s.returncode) == ("stdin", None)
        assert s.feed(b"etwo") == b"two"
        assert s.feed(b"n") + s.feed(b"n") == b"12"


def test_nothing_runs_before_the_first_feed_and_an_empty_one_starts_the_program():
    written = []
    s = session(stdout=written.append)
    assert written == []
    assert s.feed(b"") == b""
    assert written == [b"ready\n"]
    assert s.feed(b"") == b""
    assert written == [b"ready\n"]
    s.close()


def test_end_runs_the_program_to_its_end():
    s = session()
    s.feed(b"")
    done = s.end()
    assert isinstance(done, CompletedProcess)
    assert (done.args, done.returncode, done.stdout, done.stderr) == ([fed()], 0, b"bye\n", b"")
    assert (s.waiting, s.returncode) == (None, 0)
    assert s.end() is done


def test_end_without_a_feed_runs_all_of_the_program():
    assert session().end().stdout == b"ready\nbye\n"


def test_a_program_that_exits_during_feed():
    s = session()
    assert s.feed(b"e") == b"ready\n"
    assert s.feed(b"x\x07") == b""
    assert (s.returncode, s.waiting) == (7, None)
    with pytest.raises(RuntimeError, match="the program has ended, with exit code 7"):
        s.feed(b"")
    done = s.end()
    assert (done.returncode, done.stdout, done.stderr) == (7, b"", b"")
    with pytest.raises(subprocess.CalledProcessError):
        done.check_returncode()


def test_a_program_that_traps_shows_what_it_has_written():
    s = session()
    s.feed(b"2some")
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        s.feed(b"t")
    assert (caught.value.stdout, caught.value.stderr) == (b"", b"")
    assert s.returncode is None
    assert s.waiting is None
    assert "ended by Trap" in repr(s)
    for call in (lambda: s.feed(b""), s.end):
        with pytest.raises(RuntimeError, match="the program has ended, by Trap"):
            call()


def test_the_output_before_a_trap_is_on_the_exception():
    s = session(stderr=STDOUT, text=True)
    s.feed("")
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        s.feed("e" + "é" * 32767 + "!" + "t")  # one read takes 64 KiB
    assert caught.value.stdout == "é" * 32767 + "!"
    assert caught.value.stderr is None


def test_stderr_is_an_attribute():
    with session() as s:
        assert s.stderr is None
        assert s.feed(b"2wrong") == b"ready\n"
        assert s.stderr == b"wrong"
        assert s.feed(b"e") == b""
        assert s.stderr == b""


def test_stderr_can_go_to_stdout_or_away():
    with session(stderr=STDOUT) as s:
        assert s.feed(b"2wrong") == b"ready\nwrong"
        assert s.stderr is None
    with session(stderr=DEVNULL) as s:
        assert s.feed(b"2wrong") == b"ready\n"
        assert s.stderr is None


def test_stdout_can_go_elsewhere(tmp_path, capfd):
    memory = io.BytesIO()
    with session(stdout=memory) as s:
        assert s.feed(b"ex") == b""
        assert memory.getvalue() == b"ready\nx"
        assert s.end().stdout is None
    with session(stdout=DEVNULL) as s:
        assert s.feed(b"ex") == b""
    with session(stdout=PIPE) as s:
        assert s.feed(b"ex") == b"ready\nx"
    with (tmp_path / "out").open("wb") as file, session(stdout=file) as s:
        assert s.feed(b"ex") == b""
    assert (tmp_path / "out").read_bytes() == b"ready\nx"
    with session(stdout="inherit", stderr=None, text=True) as s:
        assert s.feed("2x") == ""
    assert capfd.readouterr() == ("ready\n", "x")
    got = []
    with session(stdout=got.append, text=True) as s:
        s.feed("eé\r\n")
    assert "".join(got) == "ready\né\n"


def test_stdout_and_stderr_can_be_sockets():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as read, session(stdout=theirs, stderr=theirs) as s:
        assert s.feed(b"eone") == b""
        assert read.read(9) == b"ready\none"


def test_large_input_and_output():
    with session() as s:
        s.feed(b"")
        assert s.feed(b"m\xff") == b"x" * 65536 * 255
        assert s.feed(b"e" * 65536 * 40) == b"e" * 65535 * 40  # 40 commands
        assert s.feed(b"n") == b"1"


def test_text_is_decoded_although_a_character_is_cut_in_two():
    with session(text=True) as s:
        s.feed("")
        s._fed.feed("e€".encode()[:3])
        assert s.feed("") == ""
        s._fed.feed(b"e" + "€".encode()[2:])
        assert s.feed("") == "€"
        assert s.feed("ea\r\nb\rc\n") == "a\nb\nc\n"
        assert s.feed("ea\r") == "a"
        assert s.feed("e\nb") == "\nb"
        assert s.feed("ea\r") == "a"
        assert s.feed("eb") == "\nb"


def test_another_encoding():
    with session(encoding="utf-16-le") as s:
        s._fed.feed(b"x\x00")
        assert s.feed("") == b"ready\n".decode("utf-16-le")
    with session(errors="replace") as s:
        s._fed.feed(b"e\xff")
        assert s.feed("") == "ready\n\ufffd"


ECHO = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (loop $again
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 64))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (br_if $again (i32.load (i32.const 4))))))"""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso2022_jp"])
def test_an_encoding_with_a_mark_or_a_state(encoding):
    with wamr.Session([ECHO], encoding=encoding) as s:
        assert [s.feed("a"), s.feed("\u65e5"), s.feed("b")] == ["a", "\u65e5", "b"]


def test_input_that_is_refused_does_not_change_the_state_of_the_encoding():
    def read_by_another_call(text):
        with pytest.raises(RuntimeError, match="runs already"):
            s.feed("b")
        got.append(text)

    got = []
    with wamr.Session([ECHO], encoding="utf-16", stdout=read_by_another_call) as s:
        with pytest.raises(ValueError, match="timeout must not be negative"):
            s.feed("a", timeout=-1)
        s.feed("a")
        s.feed("\u65e5")
    assert got == ["a", "\u65e5"]


def test_bytes_that_are_no_text_are_on_the_exception_and_the_session_goes_on():
    with session(text=True) as s:
        s.feed("")
        s._fed.feed(b"e\xffx")
        with pytest.raises(UnicodeDecodeError) as caught:
            s.feed("")
        assert caught.value.stdout == "\\xffx"
        assert s.feed("enext") == "next"
        s._fed.feed(b"e\xc3")
        assert s.feed("") == ""
        with pytest.raises(UnicodeDecodeError):
            s.end()
        assert s.returncode == 0
        assert s.end().returncode == 0


def test_a_sleep_is_waited_for():
    with session() as s:
        s.feed(b"")
        assert s.feed(b"s") == b"."
        assert s.waiting == "stdin"


def test_a_timeout_in_a_sleep_leaves_the_program_asleep():
    with asleep() as s:
        assert s.feed(b"ex") == b".x"
        assert s.waiting == "stdin"
    with session() as s:
        s.feed(b"")
        with pytest.raises(TimeoutExpired) as caught:
            s.feed(b"S", timeout=0.02)
        assert (caught.value.cmd, caught.value.timeout) == ([fed()], 0.02)


def test_a_timeout_in_a_loop_can_be_repeated_and_ended():
    s = session()
    with pytest.raises(TimeoutExpired) as caught:
        s.feed(b"l", timeout=0.05)
    assert caught.value.stderr is None
    while (caught.value.stdout or b"") != b"ready\n":  # on a busy machine
        with pytest.raises(TimeoutExpired) as caught:
            s.feed(b"", timeout=0.05)
    assert s.waiting is None
    assert s.returncode is None
    for call in (lambda: s.feed(b"", timeout=0), lambda: s.end(timeout=0.01)):
        with pytest.raises(TimeoutExpired) as caught:
            call()
        assert caught.value.stdout == b"ready\n"  # nothing is lost
    with pytest.raises(RuntimeError, match="the program's input has ended"):
        s.feed(b"x")
    s.close()
    with pytest.raises(wamr.ClosedError):
        s.feed(b"")


def test_output_before_a_timeout_is_returned_by_the_next_feed():
    with session() as s:
        with pytest.raises(TimeoutExpired):
            s.feed(b"s", timeout=0)
        assert s.feed(b"") == b"ready\n."


def test_a_timeout_that_does_not_pass():
    with session() as s:
        assert s.feed(b"ex", timeout=60) == b"ready\nx"
        assert s.end(timeout=60).stdout == b"bye\n"


@pytest.mark.parametrize("command", [b"l", b"S"])
@in_units
def test_the_timeout_of_the_limits_ends_the_program(command, unit):
    s = session(limits=wamr.ResourceLimits(timeout=unit))
    assert s.feed(b"") == b"ready\n"
    time.sleep(1.2 * unit)  # only the time of a feed counts
    assert s.feed(b"ex") == b"x"
    with pytest.raises(wamr.TimeoutTrap):
        s.feed(command)
    with pytest.raises(RuntimeError, match="the program has ended, by TimeoutTrap"):
        s.feed(b"")


def test_other_limits():
    with session(limits=wamr.ResourceLimits(fuel=10_000)) as s:
        assert s.feed(b"ex") == b"ready\nx"
        with pytest.raises(wamr.FuelTrap):
            s.feed(b"l")
    with pytest.raises(wamr.MemoryLimitError):
        session(limits=wamr.ResourceLimits(memory_bytes=65536))


def test_a_callable_that_raises_ends_the_program():
    def refuse(data):
        if b"bad" in data:
            raise KeyError(data)

    s = session(stdout=refuse)
    s.feed(b"egood")
    with pytest.raises(KeyError):
        s.feed(b"ebad")
    with pytest.raises(RuntimeError, match="the program has ended, by KeyError"):
        s.feed(b"")


def test_closing_in_every_state():
    new = session()
    waiting, looping, ended, trapped = [session() for _ in range(4)]
    sleeping = asleep(command=b"S")
    waiting.feed(b"")
    with pytest.raises(TimeoutExpired):
        looping.feed(b"l", timeout=0.01)
    ended.end()
    with pytest.raises(wamr.Trap):
        trapped.feed(b"t")
    for s in (new, waiting, sleeping, looping, ended, trapped):
        s.close()
        s.close()
        with pytest.raises((wamr.ClosedError, RuntimeError)):
            s.feed(b"")
        assert s.waiting is None
    for s in (new, waiting, sleeping, looping):
        for call in (lambda s=s: s.feed(b"x"), s.end):
            with pytest.raises(wamr.ClosedError, match="the program is closed"):
                call()
        assert repr(s) == "<wamr.Session program, closed>"
    assert ended.end().returncode == ended.returncode == 0


def test_repr_tells_the_state():
    s = session()
    assert repr(s) == "<wamr.Session program, new>"
    s.feed(b"")
    assert repr(s) == "<wamr.Session program, waiting for stdin>"
    with pytest.raises(TimeoutExpired):
        s.feed(b"l", timeout=0)
    assert repr(s) == "<wamr.Session program, stopped>"
    s.close()
    s = session()
    s.end()
    assert repr(s) == "<wamr.Session program, exit code 0>"


def test_a_program_that_polls_its_input_waits_for_it():
    with session() as s:
        s.feed(b"")
        assert s.feed(b"I") == b""
        assert s.waiting == "stdin"
        assert s.feed(b"ex") == b".x"
        assert s.feed(b"i") == b""
        time.sleep(0.12)
        assert s.feed(b"") == b"-"
        assert s.feed(b"I") == b""
        assert s.end().stdout == b".bye\n"
