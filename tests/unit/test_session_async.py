"""Sessions in asyncio: feed_async and end_async."""

from __future__ import annotations

import asyncio
from subprocess import TimeoutExpired

import pytest
from fed_programs import asleep, session

import wamr

pytestmark = pytest.mark.usefixtures("wat")

SLICES = pytest.mark.parametrize("slice_", [None, 0.002], ids=["executor", "loop"])


@SLICES
def test_feeding_and_ending_a_session(slice_):
    async def main():
        async with session() as s:
            assert await s.feed_async(b"eone", slice=slice_) == b"ready\none"
            assert s.waiting == "stdin"
            assert await s.feed_async(b"2x", slice=slice_) == b""
            assert s.stderr == b"x"
            assert s.feed(b"n") == b"1"
            done = await s.end_async(slice=slice_)
            assert (done.returncode, done.stdout) == (0, b"bye\n")
            assert await s.end_async() is done
            with pytest.raises(RuntimeError, match="the program has ended, with exit code 0"):
                await s.feed_async(b"")

    asyncio.run(main())


@SLICES
def test_a_timeout_leaves_the_session_as_it_is(slice_):
    async def main():
        async with asleep() as s:
            assert await s.feed_async(b"ex", slice=slice_) == b".x"
            with pytest.raises(TimeoutExpired):
                await s.feed_async(b"S", timeout=0.02, slice=slice_)
            with pytest.raises(TimeoutExpired):
                await s.feed_async(b"", timeout=0, slice=slice_)
        async with session() as s:
            with pytest.raises(TimeoutExpired):
                await s.feed_async(b"l", timeout=0.05, slice=slice_)
            with pytest.raises(TimeoutExpired):
                await s.end_async(timeout=0.05, slice=slice_)

    asyncio.run(main())


@SLICES
def test_cancelling_leaves_the_session_as_it_is(slice_):
    async def main():
        for command, waiting in ((b"S", "sleep"), (b"l", None)):
            async with session() as s:
                s.feed(b"")
                task = asyncio.create_task(s.feed_async(command, slice=slice_))
                await asyncio.sleep(0)
                while s.waiting != waiting:
                    await asyncio.sleep(0.001)
                with pytest.raises(RuntimeError, match="the program runs already"):
                    await s.feed_async(b"")
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert s.waiting == waiting
                with pytest.raises(TimeoutExpired):
                    await s.feed_async(b"", timeout=0.01, slice=slice_)

    asyncio.run(main())


@SLICES
def test_a_session_that_is_closed_meanwhile(slice_):
    async def main():
        for command in (b"l", b"S"):
            s = session()
            task = asyncio.create_task(s.feed_async(command, slice=slice_))
            await asyncio.sleep(0.05)
            s.close()
            with pytest.raises(wamr.ClosedError):
                await task

    asyncio.run(main())


@SLICES
def test_a_task_that_is_cancelled_when_its_session_is_closed(slice_):
    async def main():
        for command in (b"l", b"S"):
            s = session()
            task = asyncio.create_task(s.feed_async(command, slice=slice_))
            await asyncio.sleep(0.02)
            s.close()
            task.cancel()
            with pytest.raises((asyncio.CancelledError, wamr.ClosedError)):
                await task
            with pytest.raises(wamr.ClosedError):
                s.feed(b"")

    asyncio.run(main())


def test_a_coroutine_that_is_dropped_leaves_the_session_usable():
    s = session()

    async def main():
        coroutine = s.feed_async(b"l")
        coroutine.send(None)
        coroutine.close()
        assert s.waiting is None
        with pytest.raises(TimeoutExpired):
            await s.feed_async(b"", timeout=0.01)

    asyncio.run(main())
    s.close()


def test_many_sessions_at_once():
    async def main():
        sessions = [session() for _ in range(100)]
        for _ in range(2):
            found = await asyncio.gather(*[s.feed_async(b"n") for s in sessions])
        assert found == [b"2"] * 100
        for s in sessions:
            s.close()

    asyncio.run(main())
