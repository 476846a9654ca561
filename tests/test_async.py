"""Func.call_async: wasm beside an event loop."""

from __future__ import annotations

import asyncio

import pytest

import wamr

TEXT = """
(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop (br 0)))
  (func (export "bad") unreachable))
"""


@pytest.fixture
def exports() -> wamr.Exports:
    return wamr.load(TEXT).exports


def test_it_returns_the_result(exports: wamr.Exports) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*[exports.add.call_async(i, 1) for i in range(20)])

    assert asyncio.run(main()) == list(range(1, 21))


def test_the_loop_goes_on_meanwhile(exports: wamr.Exports) -> None:
    async def main() -> int:
        task = asyncio.create_task(exports.spin.call_async(timeout=0.2))
        ticks = 0
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(wamr.TimeoutTrap):
            await task
        return ticks

    assert asyncio.run(main()) > 3


def test_cancelling_stops_the_code(exports: wamr.Exports) -> None:
    async def main() -> None:
        task = asyncio.create_task(exports.spin.call_async())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await exports.add.call_async(2, 3) == 5  # the instance is free again

    asyncio.run(asyncio.wait_for(main(), 30))


def test_cancelling_one_that_waits_leaves_the_other_alone(exports: wamr.Exports) -> None:
    async def main() -> None:
        first, second = (asyncio.create_task(exports.spin.call_async()) for _ in range(2))
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.wait([second], timeout=10)
        assert second.cancelled()
        assert not first.done()
        first.cancel()
        await asyncio.wait([first], timeout=10)
        assert first.cancelled()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_wait_for_cancels(exports: wamr.Exports) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(exports.spin.call_async(), 0.05)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_errors_come_out(exports: wamr.Exports) -> None:
    async def main() -> None:
        with pytest.raises(wamr.Trap, match="unreachable"):
            await exports.bad.call_async()
        with pytest.raises(wamr.FuelTrap):
            await exports.spin.call_async(fuel=100)
        with pytest.raises(TypeError):
            await exports.add.call_async(1)
        with pytest.raises(TypeError):
            await exports.add.call_async(None, 1)
        with pytest.raises(ValueError, match="timeout"):
            await exports.add.call_async(1, 2, timeout=-1)
        with pytest.raises(TypeError, match="fuel"):
            await exports.add.call_async(1, 2, fuel="x")  # type: ignore[arg-type]

    asyncio.run(main())


def test_host_functions_can_be_awaited_too() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert asyncio.run(wamr.Func(wamr.Store(), None, double).call_async(4)) == 8
