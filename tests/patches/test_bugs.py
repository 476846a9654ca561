"""One test for each patch of WAMR's own faults (cmake/patches/bugs/); each fails without its patch.

To see one fail: WAMR_WITHOUT_PATCH=name pip install -e ., then run it. Some of the faults kill the
process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mutants import leb, section
from platforms import smallest_stack

import wamr

Wat = Callable[[str], bytes]
HEADER = b"\0asm\1\0\0\0"


@pytest.mark.parametrize(
    "expression",
    [b"\x41\0", b"\x41\0\x41\0\x6a", b"\x41\0\x42\0\x6a\x0b", b"\xd2\0", b"\x23\0\x41\0"],
    ids=lambda code: code.hex(),
)
def test_malformed_constant_expression(expression: bytes) -> None:
    body = b"\1\x7f\0" + expression
    with pytest.raises(wamr.CompileError):
        wamr.load(HEADER + bytes([6, len(body)]) + body)


@pytest.mark.parametrize(
    "tail_call",
    [
        "(return_call $host (local.get 0))",
        "(return_call_indirect (type $t) (local.get 0) (i32.const 0))",
    ],
    ids=["direct", "indirect"],
)
def test_exported_function_tail_calls_an_import(wat: Wat, tail_call: str) -> None:
    text = f"""(module
        (type $t (func (param i32) (result i32)))
        (import "env" "host" (func $host (type $t)))
        (table 1 funcref) (elem (i32.const 0) $host)
        (func (export "go") (type $t) {tail_call})
        (func (export "nested") (type $t) (i32.add (i32.const 1) (call 1 (local.get 0)))))"""

    def host(value: int) -> int:
        if value < 0:
            raise ValueError(value)
        return value + 1

    exports = wamr.load(wat(text), {"env": {"host": host}}).exports
    assert exports.go(41) == 42
    assert exports.nested(41) == 43
    with pytest.raises(ValueError, match="-1"):
        exports.go(-1)
    assert exports.go(1) == 2


def test_tail_call_with_v128_parameters(wat: Wat) -> None:
    text = """(module
        (func $sum (param i32 v128 i64) (result i64)
          (i64.add (local.get 2) (i64.extend_i32_u (i32.add (local.get 0) (i32.add
            (i32x4.extract_lane 0 (local.get 1)) (i32x4.extract_lane 3 (local.get 1)))))))
        (func (export "go") (result i64)
          (return_call $sum (i32.const 1) (v128.const i32x4 20 0 0 300) (i64.const 4000))))"""
    assert wamr.load(wat(text)).exports.go() == 4321


@pytest.mark.parametrize(
    "body",
    [
        "(local.get 0) (local.get 1)",
        "(block (result i32 v128) (local.get 0) (local.get 1))",
        "(block (result i32 v128) (local.get 0) (local.get 1) (br 0))",
        "(local.get 0) (local.get 1) (i32.const 1) (if (param i32 v128) (result i32 v128) (then))",
        "(local.get 0) (local.get 1) (loop (param i32 v128) (result i32 v128))",
    ],
)
def test_v128_among_several_results_and_parameters_of_blocks(wat: Wat, body: str) -> None:
    text = f'(module (func (export "f") (param i32 v128) (result i32 v128) {body}))'
    assert wamr.load(wat(text)).exports.f(7, bytes(range(16))) == (7, bytes(range(16)))


def test_null_in_an_active_element_segment(wat: Wat) -> None:
    text = """(module
        (table 2 funcref)
        (func $first)
        (elem (i32.const 0) funcref (ref.null func) (ref.func $first))
        (func (export "is_null") (param i32) (result i32)
          (ref.is_null (table.get (local.get 0)))))"""
    exports = wamr.load(wat(text)).exports
    assert [exports.is_null(0), exports.is_null(1)] == [1, 0]


def test_imported_constant_in_an_element_segment(wat: Wat) -> None:
    text = """(module
        (import "m" "number" (global i32))
        (import "m" "function" (global $function funcref))
        (import "m" "object" (global $object externref))
        (table $functions 4 funcref)
        (table $objects (export "objects") 4 externref)
        (func $first (result i32) (i32.const 7))
        (func $second (result i32) (i32.const 8))
        (elem (table $functions) (i32.const 0) funcref
          (global.get $function) (ref.func $first))
        (elem (table $objects) (i32.const 0) externref (global.get $object) (ref.null extern))
        (elem $passive funcref (ref.func $second) (global.get $function))
        (global (export "again") funcref (global.get $function))
        (func (export "init")
          (table.init $functions $passive (i32.const 2) (i32.const 0) (i32.const 2)))
        (func (export "call") (param i32) (result i32)
          (call_indirect $functions (result i32) (local.get 0))))"""
    store = wamr.Store()
    function = wamr.Func(store, wamr.FuncType.parse("() -> i32"), lambda: 42)
    obj = ["anything"]
    kinds = wamr.ValType.I32, wamr.ValType.FUNCREF, wamr.ValType.EXTERNREF
    constants = [
        wamr.Global(store, wamr.GlobalType(kind), value)
        for kind, value in zip(kinds, (3, function, obj), strict=True)
    ]
    exports = wamr.Instance(store, wamr.Module(store, wat(text)), constants).exports
    assert [exports.call(0), exports.call(1)] == [42, 7]
    exports.init()
    assert [exports.call(2), exports.call(3)] == [8, 42]
    assert exports.again.value == function
    assert exports.objects[0] is obj
    assert exports.objects[1] is None


def test_memory_that_its_module_never_grows(wat: Wat) -> None:
    memory = wamr.load(wat('(module (memory (export "m") 2 4))')).exports.m
    assert memory.grow(2) == 2
    assert memory.pages == 4
    memory.write(4 * 65536 - 1, b"x")
    with pytest.raises(wamr.MemoryLimitError):
        memory.grow(1)


@pytest.mark.parametrize("item", ["(memory 5)", "(table 99 funcref)"])
@pytest.mark.parametrize("name", ["memory", "table", "mine"])
def test_no_module_name_is_special(wat: Wat, item: str, name: str) -> None:
    text = wat(f'(module (import "spectest" "{name}" {item}))')
    (imported,) = wamr.Module(wamr.Store(), text).imports
    assert imported.type.limits in {wamr.Limits(5), wamr.Limits(99)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_instances_do_not_touch_their_stack(wat: Wat) -> None:
    module = wamr.Module(wamr.Store(), wat('(module (func (export "f")))'))
    before = resident()
    instances = [wamr.Instance(wamr.Store(), module) for _ in range(64)]
    grown = resident() - before
    assert len(instances) == 64
    assert grown < 64 * 2**18, f"{grown / 64 / 1024:.0f} KiB for each instance; its stack has 1024"


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("count", [1000, 100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("order", ["left", "right"])
@pytest.mark.parametrize("place", ["global", "data", "cut short"])
def test_long_constant_expression(count: int, order: str, place: str) -> None:
    """Return a sum of zeros; sums beyond some length may be refused."""
    zero, add = b"\x41\0", b"\x6a"
    code = zero + (zero + add) * count if order == "left" else zero * (count + 1) + add * count
    if place == "data":
        module = HEADER + section(5, b"\1\0\1") + section(11, b"\1\0" + code + b"\x0b\1x")
    else:
        end = b"\x0b" if place == "global" else b""
        module = HEADER + section(6, b"\1\x7f\0" + code + end) + section(7, b"\1\1g\3\0")
    if count == 1000 and place != "cut short":
        exports = wamr.load(module).exports
        assert place == "data" or exports.g.value == 0
    else:
        with pytest.raises(wamr.CompileError):
            wamr.load(module)


TYPE, FUNCTION, CODE = b"\1\x60\0\0", b"\1\0", b"\1\2\0\x0b"
SIGNATURE = section(1, TYPE) + section(3, FUNCTION)
TABLE, MEMORY = section(4, b"\1\x70\0\1"), section(5, b"\1\0\1")
MANY = leb(2**26 - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="limits its address space")
@pytest.mark.parametrize(
    "module",
    {
        "types": section(1, MANY + b"\x60\0\0"),
        "imports": section(1, TYPE) + section(2, MANY + b"\1m\1f\0\0"),
        "functions": section(1, TYPE) + section(3, MANY + b"\0") + section(10, MANY + b"\2\0\x0b"),
        "tables": section(4, MANY + b"\x70\0\1"),
        "globals": section(6, MANY + b"\x7f\0\x41\0\x0b"),
        "exports": SIGNATURE + section(7, MANY + b"\1f\0\0") + section(10, CODE),
        "segments": SIGNATURE + TABLE + section(9, MANY + b"\0\x41\0\x0b\1\0") + section(10, CODE),
        "elements": SIGNATURE + TABLE + section(9, b"\1\0\x41\0\x0b" + MANY) + section(10, CODE),
        "expressions": SIGNATURE + TABLE + section(9, b"\1\5\x70" + MANY) + section(10, CODE),
        "data": MEMORY + section(11, MANY + b"\0\x41\0\x0b\1x"),
    }.items(),
    ids=lambda item: item[0],
)
def test_counts_without_items(module: tuple[str, bytes]) -> None:
    import resource

    wamr.load(HEADER)  # the first load allocates what later ones reuse
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(wamr.CompileError):
        wamr.load(HEADER + module[1])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("kind", [0x7F, 0x7E, 0x7B], ids=["i32", "i64", "v128"])
@pytest.mark.parametrize("count", [2**16, 2**30, 2**31, 2**32 - 1])
def test_billions_of_locals(kind: int, count: int) -> None:
    import resource

    body = b"\1" + leb(count) + bytes([kind]) + b"\x20\1\x1a\x0b"
    module = HEADER + SIGNATURE + section(10, b"\1" + leb(len(body)) + body)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(wamr.CompileError, match=r"local count too large|too many locals"):
        wamr.load(module)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("kib", [64, 128, 256])
def test_threads_with_small_stacks(kib: int, stack_factor: int, wat: Wat) -> None:
    import threading

    # The thread imports no module: the parser of CPython 3.14 needs more stack than it has.
    text = """(module (import "m" "f" (func $f (param i32) (result i32)))
        (func $deep (export "deep") (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (else (i32.const 0))))
        (func (export "host") (param i32) (result i32) (call $f (local.get 0))))"""
    binary = wat(text)
    wamr.load(binary, [lambda n: n])
    ended: list[object] = []

    def body() -> None:
        def again(n: int) -> int:
            return instance.exports.host(n - 1) + 1 if n else 0

        instance = wamr.load(binary, [again])
        # With Python on the stack, too, CPython 3.14 may detect the overflow first.
        for name, error in (("deep", wamr.StackOverflowTrap), ("host", RecursionError)):
            call = instance.exports[name]
            ended.append(call(5))
            with pytest.raises(error):
                call(100_000_000)
            ended.append(call(3))

    before = threading.stack_size(max(kib * 1024 * stack_factor, smallest_stack()))
    try:
        thread = threading.Thread(target=body)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert ended == [5, 3, 5, 3]


@pytest.mark.parametrize("kind", ["i32", "i64"])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_values_outlive_a_block_that_branches_further(kind: str, depth: int, wat: Wat) -> None:
    """Values pushed after the block must not overwrite values pushed before it."""
    one, two = f"({kind}.mul (local.get 0) (local.get 1))", f"({kind}.const 100)"
    exports = wamr.load(
        wat(f"""(module (func (export "f") (param {kind} {kind} i32) (result {kind})
            (block $outer (result {kind})
                {one * 4}
                {"(block " * depth}
                    (br_if 0 (local.get 2))
                    (br $outer ({kind}.const 5))
                {")" * depth}
                ({kind}.mul (local.get 0) {two})
                {f"{kind}.sub " * 4})))""")
    ).exports
    assert exports.f(3, 4, 1) == 12 - (12 - (12 - (12 - 300)))
    assert exports.f(3, 4, 0) == 5


def test_results_that_only_a_branch_writes_are_in_the_frame(wat: Wat) -> None:
    exports = wamr.load(
        wat("""(module (func $v (result v128) (br 0 (v128.const i32x4 1 2 3 4)))
            (func (export "f") (result i32)
                (i32x4.extract_lane 3 (i32x4.add (call $v)
                    (block $b (result v128)
                        (call $v) (br_if $b (i32.const 1)) drop unreachable)))))""")
    ).exports
    assert exports.f() == 8
