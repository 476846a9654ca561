"""Executions that write to full pipes: they are suspended, and each byte is written once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from wasm_fixtures import WasiFunctions

import wamr

pytestmark = pytest.mark.usefixtures("wat")

DATA = bytes(range(256)) * 300
FROM, SIZE = 65536, len(DATA)

# Writes SIZE bytes to its stdout, and then an "e" to its stderr.
PROGRAM = f"""(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 100) "e")
  (data (i32.const {FROM}) "{"".join(f"{chr(92)}{byte:02x}" for byte in DATA)}")
  (func (export "_start") (local $done i32)
    (loop $l
      (i32.store (i32.const 0) (i32.add (i32.const {FROM}) (local.get $done)))
      (i32.store (i32.const 4) (i32.sub (i32.const {SIZE}) (local.get $done)))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))
        (then unreachable))
      (local.set $done (i32.add (local.get $done) (i32.load (i32.const 16))))
      (br_if $l (i32.lt_u (local.get $done) (i32.const {SIZE}))))
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 1))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


class Drain:
    """A thread that reads all of a pipe."""

    def __init__(self, pipe: tuple[int, int]) -> None:
        self._ours, self._theirs = pipe
        self._got = bytearray()
        self._thread = threading.Thread(target=self._run)
        self.start = self._thread.start

    def _run(self) -> None:
        while piece := os.read(self._ours, 1000):
            self._got.extend(piece)

    def end(self) -> bytes:
        """Close the other end, and return what has come after the bytes that had filled it."""
        os.close(self._theirs)
        self._thread.join()
        return bytes(self._got).lstrip(b"x")


class Writers:
    """Instances that write to one descriptor."""

    def __init__(self) -> None:
        self._made: list[WasiFunctions] = []

    def __call__(self, descriptor: int, data: bytes) -> tuple[WasiFunctions, wamr.Execution]:
        """Return a new instance, and an execution of a write."""
        wasi = WasiFunctions(stdout=descriptor)
        self._made.append(wasi)
        wasi.memory.write(8192, data)
        wasi.memory.write(64, (8192).to_bytes(4, "little") + len(data).to_bytes(4, "little"))
        return wasi, wasi.instance.exports.fd_write.execution(1, 64, 1, wasi.OUT)

    def close(self) -> None:
        """Close all instances, so that their copies of the descriptor are closed."""
        for wasi in self._made:
            wasi.instance.close()


@pytest.fixture
def writer() -> Iterator[Writers]:
    writers = Writers()
    yield writers
    writers.close()


def finish(execution: wamr.Execution) -> Any:
    """Go on until the execution ends; return its result."""
    try:
        while True:
            assert next(execution).kind == "stdout"
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("slice_", [None, 0.001])
def test_an_event_loop_runs_on(full: tuple[int, int], slice_: float | None) -> None:
    """The pipe gets room when the loop has run a few times; a loop that is held up would not."""
    drain = Drain(full)
    module = wamr.Module(wamr.Engine(), PROGRAM)

    async def main() -> wamr.CompletedProgram:
        async def give_room() -> None:
            for _ in range(10):
                await asyncio.sleep(0.001)
            drain.start()

        room = asyncio.create_task(give_room())
        run = wamr.run_async([module], stdout=full[1], stderr=-1, timeout=60, slice=slice_)
        done = await run
        await room
        return done

    assert asyncio.run(main()).stderr == b"e"
    assert drain.end() == DATA


def test_a_write_stops_and_writes_nothing_twice(full: tuple[int, int], writer: Writers) -> None:
    wasi, execution = writer(full[1], DATA[:50_000])
    for _ in range(3):
        assert next(execution).kind == "stdout"
    drain = Drain(full)
    drain.start()
    assert finish(execution) == 0
    wrote = wasi.u32()
    assert 0 < wrote <= SIZE
    writer.close()
    assert drain.end() == DATA[:wrote]


def test_a_write_that_is_given_up_writes_nothing(full: tuple[int, int], writer: Writers) -> None:
    _, execution = writer(full[1], b"never")
    next(execution)
    execution.close()
    _, thrown = writer(full[1], b"neither")
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError("k"))
    wasi, interrupted = writer(full[1], b"nor this")
    next(interrupted)
    wasi.instance.interrupt()
    with pytest.raises(wamr.Trap, match="interrupted"):
        next(interrupted)
    drain = Drain(full)
    drain.start()
    wasi, execution = writer(full[1], b"end")
    assert finish(execution) == 0
    writer.close()
    assert drain.end() == b"end"


def test_an_instance_that_is_closed_writes_nothing(full: tuple[int, int], writer: Writers) -> None:
    wasi, execution = writer(full[1], b"never")
    next(execution)
    wasi.instance.close()
    with pytest.raises(wamr.ClosedError):
        next(execution)
    drain = Drain(full)
    drain.start()
    writer.close()
    assert drain.end() == b""


def test_several_write_to_one_pipe(full: tuple[int, int], writer: Writers) -> None:
    pieces = [letter * 1000 for letter in (b"a", b"b", b"c")]
    all_ = [writer(full[1], piece) for piece in pieces]
    for _, execution in all_:
        assert next(execution).kind == "stdout"
    drain = Drain(full)
    drain.start()
    for wasi, execution in all_:
        assert finish(execution) == 0
        assert wasi.u32() == 1000
    writer.close()
    got = drain.end()
    assert sorted(got) == sorted(b"".join(pieces))
    assert all(piece in got for piece in pieces)


def test_a_reader_that_goes_away_is_an_errno_after_a_stop(
    full: tuple[int, int], writer: Writers
) -> None:
    _, execution = writer(full[1], b"lost")
    next(execution)
    os.close(full[0])
    assert finish(execution) == 64  # EPIPE


def test_an_output_limit_counts_what_was_written(full: tuple[int, int]) -> None:
    """A call that is suspended has taken nothing of the limit."""
    limits = wamr.ResourceLimits(output_bytes=SIZE + 1)
    drain = Drain(full)
    module = wamr.Module(wamr.Engine(), PROGRAM)

    async def main() -> wamr.CompletedProgram:
        asyncio.get_running_loop().call_later(0.01, drain.start)
        return await wamr.run_async([module], stdout=full[1], stderr=-1, timeout=60, limits=limits)

    assert asyncio.run(main()).stderr == b"e"
    assert drain.end() == DATA
