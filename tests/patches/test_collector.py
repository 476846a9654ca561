"""Objects that Python's collector finalizes in any order; AddressSanitizer checks (`make asan`)."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest

import wamr

pytestmark = pytest.mark.slow


def test_memory_views_and_handles_die_in_any_order() -> None:
    for _ in range(20):
        store = wamr.Store()
        memory = wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))
        memory.write(0, b"x")
        cycle = SimpleNamespace(view=memory.view(), memory=memory, store=store)
        cycle.itself = cycle
        del store, memory, cycle
        gc.collect()
