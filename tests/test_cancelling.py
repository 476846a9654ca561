"""Cancelled calls: CancelledError comes out when nothing of the call runs any more."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import wamr

needs_311 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio has no timeout and no TaskGroup before 3.11"
)

# Counts in memory for ever; counts how often it was begun, too.
COUNTING = """
(module
  (import "env" "host" (func $host))
  (memory (export "memory") 1)
  (func (export "count")
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
    (loop
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (br 0)))
  (func (export "begin")
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "call_host") (call $host))
  (func (export "host_then_count")
    (call $host)
    (loop
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (br 0))))
"""


class Counter:
    """An instance that counts, and what can be seen of it from outside."""

    def __init__(self, host: Callable[[], object] = lambda: None) -> None:
        self.exports = wamr.load(COUNTING, {"env": {"host": host}}).exports

    def _number(self, offset: int) -> int:
        return int.from_bytes(self.exports.memory[offset : offset + 4], "little")

    @property
    def count(self) -> int:
        return self._number(0)

    @property
    def begun(self) -> int:
        return self._number(8)

    async def counting(self) -> None:
        """Wait until its code runs."""
        while not self.count:
            await asyncio.sleep(0.001)

    def assert_quiet(self) -> None:
        """Nothing runs in it: no number moves, and it is free for a call at once."""
        before = self.count
        time.sleep(0.002)
        assert self.count == before
        assert self.exports.add.call(2, 3, timeout=30) == 5


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 120))


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ------------------------------------------------------------------ when it comes out
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
            assert not task.done()  # the host function is still in there
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
        called = threading.Event()
        counter = Counter(called.set)
        for _ in range(50):
            called.clear()
            task = asyncio.create_task(counter.exports.call_host.call_async())
            await asyncio.sleep(0)
            called.wait()  # the loop stands still: the result comes in before the cancellation
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
    # else it goes on as soon as the first of them has ended, whatever the others do
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


# ------------------------------------------------------------------ the end of a loop
def test_the_end_of_asyncio_run_stops_it() -> None:
    counter = Counter()

    async def main() -> None:
        task = asyncio.create_task(counter.exports.count.call_async())
        await counter.counting()
        kept.append(task)

    kept: list[asyncio.Task[Any]] = []
    asyncio.run(main())
    assert kept[0].cancelled()
    counter.assert_quiet()


def test_an_exception_of_main_stops_it() -> None:
    counter = Counter()

    async def main(raised: BaseException) -> None:
        task = asyncio.create_task(counter.exports.count.call_async())
        begun = counter.begun
        while counter.begun == begun:
            await asyncio.sleep(0.001)
        assert not task.done()
        raise raised

    for error in (KeyError("x"), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)) as caught:
            asyncio.run(main(error))
        assert caught.value is error
        counter.assert_quiet()


def test_ctrl_c_in_asyncio_run_stops_it() -> None:
    counter = Counter()

    async def main() -> None:
        task = asyncio.create_task(counter.exports.count.call_async())
        await counter.counting()
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await task

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    counter.assert_quiet()


def test_a_loop_that_is_closed_over_it_stops_it() -> None:
    counter = Counter()
    loop = asyncio.new_event_loop()
    task = loop.create_task(counter.exports.count.call_async())
    loop.run_until_complete(counter.counting())
    loop.close()
    assert counter.exports.add(2, 3) == 5  # waits until the instance is free
    counter.assert_quiet()
    assert not task.done()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Task was destroyed but it is pending!"
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task
        gc.collect()


def test_a_coroutine_that_is_closed_stops_it() -> None:
    async def main() -> None:
        counter = Counter()
        call = counter.exports.count.call_async()
        call.send(None)
        await counter.counting()
        call.close()
        assert await counter.exports.add.call_async(2, 3) == 5
        counter.assert_quiet()

    run(main())


def test_a_call_that_was_never_awaited_never_begins() -> None:
    counter = Counter()
    counter.exports.begin.call_async().close()
    counter.assert_quiet()
    assert counter.begun == 0


def test_without_a_loop_it_is_an_error() -> None:
    call = Counter().exports.begin.call_async()
    with pytest.raises(RuntimeError, match="no running event loop"):
        call.send(None)


# ------------------------------------------------------------------ context variables
level: contextvars.ContextVar[str] = contextvars.ContextVar("level", default="unset")


def test_host_functions_see_the_tasks_context() -> None:
    seen: list[str] = []

    def host() -> None:
        seen.append(level.get())
        level.set("changed")
        seen.append(level.get())

    async def main() -> None:
        counter = Counter(host)
        host_func = wamr.Func(wamr.Store(), wamr.FuncType(()), host)
        for func in (counter.exports.call_host, host_func):
            level.set("of the task")
            await func.call_async()
            assert level.get() == "of the task"  # as with to_thread, nothing leaks back

    run(main())
    assert seen == ["of the task", "changed"] * 2
    assert level.get() == "unset"


def test_each_task_has_its_own_context() -> None:
    seen: dict[str, str] = {}

    async def one(name: str) -> None:
        def host() -> None:
            seen[name] = level.get()

        level.set(name)
        await Counter(host).exports.call_host.call_async()

    async def main() -> None:
        await asyncio.gather(*[one(f"task {i}") for i in range(20)])

    run(main())
    assert seen == {f"task {i}": f"task {i}" for i in range(20)}


# ------------------------------------------------------------------ exceptions
class Own(BaseException):
    """Neither Exception nor anything that asyncio knows."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        Own("mine"),
        asyncio.TimeoutError(),
        asyncio.InvalidStateError(),
        asyncio.CancelledError("mine"),
        GeneratorExit(),
        wamr.Trap("mine"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_host_function_raises_is_the_same_object(error: BaseException) -> None:
    def host() -> None:
        raise error

    async def main() -> None:
        counter = Counter(host)
        for func in (
            counter.exports.call_host,
            wamr.Func(wamr.Store(), wamr.FuncType(()), host),
        ):
            with pytest.raises(type(error)) as caught:
                await func.call_async()
            assert caught.value is error
        counter.assert_quiet()

    run(main())


def test_the_exceptions_that_futures_replace_stay_themselves() -> None:
    import concurrent.futures

    for error in (concurrent.futures.CancelledError(), concurrent.futures.TimeoutError()):
        test_what_a_host_function_raises_is_the_same_object(error)


def test_stop_iteration_is_a_runtime_error_as_in_every_coroutine() -> None:
    error = StopIteration(5)

    def host() -> None:
        raise error

    async def main() -> None:
        with pytest.raises(RuntimeError) as caught:
            await Counter(host).exports.call_host.call_async()
        assert caught.value.__cause__ is error

    run(main())


def test_nothing_of_a_call_is_held_when_it_is_over() -> None:
    class Thing:
        pass

    async def main() -> None:
        import weakref

        def host() -> None:
            raise KeyError(thing)

        thing = Thing()
        gone = weakref.ref(thing)
        counter = Counter(host)
        gc.disable()
        try:
            with pytest.raises(KeyError):
                await counter.exports.call_host.call_async()
            del counter, host, thing
            for _ in range(100):  # the executor's thread drops its own some time after the result
                if gone() is None:
                    break
                await asyncio.sleep(0.01)
                gc.collect()  # what pytest's `raises` made
            assert gone() is None
        finally:
            gc.enable()

    run(main())
