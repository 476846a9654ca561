"""Slices in the thread of the loop, other calls that are in the way, and anything in any order."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from async_hosts import LINKED, MODES, MODULE, Gate, exports_with, in_each_mode, run
from counting_instance import Counter, cancelled
from executions import in_the_middle, suspended

import wamr
from wamr import SUSPEND, Instance, Module, Store
from wamr._runtime.awaitables import Begun
from wamr._runtime.awaiter import Awaiter, Stepped

pytestmark = pytest.mark.usefixtures("wat")

HELD = "another call is suspended in the middle of its instance's code: resume or close it first"


# ------------------------------------------------------------------ slices
def test_the_loop_goes_on_between_slices() -> None:
    async def main() -> None:
        exports = exports_with(lambda number: number)
        task = asyncio.create_task(exports.spin.call_async(slice=0.001))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        with pytest.raises(RuntimeError, match=HELD):
            exports.plus(1)
        queued = asyncio.create_task(exports.plus.call_async(1, slice=0.001))
        in_executor = asyncio.create_task(exports.plus.call_async(2))
        await asyncio.sleep(0.01)
        assert not queued.done()
        task.cancel()
        assert await queued == 2
        assert await in_executor == 3
        assert exports.plus(1) == 2

    run(main())


def test_calls_in_slices_run_side_by_side() -> None:
    async def main() -> None:
        counters = [Counter() for _ in range(5)]
        tasks = [asyncio.create_task(c.exports.count.call_async(slice=0)) for c in counters]
        counts = [0] * 5
        for _ in range(20):
            await asyncio.sleep(0.001)
            before, counts = counts, [counter.count for counter in counters]
            while not all(now > then for now, then in zip(counts, before, strict=True)):
                await asyncio.sleep(0)
                counts = [counter.count for counter in counters]
        for task, counter in zip(tasks, counters, strict=True):
            await cancelled(task)
            counter.assert_quiet()

    run(main())


def test_a_plain_host_function_may_start_a_call_in_its_own_loop() -> None:
    """As asyncio.eager_task_factory does, which runs the first step of a task at once."""
    started: list[asyncio.Task[int]] = []

    async def rest(call: Any, yielded: Any) -> int:
        result: int = await Stepped(Awaiter(), Begun(call, yielded))
        return result

    def host(number: int) -> int:
        for mode in MODES.values():
            call = exports.plus.call_async(number, **mode)
            started.append(asyncio.ensure_future(rest(call, call.send(None))))
        return number

    exports = exports_with(host)

    async def main() -> None:
        assert await exports.twice.call_async(5, slice=0.01) == 107
        assert await asyncio.gather(*started) == [6] * 3 + [101] * 3

    run(main())


@in_each_mode
def test_an_execution_that_keeps_the_instance_is_waited_for(mode: Any) -> None:
    async def main() -> None:
        exports = exports_with(lambda number: SUSPEND)
        held = in_the_middle(exports.count)
        task = asyncio.create_task(exports.plus.call_async(1, **mode))
        await asyncio.sleep(0.03)
        assert not task.done()
        with pytest.raises(wamr.TimeoutTrap):
            await exports.plus.call_async(1, timeout=0.03, **mode)
        held.close()
        assert await task == 2

    run(main())


@in_each_mode
def test_an_execution_that_was_suspended_later_goes_on_first(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        store = Store()
        inst = Instance(store, Module(store, MODULE), {"env": {"fetch": gate.fetch}})
        suspends = Instance(
            store, Module(store, LINKED), {"env": {"fetch": lambda _: SUSPEND}, "lib": inst.exports}
        )
        execution = suspended(suspends.exports.run, 1)
        execution.close()
        task = asyncio.create_task(inst.exports.run.call_async(1, **mode))
        await gate.entered.wait()
        later = inst.exports.run.execution(2)
        event = next(later)
        gate.opened.set()
        await asyncio.sleep(0.03)
        assert not task.done()
        with pytest.raises(StopIteration) as end:
            later.send(await event.awaitable)
        assert end.value.value == 5
        assert await task == 3

    run(main())


@in_each_mode
def test_a_plain_call_in_another_thread_is_waited_for_without_blocking_the_loop(mode: Any) -> None:
    async def main() -> None:
        entered, leave = threading.Event(), threading.Event()

        def host(number: int) -> int:
            entered.set()
            leave.wait(30)
            return number

        exports = exports_with(host)
        plain = asyncio.create_task(asyncio.to_thread(exports.run, 1))
        await asyncio.to_thread(entered.wait)
        task = asyncio.create_task(exports.plus.call_async(1, **mode))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not task.done()
        leave.set()
        assert await task == 2
        assert await plain == 2

    run(main())


# ------------------------------------------------------------------ anything in any order
@in_each_mode
@pytest.mark.parametrize("seed", range(3))
def test_random_calls_end_as_they_should(seed: int, mode: Any) -> None:
    rng = random.Random(seed)

    def host_of(index: int) -> Any:
        async def host(number: int) -> int:
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(rng.random() / 2000)
            if number > 50 and rng.random() < 0.3:
                number = await exports[index].run.call_async(number // 2, **mode)
            if rng.random() < 0.1:
                raise KeyError(number)
            return number

        return host

    exports = [exports_with(host_of(index)) for index in range(3)]

    async def main() -> None:
        tasks = []
        for i in range(120):
            func = exports[rng.randrange(3)][rng.choice(["run", "twice", "tail"])]
            rest = {"timeout": 0.01} if rng.random() < 0.2 else {}
            tasks.append(asyncio.create_task(func.call_async(i, **mode, **rest)))
            if rng.random() < 0.3:
                await asyncio.sleep(rng.random() / 1000)
            if rng.random() < 0.2:
                rng.choice(tasks).cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                error = task.exception()
                assert error is None or isinstance(error, (KeyError, wamr.TimeoutTrap))
        for each in exports:
            assert each.plus(1) == 2
            assert await each.plus.call_async(1, **mode) == 2

    run(main())
