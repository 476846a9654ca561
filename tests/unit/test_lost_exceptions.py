"""What code raises while the task that awaits it is cancelled: the cause of the CancelledError."""

from __future__ import annotations

import asyncio
import threading

import pytest
from async_hosts import exports_with, run
from wasm_fixtures import program

import wamr
from wamr.sandbox import _drive

SAYS = program("(call $say (i32.const 0) (i32.const 2))")


class Fails:
    """A function that cancels a task, and raises an exception when the task knows that."""

    def __init__(self) -> None:
        self.error = ValueError("lost")
        self.loop = asyncio.get_running_loop()
        self.cancelled = threading.Event()
        self.task: asyncio.Task[object]

    def __call__(self, *_):
        self.loop.call_soon_threadsafe(self._cancel)
        self.cancelled.wait()
        raise self.error

    def _cancel(self):
        self.task.cancel()
        self.loop.call_soon(self.loop.call_soon, self.cancelled.set)

    async def is_cause(self, awaitable):
        self.task = asyncio.ensure_future(awaitable)
        with pytest.raises(asyncio.CancelledError) as caught:
            await self.task
        error = caught.value
        while error is not None and error.__cause__ is None:
            error = error.__context__
        return error is not None and error.__cause__ is self.error


def test_a_call():
    async def main():
        fails = Fails()
        assert await fails.is_cause(exports_with(fails).run.call_async(1))

    run(main())


def test_a_session():
    async def main():
        fails = Fails()
        session = wamr.Session([SAYS], stdout=fails)
        assert await fails.is_cause(session.feed_async(b""))
        assert "ended by ValueError" in repr(session)
        with pytest.raises(RuntimeError, match="the program has ended, by ValueError"):
            session.feed(b"")
        assert fails.error.stderr is None  # the attributes of exceptions of programs

    run(main())


def test_a_step_of_a_sandbox():
    async def main():
        fails = Fails()
        assert await fails.is_cause(_drive._in_thread(fails, lambda: None))

    run(main())


def test_the_trap_of_the_cancellation_itself_is_no_cause():
    async def main():
        running = threading.Event()
        exports = exports_with(lambda number: running.set() or number)
        task = asyncio.ensure_future(exports.fetch_then_spin.call_async(1))
        await asyncio.get_running_loop().run_in_executor(None, running.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        error = caught.value
        while error is not None:
            assert error.__cause__ is None
            error = error.__context__

    run(main())
