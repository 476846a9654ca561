"""Sandboxes in asyncio and in threads."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sandboxes import SMALL, javascript, kept_machines, python

import wamr
from wamr.sandbox import Python, RunLimits

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


async def ask(question: str, *, after: float = 0.0) -> str:
    """Answer a question."""
    await asyncio.sleep(after)
    return f"{question}!"


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise LookupError("later")


async def forever() -> None:
    await asyncio.Event().wait()


def now() -> str:
    return variable.get("none")


@pytest.fixture(scope="module")
def sandbox():
    python()  # skips without the package
    return Python(tools=[ask, fail_later, forever, now], limits=SMALL)


def test_code_calls_async_tools_as_functions(sandbox):
    async def main():
        result = await sandbox.run_async("help(ask)\n[ask('a'), ask('b', after=0.01)]")
        assert result.value == ["a!", "b!"]
        assert "Answer a question." in result.stdout
        assert result.tool_calls == 2
        caught = await sandbox.run_async(
            "try:\n  fail_later()\nexcept LookupError as e: x = str(e)\nx"
        )
        assert caught.value == "later"

    asyncio.run(main())


def test_the_loop_goes_on_while_code_runs():
    async def main():
        task = asyncio.create_task(
            python().run_async("while True: pass", limits=RunLimits(time=None))
        )
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        result = await python().run_async("while True: pass", limits=RunLimits(time=0.2))
        assert result.limit == "time"

    asyncio.run(main())


def test_many_runs_at_once_are_separate(sandbox):
    async def main():
        codes = [f"x = ask('{i}', after=0.01)\nx" for i in range(60)]
        codes += [
            "while True: pass",
            "x = []\nwhile True: x.append(bytes(10**6))",
            "1 / 0",
            "import os; os._exit(1)",
        ]
        patient = RunLimits(time=250, memory=48 << 20)
        endless = replace(patient, time=1)
        results = await asyncio.gather(
            *[
                sandbox.run_async(code, limits=endless if code == "while True: pass" else patient)
                for code in codes
            ]
        )
        assert [result.value for result in results[:60]] == [f"{i}!" for i in range(60)]
        assert [result.limit for result in results[60:]] == ["time", "memory", None, None]
        assert [result.ok for result in results[60:]] == [False] * 4

    asyncio.run(main())


def test_a_session_keeps_its_state_and_runs_one_at_a_time(sandbox):
    async def main():
        async with sandbox.session() as session:
            await session.run_async("x = ask('a')")
            assert (await session.run_async("x")).value == "a!"
            task = asyncio.create_task(session.run_async("forever()"))
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="one run at a time"):
                await session.run_async("1")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert session.closed
        with pytest.raises(wamr.ClosedError):
            await session.run_async("x")

    asyncio.run(main())


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "forever()", "import time\ntime.sleep(100)", "while True: ask('x')"],
)
def test_cancelling_ends_the_run(sandbox, code):
    async def main():
        session = sandbox.session(limits=RunLimits(time=60, tool_calls=10**9))
        task = asyncio.create_task(session.run_async(code))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert session.closed
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sandbox.run_async(code, limits=session.limits), 0.2)
        assert (await sandbox.run_async("1 + 1")).value == 2

    asyncio.run(main())
    gc.collect()
    assert sandbox._snapshot.alive == len(kept_machines(sandbox))


def test_a_run_whose_coroutine_is_closed_ends():
    async def main():
        session = python().session(limits=RunLimits(time=60))
        coroutine = session.run_async("while True: pass")
        coroutine.send(None)
        await asyncio.sleep(0.1)
        coroutine.close()
        assert session.closed
        assert python().run("1").value == 1

    asyncio.run(main())


def test_cancelling_before_the_code_begins_is_fine(sandbox):
    async def main():
        tasks = [asyncio.create_task(sandbox.run_async("1")) for _ in range(30)]
        await asyncio.sleep(0)
        # `cancel` returns False for a task whose thread has already finished.
        cancelled = [task.cancel() for task in tasks[::2]]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result.value == 1 for result in results[1::2])
        assert any(cancelled)
        for result, was_cancelled in zip(results[::2], cancelled, strict=True):
            assert isinstance(result, asyncio.CancelledError) == was_cancelled

    asyncio.run(main())


def test_tools_run_in_the_context_of_the_task(sandbox):
    async def main(name):
        variable.set(name)
        return (await sandbox.run_async("now()")).value

    async def both():
        return await asyncio.gather(main("one"), main("two"))

    assert asyncio.run(both()) == ["one", "two"]


def test_sleeping_code_takes_no_thread():
    started = set()

    def all_started(number: int) -> bool:
        started.add(number)
        return len(started) == 20

    async def main():
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        code = "import time\nwhile not all_started({}): time.sleep(0.01)"
        limits = RunLimits(time=60, tool_calls=10**6)
        results = await asyncio.gather(
            *[sandbox.run_async(code.format(i), limits=limits) for i in range(20)]
        )
        assert all(result.ok for result in results)

    python()
    sandbox = Python(tools=[all_started])
    asyncio.run(main())


def test_an_async_tool_whose_result_is_no_json_is_an_error_of_the_host():
    async def bad():
        return object()

    async def main():
        with pytest.raises(TypeError, match="tool bad has returned an object that is not JSON"):
            await Python(tools=[bad], limits=SMALL).run_async("bad()")

    python()
    asyncio.run(main())


def test_a_tool_may_run_code_in_the_sandbox():
    async def inner(code: str) -> object:
        return (await sandbox.run_async(code)).value

    python()
    sandbox = Python(tools=[inner], limits=SMALL)
    assert asyncio.run(sandbox.run_async("inner('inner(\"3\") + 1') + 1")).value == 5


def test_threads_may_share_a_sandbox():
    def work(i):
        with python().session() as session:
            session.run(f"x = {i}")
            assert python().run(f"echo({i}) * 2").value == 2 * i
            return session.run("x").value

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(80))) == list(range(80))


def test_a_session_is_used_by_one_thread_at_a_time_but_by_any():
    session = python().session()
    session.run("x = 1")
    results = []
    thread = threading.Thread(target=lambda: results.append(session.run("x + 1").value))
    thread.start()
    thread.join()
    assert results == [2]
    started, done = threading.Event(), threading.Event()
    sandbox = Python(tools={"wait": lambda: (started.set(), done.wait(200))[1]}, limits=SMALL)
    busy = sandbox.session()
    thread = threading.Thread(target=lambda: results.append(busy.run("wait()").value))
    thread.start()
    started.wait(200)
    with pytest.raises(RuntimeError, match="one run at a time"):
        busy.run("1")
    done.set()
    thread.join()
    assert results == [2, True]


CLOSED = "^this session was closed while it ran code$"


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(10**6)"])
def test_closing_a_session_stops_its_code(code):
    python()  # skips without the package
    begun = threading.Event()
    session = Python(tools={"begin": begun.set}).session(limits=RunLimits(time=None))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(session.run, f"begin()\n{code}")
        assert begun.wait(60)
        session.close()
        with pytest.raises(wamr.ClosedError, match=CLOSED):
            future.result(60)
    assert session.closed


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time; time.sleep(10**6)", "wait()", "stubborn()"]
)
def test_closing_a_session_stops_its_code_and_tools_on_the_loop(code):
    cancelled = []

    async def main():
        begun = asyncio.Event()

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("wait")
                raise

        async def stubborn() -> int:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("stubborn")
            return 1

        sandbox = Python(tools={"begin": begun.set, "wait": wait, "stubborn": stubborn})
        session = sandbox.session(limits=RunLimits(time=None))
        task = asyncio.ensure_future(session.run_async(f"begin()\n{code}"))
        await begun.wait()
        for _ in range(20):  # until the code awaits the tool
            await asyncio.sleep(0.001)
        session.close()
        with pytest.raises(wamr.ClosedError, match=CLOSED):
            await asyncio.wait_for(task, 60)
        assert session.closed
        assert not task.cancelled()
        session.close()

    python()
    asyncio.run(main())
    assert cancelled in ([], [code[:-2]])


def test_cancelling_the_task_of_a_session_that_is_closed_at_the_same_time_cancels_it():
    async def main():
        begun = asyncio.Event()

        async def wait() -> None:
            begun.set()
            await asyncio.Event().wait()

        session = Python(tools=[wait], limits=SMALL).session()
        task = asyncio.ensure_future(session.run_async("wait()"))
        await begun.wait()
        session.close()
        task.cancel()
        with pytest.raises((asyncio.CancelledError, wamr.ClosedError)):
            await task
        assert (await python().run_async("1")).value == 1

    python()
    asyncio.run(main())


def test_a_session_whose_loop_is_closed_can_be_closed():
    async def wait() -> None:
        await asyncio.Event().wait()

    python()
    session = Python(tools=[wait], limits=SMALL).session()
    loop = asyncio.new_event_loop()
    running = session.run_async("wait()")
    task = loop.create_task(running)
    loop.run_until_complete(asyncio.wait([task], timeout=0.2))
    loop.close()
    session.close()
    task._log_destroy_pending = False
    running.close()
    assert session.closed


def test_without_a_loop_of_asyncio_a_run_says_what_it_needs():
    running = python().run_async("1")
    with pytest.raises(RuntimeError, match=r"^run_async needs an event loop of asyncio"):
        running.send(None)


def test_javascript_awaits_async_tools_too():
    async def main():
        sandbox = wamr.sandbox.JavaScript(tools=[ask], limits=SMALL)
        result = await sandbox.run_async(
            "console.log(await ask('a')); ask.named({after: 0.01}, 'b')"
        )
        assert (result.stdout, result.value) == ("a!\n", "b!")
        ends = await asyncio.gather(*[sandbox.run_async(f"ask('{i}')") for i in range(50)])
        assert [result.value for result in ends] == [f"{i}!" for i in range(50)]

    javascript()
    asyncio.run(main())
