"""What WASI programs wait for doesn't block the loop: pipes, streams of Python, sleeps."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from async_hosts import exports_with, in_each_mode, run
from wasm_fixtures import descriptors

import wamr
from wamr import WasiConfig
from wamr._runtime import event_waits

pytestmark = pytest.mark.usefixtures("wat")

# `read` returns the number of bytes that it has read; `sleep` sleeps for that many nanoseconds.
PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\\10\\00\\00\\00\\10\\00\\00\\00")
  (data (i32.const 200) "\\00\\00\\01\\00\\00\\00\\01\\00")
  (func (export "read") (result i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
  (func (export "fill") (result i32)
    (drop (call $write (i32.const 1) (i32.const 200) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
  (func (export "sleep") (param i64) (result i32)
    (i32.store8 (i32.const 108) (i32.const 0))
    (i32.store (i32.const 116) (i32.const 1))
    (i64.store (i32.const 124) (local.get 0))
    (call $poll (i32.const 100) (i32.const 300) (i32.const 1) (i32.const 400))))"""


def program(**rest: Any) -> wamr.Exports:
    return wamr.load(PROGRAM, wasi=WasiConfig(**rest)).exports


async def ticks_until(task: asyncio.Task[Any], least: int) -> None:
    """Let the loop run, which must be possible while the task waits."""
    for _ in range(least):
        await asyncio.sleep(0.001)
        assert not task.done()


@in_each_mode
def test_a_pipe_is_waited_for(mode: Any) -> None:
    async def main() -> None:
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb", 0) as writing:
            exports = program(stdin=reading)
            task = asyncio.create_task(exports.read.call_async(**mode))
            await ticks_until(task, 5)
            writing.write(b"hello")
            assert await task == 5
            task = asyncio.create_task(exports.read.call_async(**mode))
            await ticks_until(task, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(wamr.TimeoutTrap):
                await exports.read.call_async(timeout=0.02, **mode)
            writing.write(b"again")
            assert await exports.read.call_async(**mode) == 5

    run(main())


@in_each_mode
def test_two_calls_may_wait_for_one_descriptor(mode: Any) -> None:
    async def main() -> None:
        ours, theirs = os.pipe()
        loop = asyncio.get_running_loop()
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb", 0) as writing:
            seen: list[int] = []
            loop.add_reader(reading, seen.append, 1)  # the program's own, which must stay
            tasks = [
                asyncio.create_task(program(stdin=reading).read.call_async(**mode))
                for _ in range(2)
            ]
            await ticks_until(tasks[0], 5)
            writing.write(b"0123456789abcdef" * 2)
            assert await asyncio.gather(*tasks) == [16, 16]
            writing.write(b"x")
            seen.clear()
            while not seen:
                await asyncio.sleep(0.001)
            loop.remove_reader(reading)

    run(main())


@in_each_mode
def test_a_full_pipe_is_waited_for(mode: Any) -> None:
    async def main() -> None:
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb", 0) as writing:
            os.set_blocking(reading.fileno(), False)
            exports = program(stdout=writing)
            written = 0
            while True:
                task = asyncio.create_task(exports.fill.call_async(**mode))
                done, _ = await asyncio.wait([task], timeout=0.05)
                if not done:
                    break
                written += task.result()
            assert written >= 65536
            while not task.done():
                reading.read(1 << 20)
                await asyncio.sleep(0.001)
            assert task.result() > 0

    run(main())


@in_each_mode
def test_a_file_is_always_ready(mode: Any, tmp_path: Any) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"0123456789" * 2)

    async def main() -> list[int]:
        with path.open("rb", buffering=0) as file:
            exports = program(stdin=file)
            return [await exports.read.call_async(**mode) for _ in range(3)]

    assert run(main()) == [16, 4, 0]


@in_each_mode
def test_a_stream_of_python_that_has_nothing_yet_is_asked_again(mode: Any) -> None:
    data: list[bytes | None] = []

    async def main() -> None:
        exports = program(stdin=lambda size: data.pop() if data else None)
        task = asyncio.create_task(exports.read.call_async(**mode))
        await ticks_until(task, 10)
        data.append(b"abc")
        assert await task == 3
        task = asyncio.create_task(exports.read.call_async(**mode))
        await ticks_until(task, 5)
        exports.memory  # noqa: B018 - others may look at it meanwhile
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        data.append(b"")
        assert await exports.read.call_async(**mode) == 0

    run(main())


@in_each_mode
def test_many_sleep_at_once(mode: Any) -> None:
    async def main() -> None:
        programs = [program() for _ in range(40)]
        results = await asyncio.gather(*[p.sleep.call_async(50_000_000, **mode) for p in programs])
        assert results == [0] * 40

    run(main())


@in_each_mode
def test_a_sleep_can_be_cancelled_timed_out_and_closed(mode: Any) -> None:
    async def main() -> None:
        exports = program()
        for _ in range(3):
            task = asyncio.create_task(exports.sleep.call_async(10**12, **mode))
            await ticks_until(task, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(wamr.TimeoutTrap):
            await exports.sleep.call_async(10**12, timeout=0.02, **mode)
        inst = wamr.load(PROGRAM, wasi=WasiConfig())
        task = asyncio.create_task(inst.exports.sleep.call_async(10**12, **mode))
        await ticks_until(task, 5)
        inst.interrupt()
        with pytest.raises(wamr.Trap, match="interrupted"):
            await task
        task = asyncio.create_task(inst.exports.sleep.call_async(10**12, **mode))
        await ticks_until(task, 5)
        inst.close()
        with pytest.raises(wamr.ClosedError):
            await task

    run(main())


@pytest.mark.parametrize("error", [NotImplementedError, OSError, RuntimeError])
def test_a_loop_that_cannot_watch_descriptors_looks_again(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> Any:
        raise error

    async def main() -> None:
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb", 0) as writing:
            exports = program(stdin=reading)
            task = asyncio.create_task(exports.read.call_async(slice=0.001))
            await ticks_until(task, 5)
            writing.write(b"hello")
            assert await task == 5

    monkeypatch.setattr(event_waits, "_watch", refuse)
    run(main())


def test_waiting_leaves_no_descriptor_open() -> None:
    async def main() -> None:
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb", buffering=0) as reading, os.fdopen(theirs, "wb", 0):
            exports = program(stdin=reading)
            before = descriptors()
            for _ in range(20):
                with pytest.raises(wamr.TimeoutTrap):
                    await exports.read.call_async(timeout=0.001, slice=0.001)
            assert descriptors() == before

    run(main())


# ------------------------------------------------------------------ an event, by hand
def test_an_event_can_be_waited_for() -> None:
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def main() -> None:
        execution = exports_with(fetch).count.execution(100_000, slice=0)
        event, slices = next(execution), 0
        try:
            while True:
                slices += event.kind == "slice"
                event = execution.send(await event_waits.wait_for_event(event))
        except StopIteration as end:
            result = end.value
        assert result == 300_000
        assert slices > 2
        execution = exports_with(fetch).run.execution(4)
        assert await event_waits.wait_for_event(next(execution)) == 4
        suspended = next(exports_with(lambda _: wamr.SUSPEND).run.execution(4))
        with pytest.raises(RuntimeError, match="returned SUSPEND, and nobody"):
            await event_waits.wait_for_event(suspended)

    run(main())
