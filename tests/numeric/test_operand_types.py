"""Instructions that take operands of any type, with each type, in live and in dead code.

Valid code must also run: the loader chooses special opcodes of the interpreter for some types. Each
text below is an expression over two values and a condition (locals 0 to 2), whose result is the
first value if the condition is 1, and else the second.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import scalar_model
from vector_shapes import NAMES as VECTORS

import wamr
from wamr import Func, Global, GlobalType, Store, Tag, TagType, ValType, WasmException

Wat = Callable[[str], bytes]
NUMBERS = ["i32", "i64", "f32", "f64", "v128"]
REFERENCES = ["funcref", "externref", "exnref"]
TYPES = NUMBERS + REFERENCES

A, B, IF = "(local.get 0)", "(local.get 1)", "(local.get 2)"
NOT_IF = f"(i32.eqz {IF})"
CHOSEN = f"(if (result T) {IF} (then {A}) (else {B}))"
# Kinds of types, and an expression. T: the type. Z: its zero.
ANY_TYPE = {
    "select with a type": f"(select (result T) {A} {B} {IF})",
    "select of results": f"""(select (result T) (call $id {A}) (call $id {B})
        (i32.and {IF} (i32.const 1)))""",
    "select of a constant": f"(select (result T) {CHOSEN} Z (i32.const 1))",
    "drop": f"{CHOSEN} (drop {B}) (drop (call $id {A})) (drop Z)",
    "local.set": f"(local.set 3 {CHOSEN}) (local.get 3)",
    "local.tee": f"(drop (local.tee 3 {CHOSEN})) (local.get 3)",
    "local.tee of a result": f"(local.tee 4 (call $id {CHOSEN})) (local.set 4 Z)",
    "a local that is set after it was read": f"{CHOSEN} {A} (local.set 0 Z) (local.set 3)",
    "a local that was never set": f"(drop (local.get 5)) {CHOSEN}",
    "global.set": f"(global.set $mine {CHOSEN}) (global.get $mine)",
    "global.set of an imported one": f"(global.set $shared {CHOSEN}) (global.get $shared)",
    "global.get of a constant": f"""(drop (global.get $constant))
        (drop (global.get $given)) {CHOSEN}""",
    "block with a result": f"(block (result T) {CHOSEN})",
    "block with parameters": f"{CHOSEN} {B} (block (param T T) (result T) (drop))",
    "loop with a result": f"(loop (result T) {CHOSEN})",
    "loop with a parameter": f"""{CHOSEN} (loop (param T) (result T)
        (local.set 6 (i32.add (local.get 6) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 6) (i32.const 3))))""",
    "if with a parameter": f"{A} (if (param T) (result T) {IF} (then) (else (drop) {B}))",
    "if without else": f"(local.set 3 {B}) (if {IF} (then (local.set 3 {A}))) (local.get 3)",
    "br": f"(block (result T) (br 0 {CHOSEN}))",
    "br over values": f"(block (result T) {B} {B} (br 0 {CHOSEN}))",
    "br to the outer block": f"(block (result T) (block (br 1 {CHOSEN})) {B})",
    "br_if": f"(block (result T) (drop (br_if 0 {A} {IF})) {B})",
    "br_if over a value": f"(block (result T) {B} (br_if 0 {A} {IF}) (drop))",
    "br_if with two values": f"""(block (result T T) (br_if 0 {A} {B} {IF})
        (drop) (drop) {B} {A}) (drop)""",
    "br_table": f"""(block (result T) (block (result T) (block (result T)
        (br_table 0 1 2 {CHOSEN} (i32.add {IF} (i32.const 1))))))""",
    "br_table out of a loop": f"""(block (result T) (loop (result T) {CHOSEN}
        (br_table 1 1 1 (i32.const 7))))""",
    "return": f"(return {CHOSEN})",
    "return over values": f"{B} {B} (return {CHOSEN})",
    "call": f"(call $id {CHOSEN})",
    "call with values among others": f"""(call $first (i32.const 1) {CHOSEN}
        (i64.const 2) {B} (f32.const 3))""",
    "call with several results": f"(call $swap {B} {CHOSEN}) (drop)",
    "call_indirect": f"(call_indirect $functions (type $id) {CHOSEN} (i32.const 0))",
    "call of a host function": f"(call $host {CHOSEN})",
    "call of a host function by reference": f"""
        (call_indirect $functions (type $id) {CHOSEN} (i32.const 1))""",
    "call of another instance": f"(call $other {CHOSEN})",
    "return_call": f"(return_call $id {CHOSEN})",
    "return_call among others": f"""(return_call $first (i32.const 1) {CHOSEN}
        (i64.const 2) {B} (f32.const 3))""",
    "return_call_indirect": f"(return_call_indirect $functions (type $id) {CHOSEN} (i32.const 0))",
    "return_call of a host function": f"(return_call $host {CHOSEN})",
    "return_call of another instance": f"(return_call $other {CHOSEN})",
    "try_table with a result": f"(try_table (result T) {CHOSEN})",
    "try_table with a parameter": f"{A} (try_table (param T) (result T) (drop) {CHOSEN})",
    "throw": f"(block (result T) (try_table (catch $e 0) (throw $e {CHOSEN})) (unreachable))",
    "throw over values": f"""(block (result T) {B} (block (result T)
        (try_table (catch $e 0) {A} {B} (throw $e {CHOSEN})) (unreachable)) (br 0) )""",
    "throw_ref": f"""(block (result T) (block $ref (result T exnref)
        (try_table (catch_ref $e $ref) (throw $e {CHOSEN})) (unreachable))
        (local.set 7) (local.set 3)
        (try_table (catch $e 0) (throw_ref (local.get 7))) (unreachable))""",
    "try": f"try (result T) {CHOSEN} throw $e catch $e end",
    "try without a throw": f"try (result T) {CHOSEN} catch $e end",
    "rethrow": f"""try (result T) try {CHOSEN} throw $e catch $e drop rethrow 0 end {B}
        catch $e end""",
    "delegate": f"""try (result T) try {CHOSEN} throw $e delegate 0 {B} catch $e end""",
}  # fmt: skip
NUMBER = {
    "select": f"(select {A} {B} {IF})",
    "select of results": f"(select (call $id {A}) {B} {IF})",
}
REFERENCE = {
    "ref.null": f"""(drop (ref.null H))
        (select (result T) {A} {B} (ref.is_null (ref.null H))) (drop) {CHOSEN}""",
    "ref.is_null": f"""(if (result T) (i32.and {IF} (i32.eqz (ref.is_null {A})))
        (then {A}) (else {B}))""",
    "table.set": f"(table.set $t (i32.const 1) {CHOSEN}) (table.get $t (i32.const 1))",
    "table.grow": f"(table.get $t (table.grow $t {CHOSEN} (i32.const 2)))",
    "table.fill": f"""(table.fill $t (i32.const 0) {CHOSEN} (i32.const 2))
        (table.get $t (i32.sub (table.size $t) (table.size $t)))""",
    "table.copy": f"""(table.set $t (i32.const 0) {CHOSEN})
        (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 1))
        (table.get $t (i32.const 1))""",
    "table.init": f"""(table.init $t $none (i32.const 0) (i32.const 0) (i32.const 1))
        (drop (table.get $t (i32.const 0))) {CHOSEN}""",
    "elem.drop": f"(elem.drop $none) {CHOSEN}",
}  # fmt: skip
CASES = [
    *itertools.product(TYPES, ANY_TYPE.items()),
    *itertools.product(NUMBERS, NUMBER.items()),
    *itertools.product(REFERENCES, REFERENCE.items()),
]
IDS = [f"{type_}: {name}" for type_, (name, _) in CASES]

# In dead code, operands of these instructions have any type. `drop` removes a result.
DEAD = {
    "drop": "drop", "select": "select drop", "select with a type": "select (result T) drop",
    "local.set": "local.set 0", "local.tee": "local.tee 3 drop", "global.set": "global.set $mine",
    "block": "(block (param T) (drop))", "loop": "(loop (param T) (drop))",
    "if": "(if (param T) (then (drop)) (else (drop)))", "br": "br 0", "br_if": "br_if 0",
    "br with a value": "(block (result T) unreachable br 0) drop", "return": "return",
    "br_if with a value": "(block (result T) unreachable br_if 0) drop",
    "br_table": """(block (result T)
        (block (result T) unreachable br_table 0 1) drop unreachable) drop""",
    "call": "call $id drop", "call_indirect": "call_indirect $functions (type $id) drop",
    "call of a host function": "call $host drop", "return_call": "return_call $id",
    "return_call_indirect": "return_call_indirect $functions (type $id)",
    "global.get": "global.get $mine drop", "local.get": "local.get 0 drop",
    "else": "if nop else nop end", "nested": "block loop br 1 end end",
    "throw": "throw $e", "try_table": "(try_table (param T) (drop))",
    "try_table that catches": "(block (result T) (try_table (catch $e 0)) unreachable) drop",
    "try": "try nop catch $e drop end", "catch_all": "try nop catch_all nop end",
    "rethrow": "try nop catch_all rethrow 0 end", "delegate": "try nop delegate 0",
}  # fmt: skip
DEAD_REFERENCE = {
    "ref.is_null": "ref.is_null drop", "table.get": "table.get $t drop",
    "table.set": "table.set $t",
    "table.grow": "table.grow $t drop", "table.fill": "table.fill $t",
    "table.copy": "table.copy $t $t",
    "table.init": "table.init $t $none", "table.size": "table.size $t drop",
}  # fmt: skip
DEAD_CASES = [
    *itertools.product(TYPES, DEAD.items()),
    *itertools.product(REFERENCES, DEAD_REFERENCE.items()),
    ("exnref", ("throw_ref", "throw_ref")),
]
DEAD_IDS = [f"{type_}: {name}" for type_, (name, _) in DEAD_CASES]
ENDS = ["unreachable", "(br 0)", "(br_table 0 0 (local.get 2))", "(return (local.get 0))"]


def zero_of(type_: str) -> str:
    if type_ in REFERENCES:
        return f"(ref.null {type_.removesuffix('ref')})"
    return "(v128.const i64x2 0 0)" if type_ == "v128" else f"({type_}.const 0)"


def text_of(type_: str, *functions: str) -> str:
    """Return a module with these functions and all items that the expressions refer to."""
    tables = (
        f"(table $t 2 1000 {type_}) (elem $none {type_} (ref.null H))"
        if type_ in REFERENCES
        else ""
    )
    text = f"""(module
        (import "h" "f" (func $host (param T) (result T)))
        (import "o" "id" (func $other (param T) (result T)))
        (import "h" "shared" (global $shared (mut T))) (import "h" "given" (global $given T))
        (type $id (func (param T) (result T)))
        (tag $e (param T))
        (global $mine (mut T) Z) (global $constant T Z) {tables}
        (table $functions funcref (elem $id $host))
        (func $id (export "id") (type $id) (local.get 0))
        (func $first (param i32 T i64 T f32) (result T) (local.get 1))
        (func $swap (param T T) (result T T) (local.get 1) (local.get 0))
        {" ".join(functions)})"""
    text = text.replace("Z", zero_of(type_)).replace(" H)", f" {type_.removesuffix('ref')})")
    for before, after in itertools.product("( ", ") "):
        text = text.replace(f"{before}T{after}", f"{before}{type_}{after}")
        text = text.replace(
            f"{before}T{after}", f"{before}{type_}{after}"
        )  # those that share a space
    return text


def instance_of(type_: str, wat: Wat, *functions: str) -> tuple[wamr.Instance, Any, Any]:
    """Return an instance with these functions, and two values of the type."""
    store = Store()
    one: Any = {"i32": 1, "i64": 2**40, "f32": 1.5, "f64": 0.1, "v128": bytes(range(16))}.get(type_)
    two: Any = {"i32": -1, "i64": -2, "f32": 2.5, "f64": 1e300, "v128": bytes(range(16, 32))}.get(
        type_
    )
    if type_ == "funcref":
        one, two = (Func(store, wamr.FuncType.parse("() -> ()"), lambda: None) for _ in "12")
    if type_ == "externref":
        one, two = object(), object()
    if type_ == "exnref":
        one, two = (WasmException(Tag(store, TagType())) for _ in "12")
    host = Func(store, wamr.FuncType.parse(f"({type_}) -> ({type_})"), lambda value: value)
    content = next(each for each in ValType if str(each) == type_)
    h = {
        "f": host,
        "shared": Global(store, GlobalType(content, mutable=True), two),
        "given": Global(store, GlobalType(content, mutable=False), one),
    }
    text = f'(module (func (export "id") (param {type_}) (result {type_}) (local.get 0)))'
    other = wamr.Instance(store, wamr.Module(store, wat(text)), {})
    module = wamr.Module(store, wat(text_of(type_, *functions)))
    return wamr.Instance(store, module, {"h": h, "o": other}), one, two


def function(name: str, body: str) -> str:
    return (
        f"""(func (export "{name}") (param T T i32) (result T) (local T T T i32 exnref) {body})"""
    )


@pytest.mark.parametrize(("type_", "case"), CASES, ids=IDS)
def test_it_runs_with_each_type(type_: str, case: tuple[str, str], wat: Wat) -> None:
    instance, one, two = instance_of(type_, wat, function("f", case[1]))
    for _ in range(2):
        assert instance.exports.f(one, two, 1) == one
        assert instance.exports.f(one, two, 0) == two


@pytest.mark.parametrize(("type_", "case"), CASES, ids=IDS)
def test_in_dead_code_it_changes_nothing(type_: str, case: tuple[str, str], wat: Wat) -> None:
    """The code before and after the dead code runs as if there were no dead code."""
    bodies = [
        f"""(block (if (i32.eq {IF} (i32.const 2)) (then unreachable
                (drop (block (result T) {case[1]}))))
            (local.set 0 (call $id {A})) {end} (drop (block (result T) {case[1]}))) {A}"""
        for end in ENDS[1:]
    ]
    functions = [function(str(i), body) for i, body in enumerate(bodies)]
    instance, one, two = instance_of(type_, wat, *functions)
    for i in range(len(bodies)):
        assert instance.exports[str(i)](one, two, 1) == one
        with pytest.raises(wamr.Trap, match=r"^unreachable\b"):
            instance.exports[str(i)](one, two, 2)


@pytest.mark.parametrize(("type_", "case"), DEAD_CASES, ids=DEAD_IDS)
def test_dead_code_has_operands_of_any_type(type_: str, case: tuple[str, str], wat: Wat) -> None:
    bodies = [f"(block (local.set 0 (call $id {A})) {end} {case[1]}) {A}" for end in ENDS]
    if case[0] in ("br", "return"):  # also with an operand whose type is known
        bodies += [f"(block (local.set 0 (call $id {A})) {end} {A} {case[1]}) {A}" for end in ENDS]
    functions = [function(str(i), body) for i, body in enumerate(bodies)]
    instance, one, two = instance_of(type_, wat, *functions)
    for i in range(len(bodies)):
        if i % len(ENDS) == 0:
            with pytest.raises(wamr.Trap, match=r"^unreachable\b"):
                instance.exports[str(i)](one, two, 1)
        else:
            assert instance.exports[str(i)](one, two, 1) == one


# ---- all instructions ----------------------------------------------------------------------------

# The instructions that test_scalars.py, test_vectors.py and test_vector_memory.py don't run.
OTHERS = [
    *(0x00, 0x01, 0x02, 0x03, 0x04),  # unreachable, nop, block, loop, if
    *(0x06, 0x0A, 0x1F),  # try, throw_ref, try_table; the others need a tag, or a try around them
    *range(0x0C, 0x14),  # branches and calls
    *(0x1A, 0x1B, 0x1C, *range(0x20, 0x27), 0xD0, 0xD1, 0xD2),  # of any type
    *range(0x28, 0x41),  # memory
    *range(0x41, 0x45),  # constants
]
IMMEDIATES = [
    b"",
    b"\0",
    b"\0\0",
    b"\x40\x0b",
    b"\x40\0\x0b",
    b"\1\x7f",
    b"\x70",
    bytes(4),
    bytes(8),
    b"\0\0\0",
]


def valid(code: bytes) -> bool:
    """Return whether the opcode is an instruction with any of these immediates, in dead code."""
    for immediates in IMMEDIATES:
        body = b"\1\1\x7f\0" + code + immediates + b"\0\x0b"
        sections = (
            b"\1\4\1\x60\0\0", b"\3\2\1\0", b"\4\4\1\x70\0\1", b"\5\3\1\0\1",
            b"\6\6\1\x7f\1\x41\0\x0b", b"\7\5\1\1f\0\0", b"\x09\5\1\3\0\1\0", b"\x0c\1\1",
            bytes([10, len(body) + 2, 1, len(body)]) + body, b"\x0b\3\1\1\0",
        )  # fmt: skip
        try:
            wamr.Module(Store(), b"\0asm\1\0\0\0" + b"".join(sections))
        except wamr.CompileError:
            continue
        return True
    return False


def test_every_opcode_is_tested_somewhere() -> None:
    numeric = set(range(scalar_model.FIRST, scalar_model.FIRST + len(scalar_model.NAMES)))
    prefixes = {0xFC, 0xFD}
    known = {bytes([code]) for code in numeric | set(OTHERS)}
    known |= {bytes([0xFC, code]) for code in range(18)}  # saturating; bulk memory and tables
    known |= {
        b"\xfd" + (bytes([code]) if code < 128 else bytes([code & 127 | 128, 1]))
        for code, name in enumerate(VECTORS)
        if name not in ("-", "v128.const", "i8x16.shuffle")  # these have 16 bytes more
    }
    tried = [bytes([code]) for code in range(256) if code not in prefixes]
    tried += [bytes([0xFC, code]) for code in range(128)]
    tried += [b"\xfd" + bytes([code]) for code in range(128) if code not in (0x0C, 0x0D)]
    tried += [b"\xfd" + bytes([code, 1]) for code in range(128, 256)]
    assert {code for code in tried if valid(code)} == known
