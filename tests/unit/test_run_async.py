"""wamr.run_async: what wamr.run does, in asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import io
import os
import socket
import subprocess
import threading
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired

import pytest
from fed_programs import asleep, fed, session
from time_units import in_units

import wamr

pytestmark = pytest.mark.usefixtures("wat")

SLICES = pytest.mark.parametrize("slice_", [None, 0.002], ids=["executor", "loop"])
SPINS_AT_START = """(module (func $spin (loop $ever (br $ever))) (start $spin)
    (func (export "_start")))"""


def run(*args, **rest):
    """Run the program of fed_programs."""
    return asyncio.run(wamr.run_async([fed(), *args], **rest))


@SLICES
def test_the_result_is_that_of_run(slice_):
    options = {"capture_output": True, "text": True, "input": "2éx"}
    done = run(**options, slice=slice_)
    assert isinstance(done, CompletedProcess)
    assert (done.args, done.returncode) == ([fed()], 0)
    assert (done.stdout, done.stderr) == ("ready\nbye\n", "éx")
    assert vars(done) == vars(wamr.run([fed()], **options))
    assert run(input=b"x\x05", stdout=DEVNULL, slice=slice_).returncode == 5


@SLICES
def test_stdio_of_all_kinds(slice_, tmp_path, capfd):
    data = tmp_path / "in"
    data.write_bytes(b"ehello")
    for stdin in (data, str(data), io.BytesIO(b"ehello"), b"ehello"):
        assert run(stdin=stdin, stdout=PIPE, slice=slice_).stdout == b"ready\nhellobye\n"
    with data.open("rb") as file:
        assert run(stdin=file, stdout=PIPE, slice=slice_).stdout == b"ready\nhellobye\n"
    for stdin in (PIPE, DEVNULL):
        assert run(stdin=stdin, stdout=PIPE, slice=slice_).stdout == b"ready\nbye\n"
    got, pieces = [], ["ehe", "ello", ""]
    run(stdin=lambda _: pieces.pop(0), stdout=got.append, text=True, slice=slice_)
    assert "".join(got) == "ready\nhellobye\n"
    done = run(input=b"2x", stdout=PIPE, stderr=STDOUT, slice=slice_)
    assert (done.stdout, done.stderr) == (b"ready\nxbye\n", None)
    capfd.readouterr()
    run(input=b"2x", slice=slice_)
    assert capfd.readouterr() == ("ready\nbye\n", "x")


@SLICES
def test_a_program_that_waits_for_a_pipe_takes_no_thread(slice_):
    async def main():
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb") as stdin:
            task = asyncio.create_task(
                wamr.run_async([fed()], stdin=stdin, stdout=PIPE, slice=slice_)
            )
            for piece in (b"e1", b"e2"):
                await asyncio.sleep(0.05)
                os.write(theirs, piece)
            await asyncio.sleep(0.05)
            os.close(theirs)
            return await task

    assert asyncio.run(main()).stdout == b"ready\n12bye\n"


def test_a_full_pipe_is_waited_for():
    async def main():
        ours, theirs = os.pipe()
        with os.fdopen(theirs, "wb") as stdout:
            task = asyncio.create_task(wamr.run_async([fed()], input=b"m\x05", stdout=stdout))
            await asyncio.sleep(0.1)
            assert not task.done()
            size = 0
            while size < 6 + 5 * 65536:
                size += len(await asyncio.to_thread(os.read, ours, 1 << 20))
            await task
        rest = os.read(ours, 100)
        os.close(ours)
        return size + len(rest)

    assert asyncio.run(main()) == 6 + 5 * 65536 + 4


@SLICES
def test_sockets_as_streams(slice_):
    async def main():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            task = asyncio.create_task(
                wamr.run_async([fed()], stdin=theirs, stdout=theirs, slice=slice_)
            )
            reader, writer = await asyncio.open_connection(sock=ours)
            got = [await reader.readexactly(6)]
            for piece in (b"eone", b"etwo"):
                writer.write(piece)
                got.append(await reader.readexactly(3))
            writer.write_eof()
            await task
            got.append(await reader.readexactly(4))
            writer.close()
            return b"".join(got)

    assert asyncio.run(main()) == b"ready\nonetwobye\n"


def test_timeouts_and_task_groups_of_asyncio():
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wamr.run_async([fed()], input=b"l", stdout=DEVNULL), 0.05)
        async with asleep() as s:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(s.feed_async(b"eword"), 0)
            assert await s.feed_async(b"") in (b".word", b".")  # it may not have begun

    asyncio.run(main())


def test_a_loop_that_ends_meanwhile_leaves_the_session_usable():
    s = session()
    s.feed(b"")

    async def main():
        asyncio.create_task(s.feed_async(b"l"))  # noqa: RUF006 - the loop cancels it
        await asyncio.sleep(0.05)

    asyncio.run(main())
    with pytest.raises(TimeoutExpired):
        s.feed(b"l", timeout=0.01)
    s.close()


def test_many_sleeping_programs_take_few_threads():
    async def main():
        before = set(threading.enumerate())
        runs = [wamr.run_async([fed()], input=b"s", stdout=PIPE) for _ in range(100)]
        done = await asyncio.gather(*runs)
        return done, set(threading.enumerate()) - before

    done, threads = asyncio.run(main())
    assert {each.stdout for each in done} == {b"ready\n.bye\n"}
    assert len(threads) <= 40  # of the executor


@SLICES
@pytest.mark.parametrize("command", [b"l", b"S"])
@in_units
def test_timeout(command, slice_, unit):
    with pytest.raises(TimeoutExpired) as caught:
        run("x", input=command, capture_output=True, timeout=unit, slice=slice_)
    error = caught.value
    assert (error.cmd, error.timeout) == ([fed(), "x"], unit)
    assert (error.stdout, error.stderr) == (b"ready\n", None)


@SLICES
@in_units
def test_other_limits(slice_, unit):
    with pytest.raises(wamr.TimeoutTrap) as caught:
        limits = wamr.ResourceLimits(timeout=unit)
        run(input=b"l", stdout=PIPE, limits=limits, timeout=60, slice=slice_)
    assert caught.value.stdout == b"ready\n"
    with pytest.raises(wamr.FuelTrap):
        run(input=b"l", stdout=PIPE, limits=wamr.ResourceLimits(fuel=10**5), slice=slice_)


def test_a_start_function_does_not_stop_the_loop():
    async def main():
        task = asyncio.create_task(wamr.run_async([SPINS_AT_START]))
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutExpired):
            await wamr.run_async([SPINS_AT_START], timeout=0.05)

    asyncio.run(main())


@SLICES
def test_exceptions(slice_):
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        run(input=b"t", capture_output=True, slice=slice_)
    assert caught.value.stdout == b"ready\n"
    with pytest.raises(subprocess.CalledProcessError) as called:
        run(input=b"x\x02", capture_output=True, check=True, slice=slice_)
    assert (called.value.returncode, called.value.stdout) == (2, b"ready\n")

    def fail(data):
        raise KeyError(data)

    with pytest.raises(KeyError):
        run(stdout=fail, slice=slice_)
    with pytest.raises(TypeError, match="stdin gave NoneType where bytes are needed"):
        run(stdin=lambda _: None, stdout=DEVNULL, slice=slice_)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"input": "text"}, TypeError, "input must be bytes"),
        ({"input": b"", "stdin": b""}, ValueError, "can't both be used"),
        ({"capture_output": True, "stdout": PIPE}, ValueError, "with capture_output"),
        ({"timeout": -1}, ValueError, "timeout must not be negative"),
        ({"slice": -1}, ValueError, "slice must not be negative"),
        ({"slice": "x"}, TypeError, "slice must be a number"),
        ({"limits": 1}, TypeError, "limits must be ResourceLimits"),
    ],
)
def test_wrong_arguments(options, error, text):
    with pytest.raises(error, match=text):
        run(**options)


def test_a_wrong_program():
    with pytest.raises(FileNotFoundError):
        asyncio.run(wamr.run_async(["nowhere.wasm"]))
    with pytest.raises(TypeError, match="args must be a sequence"):
        asyncio.run(wamr.run_async(None))
    with pytest.raises(ValueError, match="args is empty"):
        asyncio.run(wamr.run_async([]))


@SLICES
@pytest.mark.parametrize("command", [b"l", b"S"])
def test_cancelling_ends_the_program(command, slice_):
    async def main():
        started = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            wamr.run_async(
                [fed()],
                input=command,
                stdout=lambda _: loop.call_soon_threadsafe(started.set),
                slice=slice_,
            )
        )
        await started.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_callables_see_the_context_of_the_task():
    variable = contextvars.ContextVar("variable")
    seen = []

    async def main():
        variable.set("of the task")
        await wamr.run_async([fed()], input=b"", stdout=lambda _: seen.append(variable.get()))

    asyncio.run(main())
    assert seen == ["of the task"] * 2


def test_other_tasks_run_meanwhile():
    async def main():
        for slice_ in (None, 0.002):
            task = asyncio.create_task(
                wamr.run_async([fed()], input=b"l", stdout=DEVNULL, slice=slice_)
            )
            for _ in range(5):
                await asyncio.sleep(0.01)
                assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
