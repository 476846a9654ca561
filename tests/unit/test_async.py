"""Func.call_async: calls in a thread, while an event loop runs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest
from counting_instance import Counter, run

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
    async def main() -> None:
        task = asyncio.create_task(exports.spin.call_async())
        for _ in range(4):
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(wamr.TimeoutTrap):
            await exports.spin.call_async(timeout=0.05)

    asyncio.run(main())


def test_cancelling_stops_the_code(exports: wamr.Exports) -> None:
    async def main() -> None:
        task = asyncio.create_task(exports.spin.call_async())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await exports.add.call_async(2, 3) == 5  # the instance is free again

    asyncio.run(asyncio.wait_for(main(), 200))


def test_cancelling_one_that_waits_leaves_the_other_alone(exports: wamr.Exports) -> None:
    async def main() -> None:
        first, second = (asyncio.create_task(exports.spin.call_async()) for _ in range(2))
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.wait([second], timeout=100)
        assert second.cancelled()
        assert not first.done()
        first.cancel()
        await asyncio.wait([first], timeout=100)
        assert first.cancelled()

    asyncio.run(asyncio.wait_for(main(), 200))


def test_wait_for_cancels(exports: wamr.Exports) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(exports.spin.call_async(), 0.05)

    asyncio.run(asyncio.wait_for(main(), 200))


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
    """An exception that is neither an Exception nor known to asyncio."""


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
    class Referent:
        pass

    async def main() -> None:
        def host() -> None:
            raise KeyError(referents[0])

        referents = [Referent()]
        gone = weakref.ref(referents[0])
        counter = Counter(host)
        gc.disable()
        try:
            with pytest.raises(KeyError):
                await counter.exports.call_host.call_async()
            referents.clear()
            for _ in range(100):  # the executor drops its reference later
                if gone() is None:
                    break
                await asyncio.sleep(0.01)
                gc.collect()  # the object that pytest.raises returned
            assert gone() is None
        finally:
            gc.enable()

    run(main())
