"""Programs: the private directories of their runs, and what was written before they waited."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, TimeoutExpired

import pytest
from fed_programs import fed
from wasm_fixtures import in_process

import wamr

pytestmark = pytest.mark.usefixtures("wat")


@pytest.mark.skipif(os.name == "nt", reason="private directories need those of POSIX")
def test_empty_folders_of_private_directories_are_in_each_run():
    contents = {"a": b"1", "empty": {}, "full": {"b": b"2"}, "deep": {"er": {"no": {}}}}
    expected = {"a": b"1", "full/b": b"2", "empty": {}, "deep/er/no": {}}
    with wamr.Program([fed()], dirs={"/w": contents}) as program:
        for done in (program.run(input=b"n", stdout=PIPE), program.run(input=b"n", stdout=PIPE)):
            assert done.files["/w"].tree() == expected
            Path(done.files["/w"].path, "empty").rmdir()  # of this run only
        with program.session() as session:
            Path(session.files["/w"].path, "new").mkdir()
            copy = wamr.Program.from_session(session).run(input=b"n", stdout=PIPE)
        assert copy.files["/w"].tree() == {**expected, "new": {}}
        other = program.run(input=b"n", stdout=PIPE, dirs={"/w": {}})
        assert other.files["/w"].tree() == {}


def test_what_the_program_wrote_until_it_waited_does_not_count_as_output_of_a_run():
    banner, rest = b"ready\n", b"1bye\n"
    enough = wamr.ResourceLimits(output_bytes=len(rest))
    with wamr.Program([fed()], limits=wamr.ResourceLimits(output_bytes=len(banner))) as program:
        for _ in range(2):
            done = program.run(input=b"n", stdout=PIPE, limits=enough)
            assert done.stdout == banner + rest
        with pytest.raises(wamr.OutputLimitTrap) as caught:
            program.run(input=b"n", stdout=PIPE, limits=wamr.ResourceLimits(output_bytes=1))
        assert caught.value.stdout == banner + rest[:1]
    with pytest.raises(wamr.OutputLimitTrap):
        wamr.Program([fed()], limits=wamr.ResourceLimits(output_bytes=len(banner) - 1))


@pytest.fixture
def full():
    """A pipe without room, which has some after a minute, so that no test hangs."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while os.write(theirs, b"x" * size):
                pass
    os.set_blocking(theirs, True)
    timer = threading.Timer(60, os.read, (ours, 1 << 20))
    timer.start()
    yield theirs
    assert timer.is_alive()  # nothing has waited for room
    timer.cancel()
    timer.join()
    os.close(ours)
    os.close(theirs)


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows can't be waited for")
def test_timeouts_end_the_writing_of_what_it_wrote_until_it_waited(full):
    with wamr.Program([fed()]) as program:
        with pytest.raises(TimeoutExpired):
            program.run(input=b"n", stdout=full, timeout=0.05)
        with pytest.raises(wamr.TimeoutTrap):
            program.run(input=b"n", stdout=full, limits=wamr.ResourceLimits(timeout=0.05))
        with pytest.raises(TimeoutExpired):
            asyncio.run(program.run_async(input=b"n", stdout=full, timeout=0.05))


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows can't be waited for")
def test_cancelling_ends_the_writing_of_what_it_wrote_until_it_waited(full):
    async def main():
        await asyncio.wait_for(program.run_async(input=b"n", stdout=full), 0.1)

    with wamr.Program([fed()]) as program, pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())


def test_a_process_without_stdout_discards_what_it_wrote_until_it_waited():
    in_process("""
        from fed_programs import fed
        with wamr.Program([fed()]) as program:
            os.close(1)
            assert program.run(input=b"n").returncode == 0
    """)


def test_a_reader_that_is_gone_is_told_to_the_program_as_by_run():
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        with pytest.raises(wamr.Trap, match="unreachable"):  # which the program executes then
            wamr.run([fed()], input=b"n", stdout=theirs)
        with wamr.Program([fed()]) as program, pytest.raises(wamr.Trap, match="unreachable"):
            program.run(input=b"n", stdout=theirs)
    finally:
        os.close(theirs)


ENVIRON = r"""(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\40\00\00\00\40")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $sizes (i32.const 20) (i32.const 4)))
    (drop (call $environ (i32.const 1024) (i32.const 64)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


def test_changes_of_the_arguments_do_not_reach_the_runs(tmp_path, monkeypatch):
    env, dirs = {"A": "1"}, {}
    if "wasi-directories" in wamr.FEATURES:
        dirs["/d"] = "here"
        (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    module = wamr.Module(wamr.Engine(), ENVIRON)
    session = wamr.Session([module], env=env, dirs=dirs)
    session.feed(b"")
    program = wamr.Program([module], env=env, dirs=dirs)
    program.save(tmp_path / "saved")
    loaded = wamr.Program.load(tmp_path / "saved", module, dirs=dirs)
    env["A"] = "2"
    dirs["/e"] = str(tmp_path)
    monkeypatch.chdir("/")
    for one in (program, loaded, wamr.Program.from_session(session)):
        with one.session() as copy:
            assert copy.feed(b"x") == b"A=1\0"
        assert one.run(input=b"x", stdout=PIPE).stdout == b"A=1\0"
    session.close()
