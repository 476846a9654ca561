"""Many memories at once, also with 32 bits, where addresses are few: each reserves what it uses."""

from __future__ import annotations

import pytest
from platforms import BITS, EMULATED

from wamr import Instance, Limits, Memory, MemoryLimitError, MemoryType, Module, Store, load

PAGE = 65_536
# With 64 bits each reserves 4 GiB, of the 1 TiB that a test may have (bounds.py). An emulator keeps
# a record of each page of them.
MANY = 1000 if BITS < 64 else 50 if EMULATED else 200


@pytest.mark.parametrize("most", [1, 16, None])
def test_many_memories_of_a_store(store: Store, most: int | None) -> None:
    memories = [Memory(store, MemoryType(Limits(1, most))) for _ in range(MANY)]
    for number, memory in enumerate(memories):
        memory.write(number, b"here")
    for number, memory in enumerate(memories):
        assert memory.read(number, 4) == b"here"
        assert memory.read(number + 4, 4) == bytes(4)


def test_many_instances_with_a_memory(store: Store) -> None:
    module = Module(store.engine, '(module (memory (export "m") 1) (data (i32.const 8) "here"))')
    instances = [Instance(store, module) for _ in range(MANY)]
    assert all(one.exports.m.read(8, 4) == b"here" for one in instances)


def test_memories_grow_beside_others_and_stay_where_they_are(store: Store) -> None:
    memories = [Memory(store, MemoryType(Limits(1))) for _ in range(50)]
    views = []
    for number, memory in enumerate(memories):
        memory.write(0, bytes([number]))
        views.append(memory.view())
    for memory in memories:
        for pages in range(1, 17):
            assert memory.grow(1) == pages
            assert memory.read(pages * PAGE, 4) == bytes(4)
            memory.write(pages * PAGE, b"more")
    for number, (memory, view) in enumerate(zip(memories, views, strict=True)):
        assert view[0] == memory.read(0, 1)[0] == number
        memory.write(0, b"\xff")
        assert view[0] == 0xFF
        assert memory.read(16 * PAGE, 4) == b"more"


def test_one_memory_grows_large_beside_many_small_ones(store: Store) -> None:
    """Without many others, a large part of the addresses is left for one."""
    small = [Memory(store, MemoryType(Limits(1, 1))) for _ in range(4)]
    large = Memory(store, MemoryType(Limits(1)))
    large.grow((128 << 20) // PAGE)
    large.write(100 << 20, b"far")
    assert large.read(100 << 20, 3) == b"far"
    assert len(small) == 4


GROWS = """(module (memory (export "m") 1)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""


def test_growing_beyond_the_addresses_is_refused_and_changes_nothing() -> None:
    """4 GiB less a page never fit where addresses have 32 bits; with 64 bits they do."""
    with load(GROWS) as instance:
        memory = instance.exports.m
        memory.write(0, b"kept")
        got = instance.exports.grow(65_534)
        assert got == (-1 if BITS < 64 else 1)
        assert memory.read(0, 4) == b"kept"
        if BITS < 64:
            assert len(memory) == PAGE
            with pytest.raises(MemoryLimitError, match="no address space for 4,294,901,760 bytes"):
                memory.grow(65_534)
            assert instance.exports.grow(2) == 1
            assert memory.read(2 * PAGE, 4) == bytes(4)


@pytest.mark.parametrize("pages", [65_535, 65_536])
def test_a_memory_of_4_gib_is_refused_where_addresses_have_32_bits(
    store: Store, pages: int
) -> None:
    kind = MemoryType(Limits(pages))
    if BITS < 64:
        with pytest.raises(MemoryLimitError, match="no address space for"):
            Memory(store, kind)
    else:
        assert len(Memory(store, kind)) == pages * PAGE
