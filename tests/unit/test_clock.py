"""The clock of timeouts and waits is the one that our C reads."""

from __future__ import annotations

import runpy
import sys
import time

import pytest

from wamr._base import clock


@pytest.mark.parametrize(
    ("platform", "version", "name"),
    [
        ("win32", (3, 10), "perf_counter"),
        ("win32", (3, 12, 9), "perf_counter"),
        ("win32", (3, 13), "monotonic"),
        ("linux", (3, 10), "monotonic"),
        ("darwin", (3, 14), "monotonic"),
    ],
)
def test_which_clock_it_is(
    platform: str, version: tuple[int, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "version_info", version)
    found = runpy.run_path(clock.__file__)
    assert found["monotonic"] is getattr(time, name)
    assert found["monotonic_ns"] is getattr(time, f"{name}_ns")


def test_it_is_the_one_of_our_c() -> None:
    """A program's sleep of 10 s is suspended until then, by C's clock."""
    import wamr

    text = """(module
      (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "sleep")
        (i32.store offset=16 (i32.const 0) (i32.const 1))
        (i64.store offset=24 (i32.const 0) (i64.const 10000000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"""
    instance = wamr.load(text, wasi=wamr.WasiConfig())
    before = clock.monotonic()
    execution = instance.exports.sleep.execution()
    event = execution.send(None)
    after = clock.monotonic()
    execution.close()
    assert event.kind == "sleep"
    assert before + 10 <= event.until <= after + 10
