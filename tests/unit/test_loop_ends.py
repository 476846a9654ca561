"""The end of an event loop, or of the task that awaits a call, ends the call."""

from __future__ import annotations

import asyncio
import gc
import signal
import warnings
from typing import Any

import pytest
from counting_instance import Counter, run


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
