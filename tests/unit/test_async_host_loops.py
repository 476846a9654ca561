"""Awaited calls in any event loop: uvloop, anyio, and trio by hand; thousands of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from async_hosts import exports_with, no_warnings, run
from needs import needs
from platforms import needs_ssl

import wamr

pytestmark = pytest.mark.usefixtures("wat")


def test_thousands_of_calls_in_flight_need_no_threads() -> None:
    async def main() -> None:
        opened = asyncio.Event()

        async def fetch(number: int) -> int:
            await opened.wait()
            return number

        store = wamr.Store()
        module = wamr.Module(store, SMALL)
        before = set(threading.enumerate())
        calls = []
        for i in range(2000):
            inst = wamr.Instance(store, module, {"env": {"fetch": fetch}})
            calls.append(asyncio.create_task(inst.exports.run.call_async(i, slice=0.01)))
        for _ in range(3):
            await asyncio.sleep(0)
        assert set(threading.enumerate()) <= before
        opened.set()
        assert await asyncio.gather(*calls) == list(range(1, 2001))

    run(main())


# Without a memory, which would reserve addresses.
SMALL = """(module (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (func (export "run") (param i32) (result i32)
    (i32.add (i32.const 1) (call $fetch (local.get 0)))))"""

UVLOOP = """
import asyncio, os, sys
import uvloop, wamr

MODULE = '''(module (import "env" "fetch" (func $fetch (param i32) (result i32)))
  (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $fetch (local.get 0))))
  (func (export "spin") (loop (br 0))))'''
sys.path[:0] = sys.argv[1:]
from test_async_host_waits import PROGRAM

async def fetch(number):
    await asyncio.sleep(0.001)
    return number * 2

async def main():
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    for mode in ({}, {"slice": 0.001}):
        exports = wamr.load(MODULE, {"env": {"fetch": fetch}}).exports
        assert await asyncio.gather(*[exports.run.call_async(i, **mode) for i in range(20)]) == [
            2 * i + 1 for i in range(20)]
        task = asyncio.create_task(exports.spin.call_async(**mode))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        try:
            await exports.run.call_async(1, timeout=1e-9, **mode)
        except wamr.TimeoutTrap:
            pass
        else:
            raise AssertionError("no timeout")
        ours, theirs = os.pipe()
        with open(ours, "rb", 0) as reading, open(theirs, "wb", 0) as writing:
            program = wamr.load(PROGRAM, wasi=wamr.WasiConfig(stdin=reading)).exports
            task = asyncio.create_task(program.read.call_async(**mode))
            await asyncio.sleep(0.01)
            assert not task.done()
            writing.write(b"hello")
            assert await task == 5
        with open(__file__, "rb", 0) as file:
            program = wamr.load(PROGRAM, wasi=wamr.WasiConfig(stdin=file)).exports
            assert await program.read.call_async(**mode) == 16
        assert await program.sleep.call_async(10_000_000, **mode) == 0
        exports = wamr.load(MODULE, {"env": {"fetch": fetch}}).exports
        left_behind = asyncio.create_task(exports.run.call_async(1, **mode))
        await asyncio.sleep(0)

uvloop.run(main()) if hasattr(uvloop, "run") else uvloop.install() or asyncio.run(main())
print("done")
"""


@needs_ssl
@pytest.mark.skipif(
    sys.platform == "win32" or sys.implementation.name != "cpython", reason="uvloop has no wheel"
)
def test_with_uvloop(tmp_path: Any) -> None:
    needs("uvloop", "test")
    file = tmp_path / "program.py"
    file.write_text(UVLOOP)
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", file, here, here.parent / "support"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


async def drive(execution: wamr.Execution, sleep: Any) -> Any:
    """Run an execution in any framework."""
    try:
        event = next(execution)
        while True:
            if event.awaitable is not None:
                event = execution.send(await event.awaitable)
            else:
                await sleep(0)
                event = next(execution)
    except StopIteration as end:
        return end.value


@needs_ssl
def test_trio_drives_executions() -> None:
    import trio

    async def fetch(number: int) -> int:
        await trio.sleep(0.001)
        return 2 * number

    async def main() -> None:
        exports = exports_with(fetch)
        assert await drive(exports.run.execution(5), trio.sleep) == 11
        assert await drive(exports.count.execution(300_000, slice=0.001), trio.sleep) == 900_000
        for mode in ({}, {"slice": 0.001}):
            with pytest.raises(
                RuntimeError,
                match=r"^run\(i32\) -> i32: call_async needs an event loop of asyncio, and trio",
            ):
                await exports.run.call_async(1, **mode)
        assert exports.plus(1) == 2

    with no_warnings():
        trio.run(main)


@needs_ssl
def test_programs_say_that_trio_cannot_await_them() -> None:
    import trio

    module = wamr.Module(
        wamr.Engine(), '(module (memory (export "memory") 1) (func (export "_start")))'
    )
    text = "^awaiting a program needs an event loop of asyncio, and trio runs here. Call `run`, "

    async def main() -> None:
        with wamr.Session([module]) as session:
            for mode in ({}, {"slice": 0.001}):
                for awaitable in (
                    session.feed_async(b"", **mode),
                    session.end_async(**mode),
                    wamr.run_async([module], **mode),
                ):
                    with pytest.raises(RuntimeError, match=text):
                        await awaitable
            assert session.end().returncode == 0
        with pytest.raises(RuntimeError, match=text):
            await wamr.run_async([__file__])
        done = await trio.to_thread.run_sync(wamr.run, [module])
        assert done.returncode == 0

    with no_warnings():
        trio.run(main)


@needs_ssl
def test_anyio_on_asyncio_is_asyncio() -> None:
    import anyio

    async def fetch(number: int) -> int:
        await anyio.sleep(0.001)
        return 2 * number

    async def main() -> None:
        exports = exports_with(fetch)
        for mode in ({}, {"slice": 0.001}):
            assert await exports.run.call_async(5, **mode) == 11
            with anyio.move_on_after(0.02) as scope:
                await exports.spin.call_async(**mode)
            assert scope.cancelled_caught
            results = []

            async def one(number: int, mode: Any = mode, results: Any = results) -> None:
                results.append(await exports.run.call_async(number, **mode))

            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(one, number)
            assert sorted(results) == [1, 3, 5, 7, 9]

    with no_warnings():
        anyio.run(main)


def test_no_warnings_are_seen() -> None:
    with no_warnings():
        pass
    with pytest.raises(AssertionError), no_warnings():
        exports_with(lambda _: 1).run.call_async(1)  # type: ignore[unused-coroutine]
