"""Single-pass loading with local aliases (cmake/patches/speed/).

The emitted code must be that of two passes. So random functions are generated and run, and their
results are compared with Python's; some are too large for a single pass; refused modules are
refused with the same message. tests/perf measures the cost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

import pytest
from mutants import section

import wamr
from benchmarks import binaries

Wat = Callable[[str], bytes]
MASK = 0xFFFFFFFF
TYPES = {"i32": b"\x7f", "i64": b"\x7e", "f32": b"\x7d", "f64": b"\x7c"}
END = b"\x0b"


def leb(value: int) -> bytes:
    """Return the signed value of a number."""
    data = bytearray()
    while not -64 <= value < 64:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value & 0x7F])


def padded(data: bytes, length: int, fill: int = 0) -> bytes:
    """Return the LEB128 of a number, longer than it need be."""
    more = length - len(data)
    if not more:
        return data
    rest = [fill | 0x80] * (more - 1) + [fill]
    return data[:-1] + bytes([data[-1] | 0x80, *rest])


def module(code: bytes, results: str = "i32", locals_: bytes = b"\0", params: int = 0) -> bytes:
    """Return a module that exports a function with this code."""
    kind = b"\x60" + binaries.number(params) + b"\x7f" * params
    kind += binaries.number(len(results.split())) + b"".join(TYPES[x] for x in results.split())
    return exporting(b"\1" + kind, locals_ + code + END)


def exporting(types: bytes, body: bytes) -> bytes:
    """Return a module that exports a function of the first type."""
    code = b"\1" + binaries.number(len(body)) + body
    sections = {1: types, 3: b"\1\0", 7: b"\1\1f\0\0", 10: code}
    return binaries.HEAD + b"".join(section(*each) for each in sections.items())


def run(binary: bytes, *arguments: int) -> object:
    return wamr.load(binary).exports.f(*arguments)


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_numbers_of_all_lengths(kind: str) -> None:
    bits, opcode = int(kind[1:]), {"i32": b"\x41", "i64": b"\x42"}[kind]
    most = (bits + 6) // 7
    edges = {
        sign * 2**power + near for power in range(bits) for sign in (1, -1) for near in (0, -1)
    }
    for value in sorted(x for x in edges if -(2 ** (bits - 1)) <= x < 2 ** (bits - 1)):
        data = leb(value)
        for length in {len(data), most, min(len(data) + 1, most)}:
            filled = padded(data, length, 0x7F if value < 0 else 0)
            assert run(module(opcode + filled, kind)) == value, filled


def test_a_number_that_is_no_sign_of_length_five() -> None:
    for length in range(1, 6):
        zero = padded(b"\0", length)
        assert run(module(b"\x20" + zero, params=1), 7) == 7
        assert run(module(b"\x02\x40\x0c" + zero + b"\x0b\x41\x05")) == 5


REFUSED = {
    "i32 too long": (b"\x41" + b"\x80" * 5 + b"\0", "integer representation too long"),
    "i32 unused bits": (b"\x41" + b"\xff" * 4 + b"\x0f", "integer too large"),
    "i32 another sign": (b"\x41" + b"\x80" * 4 + b"\x70", "integer too large"),
    "i64 too long": (b"\x42" + b"\x80" * 10 + b"\0\xa7", "integer representation too long"),
    "i64 unused bits": (b"\x42" + b"\xff" * 9 + b"\x01\xa7", "integer too large"),
    "local too long": (b"\x20" + b"\x80" * 5 + b"\0", "integer representation too long"),
    "local unused bits": (b"\x20" + b"\x80" * 4 + b"\x10", "integer too large"),
    "local unknown": (b"\x20\x01", "unknown local"),
    "local unknown, two bytes": (b"\x20\x80\x01", "unknown local"),
    "label too long": (b"\x0c" + b"\x80" * 5 + b"\0", "integer representation too long"),
    "label unknown": (b"\x0c\x01", "unknown label"),
    "function unknown": (b"\x10\x81\x80\x00", "unknown function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_are_none_are_refused(name: str) -> None:
    code, words = REFUSED[name]
    with pytest.raises(wamr.CompileError, match=words):
        wamr.load(module(code, params=1))


@pytest.mark.parametrize("length", range(6))
@pytest.mark.parametrize("opcode", [b"\x20", b"\x41", b"\x42", b"\x0c", b"\x10", b"\x23"])
def test_the_code_ends_within_a_number(opcode: bytes, length: int) -> None:
    """The end opcode of the code becomes the last byte of the number."""
    words = (
        "unknown (local|label|function|global)|unexpected end|integer (too large|repr.* too long)"
    )
    with pytest.raises(wamr.CompileError, match=words):
        wamr.load(module(opcode + b"\x80" * length, params=1))


# -- aliases ---------------------------------------------------------------------------------------

PUSH = {
    "i32": (lambda n: b"\x41" + leb(n), b"\x6a"),
    "i64": (lambda n: b"\x42" + leb(n), b"\x7c"),
    "f32": (lambda n: b"\x43" + struct.pack("<f", n), b"\x92"),
    "f64": (lambda n: b"\x44" + struct.pack("<d", n), b"\xa0"),
}


@pytest.mark.parametrize("between", [b"", b"\x02\x40\x0b", b"\x03\x40\x0b", b"\x41\0\x04\x40\x0b"])
@pytest.mark.parametrize("write", [b"\x21\0", b"\x22\0\x1a"], ids=["set", "tee"])
@pytest.mark.parametrize("kind", PUSH)
def test_locals_keep_their_old_value_on_a_deep_stack(
    kind: str, write: bytes, between: bytes
) -> None:
    constant, add = PUSH[kind]
    for count in (1, 2, 7, 1500):
        code = b"".join(
            constant(i % 50) + write + b"\x20\0" + between + b"\x20\x01" for i in range(count)
        )
        code += add * (2 * count - 1)
        locals_ = b"\x01\x02" + TYPES[kind]
        assert run(module(code, kind, locals_)) == sum(i % 50 for i in range(count))


def test_vectors_and_references_keep_their_old_value(wat: Wat) -> None:
    count = 300
    sets = "".join(
        f"""(local.set 0 (i32x4.splat (i32.const {i}))) (local.get 0)
        (local.set 1 (ref.func $f)) (local.get 1) (local.set 1 (ref.null func)) drop"""
        for i in range(count)
    )
    nested = """(local.set 1 (ref.func $f)) (local.get 1) (block) (local.set 1 (ref.null func))
        (local.get 1) ref.is_null (if (then (local.set 2 (i32.const 40)))) ref.is_null
        (local.get 2) i32.add"""
    exports = wamr.load(
        wat(f"""(module (func $f (export "nested") (result i32) (local v128 funcref i32) {nested})
        (elem declare func $f)
        (func (export "vectors") (result i32) (local v128 funcref) {sets}
            {"i32x4.add " * (count - 1)} i32x4.extract_lane 2))""")
    ).exports
    assert exports.vectors() == sum(range(count))
    assert exports.nested() == 40


def test_loading_a_deep_stack_ends_soon() -> None:
    wamr.Module(wamr.Engine(), binaries.deep(12_000))  # without the patch: seconds


# -- one pass --------------------------------------------------------------------------------------


class Random32:
    """A random function of i32, and its result, which is computed as the code is generated."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.locals = [self.random.randrange(-100, 100) for _ in range(self.random.choice([1, 4]))]
        self.depth = 0
        self.code = b"".join(
            b"\x41" + leb(value) + b"\x21" + leb(i) for i, value in enumerate(self.locals)
        )
        stack = self.steps([], self.random.choice([5, 40, 400]))
        self.code += b"\x6a" * (len(stack) - 1)
        self.expected = sum(stack)

    def steps(self, stack: list[int], count: int) -> list[int]:
        """Add instructions; return the values that they leave on the stack, at least one."""
        random, used = self.random, len(self.locals)
        for _ in range(count):
            local = random.randrange(used)
            match random.randrange(9):
                case 0 | 1 | 2:
                    self.code += b"\x20" + leb(local)
                    stack.append(self.locals[local])
                case 3:
                    stack.append(random.choice([random.randrange(-9, 9), random.getrandbits(31)]))
                    self.code += b"\x41" + leb(stack[-1])
                case 4 | 5 if stack:
                    self.locals[local] = stack.pop()
                    self.code += b"\x21" + leb(local)
                case 6 if stack:
                    self.locals[local] = stack[-1]
                    self.code += b"\x22" + leb(local)
                case 7 if len(stack) > 1:
                    stack.append(stack.pop() + stack.pop())
                    self.code += b"\x6a"
                case 8 if self.depth < 5:
                    stack.append(self.block(random.randrange(4)))
        if not stack:
            self.code += b"\x20\0"
            stack.append(self.locals[0])
        return stack

    def block(self, kind: int) -> int:
        """Add a block with a result: its last value, that of an `if`, or that of a branch."""
        self.depth += 1
        before = list(self.locals)
        self.code += (
            b"\x41\x01\x04\x7f" if kind == 1 else b"\x41\0\x04\x7f" if kind == 2 else b"\x02\x7f"
        )
        if kind == 2:  # this branch does not run, so the locals stay as they are
            self.close(self.steps([], 6), branch=False)
            self.locals = before
            self.code += b"\x05"
        result = self.close(self.steps([], 6), branch=kind == 3)
        if kind == 1:
            after = list(self.locals)
            self.code += b"\x05"
            self.close(self.steps([], 6), branch=False)
            self.locals = after
        self.code += END
        self.depth -= 1
        return result

    def close(self, stack: list[int], *, branch: bool) -> int:
        self.code += b"\x6a" * (len(stack) - 1)
        if branch:
            self.code += b"\x0c\0"
        return sum(stack)


def test_code_is_what_two_passes_emit() -> None:
    for seed in range(400):
        made = Random32(seed)
        locals_ = b"\x01" + binaries.number(len(made.locals)) + b"\x7f"
        result = run(module(made.code, locals_=locals_))
        assert isinstance(result, int)
        assert (result - made.expected) & MASK == 0, seed


@pytest.mark.parametrize("count", [9, 10, 11, 24, 25, 255, 257, 5000, 16_100, 33_000])
@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_many_constants(kind: str, count: int) -> None:
    constant, add = PUSH[kind]
    values = [i * 65537 % 99991 - 50000 for i in range(count)]
    code = constant(values[0]) + b"".join(constant(value) + add for value in values[1:])
    assert run(module(code, kind)) == sum(values)


@pytest.mark.parametrize("count", [100, 9000, 16_500])
def test_many_kept_locals(count: int) -> None:
    code = b"".join(b"\x41" + leb(i % 9) + b"\x21\0\x20\0" for i in range(count))
    code += b"\x6a" * (count - 1)
    assert run(module(code, locals_=b"\x01\x01\x7f")) == sum(i % 9 for i in range(count))


def test_more_kept_locals_than_slots_are_refused() -> None:
    code = b"\x41\x01\x21\0\x20\0" * 33_000 + b"\x1a" * 32_999
    with pytest.raises(wamr.CompileError, match=r"too much local cells|offset overflow"):
        wamr.load(module(code, locals_=b"\x01\x01\x7f"))


def test_code_that_grows_more_than_thought() -> None:
    """A branch with results is two bytes in the module, and many in the emitted code."""
    results = b"\x41\x07" * 1000
    code = b"\x41\x01" + b"\x41\x01\x04\x40" * 50 + b"\x0b" * 50 + b"\x1a" + b"\x41\x00"
    assert run(module(code)) == 0
    kinds = b"\x02\x60\0\x01\x7f\x60\0" + binaries.number(1000) + b"\x7f" * 1000
    body = b"\0\x02\x01" + results + b"\x41\0\x0d\0" * 400 + b"\x0b" + b"\x6a" * 999 + END
    assert run(exporting(kinds, body)) == 7000


def test_a_result_in_the_slot_that_keeps_a_local(wat: Wat) -> None:
    source = """(module (func (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (local.get 0) (local.set 0 (i32.const 5)))
            (else (i32.const 9)))))"""
    exports = wamr.load(wat(source)).exports
    assert [exports.f(i) for i in (0, 1, 7)] == [9, 1, 7]


def test_functions_after_one_that_was_begun_again(wat: Wat) -> None:
    large = "".join(f"(local.set 0 (i32.add (local.get 0) (i32.const {i})))" for i in range(17_000))
    small = """(func (export "{}") (result i32) (local i32 i32) (local.get 1)
        (local.set 1 (i32.const {})) (block (local.get 1) (local.set 0)) (i32.add (local.get 0)))"""
    functions = [small.format(name, i) for i, name in enumerate("abc", 70)]
    functions.insert(1, f'(func (export "large") (result i32) (local i32) {large} (local.get 0))')
    exports = wamr.load(wat("(module" + "".join(functions) + ")")).exports
    assert [exports[name]() for name in "abc"] == [70, 71, 72]
    assert exports.large() == sum(range(17_000))


# -- operands --------------------------------------------------------------------------------------

OPERATIONS = {"i32": b"\x45", "i64": b"\x50", "f32": b"\x8b", "f64": b"\x99"}


@pytest.mark.parametrize("wanted", OPERATIONS)
@pytest.mark.parametrize("given", PUSH)
def test_operands_of_all_types(wanted: str, given: str) -> None:
    code = PUSH[given][0](1) + OPERATIONS[wanted] + b"\x1a\x41\x03"
    if wanted == given:
        assert run(module(code)) == 3
    else:
        few = given[1:] == "32" and wanted[1:] == "64"
        words = "expect data but stack was empty" if few else f"expect {wanted} but got other"
        with pytest.raises(wamr.CompileError, match=words):
            wamr.load(module(code))


@pytest.mark.parametrize("wanted", OPERATIONS)
def test_operands_that_are_not_there(wanted: str) -> None:
    for before, after in ((b"", b""), (PUSH[wanted][0](1) + b"\x02\x40", b"\x1a\x0b\x1a")):
        code = before + OPERATIONS[wanted] + after + b"\x41\x03"
        with pytest.raises(wamr.CompileError, match="expect data but stack was empty"):
            wamr.load(module(code))
        assert run(module(b"\x41\x02\x0f" + OPERATIONS[wanted] + b"\x1a\x41\x03")) == 2
