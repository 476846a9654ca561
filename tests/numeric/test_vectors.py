"""Every vector instruction on edge cases and random lanes, compared with a model.

The model is tests/support/vector_model.py.

Each value is in each lane once, in each floating-point environment. Instructions on memory are in
test_vector_memory.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ieee
import pytest
import single_instructions
import vector_model
from vector_shapes import NAMES, Instruction, Vector

import wamr

Wat = Callable[[str], bytes]
OPERATORS = [
    name for name in NAMES if name != "-" and not name.startswith(("v128.load", "v128.store"))
]


def immediate(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "v128.const":
        return "i8x16 " + " ".join(map(str, value))
    return " ".join(map(str, value)) if isinstance(value, bytes) else str(value)


def fits(instruction: Instruction, expected: Any, got: Any) -> bool:
    if isinstance(expected, Vector):
        return isinstance(got, bytes) and expected.fits(got)
    return bool(single_instructions.signed(instruction.result, expected) == got)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_instruction_gives_what_the_model_gives(
    name: str, wat: Wat, compare: Callable[..., None]
) -> None:
    instruction = vector_model.of(name)
    tries = instruction.tries()
    immediates = instruction.immediates or (None,)
    texts = [
        single_instructions.function(
            str(i), f"{name} {immediate(name, value)}", instruction.params, instruction.result
        )
        for i, value in enumerate(immediates)
    ]
    exports = wamr.load(wat(f"(module {' '.join(texts)})")).exports
    for i, value in enumerate(immediates):
        before = () if value is None else (value,)
        expected = [instruction.run(*before, *arguments) for arguments in tries]
        arguments = [
            tuple(map(single_instructions.signed, instruction.params, arguments))
            for arguments in tries
        ]
        compare(
            exports[str(i)], arguments, expected, lambda wanted, got: fits(instruction, wanted, got)
        )


# ---- the list is complete ------------------------------------------------------------------------


IMMEDIATES = {
    "none": b"",
    "lane": b"\0",
    "memory": b"\0\0",
    "memory and lane": b"\0\0\0",
    "sixteen bytes": bytes(16),
}


def valid(opcode: int) -> list[str]:
    """Return the immediates of an instruction; after `unreachable`, any operands fit."""
    number = bytes([opcode & 0x7F | 0x80, opcode >> 7]) if opcode > 0x7F else bytes([opcode])
    found = []
    for name, immediates in IMMEDIATES.items():
        body = b"\0" + b"\0" + b"\xfd" + number + immediates + b"\0" + b"\x0b"
        module = (
            b"\0asm\1\0\0\0"
             b"\1\4\1\x60\0\0"  # a type
             b"\3\2\1\0"  # a function
             b"\5\3\1\0\1"  # a memory
             b"\x0a" + bytes([len(body) + 2, 1, len(body)]) + body
        )  # fmt: skip
        try:
            wamr.Module(wamr.Store(), module)
        except wamr.CompileError:
            continue
        found.append(name)
    return found


def test_the_table_has_every_opcode() -> None:
    assert len(NAMES) == 256
    assert len(set(NAMES) - {"-"}) == 236
    known = {opcode for opcode, name in enumerate(NAMES) if name != "-"}
    relaxed = set(range(0x100, 0x114))  # test_relaxed.py
    assert {opcode for opcode in range(300) if valid(opcode)} == known | relaxed


def test_each_name_has_its_opcode(wat: Wat) -> None:
    for opcode, name in enumerate(NAMES):
        if name == "-":
            continue
        text = name
        if name == "v128.const":
            text += " i64x2 0 0"
        elif name == "i8x16.shuffle":
            text += " 0" * 16
        elif "_lane" in name:
            text += " 0"
        code = wat(f"(module (memory 1) (func unreachable {text} unreachable))")
        number = [opcode & 0x7F | 0x80, opcode >> 7] if opcode > 0x7F else [opcode]
        assert bytes([0, 0xFD, *number]) in code, name


def test_the_model_knows_no_other_instruction() -> None:
    for name in ("-", "i64x2.lt_u", "f32x4.popcnt", "i8x16.mul_u", "v128.add"):
        with pytest.raises(LookupError):
            vector_model.of(name)


def test_a_wrong_lane_would_be_found(wat: Wat, compare: Callable[..., None]) -> None:
    """Compared with the model of another instruction, the test fails."""
    exports = wamr.load(
        wat(f"(module {single_instructions.function('f', 'f32x4.min', ('v128',) * 2, 'v128')})")
    ).exports
    other = vector_model.of("f32x4.pmin")
    tries = other.tries()
    with pytest.raises(AssertionError, match="are wrong:\nstandard: "):
        compare(exports.f, tries, [other.run(*each) for each in tries], Vector.fits)
    assert ieee.fits(ieee.F32, ieee.NaN.CANONICAL, 0xFFC00000)
    assert not ieee.fits(ieee.F32, ieee.NaN.CANONICAL, 0x7FC00001)
    assert not ieee.fits(ieee.F32, ieee.NaN.ARITHMETIC, 0x7FA00000)
