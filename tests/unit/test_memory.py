"""Memories: creation, strict reads and writes, views, growth."""

import array
import gc
import struct
import weakref

import pytest
from collecting import collect_until
from hypothesis import given
from hypothesis import strategies as st
from platforms import needs_64_bits, needs_address_limit

from wamr import (
    ClosedError,
    Extern,
    Limits,
    Memory,
    MemoryLimitError,
    MemoryType,
    Store,
    load,
)

PAGE = 65_536


# ------------------------------------------------------------------ made
def test_a_new_one_is_zero(memory):
    assert len(memory) == PAGE
    assert memory.pages == 1
    assert memory[0:PAGE] == bytes(PAGE)
    assert memory.type == MemoryType(Limits(1, 3))
    assert isinstance(memory, Extern)
    assert repr(memory) == "<wamr.Memory, 1 page>"


def test_type_tells_the_present_size(store):
    memory = Memory(store, MemoryType(Limits(0)))
    assert memory.type == MemoryType(Limits(0))
    memory.grow(2)
    assert memory.type == MemoryType(Limits(2))
    exported = load('(module (memory (export "m") 1 65536))').exports.m
    assert exported.type == MemoryType(Limits(1, 65_536))
    exported.grow(3)
    assert exported.type == MemoryType(Limits(4, 65_536))


@pytest.mark.parametrize("bad", [None, 5, Limits(1), "memory"])
def test_type_of_a_wrong_kind(store, bad):
    with pytest.raises(TypeError, match=f"type must be a MemoryType, not {type(bad).__name__}"):
        Memory(store, bad)
    with pytest.raises(TypeError, match=f"store must be a Store, not {type(bad).__name__}"):
        Memory(bad, MemoryType(Limits(1)))


@needs_64_bits
def test_the_largest_possible(store):
    memory = Memory(store, MemoryType(Limits(65_536)))
    assert len(memory) == 1 << 32
    memory[-1] = 7
    assert memory.read((1 << 32) - 1, 1) == b"\7"
    assert memory[(1 << 32) - 2 :] == b"\0\7"
    view = memory.view()
    assert len(view) == 1 << 32
    assert view[-1] == 7
    with pytest.raises(MemoryLimitError):
        memory.grow(1)


def test_an_empty_one(store):
    memory = Memory(store, MemoryType(Limits(0)))
    assert len(memory) == 0
    assert memory[:] == b""
    assert memory.read(0, 0) == b""
    assert bytes(memory.view()) == b""
    memory.write(0, b"")
    for use in (lambda: memory[0], lambda: memory.read(0, 1), lambda: memory.write(0, b"x")):
        with pytest.raises(IndexError):
            use()


@needs_address_limit
def test_no_address_space_is_a_memory_error(store):
    kept = []
    with pytest.raises(MemoryLimitError):  # support/bounds.py limits the address space
        for _ in range(40_000):
            kept.append(Memory(store, MemoryType(Limits(65_536))))  # noqa: PERF401
    del kept
    assert len(Memory(store, MemoryType(Limits(1)))) == PAGE


# ------------------------------------------------------------------ strict reads and writes
@pytest.mark.parametrize("bad", [None, "0", 1.0, b"", [1]])
def test_read_and_write_name_a_wrong_argument(memory, bad):
    kind = type(bad).__name__
    with pytest.raises(TypeError, match=f"offset must be an int, not {kind}"):
        memory.read(bad, 1)
    with pytest.raises(TypeError, match=f"size must be an int, not {kind}"):
        memory.read(0, bad)
    with pytest.raises(TypeError, match=f"offset must be an int, not {kind}"):
        memory.write(bad, b"x")
    with pytest.raises(TypeError, match=f"offset must be an int, not {kind}"):
        memory.view(bad, 1)
    if bad is not None:
        with pytest.raises(TypeError, match=f"size must be an int, not {kind}"):
            memory.view(0, bad)


def test_a_missing_argument_of_read_and_write(memory):
    with pytest.raises(TypeError, match=r"Memory(Base)?\.read\(\) missing"):
        memory.read(0)
    with pytest.raises(TypeError, match=r"Memory(Base)?\.write\(\) missing"):
        memory.write(0)


@pytest.mark.parametrize("bad", [None, "text", 5, [1, 2], object()])
def test_write_of_what_is_no_buffer(memory, bad):
    with pytest.raises(TypeError, match=f"data must be bytes .* not {type(bad).__name__}"):
        memory.write(0, bad)


@pytest.mark.parametrize(
    "data",
    [
        b"\1\2\3\4",
        bytearray(b"\1\2\3\4"),
        memoryview(b"\1\2\3\4"),
        memoryview(b"\1\0\2\0\3\0\4\0")[::2],
        array.array("B", b"\1\2\3\4"),
        array.array("b", b"\1\2\3\4"),
        array.array("i", b"\1\2\3\4"),
        memoryview(bytearray(b"\1\2\3\4")).cast("B", (2, 2)),
        memoryview(b"\1\2\3\4").cast("c"),
        memoryview(b"\1\2\3\4").cast("f"),
    ],
    ids=repr,
)
def test_every_buffer_can_be_written(memory, data):
    memory.write(10, data)
    assert memory[8:16] == b"\0\0\1\2\3\4\0\0"
    memory[20:24] = data
    assert memory[20:24] == b"\1\2\3\4"


def test_empty_buffers(memory):
    for data in (b"", bytearray(), array.array("i"), memoryview(b"abc")[3:]):
        memory.write(PAGE, data)
        with pytest.raises(IndexError):
            memory.write(PAGE + 1, data)
        memory[3:3] = data


def test_a_memory_is_written_into_itself(memory):
    memory.write(0, b"abcdef")
    memory.write(2, memory.view(0, 6))
    assert memory[0:8] == b"ababcdef"
    memory[0:4] = memory.view(4, 4)
    assert memory[0:8] == b"cdefcdef"


# ------------------------------------------------------------------ views
def test_a_view_is_writable_and_no_copy(memory):
    view = memory.view(100, 8)
    view[:3] = b"abc"
    assert memory[100:103] == b"abc"
    memory[103] = 1
    assert view[3] == 1
    assert len(view) == 8
    assert (view.format, view.readonly) == ("B", False)
    assert len(memory.view()) == PAGE
    assert len(memory.view(PAGE)) == 0
    assert len(memory.view(5)) == PAGE - 5


def test_views_in_other_formats(memory):
    memory.write(8, struct.pack("=4i", 1, -2, 3, -4))
    assert memory.view(8, 16, format="i").tolist() == [1, -2, 3, -4]
    assert memory.view(9, 4, format="B").tolist() == list(memory.read(9, 4))
    wide = memory.view(format="d")
    assert len(wide) == PAGE // 8
    wide[4] = 2.5
    assert memory.read(32, 8) == struct.pack("=d", 2.5)
    assert memory.view(1, 4, format="I")[0] == int.from_bytes(memory[1:5], "little")


def test_views_that_cannot_be(memory):
    for args in ((-1, 1), (0, -1), (PAGE, 1), (PAGE + 1,), (0, PAGE + 1), (2**70, 0), (0, 2**70)):
        with pytest.raises(IndexError, match="not within the memory's 65536 bytes"):
            memory.view(*args)
    with pytest.raises(ValueError, match="3 bytes are no whole items of format 'i'"):
        memory.view(0, 3, format="i")
    for bad in ("zz", "", "<i", "&"):
        with pytest.raises(ValueError, match=f"one character that memoryview.cast .* not {bad!r}"):
            memory.view(0, 4, format=bad)
    for bad in (None, 5, b"B"):
        with pytest.raises(TypeError, match=f"format must be a str, not {type(bad).__name__}"):
            memory.view(format=bad)
    with pytest.raises(TypeError):
        memory.view(0, 4, "i")
    assert len(memory.view(4, 0, format="i")) == 0


def test_views_stay_valid_when_the_memory_grows(memory):
    view, all_of_it = memory.view(0, 4), memory.view()
    memory.grow(2)
    view[0] = 5
    assert memory[0] == all_of_it[0] == 5
    assert len(all_of_it) == PAGE
    assert len(memory.view()) == 3 * PAGE
    memory[2 * PAGE] = 9
    assert memory.view(2 * PAGE)[0] == 9


@pytest.mark.parametrize("how", ["close", "close store", "collect"])
@pytest.mark.parametrize("origin", ["host", "instance"])
def test_views_outlive_everything_else(origin, how):
    store = Store()
    if origin == "host":
        owner = memory = Memory(store, MemoryType(Limits(1)))
    else:
        owner = load('(module (memory (export "m") 1))')
        store = owner.store
        memory = owner.exports.m
    memory.write(0, b"kept")
    view = memory.view()
    inner = view[0:4]
    alive = weakref.ref(memory)
    if how == "close store" or (how == "close" and origin == "host"):
        store.close()
    elif how == "close":
        owner.close()
    del owner, memory, store
    assert collect_until(lambda: alive() is None)
    assert bytes(view[:4]) == b"kept"
    view[PAGE - 1] = 1
    del view
    gc.collect()
    assert bytes(inner) == b"kept"
    inner[0] = 1


def test_an_instance_whose_memory_is_viewed_may_come_and_go_many_times():
    views = []
    for i in range(200):
        instance = load('(module (memory (export "m") 1))')
        view = instance.exports.m.view(0, 8)
        view[0] = i % 256
        views.append(view)
        instance.close()
    assert [view[0] for view in views] == [i % 256 for i in range(200)]


# ------------------------------------------------------------------ growth
def test_grow_answers_the_old_size(memory):
    assert memory.grow(0) == 1
    assert memory.grow(1) == 1
    assert memory.grow(1) == 2
    assert len(memory) == 3 * PAGE
    assert memory[PAGE:] == bytes(2 * PAGE)


@pytest.mark.parametrize("pages", [3, 65_536, 2**31, 2**32, 2**32 - 1, 2**40, 2**70])
def test_grow_past_the_maximum(memory, pages):
    memory[0] = 1
    with pytest.raises(MemoryLimitError, match=f"from 1 by {pages} pages: at most 3") as caught:
        memory.grow(pages)
    assert isinstance(caught.value, MemoryError)
    assert memory.pages == 1
    assert memory[0] == 1


def test_grow_by_what_cannot_be(memory):
    for bad in (-1, -(2**70)):
        with pytest.raises(ValueError, match=f"pages must not be negative: {bad}"):
            memory.grow(bad)
    for bad in (None, "1", 1.0):
        with pytest.raises(TypeError, match=f"pages must be an int, not {type(bad).__name__}"):
            memory.grow(bad)


@needs_64_bits
def test_without_a_maximum_it_grows_to_4_gib(store):
    memory = Memory(store, MemoryType(Limits(1)))
    assert memory.grow(65_535) == 1
    assert len(memory) == 1 << 32
    memory[-1] = 1
    with pytest.raises(MemoryLimitError, match="no more room"):
        memory.grow(1)


def test_growth_is_seen_from_both_sides():
    text = """(module (memory (export "m") 1 10)
        (func (export "size") (result i32) (memory.size))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    exports = load(text).exports
    memory = exports.m
    assert memory[PAGE - 1] == 0
    assert exports.grow(2) == 1
    assert (memory.pages, len(memory)) == (3, 3 * PAGE)
    memory[3 * PAGE - 1] = 5
    assert exports.peek(3 * PAGE - 1) == 5
    assert memory.grow(1) == 3
    assert exports.size() == 4
    memory[-1] = 6
    assert exports.peek(4 * PAGE - 1) == 6
    assert exports.grow(100) == -1
    assert memory[-1] == 6


@given(st.lists(st.integers(0, 5), max_size=12))
def test_growing_in_any_steps_equals_growing_once(steps):
    with Store() as store:
        memory = Memory(store, MemoryType(Limits(1, 20)))
        size = 1
        for step in steps:
            if size + step <= 20:
                assert memory.grow(step) == size
                size += step
            else:
                with pytest.raises(MemoryLimitError):
                    memory.grow(step)
        assert memory.pages == size
        memory[size * PAGE - 1] = 1


# ------------------------------------------------------------------ the end
def test_closed(store, memory):
    view = memory.view()
    store.close()
    assert repr(memory) == "<wamr.Memory, closed>"
    with pytest.raises(ClosedError, match="this Memory is closed"):
        memory.read(0, 1)
    assert view[0] == 0


def test_equality_and_identity():
    text = '(module (memory (export "a") 1) (export "b" (memory 0)))'
    exports, others = load(text).exports, load(text).exports
    assert exports.a == exports.b
    assert hash(exports.a) == hash(exports.b)
    assert exports.a != others.a
    assert exports.a != bytes(PAGE)
