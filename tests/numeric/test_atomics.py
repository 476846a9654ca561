"""Every atomic instruction, on a memory that isn't shared, compared with a model.

The operands are parameters, constants, and results of the instruction before: the loader treats
them differently. So it does a result that goes into a local, is dropped, or is an operand again.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import atomic_model
import pytest
from mutants import leb
from single_instructions import signed

import wamr

Wat = Callable[[str], bytes]
PAGE = 65536
SPIN = "(loop (br_if 0 (i32.atomic.rmw8.cmpxchg_u (i32.const 0) (i32.const 0) (i32.const 1))))"
EVERY = [*atomic_model.WAITS, *atomic_model.ACCESSES]


def size_of(name: str) -> int:
    return atomic_model.WAITS[name][1] if name in atomic_model.WAITS else atomic_model.of(name).size


def params_of(name: str) -> tuple[str, ...]:
    return (
        atomic_model.WAITS[name][0] if name in atomic_model.WAITS else atomic_model.of(name).params
    )


def result_of(name: str) -> str:
    return "i32" if name in atomic_model.WAITS else atomic_model.of(name).result


def instruction(name: str, operands: list[str], offset: int = 0) -> str:
    return f"({name} offset={offset} {' '.join(operands)})"


def function(export: str, name: str, offset: int = 0) -> str:
    types = ("i32", *params_of(name))
    body = instruction(name, [f"(local.get {i})" for i in range(len(types))], offset)
    result = f"(result {result_of(name)})" if result_of(name) else ""
    return f'(func (export "{export}") (param {" ".join(types)}) {result} {body})'


def expected_of(name: str, old: int, operands: tuple[int, ...]) -> tuple[object, int]:
    result, new = atomic_model.of(name).run(old, *operands)
    return signed(result_of(name), result), new


# ---- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", atomic_model.ACCESSES)
def test_an_instruction_does_what_the_model_does(
    name: str, wat: Wat, compare: Callable[..., None]
) -> None:
    model = atomic_model.of(name)
    text = f'(module (memory (export "memory") 1 1) {function("f", name, 8)})'
    exports = wamr.load(wat(text)).exports
    memory = exports.memory
    last = PAGE - model.size
    around = b"\xa5" * 8
    tries: list[tuple[int, ...]] = []
    expected = []
    olds = sorted({value % (1 << 8 * model.size) for value in model.edges})
    for old, *operands in itertools.product(olds, *[model.edges] * len(model.params)):
        for at in (8, 8 + model.size, last) if not operands else (8 + model.size,):
            tries.append((at, old, *operands))
            result, new = expected_of(name, old, tuple(operands))
            content = around + new.to_bytes(model.size, "little") + around
            expected.append((result, content[: 8 + PAGE - at]))
    tries.append((last, 1, *[1 for _ in model.params]))
    result, new = expected_of(name, 1, (1,) * len(model.params))
    expected.append((result, around + new.to_bytes(model.size, "little")))

    def call(at: int, old: int, *operands: int) -> tuple[object, bytes]:
        content = around + old.to_bytes(model.size, "little") + around
        memory.write(at - 8, content[: 8 + PAGE - at])
        given = [signed(type_, each) for type_, each in zip(model.params, operands, strict=True)]
        got = exports.f(at - 8, *given)
        return got, bytes(memory.read(at - 8, min(len(content), 8 + PAGE - at)))

    compare(call, tries, expected, lambda wanted, got: False)


SHAPES = {
    "constants": lambda types, values: [
        f"({type_}.const {value})" for type_, value in zip(types, values, strict=True)
    ],
    "sums": lambda types, values: [
        f"({type_}.add (local.get {i}) ({type_}.const 0))" for i, type_ in enumerate(types)
    ],
    "tees": lambda types, values: [
        f"(local.tee {i} ({type_}.sub (local.get {i}) ({type_}.const 0)))"
        for i, type_ in enumerate(types)
    ],
    "blocks": lambda types, values: [
        f"(block (result {type_}) (local.get {i}))" for i, type_ in enumerate(types)
    ],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", atomic_model.ACCESSES)
def test_operands_and_results_may_come_from_and_go_anywhere(
    name: str, shape: str, wat: Wat
) -> None:
    model = atomic_model.of(name)
    types = ("i32", *model.params)
    values = (16, *model.edges[-1 : -1 - len(model.params) : -1])
    code = instruction(name, SHAPES[shape](types, values))
    t, at = model.type, len(types)
    if model.result:
        uses = f"""
            (local.set {at} {code})
            (local.set {at + 1} ({t}.add ({t}.const 1) {code}))
            (drop {code})
            (if ({t}.eqz {code}) (then))
            (local.get {at}) (local.get {at + 1}) {code}"""
    else:
        uses = f"{code} (local.get {at}) (local.get {at + 1}) ({t}.const 0)"
    text = f"""(module (memory (export "memory") 1)
        (func (export "f") (param {" ".join(types)}) (result {t} {t} {t}) (local {t} {t})
            {uses}))"""
    exports = wamr.load(wat(text)).exports
    old = 0xF7E6D5C4B3A29180 % (1 << 8 * model.size)
    exports.memory.write(16, old.to_bytes(model.size, "little"))
    got = exports.f(*map(signed, types, values))

    seen: list[int] = []
    now = old
    for _ in range(5 if model.result else 1):
        result, now = model.run(now, *values[1:])
        seen.append(result or 0)
    if model.result:
        width = 1 << int(t[1:])
        wanted = (seen[0], (seen[1] + 1) % width, seen[4])
    else:
        wanted = (0, 0, 0)
    assert got == tuple(signed(t, each) for each in wanted)
    assert int.from_bytes(exports.memory.read(16, model.size), "little") == now


def test_an_operand_that_stands_for_a_local_keeps_its_value(wat: Wat) -> None:
    text = """(module (memory 1) (func (export "f") (param i32 i64) (result i64 i64)
        (local.get 1)
        (local.set 1 (i64.atomic.rmw.xchg (local.get 0) (local.get 1)))
        (local.set 1 (i64.atomic.rmw.add (local.get 0) (i64.const 1)))
        (local.get 1)))"""
    assert wamr.load(wat(text)).exports.f(0, 7) == (7, 7)


def test_a_loop_of_atomic_instructions_counts_exactly(wat: Wat) -> None:
    text = """(module (memory 1) (func (export "f") (param i32) (result i64)
        (loop (drop (i64.atomic.rmw.add (i32.const 8) (i64.const 3))) atomic.fence
            (br_if 0 (i32.lt_u (i32.add (i32.atomic.rmw16.add_u (i32.const 2) (i32.const 1))
                (i32.const 1)) (local.get 0))))
        (i64.atomic.load (i32.const 8))))"""
    assert wamr.load(wat(text)).exports.f(10_000) == 30_000


@pytest.mark.parametrize("body", ["(loop (br_if 0 (i32.atomic.load (i32.const 0))))", SPIN])
def test_waiting_for_a_lock_that_nobody_opens_is_stopped(body: str, wat: Wat) -> None:
    text = f"""(module (memory (export "memory") 1) (data (i32.const 0) "\\01")
        (func (export "f") {body}) (func (export "g") (result i32) (i32.const 5)))"""
    exports = wamr.load(wat(text)).exports
    with pytest.raises(wamr.FuelTrap):
        exports.f.call(fuel=1000)
    with pytest.raises(wamr.TimeoutTrap):
        exports.f.call(timeout=0.02)
    exports.memory.write(0, b"\0")
    exports.f.call(fuel=10)
    assert exports.g() == 5


def test_code_without_a_branch_takes_fuel(wat: Wat) -> None:
    body = "(drop (i64.atomic.rmw.add (i32.const 8) (i64.const 1)))" * 5000
    text = f'(module (memory (export "memory") 1) (func (export "f") {body}))'
    exports = wamr.load(wat(text)).exports
    with pytest.raises(wamr.FuelTrap):
        exports.f.call(fuel=10)
    part = int.from_bytes(exports.memory.read(8, 8), "little")
    assert 0 < part < 1000
    exports.f.call(fuel=100_000)
    assert int.from_bytes(exports.memory.read(8, 8), "little") == part + 5000


# ---- wait, notify and fence ----------------------------------------------------------------------


@pytest.mark.parametrize("name", atomic_model.WAITS)
def test_nobody_waits_on_a_memory_that_is_not_shared(name: str, wat: Wat) -> None:
    exports = wamr.load(wat(f"(module (memory 1) {function('f', name, 8)})")).exports
    operands = [0] * len(params_of(name))
    for address in (0, 8, PAGE - 16):
        if name == "memory.atomic.notify":
            assert exports.f(address, *operands) == 0
            assert exports.f(address, -1) == 0
            continue
        for values in (operands, [1, 0], [0, -1], [-1, 2**62]):  # equal or not; timeouts
            with pytest.raises(wamr.Trap, match=r"^expected shared memory") as caught:
                exports.f(address, *values)
            assert caught.value.code is wamr.TrapCode.OTHER


def test_a_fence_needs_no_memory(wat: Wat) -> None:
    text = '(func (export "f") (param i32) (result i32) local.get 0 atomic.fence i32.eqz)'
    assert wamr.load(wat(f"(module {text})")).exports.f(0) == 1


# ---- traps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_an_address_that_is_not_aligned_is_a_trap_and_writes_nothing(name: str, wat: Wat) -> None:
    size = size_of(name)
    texts = [function(str(offset), name, offset) for offset in range(10)]
    text = f'(module (memory (export "memory") 1) {" ".join(texts)})'
    exports = wamr.load(wat(text)).exports
    exports.memory.write(0, b"\x11" * 64)
    operands = [0x22] * len(params_of(name))
    for address, offset in itertools.product(range(32, 42), range(10)):
        if (address + offset) % size:
            with pytest.raises(wamr.Trap, match=r"^unaligned atomic") as caught:
                exports[str(offset)](address, *operands)
            assert caught.value.code is wamr.TrapCode.OTHER
    assert exports.memory.read(0, 64) == b"\x11" * 64


@pytest.mark.parametrize("name", EVERY)
def test_beyond_the_memory_is_a_trap_and_writes_nothing(name: str, wat: Wat) -> None:
    size = size_of(name)
    offsets = (0, 8, 2**32 - 8)
    texts = [function(str(offset), name, offset) for offset in offsets]
    text = f'(module (memory (export "memory") 1) {" ".join(texts)})'
    exports = wamr.load(wat(text)).exports
    exports.memory.write(0, b"\x11" * 64)
    exports.memory.write(PAGE - 64, b"\x11" * 64)
    operands = [0x22] * len(params_of(name))
    tries = [(0, PAGE), (0, PAGE + 8), (0, 2**31), (0, 2**32 - size), (8, PAGE - 8)]
    tries += [(8, 2**32 - 8), (2**32 - 8, 0), (2**32 - 8, 8), (2**32 - 8, 2**32 - 8)]
    for offset, address in tries:
        with pytest.raises(wamr.Trap, match=r"^out of bounds memory access") as caught:
            exports[str(offset)](address, *operands)
        assert caught.value.code is wamr.TrapCode.MEMORY_OUT_OF_BOUNDS
    assert exports.memory.read(0, 64) == exports.memory.read(PAGE - 64, 64) == b"\x11" * 64


def test_a_memory_without_pages_has_no_address(wat: Wat) -> None:
    text = f"(module (memory 0) {function('f', 'i32.atomic.rmw8.or_u')})"
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wamr.load(wat(text)).exports.f(0, 1)


def test_a_memory_that_has_grown_has_its_new_addresses(wat: Wat) -> None:
    text = """(module (memory 1 2) (func (export "f") (result i32 i64)
        (memory.grow (i32.const 1)) (i64.atomic.store (i32.const 131064) (i64.const -5))
        (i64.atomic.load (i32.const 131064))))"""
    assert wamr.load(wat(text)).exports.f() == (1, -5)


def test_a_trap_names_the_instruction(wat: Wat) -> None:
    data = wat(f"(module (memory 1) (func $g (param i32) {'nop ' * 9}"
               " (drop (i32.atomic.rmw.add (local.get 0) (i32.const 1))))"
               ' (func (export "f") (param i32) (call $g (local.get 0))))')  # fmt: skip
    with pytest.raises(wamr.Trap) as caught:
        wamr.load(data).exports.f(2)
    frame = caught.value.frames[0]
    assert data[frame.module_offset : frame.module_offset + 2] == b"\xfe\x1e"


# ---- what is invalid -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_only_the_natural_alignment_is_valid(name: str, wat: Wat) -> None:
    natural = size_of(name).bit_length() - 1
    code = wat(f"(module (memory 1) {function('f', name)})")
    opcode = bytes([0xFE, EVERY.index(name) + (13 if name in atomic_model.ACCESSES else 0)])
    at = code.index(opcode) + 2
    assert code[at] == natural
    for align in range(128):
        changed = code[:at] + bytes([align]) + code[at + 1 :]
        if align == natural:
            wamr.load(changed)
            continue
        with pytest.raises(wamr.CompileError, match="alignment"):
            wamr.load(changed)


@pytest.mark.parametrize("name", EVERY)
def test_a_memory_is_needed(name: str, wat: Wat) -> None:
    for before in ("", "unreachable "):
        code = " ".join(f"({type_}.const 0)" for type_ in ("i32", *params_of(name)))
        drop = "drop" if result_of(name) else ""
        with pytest.raises(wamr.CompileError, match="unknown memory"):
            wamr.load(wat(f"(module (func {before} {code} {name} {drop}))"))


OTHER = {"i32": "i64", "i64": "i32", "": "i32"}


@pytest.mark.parametrize("name", EVERY)
def test_operands_and_results_have_types(name: str, wat: Wat) -> None:
    types = ("i32", *params_of(name))
    result = result_of(name)

    def text(types: tuple[str, ...], result: str, before: str = "") -> bytes:
        code = " ".join(f"({type_}.const 0)" for type_ in types)
        declared = f"(result {result})" if result else ""
        return wat(f"(module (memory 1) (func {declared} {before} {code} {name}))")

    wamr.load(text(types, result))
    for before in ("", "unreachable "):
        for at, type_ in enumerate(types):
            for other in (OTHER[type_], "f32", "f64"):
                wrong = (*types[:at], other, *types[at + 1 :])
                with pytest.raises(wamr.CompileError, match="type mismatch"):
                    wamr.load(text(wrong, result, before))
        if result or not before:  # code after `unreachable` may leave any result
            with pytest.raises(wamr.CompileError, match="type mismatch"):
                wamr.load(text(types, OTHER[result], before))
    with pytest.raises(wamr.CompileError, match="type mismatch"):
        wamr.load(text(types[1:], result))


@pytest.mark.parametrize("name", [*EVERY, "atomic.fence"])
def test_unreachable_code_is_valid_and_harmless(name: str, wat: Wat) -> None:
    some = "" if name == "atomic.fence" or not result_of(name) else "drop"
    text = f"""(module (memory 1)
        (func (export "f") (result i32) (block (br 0) {name} {some}) (i32.const 5))
        (func (export "g") (result i32) (return (i32.const 6)) {name} {some} unreachable)
        (func (export "h") (param i32) (result i32)
            (if (local.get 0) (then (br 0) {name} {some}) (else nop)) (i32.const 7)))"""
    exports = wamr.load(wat(text)).exports
    assert (exports.f(), exports.g(), exports.h(0), exports.h(1)) == (5, 6, 7, 7)


def code_of(wat: Wat, code: bytes) -> bytes:
    """Return a module with a memory and a function whose code is replaced with `code`."""
    data = wat("(module (memory 1) (func i32.const 0 i64.const 0 i64.const 0 unreachable))")
    old = data[data.index(b"\x41\0\x42\0\x42\0\0\x0b") :]
    body = b"\0" + old[:6] + code
    head = data[: data.index(b"\x0a", len(data) - len(old) - 6)]
    section = b"\1" + leb(len(body)) + body
    return head + b"\x0a" + leb(len(section)) + section


@pytest.mark.parametrize("number", [*range(4, 16), 0x4F, 0x50, 0x7F, 0x80, 0x103, 0x110, 2**32 - 1])
def test_an_unknown_instruction_is_refused(number: int, wat: Wat) -> None:
    with pytest.raises(wamr.CompileError, match=f"^unsupported opcode 0xfe 0x{number:02x}"):
        wamr.load(code_of(wat, b"\xfe" + leb(number) + b"\2\0\0\x0b"))


@pytest.mark.parametrize(
    "code", [b"\xfe", b"\xfe\3", b"\xfe\x10", b"\xfe\x10\2", b"\xfe\x90", b"\xfe\x10\2\x80"]
)
def test_code_that_ends_within_an_instruction_is_refused(code: bytes, wat: Wat) -> None:
    with pytest.raises(wamr.CompileError):
        wamr.load(code_of(wat, code))


def test_a_number_of_several_bytes_is_the_same_instruction(wat: Wat) -> None:
    wamr.load(code_of(wat, b"\x1a\x1a\xfe\x90\x80\0\2\0\x1a\x0b"))
    wamr.load(code_of(wat, b"\x1a\x1a\x1a\xfe\x83\0\0\x0b"))


@pytest.mark.parametrize("reserved", [1, 2, 0x80, 0xFF])
def test_the_byte_of_a_fence_is_zero(reserved: int, wat: Wat) -> None:
    with pytest.raises(wamr.CompileError, match="zero byte expected"):
        wamr.load(code_of(wat, b"\x1a\x1a\x1a\xfe\3" + bytes([reserved]) + b"\x0b"))


# ---- the list is complete, and what stays refused ------------------------------------------------


def test_the_table_has_every_opcode(wat: Wat) -> None:
    assert atomic_model.FIRST + len(atomic_model.ACCESSES) - 1 == 0x4E
    for at, name in enumerate(atomic_model.ACCESSES):
        code = wat(f"(module (memory 1) (func unreachable {name} unreachable))")
        assert bytes([0, 0xFE, atomic_model.FIRST + at]) in code, name
    for at, name in enumerate([*atomic_model.WAITS, "atomic.fence"]):
        code = wat(f"(module (memory 1) (func unreachable {name} unreachable))")
        assert bytes([0, 0xFE, at]) in code, name


@pytest.mark.parametrize("memory", ["(memory 1 1 shared)", '(import "m" "m" (memory 1 2 shared))'])
def test_a_shared_memory_is_refused_with_and_without_atomic_instructions(
    memory: str, wat: Wat
) -> None:
    said = "the module uses threads, with their shared memories and atomic instructions (a shared"
    for code in ("", "(func (drop (i32.atomic.load (i32.const 0))))"):
        with pytest.raises(wamr.CompileError, match=re.escape(said)):
            wamr.load(wat(f"(module {memory} {code})"))
