"""Slices of a memory, compared with those of a bytearray."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from wamr import (
    Limits,
    Memory,
    MemoryType,
    Store,
    load,
)

# ------------------------------------------------------------------ as a bytearray
SMALL = 65_536  # one page
positions = st.one_of(
    st.integers(-SMALL - 5, SMALL + 5), st.integers(0, 40), st.none(), st.just(2**70)
)


class LikeBytearray(RuleBasedStateMachine):
    """Each operation on a memory has the result of the same operation on a bytearray."""

    @initialize()
    def begin(self):
        self.store = Store()
        self.memory = Memory(self.store, MemoryType(Limits(1, 2)))
        self.model = bytearray(SMALL)

    @rule(start=positions, stop=positions)
    def read_slice(self, start, stop):
        assert self.memory[start:stop] == bytes(self.model[start:stop])

    @rule(index=st.integers(-SMALL - 5, SMALL + 5))
    def read_byte(self, index):
        try:
            expected = self.model[index]
        except IndexError:
            with pytest.raises(IndexError, match=f"byte {index} is not within"):
                self.memory[index]
        else:
            assert self.memory[index] == expected

    @rule(index=st.integers(-SMALL - 5, SMALL + 5), value=st.integers(0, 255))
    def write_byte(self, index, value):
        try:
            self.model[index] = value
        except IndexError:
            with pytest.raises(IndexError):
                self.memory[index] = value
        else:
            self.memory[index] = value

    @rule(start=positions, data=st.binary(max_size=40))
    def write_slice(self, start, data):
        first, last, _ = slice(start, None).indices(SMALL)
        stop = min(first + len(data), last)
        self.model[first:stop] = data[: stop - first]
        self.memory[first:stop] = data[: stop - first]
        if stop > first:
            with pytest.raises(ValueError, match="takes as many"):
                self.memory[first:stop] = data[: stop - first] + b"x"

    @rule(offset=st.integers(-3, SMALL + 3), data=st.binary(max_size=40))
    def write(self, offset, data):
        if 0 <= offset <= SMALL - len(data):
            self.memory.write(offset, data)
            self.model[offset : offset + len(data)] = data
        else:
            with pytest.raises(IndexError, match=f"{len(data)} bytes at {offset} are not within"):
                self.memory.write(offset, data)

    @rule(offset=st.integers(-3, SMALL + 3), size=st.integers(-3, 50))
    def read(self, offset, size):
        if offset >= 0 and size >= 0 and offset + size <= SMALL:
            assert self.memory.read(offset, size) == self.model[offset : offset + size]
            assert self.memory.view(offset, size) == self.model[offset : offset + size]
        else:
            for use in (self.memory.read, self.memory.view):
                with pytest.raises(IndexError, match=f"{size} bytes at {offset} are not within"):
                    use(offset, size)

    def teardown(self):
        assert self.memory[:] == bytes(self.model)
        self.store.close()


TestLikeBytearray = LikeBytearray.TestCase


def test_slices_have_no_step(memory):
    for key in (slice(None, None, 2), slice(None, None, -1), slice(5, 0, -1)):
        with pytest.raises(ValueError, match="no step"):
            memory[key]
        with pytest.raises(ValueError, match="no step"):
            memory[key] = b"x"
    assert memory[0:2:1] == b"\0\0"


@pytest.mark.parametrize("key", [None, "0", 0.0, (0, 1), b""])
def test_keys_of_a_wrong_kind(memory, key):
    with pytest.raises(TypeError, match=f"index must be an int, not {type(key).__name__}"):
        memory[key]
    with pytest.raises(TypeError, match=f"index must be an int, not {type(key).__name__}"):
        memory[key] = 0
    with pytest.raises(TypeError):
        memory["a":"b"]


def test_values_of_a_wrong_kind(memory):
    for bad in (None, "x", 1.0, b"x", [1]):
        with pytest.raises(TypeError, match=f"value must be an int, not {type(bad).__name__}"):
            memory[0] = bad
    for bad in (-1, 256, 2**70):
        with pytest.raises(ValueError, match=f"value must be a byte, 0 to 255, not {bad}"):
            memory[0] = bad
    for bad in (None, "xx", 5, 1.0, [1, 2]):
        with pytest.raises(TypeError, match=f"value must be bytes .* not {type(bad).__name__}"):
            memory[0:2] = bad
    assert memory[0:2] == b"\0\0"


def test_what_has_index_is_an_integer(memory):
    class Five:
        def __index__(self):
            return 5

    memory[Five()] = Five()
    assert memory[5] == memory[Five()] == 5
    assert memory.read(Five(), Five()) == b"\5\0\0\0\0"
    memory.write(Five(), b"\6")
    assert bytes(memory.view(Five(), Five())) == b"\6\0\0\0\0"
    assert memory[Five() : Five()] == b""
    assert Memory(memory.store, MemoryType(Limits(0, 9))).grow(Five()) == 0


def test_iteration_ends():
    memory = load('(module (memory (export "m") 1) (data (i32.const 0) "abc"))').exports.m
    assert list(memory)[:4] == [97, 98, 99, 0]
    assert sum(1 for _ in memory) == SMALL
    assert 99 in memory
    assert 100 not in memory
    assert list(zip(memory, "abcd", strict=False))[2] == (99, "c")
