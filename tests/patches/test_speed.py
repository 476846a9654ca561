"""Superinstructions and short calls (src/native/interp/superinstructions.h).

A superinstruction must have the effect of its two instructions. Each first instruction is tried
with each second one, whether they form a superinstruction or not, and compared with a model in
Python.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from itertools import product
from typing import Any

import platforms
import pytest

import wamr
from wamr._backend.binding import lib

Wat = Callable[[str], bytes]

# -- which pairs are superinstructions -------------------------------------------------------------

PAIRED = {
    "compare, branch": ("(block (br_if 0 (i32.lt_u (local.get 0) (local.get 1))))", 1),
    "compare i64, branch": ("(block (br_if 0 (i64.lt_u (i64.const 1) (i64.const 2))))", 1),
    "compare f64, branch": ("(block (br_if 0 (f64.lt (f64.const 1) (f64.const 2))))", 1),
    "compare, if": ("(if (i32.eqz (local.get 0)) (then))", 1),
    "add, keep": ("(drop (local.tee 0 (i32.add (local.get 0) (local.get 1))))", 1),
    "load, keep": ("(drop (local.tee 0 (i32.load (local.get 0))))", 1),
    "load, load": ("(drop (i32.load (i32.load (local.get 0))))", 1),
    "store, load": ("(i32.store (local.get 0) (local.get 1)) (drop (i32.load (local.get 0)))", 1),
    "multiply, add": (
        "(drop (f64.add (f64.const 1) (f64.mul (f64.const 2) (f64.const 3))))",
        1,
    ),
    "twice": (
        """(local.set 0 (i32.add (local.get 0) (i32.shl (local.get 1) (i32.const 2))))
        (block (br_if 0 (i32.ne (local.get 0) (local.get 1))))""",
        2,
    ),
}
ALONE = {
    "nothing": "",
    "one": "(drop (i32.add (local.get 0) (local.get 1)))",
    "another condition": "(local.set 0 (i32.eqz (local.get 0))) (block (br_if 0 (local.get 1)))",
    "a branch with a value": (
        "(drop (block (result i32) (br_if 0 (local.get 0) (i32.eqz (local.get 1)))))"
    ),
    "no pair": "(drop (i32.div_u (i32.mul (local.get 0) (local.get 1)) (i32.const 3)))",
    "one between": (
        "(local.set 0 (i32.eqz (local.get 0))) (drop (i32.div_u (local.get 1) (i32.const 2)))"
        "(block (br_if 0 (local.get 0)))"
    ),
}


def pairs(wat: Wat, body: str) -> int:
    text = f'(module (memory 1) (func (export "f") (param i32 i32) {body}))'
    func = wamr.load(wat(text)).exports.f  # the variable keeps alive what `_c` points to
    found: int = lib.wpy_func_superinstructions(func._c)
    return found


def test_this_machine_has_them_or_tests_name_the_reason_why_not() -> None:
    assert lib.wpy_has_superinstructions() == platforms.PAIRS


@platforms.needs_superinstructions
@pytest.mark.parametrize(("body", "count"), PAIRED.values(), ids=PAIRED)
def test_two_that_are_a_pair_run_as_one(wat: Wat, body: str, count: int) -> None:
    assert pairs(wat, body) == count


@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE)
def test_what_is_no_pair_runs_alone(wat: Wat, body: str) -> None:
    assert pairs(wat, body) == 0


def test_a_host_function_has_no_pairs() -> None:
    host = wamr.Func(wamr.Store(), wamr.FuncType.parse("() -> ()"), lambda: None)
    assert lib.wpy_func_superinstructions(host._c) == 0


# -- their results ---------------------------------------------------------------------------------

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
PAGE = bytes((i * 37 + i // 256 * 11) % 256 if i % 8 != 7 else i % 64 for i in range(65536))


def signed(x: int, bits: int) -> int:
    return x - (1 << bits) if x >> (bits - 1) else x


def loaded(at: int, size: int) -> int:
    if at + size > len(PAGE):
        raise IndexError(at)
    return int.from_bytes(PAGE[at : at + size], "little")


def comparisons(bits: int) -> dict[str, Callable[[int, int], int]]:
    found: dict[str, Callable[[int, int], int]] = {
        "eq": lambda x, y: x == y,
        "ne": lambda x, y: x != y,
    }
    for name, how in ORDERS.items():
        found[f"{name}_u"] = how
        found[f"{name}_s"] = lambda x, y, how=how: how(signed(x, bits), signed(y, bits))  # type: ignore[misc]
    return found


ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda x, y: x < y,
    "gt": lambda x, y: x > y,
    "le": lambda x, y: x <= y,
    "ge": lambda x, y: x >= y,
}
I32: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y & U32,
    "sub": lambda x, y: x - y & U32,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "shl": lambda x, y: x << y % 32 & U32,
    "shr_u": lambda x, y: x >> y % 32,
    "rotr": lambda x, y: (x >> y % 32 | x << 32 - y % 32) & U32,
    **comparisons(32),
}
F64: dict[str, Callable[[float, float], float]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
}
COMPARE_F64: dict[str, Callable[[float, float], bool]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    **ORDERS,
}

# The first instruction: its value. $A, $B are $a and $b as i64, and $x, $y are $a and $b as f64.
FIRSTS: dict[str, Callable[[int, int], int]] = {
    **{f"(i32.{op} (local.get $a) (local.get $b))": how for op, how in I32.items()},
    "(i32.eqz (local.get $a))": lambda a, b: a == 0,
    "(i32.wrap_i64 (local.get $A))": lambda a, b: a,
    "(i64.eqz (local.get $A))": lambda a, b: a == 0,
    **{
        f"(i64.{op} (local.get $A) (local.get $B))": lambda a, b, how=how: how(wide(a), wide(b))
        for op, how in comparisons(64).items()
    },
    **{
        f"(f64.{op} (local.get $x) (local.get $y))": lambda a, b, how=how: how(real(a), real(b))
        for op, how in COMPARE_F64.items()
    },
    "(i32.load offset=3 (local.get $b))": lambda a, b: loaded(b + 3, 4),
    "(i32.load8_u offset=3 (local.get $b))": lambda a, b: loaded(b + 3, 1),
    "(i32.load16_u offset=3 (local.get $b))": lambda a, b: loaded(b + 3, 2),
}
# The second instruction: the result of the function. V is the first instruction, v is its value.
SECONDS: dict[str, Callable[[int, int], int]] = {
    "(local.set $t V) (local.get $t)": lambda v, c: v,
    "(i32.mul (local.tee $t V) (i32.add (local.get $t) (local.get $c)))": lambda v, c: (
        v * (v + c) & U32
    ),
    "(block (br_if 0 V) (return (i32.const 5))) (i32.const 6)": lambda v, c: 6 if v else 5,
    "(block (result i32) (br_if 0 (i32.const 7) V) (drop) (i32.const 8))": lambda v, c: (
        7 if v else 8
    ),
    "(if (result i32) V (then (local.get $c)) (else (i32.const 9)))": lambda v, c: c if v else 9,
    "(if V (then (local.set $c (i32.const 1)))) (local.get $c)": lambda v, c: 1 if v else c,
    "(block (local.set $t V) (br 0)) (local.get $t)": lambda v, c: v,
    "(local.set $t V) (i32.add (local.get $t) (local.get $t))": lambda v, c: 2 * v & U32,
    "(local.set $t V) (i32.xor (local.get $t) (local.get $t))": lambda v, c: 0,
    "(i32.load V)": lambda v, c: loaded(v, 4),
    "(i32.load8_u offset=2 V)": lambda v, c: loaded(v + 2, 1),
    "(i32.wrap_i64 (i64.load V))": lambda v, c: loaded(v, 8) & U32,
    "(i32.store (i32.const 60000) V) (i32.load (i32.const 60000))": lambda v, c: v,
    "(local.set $t V) (i32.store (local.get $t) (local.get $c)) (i32.load (local.get $t))": (
        lambda v, c: loaded(v, 4) * 0 + c
    ),
    "(i32.store (i32.const 60000) (local.get $c)) (i32.store (i32.const 60002) V)"
    "(i32.load (i32.const 60000))": lambda v, c: (v << 16 | c & 0xFFFF) & U32,
    "(local.set $t V) (i32.store (i32.const 60000) (local.get $c))"
    "(i32.store8 (i32.const 60001) (local.get $t))"
    "(i32.add (local.get $t) (i32.load (i32.const 60000)))": lambda v, c: (
        (c & 0xFFFF00FF | (v & 255) << 8) + v & U32
    ),
    **{f"(i32.{op} V (local.get $c))": how for op, how in I32.items()},
    **{f"(i32.{op} (local.get $c) V)": lambda v, c, how=how: how(c, v) for op, how in I32.items()},
}
VALUES = (0, 1, 2, 31, 4000, 65525, 65533, 65536, 0x7FFFFFFF, 0x80000000, 0xDEADBEEF, U32)


def wide(x: int) -> int:
    return x | (x & 3) << 62


def real(x: int) -> float:
    return math.nan if x == 0xDEADBEEF else signed(x, 32) / 8


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except IndexError:
        return wamr.TrapCode.MEMORY_OUT_OF_BOUNDS
    except wamr.Trap as trap:
        return trap.code


@pytest.mark.parametrize("first", FIRSTS)
def test_pairs_do_what_their_instructions_do(
    wat: Wat, record_attempt: Callable[[object], None], first: str
) -> None:
    functions = "".join(
        f"""(func (export "{i}") (param $a i32) (param $b i32) (param $c i32) (result i32)
            (local $t i32) (local $A i64) (local $B i64) (local $x f64) (local $y f64)
            (local.set $A (call $wide (local.get $a))) (local.set $B (call $wide (local.get $b)))
            (local.set $x (call $real (local.get $a))) (local.set $y (call $real (local.get $b)))
            {second.replace("V", first)})"""
        for i, second in enumerate(SECONDS)
    )
    text = f"""(module (memory (export "memory") 1)
        (func $wide (param i32) (result i64) (i64.or (i64.extend_i32_u (local.get 0))
            (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 62))))
        (func $real (param i32) (result f64) (select (f64.const nan)
            (f64.div (f64.convert_i32_s (local.get 0)) (f64.const 8))
            (i32.eq (local.get 0) (i32.const 0xDEADBEEF))))
        {functions})"""
    exports = wamr.load(wat(text)).exports
    for i, (second, does) in enumerate(SECONDS.items()):
        function = exports[str(i)]
        for j, (a, b) in enumerate([*product(VALUES, VALUES)][i % 5 :: 5]):
            c = VALUES[(i + j) % len(VALUES)]
            record_attempt((first, second, a, b, c))
            exports.memory.write(0, PAGE)
            got = outcome(lambda: function(a, b, c) & U32)  # noqa: B023
            assert got == outcome(lambda: int(does(FIRSTS[first](a, b), c)))  # noqa: B023


@pytest.mark.parametrize("first", [*F64, "load"])
def test_pairs_of_floats_do_what_their_instructions_do(wat: Wat, first: str) -> None:
    values = [0.0, -0.0, 1.5, -2.25, 1e308, -1e-308, 1 / 3, math.inf, -math.inf, math.nan]
    v = "(f64.load (i32.const 16))" if first == "load" else f"(f64.{first} X Y)"
    v = v.replace("X", "(local.get 0)").replace("Y", "(local.get 1)")
    forms = {f"{op} {side}": side for op in F64 for side in ("left", "right", "both")}
    functions = ""
    for name, side in forms.items():
        op = name.split()[0]
        text = {
            "left": f"(f64.{op} {v} (local.get 2))",
            "right": f"(f64.{op} (local.get 2) {v})",
            "both": f"(local.set 3 {v}) (f64.{op} (local.get 3) (local.get 3))",
        }[side]
        functions += f'(func (export "{name}") (param f64 f64 f64) (result f64) (local f64) {text})'
    exports = wamr.load(wat(f'(module (memory (export "memory") 1) {functions})')).exports
    for name, side in forms.items():
        does = F64[name.split()[0]]
        for x, y, z in product(values, repeat=3):
            exports.memory.write(16, struct.pack("<d", x))
            value = x if first == "load" else F64[first](x, y)
            wanted = {"left": (value, z), "right": (z, value), "both": (value, value)}[side]
            same_float(exports[name](x, y, z), does(*wanted))


def same_float(got: float, wanted: float) -> None:
    assert math.isnan(got) == math.isnan(wanted)
    assert math.isnan(got) or struct.pack("<d", got) == struct.pack("<d", wanted)


def test_pairs_of_wide_loads_do_what_their_instructions_do(wat: Wat) -> None:
    exports = wamr.load(
        wat("""(module (memory (export "memory") 1)
        (func (export "two") (param i32 i32) (result i64)
            (i64.sub (i64.load (local.get 0)) (i64.load offset=1 (local.get 1))))
        (func (export "keep") (param i32) (result i64) (local i64)
            (i64.xor (i64.const 5) (local.tee 1 (i64.load (local.get 0)))) (local.get 1) (i64.add)))
        """)
    ).exports
    exports.memory.write(0, PAGE)
    for a, b in product([0, 9, 65527, 65528, 65529, U32], repeat=2):
        wanted = outcome(lambda a=a, b=b: loaded(a, 8) - loaded(b + 1, 8) & U64)
        assert outcome(lambda a=a, b=b: exports.two(a, b) & U64) == wanted
        wanted = outcome(lambda a=a: (loaded(a, 8) ^ 5) + loaded(a, 8) & U64)
        assert outcome(lambda a=a: exports.keep(a) & U64) == wanted


def test_a_branch_may_lead_to_the_second_of_a_pair(wat: Wat) -> None:
    f = wamr.load(
        wat("""(module (func (export "f") (param i32 i32) (result i32)
        (local.set 1 (i32.add (local.get 0) (i32.const 5)))
        (loop $again
            (local.set 1 (i32.add (local.get 1) (i32.const 3)))
            (br_if $again (i32.lt_s (local.get 1) (i32.const 50))))
        (local.get 1)))""")
    ).exports.f
    for a in range(60):
        assert f(a, 0) == next(x for x in range(a + 8, 100, 3) if x >= 50)


# -- places of traps, and fuel ---------------------------------------------------------------------

TRAPS = {
    "the first": ("(i32.add (i32.load offset=65536 (local.get 0)) (i32.const 1))", 0),
    "the second": ("(i32.load offset=65535 (i32.add (local.get 0) (i32.const 1)))", 0),
    "the first of two alike": (
        "(drop (i32.load (i32.const 4))) (i32.load (i32.load offset=65535 (local.get 0)))",
        1,
    ),
    "the second of two alike": (
        "(drop (i32.load (i32.const 4))) (i32.load offset=65535 (i32.load (local.get 0)))",
        2,
    ),
}


@pytest.mark.parametrize(("body", "number"), TRAPS.values(), ids=TRAPS)
def test_a_trap_in_a_pair_is_where_it_was(wat: Wat, body: str, number: int) -> None:
    """Check the offset of the trap; `number` is the index of the load."""
    code = wat(f'(module (memory 1) (func (export "f") (param i32) (result i32) {body}))')
    with pytest.raises(wamr.Trap, match="out of bounds") as caught:
        wamr.load(code).exports.f(2)
    begin = code.index(b"\x0a", 30)  # the code section
    loads = [i for i in range(begin, len(code)) if code[i : i + 2] == b"\x28\x02"]
    assert caught.value.frames[0].module_offset == loads[number]


@pytest.mark.parametrize(
    ("loop", "each"),
    [
        ("(br_if $l (i32.lt_u (local.get 1) (local.get 0)))", 1),
        ("(if (i32.lt_u (local.get 1) (local.get 0)) (then (br $l)))", 1),
        (
            """(block $end (br_if $end (i32.ge_u (local.get 1) (local.get 0)))
            (local.set 1 (i32.add (local.get 1) (i32.const 0))) (br $l))""",
            2,
        ),
    ],
)
def test_a_pair_uses_as_much_fuel_as_its_branch(wat: Wat, loop: str, each: int) -> None:
    f = wamr.load(
        wat(f"""(module (func (export "f") (param i32) (local i32)
        (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1))) {loop})))""")
    ).exports.f
    rounds = 1000
    last = 0 if "then" in loop else 1  # the check of the branch in the last round, if it is reached
    needed = 1 + (rounds - 1) * each + last
    f.call(rounds, fuel=needed)
    with pytest.raises(wamr.FuelTrap):
        f.call(rounds, fuel=needed - 1)


# -- calls ----------------------------------------------------------------------------------------


def test_calls_of_all_shapes(wat: Wat) -> None:
    types = {"i32": 7, "i64": 1 << 40, "f32": 1.5, "f64": -2.25, "v128": bytes(range(16))}
    for given in (["i32"] * 3, ["f32", "i32"], list(types), list(types)[::-1], []):
        for back in ([], ["i32"], ["f32"], ["i64"], ["v128"], list(types), ["i32", "f32"]):
            names = [name for name in back if name in given]
            read = " ".join(f"(local.get {given.index(name)})" for name in names)
            signature = f"(param {' '.join(given)}) (result {' '.join(names)})"
            pass_on = " ".join(f"(local.get {i})" for i in range(len(given)))
            exports = wamr.load(
                wat(f"""(module
                (func $inner {signature} (local i32 externref i64 funcref) {read})
                (func (export "f") {signature} (call $inner {pass_on}))
                (func (export "tail") {signature} (return_call $inner {pass_on}))
                (func (export "returns") {signature} (return (call $inner {pass_on}))))""")
            ).exports
            wanted = tuple(types[name] for name in names)
            for name in ("f", "tail", "returns"):
                got = exports[name](*(types[kind] for kind in given))
                assert (got if len(wanted) > 1 else () if got is None else (got,)) == wanted


def test_locals_begin_as_zero_and_null_after_other_calls(wat: Wat) -> None:
    exports = wamr.load(
        wat("""(module
        (func (export "dirty") (result i32) (local i64 i64 i64 i64 i64)
            (local.set 0 (i64.const -1)) (local.set 1 (i64.const -1)) (local.set 2 (i64.const -1))
            (local.set 3 (i64.const -1)) (local.set 4 (i64.const -1)) (i32.const 0))
        (func (export "clean") (result i32) (local i32 externref i64 funcref)
            (i32.and (i32.and (ref.is_null (local.get 1)) (ref.is_null (local.get 3)))
                (i32.and (i32.eqz (local.get 0)) (i64.eqz (local.get 2))))))""")
    ).exports
    for _ in range(3):
        assert exports.dirty() == 0
        assert exports.clean() == 1
