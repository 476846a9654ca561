"""Random code with atomic instructions, on a memory that isn't shared, does as in wasmtime."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import atomic_model
import pytest
from needs import needs_engine
from single_instructions import signed

import wamr

Wat = Callable[[str], bytes]
LOCALS = ("i32", "i32", "i64", "i64")
PROGRAMS = 40
BYTES = 64  # most addresses are below this one
TRAPS = {
    "unaligned atomic": "unaligned atomic",
    "out of bounds memory access": "out of bounds memory access",
    "expected shared memory": "atomic wait on non-shared memory",
}


class Program:
    """Generates the code of a function."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self) -> str:
        code = " ".join(self.statement() for _ in range(self.chance.randrange(5, 40)))
        return f"""(module (memory (export "memory") 1 1) (func (export "f")
            (param {" ".join(LOCALS)}) (result {" ".join(LOCALS)})
            {code} {" ".join(f"(local.get {i})" for i in range(len(LOCALS)))}))"""

    def statement(self) -> str:
        kind = self.chance.randrange(10)
        if kind < 5:
            at = self.chance.randrange(len(LOCALS))
            return f"(local.set {at} {self.value(LOCALS[at], 3)})"
        if kind < 8:
            return self.access("", 3)
        if kind == 8:
            then, otherwise = self.statement(), self.statement()
            return f"(if {self.value('i32', 2)} (then {then}) (else {otherwise}))"
        return "atomic.fence" if self.chance.random() < 0.5 else f"(drop {self.value('i64', 3)})"

    def value(self, type_: str, depth: int) -> str:
        kind = self.chance.randrange(10) if depth else self.chance.randrange(4)
        if kind < 2:
            some = (0, 1, -1, 255, 256, 65535, -256, 2**31 - 1, self.chance.randrange(2**31))
            return f"({type_}.const {self.chance.choice(some)})"
        if kind < 4:
            return (
                f"(local.get {self.chance.choice([i for i, t in enumerate(LOCALS) if t == type_])})"
            )
        if kind == 4:
            operator = self.chance.choice(("add", "sub", "xor", "mul", "shl"))
            operands = self.value(type_, depth - 1), self.value(type_, depth - 1)
            return f"({type_}.{operator} {operands[0]} {operands[1]})"
        if kind == 5:
            at = self.chance.choice([i for i, t in enumerate(LOCALS) if t == type_])
            return f"(local.tee {at} {self.value(type_, depth - 1)})"
        return self.access(type_, depth - 1)

    def access(self, result: str, depth: int) -> str:
        """Return an instruction with this result."""
        if result == "i32" and self.chance.random() < 0.005:
            name = self.chance.choice(list(atomic_model.WAITS))
            params, size = atomic_model.WAITS[name]
        else:
            every = map(atomic_model.of, atomic_model.ACCESSES)
            model = self.chance.choice([each for each in every if each.result == result])
            name, params, size = model.name, model.params, model.size
        mask = BYTES - size
        if self.chance.random() < 0.01:  # in wasmtime, wait checks bounds before alignment
            mask = self.chance.choice((-size if "wait" in name else -1, BYTES - 1))
        offset = size * self.chance.randrange(3)
        operands = " ".join(self.value(param, depth) for param in params)
        address = f"(i32.and {self.value('i32', depth)} (i32.const {mask}))"
        return f"({name} offset={offset} {address} {operands})"


def ours(data: bytes, tries: list[tuple[int, ...]]) -> list[Any]:
    exports = wamr.load(data).exports
    seen: list[Any] = []
    for arguments in tries:
        try:
            seen.append(exports.f(*arguments))
        except wamr.Trap as trap:
            seen.append(TRAPS[trap.message])
        seen.append(bytes(exports.memory.read(0, 4 * BYTES)))
    return seen


def theirs(data: bytes, tries: list[tuple[int, ...]]) -> list[Any]:
    import wasmtime

    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, data), [])
    exports = instance.exports(store)
    function: Any = exports["f"]
    memory: Any = exports["memory"]
    seen: list[Any] = []
    for arguments in tries:
        try:
            seen.append(tuple(function(store, *arguments)))
        except wasmtime.Trap as trap:
            seen.append(next((text for text in TRAPS.values() if text in str(trap)), str(trap)))
        seen.append(bytes(memory.read(store, 0, 4 * BYTES)))
    return seen


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_code_does_as_in_wasmtime(seed: int, wat: Wat) -> None:
    needs_engine()
    text = Program(seed).text()
    chance = random.Random(seed)
    edges = {"i32": (0, 1, 8, 2**31, 2**32 - 1), "i64": (0, 1, 2**32, 2**63, 2**64 - 1)}
    tries: list[Any] = [
        tuple(
            signed(type_, chance.choice((chance.randrange(2 ** int(type_[1:])), *edges[type_])))
            for type_ in LOCALS
        )
        for _ in range(6)
    ]
    data = wat(text)
    assert ours(data, tries) == theirs(data, tries), text


def test_every_instruction_is_in_a_program() -> None:
    texts = [Program(seed).text() for seed in range(PROGRAMS)]
    for name in (*atomic_model.ACCESSES, "memory.atomic.notify", "memory.atomic.wait"):
        assert any(name in text for text in texts), name
