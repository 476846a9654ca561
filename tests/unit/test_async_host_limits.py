"""Limits of awaited calls, and instances that are closed or interrupted meanwhile."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from async_hosts import MODULE, Gate, exports_with, forever, in_each_mode, run, started
from time_units import in_units

import wamr
from wamr import ClosedError, Instance, Module, Store, Trap, TrapCode

pytestmark = pytest.mark.usefixtures("wat")


# ------------------------------------------------------------------ limits
@in_each_mode
@in_units
def test_the_timeout_bounds_what_is_awaited(mode: Any, unit: float) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        with pytest.raises(wamr.TimeoutTrap, match="timed out"):
            await exports.run.call_async(7, timeout=unit, **mode)
        assert gate.left == [7]
        assert exports.plus(1) == 2
        gate.opened.set()
        assert await exports.run.call_async(7, timeout=60, **mode) == 15
        with pytest.raises(wamr.TimeoutTrap):
            await wamr.Func(Store(), None, forever).call_async(1, timeout=0.02, **mode)

    run(main())


@in_each_mode
def test_a_coroutine_that_outlives_the_timeout_is_too_late(mode: Any) -> None:
    async def stubborn(number: int) -> int:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
        return number

    exports = exports_with(stubborn)
    with pytest.raises(wamr.TimeoutTrap):
        run(exports.run.call_async(1, timeout=0.02, **mode))
    assert exports.plus(1) == 2


@in_each_mode
def test_the_timeout_bounds_code_after_an_await(mode: Any) -> None:
    async def host(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    exports = exports_with(host)
    with pytest.raises(wamr.TimeoutTrap):
        run(exports.fetch_then_spin.call_async(1, timeout=0.05, **mode))
    assert exports.plus(1) == 2


@in_each_mode
@pytest.mark.parametrize("end", ["timeout", "timeout of a Func", "interrupt", "close", "cancel"])
@in_units
def test_a_coroutine_that_is_ended_may_await_while_it_cleans_up(
    end: str, mode: Any, unit: float
) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        seen: list[object] = []

        async def fetch(number: int) -> int:
            try:
                begun.set()
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                for step in range(3):
                    await asyncio.sleep(0.001)
                    seen.append(step)
            return number

        inst = wamr.load(MODULE, {"env": {"fetch": fetch}})
        func = wamr.Func(Store(), None, fetch) if end == "timeout of a Func" else inst.exports.run
        timeout = unit if end.startswith("timeout") else None
        task = asyncio.create_task(func.call_async(5, timeout=timeout, **mode))
        while not begun.is_set():  # which the timeout may precede
            assert not task.done()
            await asyncio.sleep(0.001)
        if end in ("interrupt", "close"):
            getattr(inst, end)()
        elif end == "cancel":
            task.cancel()
        errors = {"interrupt": Trap, "close": ClosedError, "cancel": asyncio.CancelledError}
        with pytest.raises(errors.get(end, wamr.TimeoutTrap)):
            await task
        assert seen == ["cancelled", 0, 1, 2]

    run(main())


@in_each_mode
def test_a_timeout_error_of_the_coroutine_is_its_own(mode: Any) -> None:
    async def host(number: int) -> int:
        await asyncio.wait_for(forever(number), 0.01)
        return number

    with pytest.raises(asyncio.TimeoutError) as caught:
        run(exports_with(host).run.call_async(1, timeout=60, **mode))
    assert not isinstance(caught.value, Trap)


@in_each_mode
@in_units
def test_the_limit_of_the_instance_counts_each_entry(mode: Any, unit: float) -> None:
    async def host(number: int) -> int:
        await asyncio.sleep(1.2 * unit)
        return number

    exports = exports_with(host, limits=wamr.ResourceLimits(timeout=unit))
    assert run(exports.twice.call_async(1, **mode)) == 103
    with pytest.raises(wamr.TimeoutTrap):
        run(exports.fetch_then_spin.call_async(1, **mode))


@in_each_mode
def test_fuel_is_counted_over_all_awaits(mode: Any) -> None:
    async def ready(number: int) -> int:
        return 1

    async def turn(number: int) -> int:
        await asyncio.sleep(0)
        return 1

    def least(host: Any) -> int:
        exports = exports_with(host)
        low, high = 0, 1000
        while low < high:
            middle = (low + high) // 2
            try:
                assert run(exports.many.call_async(20, fuel=middle, **mode)) == 20
                high = middle
            except wamr.FuelTrap:
                low = middle + 1
        return low

    inst = wamr.load(MODULE, {"env": {"fetch": lambda number: 1}})
    inst.fuel = 1000
    inst.exports.many(20)
    assert inst.fuel is not None
    used = 1000 - inst.fuel
    assert least(turn) == least(ready) == used


# ------------------------------------------------------------------ closing and interrupting
@in_each_mode
@pytest.mark.parametrize("close", ["instance", "store", "in a thread"])
def test_closing_ends_a_call_that_is_awaited(close: str, mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        store = Store()
        inst = Instance(store, Module(store, MODULE), {"env": {"fetch": gate.fetch}})
        task = await started(gate, inst.exports.run, mode)
        queued = asyncio.create_task(inst.exports.plus.call_async(1, **mode))
        await asyncio.sleep(0.01)
        assert not queued.done()
        if close == "instance":
            inst.close()
        elif close == "store":
            store.close()
        else:
            thread = threading.Thread(target=inst.close)
            thread.start()
            await asyncio.to_thread(thread.join)
        for each in (task, queued):
            with pytest.raises(ClosedError, match=r"i32\) -> i32: its instance is closed"):
                await each
        assert gate.left == [5]

    run(main())


@in_each_mode
@pytest.mark.parametrize("by", ["instance", "store", "in a thread"])
def test_interrupting_ends_a_call_that_is_awaited(by: str, mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        store = Store()
        inst = Instance(store, Module(store, MODULE), {"env": {"fetch": gate.fetch}})
        task = await started(gate, inst.exports.run, mode)
        if by == "instance":
            inst.interrupt()
        elif by == "store":
            store.interrupt()
        else:
            await asyncio.to_thread(inst.interrupt)
        with pytest.raises(Trap) as caught:
            await task
        assert caught.value.code is TrapCode.INTERRUPTED
        assert gate.left == [5]
        gate.opened.set()
        assert await inst.exports.run.call_async(1, **mode) == 3

    run(main())


@in_each_mode
def test_an_inner_or_outer_instance_can_be_closed(mode: Any) -> None:
    async def main() -> None:
        for which in range(3):
            gate = Gate()
            store = Store()
            module = Module(store, MODULE)
            chain = [Instance(store, module, {"env": {"fetch": gate.fetch}})]
            for _ in range(2):
                chain.append(Instance(store, module, {"env": {"fetch": chain[-1].exports.run}}))
            task = await started(gate, chain[2].exports.run, mode)
            chain[which].close()
            with pytest.raises(ClosedError):
                await task

    run(main())


@in_each_mode
def test_a_coroutine_may_close_its_instance(mode: Any) -> None:
    async def main() -> None:
        for wait in (True, False):
            instances: list[Instance] = []

            async def host(number: int, wait: bool = wait, found: Any = instances) -> int:
                if wait:
                    await asyncio.sleep(0)
                found[0].close()
                await asyncio.sleep(0)
                return number

            instances.append(wamr.load(MODULE, {"env": {"fetch": host}}))
            with pytest.raises(ClosedError):
                await instances[0].exports.run.call_async(1, **mode)

    run(main())
