"""Limits of memory and tables: of an instance, and of all that lives in a store."""

from __future__ import annotations

import gc

import pytest

import wamr
from wamr import (
    Instance,
    Limits,
    Memory,
    MemoryLimitError,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    ValType,
)

PAGE = 65_536
GROWING = """
(module
  (memory (export "memory") 1)
  (table $private 4 funcref)
  (table $shared (export "table") 4 externref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_private") (param i32) (result i32)
    (table.grow $private (ref.null func) (local.get 0)))
  (func (export "grow_shared") (param i32) (result i32)
    (table.grow $shared (ref.null extern) (local.get 0)))
  (func (export "use") (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536))
    (i32.const 4)) (i32.const 1))))
"""


def instance(limits: ResourceLimits | None = None, store: Store | None = None) -> Instance:
    store = store or Store()
    return Instance(store, Module(store, GROWING), limits=limits)


def test_memory_grow_stops_at_the_limit() -> None:
    exports = instance(ResourceLimits(memory_bytes=3 * PAGE)).exports
    assert exports.grow(1) == 1
    assert exports.grow(2) == -1
    assert exports.grow(1) == 2
    assert exports.grow(1) == -1
    exports.use()
    assert exports.memory.pages == 3


def test_the_host_cannot_grow_beyond_it_either() -> None:
    memory = instance(ResourceLimits(memory_bytes=2 * PAGE)).exports.memory
    assert memory.grow(1) == 1
    with pytest.raises(MemoryLimitError, match="beyond the limits"):
        memory.grow(1)
    assert memory.pages == 2


def test_a_limit_between_pages_leaves_the_whole_ones() -> None:
    exports = instance(ResourceLimits(memory_bytes=2 * PAGE + PAGE - 1)).exports
    assert exports.grow(1) == 1
    assert exports.grow(1) == -1


@pytest.mark.parametrize("limits", [{"memory_bytes": PAGE - 1}, {"table_elements": 7}], ids=str)
def test_an_instance_that_is_too_large_is_not_made(limits: dict[str, int]) -> None:
    with pytest.raises(MemoryLimitError, match="beyond the limits"):
        instance(ResourceLimits(**limits))


def test_table_grow_stops_at_the_limit() -> None:
    exports = instance(ResourceLimits(table_elements=10)).exports
    assert exports.grow_private(3) == -1
    assert exports.grow_private(1) == 4
    assert exports.grow_shared(1) == 4
    assert exports.grow_shared(1) == -1
    with pytest.raises(ValueError, match="beyond the limits"):
        exports.table.grow(1)
    assert len(exports.table) == 5


def test_a_stores_limits_are_sums() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=4 * PAGE, table_elements=20))
    first, second = instance(store=store), instance(store=store)
    assert first.exports.grow(1) == 1
    memory = Memory(store, MemoryType(Limits(1)))
    assert second.exports.grow(1) == -1
    with pytest.raises(MemoryLimitError):
        memory.grow(1)
    with pytest.raises(MemoryLimitError):
        Memory(store, MemoryType(Limits(1)))
    table = Table(store, TableType(ValType.FUNCREF, Limits(4)))
    with pytest.raises(ValueError, match="limits"):
        table.grow(1)
    with pytest.raises(MemoryLimitError):
        Table(store, TableType(ValType.FUNCREF, Limits(1)))
    with pytest.raises(MemoryLimitError):
        instance(store=store)


def test_what_is_closed_gives_back() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=PAGE, table_elements=8))
    for _ in range(3):
        made = instance(store=store)
        with pytest.raises(MemoryLimitError):
            instance(store=store)
        made.close()
        del made
    for _ in range(3):
        instance(store=store)
        gc.collect()


def test_a_view_holds_its_memory_beyond_close() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=PAGE))
    made = instance(store=store)
    view = made.exports.memory.view()
    made.close()
    with pytest.raises(MemoryLimitError):
        instance(store=store)
    view.release()
    del view
    gc.collect()
    instance(store=store)


def test_an_instances_limits_are_within_its_stores() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=2 * PAGE))
    small = instance(ResourceLimits(memory_bytes=PAGE), store)
    assert small.exports.grow(1) == -1
    large = instance(ResourceLimits(memory_bytes=100 * PAGE), store)
    assert large.exports.grow(1) == -1
    small.close()
    del small
    assert large.exports.grow(1) == 1


def test_an_imported_memory_counts_once() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=2 * PAGE))
    memory = Memory(store, MemoryType(Limits(2)))
    text = '(module (import "m" "m" (memory 2)) (func (export "f") (result i32) (memory.size)))'
    for _ in range(3):
        assert Instance(store, Module(store, text), [memory]).exports.f() == 2


def test_what_failed_to_link_gives_back() -> None:
    store = Store(limits=ResourceLimits(memory_bytes=PAGE, table_elements=4))
    bad = Module(store, '(module (memory 1) (table 4 funcref) (data (i32.const 65536) "x"))')
    for _ in range(3):
        with pytest.raises(wamr.Trap):
            Instance(store, bad)
        gc.collect()
    assert Memory(store, MemoryType(Limits(1))).pages == 1
    Table(store, TableType(ValType.FUNCREF, Limits(4)))


@pytest.mark.parametrize("name", ["memory_bytes", "table_elements"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(-1, ValueError), (2**64, ValueError), ("1", TypeError), (1.5, TypeError), (True, TypeError)],
)
def test_limits_are_checked(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        ResourceLimits(**{name: value})  # type: ignore[arg-type]


def test_repr_shows_what_is_limited() -> None:
    limits = ResourceLimits(memory_bytes=1, table_elements=2)
    assert repr(limits) == "ResourceLimits(memory_bytes=1, table_elements=2)"
