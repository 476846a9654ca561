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
