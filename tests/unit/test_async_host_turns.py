"""Turns of awaited calls: queues, calls by host functions, and what else is in an instance."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from async_hosts import LINKED, MODULE, Gate, exports_with, in_each_mode, run

import wamr
from wamr import Instance, Module, Store

pytestmark = pytest.mark.usefixtures("wat")


# ------------------------------------------------------------------ queues
@in_each_mode
def test_calls_of_one_instance_run_in_the_order_in_which_they_came(mode: Any) -> None:
    order: list[int] = []

    async def host(number: int) -> int:
        order.append(number)
        await asyncio.sleep(0.0005 * (number % 3))
        order.append(number)
        return number

    exports = exports_with(host)

    async def main() -> None:
        results = await asyncio.gather(*[exports.run.call_async(i, **mode) for i in range(30)])
        assert results == list(range(1, 31))

    run(main())
    assert order == [i for i in range(30) for _ in range(2)]


@in_each_mode
def test_linked_instances_have_one_queue_and_others_their_own(mode: Any) -> None:
    async def main() -> None:
        gate, other_gate = Gate(), Gate()
        store = Store()
        lib = Instance(store, Module(store, MODULE), {"env": {"fetch": gate.fetch}})
        linked = Instance(
            store, Module(store, LINKED), {"env": {"fetch": gate.fetch}, "lib": lib.exports}
        )
        other = Instance(store, Module(store, MODULE), {"env": {"fetch": other_gate.fetch}})
        first = asyncio.create_task(linked.exports.run.call_async(1, **mode))
        await gate.entered.wait()
        second = asyncio.create_task(lib.exports.run.call_async(2, **mode))
        third = asyncio.create_task(linked.exports.through.call_async(3, **mode))
        other_gate.opened.set()
        assert await other.exports.run.call_async(4, **mode) == 9
        assert gate.calls == [1]
        gate.opened.set()
        assert await asyncio.gather(first, second, third) == [2, 5, 7]
        assert gate.calls == [1, 2, 3]

    run(main())


@in_each_mode
def test_waiting_occupies_no_thread(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        tasks = [asyncio.create_task(exports.run.call_async(i, **mode)) for i in range(200)]
        await gate.entered.wait()
        before = set(threading.enumerate())
        others = [exports_with(gate.fetch) for _ in range(100)]
        tasks += [
            asyncio.create_task(each.run.call_async(i, **mode)) for i, each in enumerate(others)
        ]
        while len(gate.calls) < 101:
            await asyncio.sleep(0.001)
        assert await asyncio.to_thread(lambda: 5) == 5  # the executor is free
        if "slice" in mode:
            assert len(set(threading.enumerate()) - before) <= 1  # of to_thread
        gate.opened.set()
        assert sum(await asyncio.gather(*tasks)) == 2 * (199 * 100 + 99 * 50) + 300

    run(main())


@in_each_mode
def test_a_cancelled_place_in_the_queue_is_given_up(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        tasks = [asyncio.create_task(exports.run.call_async(i, **mode)) for i in range(5)]
        await gate.entered.wait()
        for i in (2, 4):
            tasks[i].cancel()
            await asyncio.wait([tasks[i]])
        gate.opened.set()
        tasks[1].cancel()  # perhaps when it has just got its turn
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [False, True, True, False, True]
        assert gate.calls == [0, 3]
        assert await exports.run.call_async(9, **mode) == 19

    run(main())


@in_each_mode
def test_the_timeout_includes_the_queue(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        first = asyncio.create_task(exports.run.call_async(1, **mode))
        await gate.entered.wait()
        with pytest.raises(wamr.TimeoutTrap, match="timed out"):
            await exports.run.call_async(2, timeout=0.02, **mode)
        gate.opened.set()
        assert await first == 3
        assert gate.calls == [1]

    run(main())


@in_each_mode
def test_loops_of_several_threads_share_the_queue(mode: Any) -> None:
    inside: list[int] = []
    most: list[int] = []

    async def host(number: int) -> int:
        inside.append(number)
        most.append(len(inside))
        await asyncio.sleep(0.0005)
        inside.remove(number)
        return number

    exports = exports_with(host)
    failed: list[BaseException] = []

    def work(first: int) -> None:
        async def main() -> None:
            calls = [exports.run.call_async(first + i, **mode) for i in range(20)]
            assert await asyncio.gather(*calls) == [first + i + 1 for i in range(20)]

        try:
            asyncio.run(asyncio.wait_for(main(), 60))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(most) == 80
    assert max(most) == 1


# ------------------------------------------------------------------ calls by host functions
@in_each_mode
@pytest.mark.parametrize("wait", [True, False], ids=["after an await", "at once"])
def test_a_coroutine_may_call_the_instance_that_it_serves(wait: bool, mode: Any) -> None:
    async def host(number: int) -> int:
        if wait:
            await asyncio.sleep(0)
        if not number:
            return 0
        assert exports.plus(number) == number + 1
        assert await exports.plus.call_async(number, **mode) == number + 1
        return await exports.run.call_async(number - 1, **mode) + exports.plus(1)

    exports = exports_with(host)
    assert run(exports.run.call_async(5, **mode)) == 16


@in_each_mode
def test_in_both_modes_by_turns(mode: Any) -> None:
    other: dict[str, Any] = {} if mode else {"slice": 0.001}

    async def host(number: int) -> int:
        return (
            await exports.run.call_async(number - 1, **(mode, other)[number % 2]) if number else 0
        )

    exports = exports_with(host)
    assert run(exports.run.call_async(6, **mode)) == 7


@in_each_mode
def test_its_tasks_may_too_one_after_the_other(mode: Any) -> None:
    inside: list[int] = []

    async def host(number: int) -> int:
        inside.append(number)
        assert len(inside) <= 2  # one of the outer call, one above
        try:
            if number < 10:
                await asyncio.sleep(0.0005)
                return number
            calls = [exports.run.call_async(i, **mode) for i in range(5)]
            return sum(await asyncio.gather(*calls))
        finally:
            inside.remove(number)

    exports = exports_with(host)
    assert run(exports.run.call_async(10, **mode)) == 16


@in_each_mode
def test_others_wait_until_the_outer_call_has_ended(mode: Any) -> None:
    order: list[int] = []
    others: list[asyncio.Future[int]] = []

    async def main() -> None:
        outside = contextvars.copy_context()  # in which no host function runs

        async def other() -> int:
            return await exports.run.call_async(3, **mode)

        async def host(number: int) -> int:
            order.append(number)
            if number == 1:
                others.append(outside.run(lambda: asyncio.ensure_future(other())))
                for _ in range(5):
                    await exports.run.call_async(2, **mode)
            await asyncio.sleep(0.0005)
            return number

        exports = exports_with(host)
        assert await exports.run.call_async(1, **mode) == 2
        assert await others[0] == 4

    run(main())
    assert order == [1, 2, 2, 2, 2, 2, 3]


@in_each_mode
def test_a_task_may_outlive_the_call_whose_host_function_has_started_it(mode: Any) -> None:
    async def host(number: int) -> int:
        if number == 1:
            tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0)
        return number

    async def later() -> list[int]:
        found = []
        for i in range(20):
            found.append(await exports.run.call_async(10 + i, **mode))
            await asyncio.sleep(0.0003)
        return found

    exports = exports_with(host)
    tasks: list[Any] = []

    async def main() -> None:
        for _ in range(10):
            assert await exports.twice.call_async(1, **mode) == 103
        assert [await task for task in tasks] == [list(range(11, 31))] * 10

    run(main())


@in_each_mode
def test_calls_through_another_instance_and_back(mode: Any) -> None:
    async def of_first(number: int) -> int:
        return await second.run.call_async(number, **mode)

    async def of_second(number: int) -> int:
        await asyncio.sleep(0)
        return await first.run.call_async(number - 1, **mode) if number else 0

    first, second = exports_with(of_first), exports_with(of_second)
    assert run(first.run.call_async(4, **mode)) == 10


def test_a_plain_host_function_that_waits_for_its_own_instance_is_told() -> None:
    def host(number: int) -> int:
        return asyncio.run(exports.plus.call_async(number))

    exports = exports_with(host)
    told = r"plus\(i32\) -> i32: call_async would wait for itself: the call of its instance"
    with pytest.raises(RuntimeError, match=told):
        run(exports.run.call_async(1))
    with pytest.raises(RuntimeError, match=told):
        exports.run(1)
    assert exports.plus(1) == 2


def test_a_plain_host_function_may_run_a_loop_with_slices() -> None:
    async def wait(number: int) -> int:
        await asyncio.sleep(0.001)
        return number

    def host(number: int) -> int:
        return asyncio.run(inner.run.call_async(number, slice=0.001))

    store = Store()
    module = Module(store, MODULE)
    inst = Instance(store, module, {"env": {"fetch": wait}})
    inner = inst.exports
    outer = Instance(store, Module(store, LINKED), {"env": {"fetch": host}, "lib": inner}).exports
    assert outer.run(3) == 4
    assert run(outer.run.call_async(3)) == 4
