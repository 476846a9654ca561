"""Every vector instruction on memory: what it reads, where it writes, and where it traps."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import ieee
import pytest
from vector_shapes import NAMES as OPCODES
from vector_shapes import Lane

import wamr

Wat = Callable[[str], bytes]
NAMES = [name for name in OPCODES if name.startswith(("v128.load", "v128.store"))]
PAGE = 65536
OFFSET = 5  # so that there are unaligned addresses, too


def size_of(name: str) -> int:
    """Return how many bytes the instruction reads or writes."""
    if extended := re.search(r"(\d+)x(\d+)_", name):
        return int(extended[1]) * int(extended[2]) // 8
    if narrow := re.search(r"(\d+)_", name):
        return int(narrow[1]) // 8
    return 16


def loaded(name: str, data: bytes, lane: int, vector: bytes) -> bytes:
    """Return the model's result for these bytes of the memory."""
    if extended := re.search(r"(\d+)x\d+_([su])", name):
        width = int(extended[1])
        lanes_of = Lane(width).split(data + bytes(16 - len(data)))[: 64 // width]
        if extended[2] == "s":
            lanes_of = [ieee.signed_of(width, a) % (1 << 2 * width) for a in lanes_of]
        return Lane(2 * width).join(lanes_of)
    if name.endswith("_splat"):
        return data * (16 // len(data))
    if name.endswith("_zero"):
        return data + bytes(16 - len(data))
    if name.endswith("_lane"):
        return vector[: lane * len(data)] + data + vector[(lane + 1) * len(data) :]
    return data


def lanes_of(name: str) -> range:
    return range(16 // size_of(name) if name.endswith("_lane") else 1)


def module(name: str) -> str:
    """Return one function for each lane, named "0" on; loads of lanes take a vector, too."""
    texts = []
    for lane in lanes_of(name):
        at = f"(local.get 0) {'(local.get 1)' if 'store' in name or '_lane' in name else ''}"
        number = str(lane) if name.endswith("_lane") else ""
        texts.append(
            f'(func (export "{lane}") (param i32 v128) {"" if "store" in name else "(result v128)"}'
            f" ({name} offset={OFFSET} align=1 {number} {at}))"
        )
    return f'(module (memory (export "memory") 1 1) {" ".join(texts)})'


@pytest.mark.parametrize("name", NAMES)
def test_an_instruction_on_memory_does_what_the_model_does(
    name: str, wat: Wat, compare: Callable[..., None]
) -> None:
    exports = wamr.load(wat(module(name))).exports
    memory = exports.memory
    chance = random.Random(1)
    size = size_of(name)
    content = bytearray(chance.randbytes(PAGE))
    content[300:340] = bytes.fromhex("ff7f8000") * 10  # edges of integers, and NaNs
    memory.write(0, content)
    last = PAGE - size
    addresses = [*range(20), *range(295, 325), last - 1, last]
    tries: list[tuple[int, bytes]] = [
        (at - OFFSET, chance.randbytes(16)) for at in addresses if at >= OFFSET
    ]
    for lane in lanes_of(name):
        call = exports[str(lane)]
        if "load" in name:
            expected: list[Any] = [
                loaded(name, bytes(content[at + OFFSET : at + OFFSET + size]), lane, vector)
                for at, vector in tries
            ]
            compare(call, tries, expected, lambda wanted, got: False)
            continue
        part = slice(lane * size, (lane + 1) * size)

        def stored(address: int, vector: bytes, call: Any = call) -> bytes:
            memory.write(0, content)
            call(address, vector)
            return bytes(memory.read(0, PAGE))

        expected = []
        for at, vector in tries:
            after = bytearray(content)
            after[at + OFFSET : at + OFFSET + size] = vector[part]
            expected.append(bytes(after))
        compare(stored, tries, expected, lambda wanted, got: False)


@pytest.mark.parametrize("name", NAMES)
def test_beyond_the_memory_is_a_trap_and_writes_nothing(name: str, wat: Wat) -> None:
    exports = wamr.load(wat(module(name))).exports
    size = size_of(name)
    exports.memory.write(PAGE - 16, b"x" * 16)
    first = PAGE - size - OFFSET + 1
    for lane in lanes_of(name):
        for address in (first, PAGE - OFFSET, PAGE, 2**31, 2**32 - size - OFFSET, 2**32 - 1):
            with pytest.raises(wamr.Trap, match="out of bounds memory access"):
                exports[str(lane)](address, b"y" * 16)
    assert exports.memory.read(PAGE - 16, 16) == b"x" * 16


def test_there_are_instructions_of_each_kind() -> None:
    assert len(NAMES) == 22
    assert [size_of(name) for name in NAMES[:12]] == [16, 8, 8, 8, 8, 8, 8, 1, 2, 4, 8, 16]
