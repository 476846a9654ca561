"""Snapshots and copies of sessions."""

from __future__ import annotations

import asyncio
from subprocess import PIPE, TimeoutExpired

import pytest
from fed_programs import asleep, fed, session

import wamr
from wamr import Program, Snapshot, WasiConfig
from wamr._run.restored import dirs_now

pytestmark = pytest.mark.usefixtures("wat")


def test_a_snapshot_has_the_state_and_the_suspended_call():
    with session() as s:
        s.feed(b"n")
        snapshot = s.snapshot()
        assert isinstance(snapshot, Snapshot)
        assert s.feed(b"n") == b"2"
    out = []
    wasi = WasiConfig(stdin=b"n", stdout=out.append)
    instance, execution = snapshot.instantiate(wasi=wasi)
    assert instance.exports.count.value == 1
    with pytest.raises(StopIteration):
        next(execution)
    assert b"".join(out) == b"2bye\n"


def test_copies_of_a_session_go_on_from_where_it_is():
    with session(text=True) as s:
        assert s.feed("n") == "ready\n1"
        program = Program.from_session(s)
        assert (program.args, program.stdout, program.stderr) == ([fed()], b"", b"")
        with program.session() as one, program.session(text=True) as two:
            assert one.feed(b"n") == b"2"
            assert two.feed("n") + two.feed("n") == "23"
            assert s.feed("n") == "2"
        assert program.run(input=b"n", stdout=PIPE).stdout == b"2bye\n"
        deeper = Program.from_session(program.session())
        assert deeper.run(input=b"n", stdout=PIPE).stdout == b"2bye\n"


def test_a_session_that_has_not_begun_can_be_copied():
    s = session()
    program = Program.from_session(s)
    assert program.run(input=b"n", stdout=PIPE).stdout == b"ready\n1bye\n"
    copy = program.session()
    assert copy.waiting is None
    assert copy.feed(b"n") == b"ready\n1"
    assert s.snapshot().instantiate(wasi=WasiConfig())[1] is None


def test_a_session_that_sleeps_can_be_copied():
    s = asleep(command=b"s" + b"x" * 65535 + b"e!")  # one read takes 64 KiB
    copy = Program.from_session(s).session()
    assert copy.waiting == "sleep"
    assert copy.feed(b"") == b".!"
    assert s.feed(b"") == b".!"


def test_a_session_that_polls_its_input_can_be_copied():
    with session() as s:
        s.feed(b"")
        assert s.feed(b"I") == b""
        program = Program.from_session(s)
        assert program.run(input=b"ex", stdout=PIPE).stdout == b".xbye\n"
        copy = program.session()
        assert copy.waiting == "stdin"
        assert copy.feed(b"ey") == b".y"


def test_on_restore():
    with session() as s:
        s.feed(b"")
        calls = []
        program = Program.from_session(s, on_restore=calls.append)
        program.run(input=b"", stdout=PIPE)
        assert len(calls) == 1
        program = Program.from_session(s, on_restore=b"efirst ")
        assert program.run(input=b"then", stdout=PIPE).stdout == b"first thenbye\n"
        s.snapshot(on_restore=calls.append).instantiate(wasi=WasiConfig())
        assert len(calls) == 2
        with pytest.raises(ValueError, match="exports no function 'nothing'"):
            Program.from_session(s, on_restore="nothing")
        with pytest.raises(TypeError, match="on_restore must be"):
            Program.from_session(s, on_restore=3)
        with pytest.raises(TypeError, match="on_restore must be"):
            s.snapshot(on_restore=3)


def test_what_has_ended_or_is_closed_cannot_be_copied():
    ended, trapped, closed = session(), session(), session()
    ended.end()
    with pytest.raises(wamr.Trap):
        trapped.feed(b"t")
    closed.close()
    for s, error, text in (
        (ended, RuntimeError, "has ended, with exit code 0"),
        (trapped, RuntimeError, "has ended, by Trap"),
        (closed, wamr.ClosedError, "the program is closed"),
    ):
        for call in (s.snapshot, lambda s=s: Program.from_session(s)):
            with pytest.raises(error, match=text):
                call()


@pytest.mark.parametrize("bad", [None, "session", wamr.Store])
def test_only_sessions_are_copied(bad):
    with pytest.raises(TypeError, match="session must be a Session"):
        Program.from_session(bad)


def test_a_session_that_runs_cannot_be_copied():
    async def main():
        s = session()
        task = asyncio.create_task(s.feed_async(b"S"))
        await asyncio.sleep(0.05)
        for call in (s.snapshot, lambda: Program.from_session(s)):
            with pytest.raises(RuntimeError, match="the program runs already"):
                call()
        s.close()
        with pytest.raises(wamr.ClosedError):
            await task

    asyncio.run(main())


def test_a_session_in_the_middle_of_its_code():
    with session() as s:
        with pytest.raises(TimeoutExpired):
            s.feed(b"l", timeout=0.01)
        with Program.from_session(s).session() as copy:
            assert copy.waiting is None
            with pytest.raises(TimeoutExpired):
                copy.feed(b"", timeout=0.01)
        with pytest.raises(TimeoutExpired):
            s.feed(b"", timeout=0.01)


def test_a_program_of_a_session_is_one_state(monkeypatch):
    """Nobody can feed the session between the snapshot and what is read besides it."""
    source, refusals = session(), []
    source.feed(b"")

    def feeds(config):
        with pytest.raises(RuntimeError, match="runs already") as caught:
            source.feed(b"eagain")
        refusals.append(caught.value)
        return dirs_now(config)

    monkeypatch.setattr("wamr._run.session.dirs_now", feeds)
    copy = Program.from_session(source)
    assert len(refusals) == 1
    assert copy.session().feed(b"eone") == source.feed(b"eone") == b"one"
