"""Objects of Python and of C that are finalized in any order.

Python's collector runs the finalizers of a cycle in any order. Before handles waited for the end of
the collection (_backend/handles.py), each of these tests read freed memory, which AddressSanitizer
detects (`make asan`).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wamr

Wat = Callable[[str], bytes]

TEXT = """(module
    (import "m" "f" (func))
    (memory (export "memory") 1)
    (table (export "table") 2 funcref)
    (global (export "global") (mut i32) (i32.const 7))
    (data (i32.const 0) "\\2a")
    (func (export "load") (result i32) (i32.load8_u (i32.const 0))))"""


class Plugin:
    """Uses an instance in its finalizer, and is in a cycle with it."""

    def __init__(self, instance: wamr.Instance, seen: list[object], cycle: dict[str, Any]) -> None:
        self.instance = instance
        self.seen = seen
        cycle["plugin"] = self

    def __del__(self) -> None:
        exports = self.instance.exports
        self.seen += [exports.load(), exports.memory[0], exports["global"].value, exports.table[1]]
        self.instance.close()
        self.seen.append("closed")


def test_finalizer_may_use_an_instance_that_is_collected_with_it(wat: Wat) -> None:
    store = wamr.Store()
    module = wamr.Module(store, wat(TEXT))
    for used in (False, True):
        seen: list[object] = []
        cycle: dict[str, Any] = {}
        instance = wamr.Instance(store, module, {"m": {"f": lambda cycle=cycle: None}})
        if used:
            instance.exports.load()
            assert instance.exports.memory[0] == 42
        Plugin(instance, seen, cycle)
        cycle["self"] = cycle
        del instance, cycle
        gc.collect()
        assert seen == [42, 42, 7, None, "closed"]


def test_view_of_a_closed_memory_is_there_for_a_finalizer(wat: Wat) -> None:
    class Reader:
        def __init__(self) -> None:
            instance = wamr.load(wat(TEXT), {"m": {"f": lambda: self}})
            self.memory = instance.exports.memory
            self.view = self.memory.view(0, 1)
            instance.close()

        def __del__(self) -> None:
            seen.append(self.view[0])

    seen: list[int] = []
    for _ in range(20):
        Reader()
    gc.collect()
    assert seen == [42] * 20


def test_views_and_handles_of_one_cycle_end_in_any_order(wat: Wat) -> None:
    module = wamr.Module(wamr.Store(), wat(TEXT))
    for order in range(2):
        for _ in range(50):
            cycle: list[Any] = []
            instance = wamr.Instance(wamr.Store(), module, {"m": {"f": lambda c=cycle: None}})
            objects = [instance.exports.memory, instance.exports.memory.view(), instance]
            cycle += objects[::-1] if order else objects
            cycle.append(cycle)
    del cycle, instance, objects
    gc.collect()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_collected_is_given_back(wat: Wat) -> None:
    def address_space() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[0]) * 4096

    def cycles() -> None:
        for _ in range(50):
            cycle: list[Any] = []
            imports = {"m": {"f": lambda c=cycle: None}}
            cycle.append(wamr.Instance(wamr.Store(), module, imports).exports.memory)

    gc.disable()  # otherwise the collector decides how many instances live at once
    module = wamr.Module(wamr.Store(), wat(TEXT))
    cycles()
    before = address_space()
    cycles()
    assert address_space() - before < 50 << 30  # each memory reserves 4 GiB
