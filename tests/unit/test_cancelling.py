"""Cancelled calls: CancelledError is raised when no code of the call runs any more."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from counting_instance import Counter, cancelled, run

import wamr

needs_311 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio has no timeout and no TaskGroup before 3.11"
)


# ------------------------------------------------------------------ when it is raised
def test_the_code_has_stopped_when_cancelled_error_comes_out() -> None:
    async def main() -> None:
        for _ in range(50):
            counter = Counter()
            task = asyncio.create_task(counter.exports.count.call_async())
            await counter.counting()
            await cancelled(task)
            counter.assert_quiet()

    run(main())


def test_whenever_the_cancellation_comes() -> None:
    async def main() -> None:
        counter = Counter()
        delays = random.Random(1)
        for _ in range(100):
            begun = counter.begun
            task = asyncio.create_task(counter.exports.count.call_async())
            for _ in range(delays.randrange(4)):
                await asyncio.sleep(0)
            if delays.random() < 0.7:
                await asyncio.sleep(delays.random() / 200)
            await cancelled(task)
            counter.assert_quiet()
            assert counter.begun - begun in (0, 1)

    run(main())


def test_cancelled_again_and_again_it_still_waits() -> None:
    async def main() -> None:
        entered, leave = threading.Event(), threading.Event()

        def host() -> None:
            entered.set()
            leave.wait()

        counter = Counter(host)
        task = asyncio.create_task(counter.exports.host_then_count.call_async())
        await asyncio.to_thread(entered.wait)
        for _ in range(10):
            task.cancel()
            await asyncio.sleep(0.002)
            assert not task.done()  # the host function still runs
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        counter.assert_quiet()

    run(main())


def test_a_host_function_is_waited_for_and_what_it_raises_is_no_result() -> None:
    async def main() -> None:
        entered, leave = threading.Event(), threading.Event()

        def host() -> None:
            entered.set()
            leave.wait()
            raise KeyError("too late")

        counter = Counter(host)
        for func in (counter.exports.call_host, wamr.Func(wamr.Store(), wamr.FuncType(()), host)):
            entered.clear()
            leave.clear()
            task = asyncio.create_task(func.call_async())
            await asyncio.to_thread(entered.wait)
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
            leave.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
        counter.assert_quiet()

    run(main())


def test_wasm_code_that_a_host_func_calls_is_stopped_too() -> None:
    async def main() -> None:
        counter = Counter()
        func = wamr.Func(wamr.Store(), wamr.FuncType(()), counter.exports.count)
        task = asyncio.create_task(func.call_async())
        await counter.counting()
        await cancelled(task)
        counter.assert_quiet()

    run(main())


def test_a_result_that_is_there_already_does_not_lose_the_cancellation() -> None:
    async def main() -> None:
        waiting, called = threading.Event(), threading.Event()

        def host() -> None:
            waiting.wait()
            called.set()

        counter = Counter(host)
        for _ in range(50):
            waiting.clear()
            called.clear()
            task = asyncio.create_task(counter.exports.call_host.call_async())
            await asyncio.sleep(0)
            waiting.set()  # the task waits: on CPython 3.14 a faster thread would end it at once
            called.wait()  # the loop is blocked: the result arrives before the cancellation
            time.sleep(0.001)
            await cancelled(task)
            assert task.cancelled()
        assert await counter.exports.add.call_async(2, 3) == 5

    run(main())


# ------------------------------------------------------------------ calls that have not begun
def test_a_queued_call_never_begins() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        first, second = Counter(), Counter()
        running = asyncio.create_task(first.exports.count.call_async())
        await first.counting()
        queued = asyncio.create_task(second.exports.begin.call_async())
        await asyncio.sleep(0.01)
        await cancelled(queued)  # at once: it need not wait for the thread
        assert not running.done()
        await cancelled(running)
        await second.exports.add.call_async(1, 1)
        assert second.begun == 0

    run(main())


def test_a_call_that_waits_for_its_turn_never_begins() -> None:
    async def main() -> None:
        counter = Counter()
        for round_ in range(1, 11):
            running = asyncio.create_task(counter.exports.count.call_async())
            while counter.begun < round_:
                await asyncio.sleep(0.001)
            waiting = [asyncio.create_task(counter.exports.begin.call_async()) for _ in range(3)]
            await asyncio.sleep(0.005)
            for task in (*waiting, running):
                task.cancel()
            await asyncio.wait([*waiting, running])
            assert all(task.cancelled() for task in waiting)
            counter.assert_quiet()
            assert counter.begun == round_

    run(main())


def test_only_the_cancelled_call_is_stopped() -> None:
    async def main() -> None:
        one, other = Counter(), Counter()
        going_on = asyncio.create_task(other.exports.count.call_async())
        await other.counting()
        for number in range(50):
            task = asyncio.create_task(one.exports.count.call_async())
            await asyncio.sleep(0.001)
            task.cancel()
            following = one.exports.add.call_async(number, 1)
            assert await following == number + 1
            await asyncio.wait([task])
            assert task.cancelled()
        before = other.count
        while other.count == before:
            await asyncio.sleep(0.001)
        await cancelled(going_on)
        other.assert_quiet()

    run(main())


def test_more_calls_than_threads() -> None:
    async def main() -> None:
        counters = [Counter() for _ in range(60)]
        tasks = [asyncio.create_task(c.exports.count.call_async()) for c in counters]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        for counter in counters:
            counter.assert_quiet()
        sums = await asyncio.gather(*[c.exports.add.call_async(1, 2) for c in counters])
        assert sums == [3] * 60

    run(main())


# ------------------------------------------------------------------ what cancels
async def by_wait_for(call: Awaitable[Any], counter: Counter) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(call, 0.02)


async def by_timeout(call: Awaitable[Any], counter: Counter) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await call


async def by_task_group(call: Coroutine[Any, Any, Any], counter: Counter) -> None:
    async def fail() -> None:
        await counter.counting()
        raise KeyError("stop")

    with pytest.raises(BaseException) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(call)
            group.create_task(fail())
    assert [type(error) for error in caught.value.exceptions] == [KeyError]  # type: ignore[attr-defined]


async def by_gather(call: Awaitable[Any], counter: Counter) -> None:
    # otherwise it continues as soon as the first of them has ended
    both = asyncio.gather(call, asyncio.sleep(100), return_exceptions=True)
    await counter.counting()
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


@pytest.mark.parametrize(
    "stop",
    [
        by_wait_for,
        by_gather,
        pytest.param(by_timeout, marks=needs_311),
        pytest.param(by_task_group, marks=needs_311),
    ],
)
def test_all_that_cancels_waits_for_the_code(stop: Callable[..., Awaitable[None]]) -> None:
    async def main() -> None:
        for _ in range(20):
            counter = Counter()
            await stop(counter.exports.count.call_async(), counter)
            counter.assert_quiet()

    run(main())


@needs_311
def test_no_cancellation_is_counted_twice_or_lost() -> None:
    async def main() -> None:
        counter = Counter()
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await counter.exports.count.call_async()
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # would raise a cancellation that is left
        inner = asyncio.create_task(counter.exports.count.call_async())
        await asyncio.sleep(0.01)
        inner.cancel("why")
        inner.cancel("why again")
        with pytest.raises(asyncio.CancelledError):
            await inner
        assert inner.cancelling() == 2

    run(main())
