"""Every numeric instruction on single values, compared with tests/support/scalar_model.py.

The operands are parameters, constants, and results of the instruction before: the interpreter
treats some of them differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ieee
import pytest
import scalar_model
import single_instructions

import wamr

Wat = Callable[[str], bytes]


def outcome(instruction: Any, arguments: tuple[int, ...]) -> Any:
    try:
        return instruction.run(*arguments)
    except ieee.Trap as trap:
        return str(trap)


def fits(instruction: Any, expected: Any, got: Any) -> bool:
    if isinstance(expected, str) or isinstance(got, str):
        return bool(expected == got)
    width = {"i32": 32, "f32": 32}.get(instruction.result, 64)
    got %= 1 << width
    f = scalar_model.FORMATS.get(instruction.result)
    return ieee.fits(f, expected, got) if f else bool(expected == got)


@pytest.mark.parametrize("name", scalar_model.NAMES + scalar_model.SATURATING)
def test_an_instruction_gives_what_the_model_gives(
    name: str, wat: Wat, compare: Callable[..., None]
) -> None:
    instruction = scalar_model.of(name)
    text = single_instructions.function("f", name, instruction.params, instruction.result)
    call = wamr.load(wat(f"(module {text})")).exports.f
    tries = instruction.tries()
    expected = [outcome(instruction, arguments) for arguments in tries]
    arguments = [tuple(map(single_instructions.signed, instruction.params, each)) for each in tries]
    compare(call, arguments, expected, lambda wanted, got: fits(instruction, wanted, got))


@pytest.mark.parametrize("type_", ["f32", "f64"])
def test_a_pair_of_instructions_gives_what_the_model_gives(
    type_: str, wat: Wat, compare: Callable[..., None]
) -> None:
    """(a * b) + a, which C compilers may fuse, and (a + b) * b, which is a superinstruction."""
    f, bits = scalar_model.FORMATS[type_], "i" + type_[1:]
    operands = " ".join(
        f"(local.set {i + 2} ({type_}.reinterpret_{bits} (local.get {i})))" for i in (0, 1)
    )

    def function(name: str, first: str, second: str, other: int) -> str:
        return f"""(func (export "{name}") (param {bits} {bits}) (result {bits})
            (local {type_} {type_}) {operands} ({bits}.reinterpret_{type_}
                ({type_}.{second} ({type_}.{first} (local.get 2) (local.get 3))
                    (local.get {other}))))"""

    texts = function("0", "mul", "add", 2) + function("1", "add", "mul", 3)
    exports = wamr.load(wat(f"(module {texts})")).exports
    tries = [pair for pair in scalar_model.pairs(type_) if not any(map(f.is_nan, pair))]
    arguments = [tuple(single_instructions.signed(bits, each) for each in pair) for pair in tries]

    def fitting(wanted: Any, got: int) -> bool:
        return ieee.fits(f, wanted, got % (1 << f.width))

    def then(first: Any, second: Any, pair: tuple[int, int], other: int) -> Any:
        between = first(f, *pair)
        return second(f, f.canonical if isinstance(between, ieee.NaN) else between, pair[other])

    for name, first, second, other in (
        ("0", ieee.f_mul, ieee.f_add, 0),
        ("1", ieee.f_add, ieee.f_mul, 1),
    ):
        expected = [then(first, second, pair, other) for pair in tries]
        compare(exports[name], arguments, expected, fitting)


@pytest.mark.parametrize("type_", ["f32", "f64"])
def test_constants_keep_their_bits(type_: str, wat: Wat, compare: Callable[..., None]) -> None:
    """0 and the least subnormal stay different; a thread without subnormals finds them equal."""
    f, bits = scalar_model.FORMATS[type_], "i" + type_[1:]
    tries = scalar_model.values(type_)
    texts = []
    for i, value in enumerate(tries):
        sign, positive = "-" if value & f.sign else "", f.positive(value)
        if f.is_nan(value):
            number = f"nan:{positive & f.infinity ^ positive:#x}"
        elif f.is_infinite(value):
            number = "inf"
        else:
            exact = f.value(positive)
            number = f"0x{exact.numerator:x}p-{exact.denominator.bit_length() - 1}"
        texts.append(f"(if (i32.eq (local.get 0) (i32.const {i})) (then (return"
                     f" ({bits}.reinterpret_{type_}"
                     f" ({type_}.const {sign}{number})))))")  # fmt: skip
    text = f'(module (func (export "f") (param i32) (result {bits}) {" ".join(texts)} unreachable))'
    data = wat(text)

    def call(i: int) -> int:
        return wamr.load(data).exports.f(i) % (1 << f.width)

    some = list(range(len(tries)))[::3] + list(range(8))
    compare(call, [(i,) for i in some], [tries[i] for i in some], lambda wanted, got: False)


# ---- the list is complete ------------------------------------------------------------------------


def test_the_table_has_every_opcode(wat: Wat) -> None:
    assert scalar_model.FIRST + len(scalar_model.NAMES) - 1 == 0xC4
    for at, name in enumerate(scalar_model.NAMES):
        code = wat(f"(module (func unreachable {name} unreachable))")
        assert bytes([0, scalar_model.FIRST + at, 0, 0x0B]) in code, name
    for at, name in enumerate(scalar_model.SATURATING):
        code = wat(f"(module (func unreachable {name} unreachable))")
        assert bytes([0, 0xFC, at, 0, 0x0B]) in code, name


def test_the_model_knows_no_other_instruction() -> None:
    for name in ("i32.copysign", "f32.eqz", "f32.rem_s", "i64.trunc_sat_i32_s"):
        with pytest.raises(LookupError):
            scalar_model.of(name)


def test_traps_are_compared(wat: Wat, compare: Callable[..., None]) -> None:
    text = single_instructions.function("f", "i32.div_s", ("i32", "i32"), "i32")
    call = wamr.load(wat(f"(module {text})")).exports.f
    compare(call, [(1, 0)], ["integer divide by zero"], lambda wanted, got: False)
    with pytest.raises(AssertionError, match=re.escape("1 of 1 are wrong:\nstandard: (1, 0)")):
        compare(call, [(1, 0)], ["integer overflow"], lambda wanted, got: False)
