"""An instance that counts in its memory while it runs, so that a test can see whether it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import wamr

# Counts in memory for ever, and counts the calls.
COUNTING = """
(module
  (import "env" "host" (func $host))
  (memory (export "memory") 1)
  (func (export "count")
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
    (loop
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (br 0)))
  (func (export "begin")
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "call_host") (call $host))
  (func (export "host_then_count")
    (call $host)
    (loop
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (br 0))))
"""


class Counter:
    """An instance that counts, and its counts."""

    def __init__(self, host: Callable[[], object] = lambda: None) -> None:
        self.exports = wamr.load(COUNTING, {"env": {"host": host}}).exports

    def _number(self, offset: int) -> int:
        return int.from_bytes(self.exports.memory[offset : offset + 4], "little")

    @property
    def count(self) -> int:
        return self._number(0)

    @property
    def begun(self) -> int:
        return self._number(8)

    async def counting(self) -> None:
        """Wait until the wasm code runs."""
        while not self.count:
            await asyncio.sleep(0.001)

    def assert_quiet(self) -> None:
        """Check that nothing runs: the count doesn't change, and a call returns at once."""
        before = self.count
        time.sleep(0.002)
        assert self.count == before
        assert self.exports.add.call(2, 3, timeout=30) == 5


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 120))


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
