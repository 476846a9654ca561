"""How awaited calls end: exceptions, cancelling, timeouts, closing, loops that end."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import weakref
from typing import Any

import pytest
from async_hosts import Gate, exports_with, forever, in_each_mode, no_warnings, run, started

import wamr
from wamr import Instance, Module, Store, Trap

pytestmark = pytest.mark.usefixtures("wat")
needs_311 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio has no timeout and no TaskGroup before 3.11"
)


class Own(BaseException):
    """An exception that is neither an Exception nor known to asyncio."""


# ------------------------------------------------------------------ exceptions
@in_each_mode
@pytest.mark.parametrize("wait", [True, False], ids=["after an await", "at once"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        Own("mine"),
        asyncio.TimeoutError(),
        asyncio.CancelledError("mine"),
        GeneratorExit(),
        SystemExit(3),
        KeyboardInterrupt(),
        wamr.Trap("mine"),
        wamr.ExitTrap(4),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_coroutine_raises_is_the_same_object(
    error: BaseException, wait: bool, mode: Any
) -> None:
    async def host(number: int) -> int:
        if wait:
            await asyncio.sleep(0)
        raise error

    exports = exports_with(host)

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await exports.run.call_async(1, **mode)
        assert caught.value is error
        assert exports.plus(1) == 2
        if isinstance(error, wamr.Trap):
            assert [frame.func_name for frame in error.frames][:1] == ["run"]

    run(main())


@in_each_mode
def test_stop_iteration_is_a_runtime_error_as_in_every_coroutine(mode: Any) -> None:
    error = StopIteration(5)

    async def host(number: int) -> int:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(RuntimeError) as caught:
        run(exports_with(host).run.call_async(1, **mode))
    assert caught.value.__cause__ is error


CATCHING = """(module
  (import "env" "tag" (tag $tag (param i32)))
  (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (func (export "run") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $tag $caught) (call $fetch (local.get 0)))
      (return))
    (i32.add (i32.const 1000))))"""


@in_each_mode
@pytest.mark.parametrize("wait", [True, False], ids=["after an await", "at once"])
def test_wasm_code_catches_a_wasm_exception_of_a_coroutine(wait: bool, mode: Any) -> None:
    store = Store()
    tag, other = (wamr.Tag(store, wamr.TagType([wamr.ValType.I32])) for _ in range(2))

    async def host(number: int) -> int:
        if wait:
            await asyncio.sleep(0)
        if number < 10:
            raise wamr.WasmException(tag, number)
        if number < 20:
            raise wamr.WasmException(other, number)
        return number

    inst = Instance(store, Module(store, CATCHING), {"env": {"tag": tag, "fetch": host}})

    async def main() -> None:
        run_ = inst.exports.run
        assert await run_.call_async(4, **mode) == 1004
        assert await run_.call_async(40, **mode) == 40
        with pytest.raises(wamr.WasmException) as caught:
            await run_.call_async(14, **mode)
        assert (caught.value.tag, caught.value.values) == (other, (14,))

    run(main())


@in_each_mode
def test_a_trap_after_an_await_comes_out(mode: Any) -> None:
    text = """(module (import "" "f" (func $f))
      (func (export "run") (call $f) unreachable))"""

    async def host() -> None:
        await asyncio.sleep(0)

    with pytest.raises(Trap, match="unreachable") as caught:
        run(wamr.load(text, [host]).exports.run.call_async(**mode))
    assert [frame.func_name for frame in caught.value.frames] == ["run"]


@in_each_mode
def test_nothing_of_a_call_is_held_when_it_is_over(mode: Any) -> None:
    class Held:
        pass

    async def main() -> None:
        held = [Held()]
        gone = weakref.ref(held[0])

        async def host(number: int) -> int:
            await asyncio.sleep(0)
            raise KeyError(held[0])

        exports = exports_with(host)
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(KeyError):
                await exports.run.call_async(1, **mode)
            held.clear()
            while gone() is not None:  # the executor drops its reference later
                await asyncio.sleep(0.001)
                gc.collect()  # the object that pytest.raises returned
        finally:
            gc.enable()

    run(main())


# ------------------------------------------------------------------ cancelling
@in_each_mode
def test_cancelling_cancels_what_is_awaited(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        task = await started(gate, exports.run, mode)
        assert not task.done()
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert gate.left == [5]
        assert exports.plus(1) == 2
        gate.opened.set()
        assert await exports.run.call_async(6, **mode) == 13

    run(main())


@in_each_mode
def test_a_coroutine_that_does_not_give_up_is_waited_for(mode: Any) -> None:
    async def main() -> None:
        entered, cancelled, leave = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def host(number: int) -> int:
            entered.set()
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                cancelled.set()
            await leave.wait()
            return number

        exports = exports_with(host)
        task = asyncio.create_task(exports.twice.call_async(1, **mode))
        await entered.wait()
        task.cancel()
        await cancelled.wait()
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()  # now it ends
        with pytest.raises(asyncio.CancelledError):
            await task
        task = asyncio.create_task(exports.run.call_async(1, **mode))
        cancelled.clear()
        entered.clear()
        await entered.wait()
        task.cancel()
        await cancelled.wait()
        leave.set()
        assert await task == 2  # it has swallowed the cancellation, as everywhere in asyncio

    run(main())


@in_each_mode
def test_cancelling_stops_code_that_runs_after_an_await(mode: Any) -> None:
    async def main() -> None:
        called = asyncio.Event()

        async def host(number: int) -> int:
            await asyncio.sleep(0)
            called.set()
            return number

        exports = exports_with(host)
        task = asyncio.create_task(exports.fetch_then_spin.call_async(1, **mode))
        await called.wait()
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert exports.plus(1) == 2

    run(main())


@in_each_mode
def test_whenever_the_cancellation_comes(mode: Any) -> None:
    async def main() -> None:
        async def host(number: int) -> int:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            return number

        exports = exports_with(host)
        for turns in range(40):
            task = asyncio.create_task(exports.twice.call_async(1, **mode))
            for _ in range(turns // 4):
                await asyncio.sleep(0)
            if turns % 4:
                await asyncio.sleep(0.0007 * turns)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.result() == 103
            assert exports.plus(turns) == turns + 1
        assert await exports.run.call_async(1, **mode) == 2

    run(main())


@needs_311
@in_each_mode
def test_timeout_and_task_group_cancel_it(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as timeout:
                gate.entering = lambda: timeout.reschedule(loop.time())
                await exports.run.call_async(1, **mode)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        entered = asyncio.Event()
        gate.entering = entered.set

        async def fail() -> None:
            await entered.wait()
            raise KeyError("stop")

        with pytest.raises(BaseException) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(exports.run.call_async(2, **mode))
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [KeyError]  # type: ignore[attr-defined]
        assert gate.left == [1, 2]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(exports.run.call_async(3, **mode), 0.02)
        assert gate.left == gate.calls  # perhaps it was not entered in time
        assert exports.plus(1) == 2

    run(main())


# ------------------------------------------------------------------ loops that end
@in_each_mode
def test_the_end_of_asyncio_run_ends_it(mode: Any) -> None:
    kept: list[Any] = []
    exports = exports_with(lambda number: kept[0].fetch(number))

    async def main() -> None:
        kept.append(Gate())
        kept.append(await started(kept[0], exports.run, mode))

    run(main())
    assert kept[1].cancelled()
    assert exports.plus(1) == 2


@in_each_mode
def test_ctrl_c_in_asyncio_run_ends_it(mode: Any) -> None:
    exports = exports_with(forever)

    async def main(name: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.03, signal.raise_signal, signal.SIGINT)
        await exports[name].call_async(*[1] * len(exports[name].type.params), **mode)

    for name in ("run", "spin"):
        with no_warnings(), pytest.raises(KeyboardInterrupt):
            asyncio.run(main(name))
        assert exports.plus(1) == 2


@in_each_mode
def test_a_loop_that_is_dropped_leaks_nothing(mode: Any) -> None:
    class Held:
        pass

    exports = exports_with(lambda number: fetch_with(Held(), number))
    gone: list[Any] = []

    async def fetch_with(held: Held, number: int) -> int:
        gone.append(weakref.ref(held))
        await asyncio.sleep(1000)
        return number

    def drop() -> None:
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(exports.run.call_async(1, **mode)) for _ in range(3)]

        async def until_one_waits() -> None:
            while not gone:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)

        loop.run_until_complete(until_one_waits())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # the user's fault
        del tasks, task

    drop()
    assert run(exports.plus.call_async(1, **mode)) == 2  # the queue of a closed loop is nobody's
    gc.collect()
    assert [ref() for ref in gone] == [None]
    assert exports.plus(1) == 2


@in_each_mode
def test_a_call_that_is_closed_or_never_awaited(mode: Any) -> None:
    async def main() -> None:
        gate = Gate()
        exports = exports_with(gate.fetch)
        exports.run.call_async(1, **mode).close()
        call = exports.run.call_async(1, **mode)
        call.send(None)
        await asyncio.sleep(0.01)
        call.close()
        assert await exports.plus.call_async(1, **mode) == 2

    run(main())


@in_each_mode
def test_without_a_loop_it_is_an_error(mode: Any) -> None:
    call = exports_with(forever).run.call_async(1, **mode)
    with pytest.raises(RuntimeError, match="no running event loop"):
        call.send(None)
