"""One test for each hook that linking needs (cmake/patches/hooks/), by what a user observes.

Without its patch, each test gets WAMR's own behaviour: imports bound to the module, private copies
of tables and globals, functions as bare indices.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from typing import Any

import pytest

import wamr
from wamr import FuncType, Instance, Limits, Module, Store, TableType, ValType

Wat = Callable[[str], bytes]


def test_host_functions_are_bound_per_instance(wat: Wat) -> None:
    store = Store()
    module = Module(
        store,
        wat("""(module
            (import "m" "f" (func $f (param i32) (result i32)))
            (func (export "call") (param i32) (result i32) (call $f (local.get 0))))"""),
    )
    times = [
        Instance(store, module, {"m": {"f": lambda x, factor=factor: x * factor}})
        for factor in range(5)
    ]
    assert [instance.exports.call(10) for instance in times] == [0, 10, 20, 30, 40]
    times[3].close()
    assert times[2].exports.call(1) == 2


def test_start_function_calls_a_host_function(wat: Wat) -> None:
    text = """(module
        (import "m" "log" (func $log (param i32)))
        (memory 1) (data (i32.const 8) "\\2a")
        (func $start (call $log (i32.load8_u (i32.const 8))))
        (start $start))"""
    seen: list[int] = []
    wamr.load(wat(text), {"m": {"log": seen.append}})
    assert seen == [42]


def test_exception_of_a_host_function_in_start_comes_out_of_the_constructor(wat: Wat) -> None:
    text = '(module (import "m" "f" (func $f)) (func $start (call $f)) (start $start))'

    def fail() -> None:
        raise LookupError("no luck")

    with pytest.raises(LookupError, match="no luck"):
        wamr.load(wat(text), {"m": {"f": fail}})


def test_start_function_may_be_an_import(wat: Wat) -> None:
    text = '(module (import "m" "hello" (func $hello)) (start $hello))'
    seen: list[str] = []
    wamr.load(wat(text), {"m": {"hello": lambda: seen.append("hello")}})
    assert seen == ["hello"]


def test_start_function_runs_once(wat: Wat) -> None:
    text = """(module (import "m" "hello" (func $hello)) (func $twice (call $hello) (call $hello))
      (start $twice))"""
    seen: list[str] = []
    wamr.load(wat(text), {"m": {"hello": lambda: seen.append("hello")}})
    assert seen == ["hello", "hello"]


def test_constructors_that_no_specification_names_are_not_run(wat: Wat) -> None:
    text = '(module (func (export "__wasm_call_ctors") unreachable))'
    with pytest.raises(wamr.Trap, match="unreachable"):
        wamr.load(wat(text)).exports["__wasm_call_ctors"]()


def test_shared_memory_outlives_its_maker(wat: Wat) -> None:
    store = Store()
    maker = Instance(store, Module(store, wat('(module (memory (export "m") 1 4))')))
    user = Instance(
        store,
        Module(
            store,
            wat("""(module
                (import "maker" "m" (memory 1))
                (func (export "grow") (result i32) (memory.grow (i32.const 1)))
                (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
                (func (export "store") (param i32 i32)
                  (i32.store (local.get 0) (local.get 1))))"""),
        ),
        {"maker": maker},
    )
    maker.exports.m.write(100, struct.pack("<i", 7))
    assert user.exports.load(100) == 7
    maker.close()
    assert user.exports.load(100) == 7
    user.exports.store(104, 8)
    assert user.exports.grow() == 1
    user.exports.store(70_000, 9)
    del maker
    gc.collect()
    assert [user.exports.load(at) for at in (100, 104, 70_000)] == [7, 8, 9]


def test_view_outlives_the_instance(wat: Wat) -> None:
    instance = wamr.load(wat('(module (memory (export "m") 1) (data (i32.const 0) "abc"))'))
    view = instance.exports.m.view(0, 3)
    instance.close()
    del instance
    gc.collect()
    assert bytes(view) == b"abc"
    view[0] = 0x41
    assert bytes(view) == b"Abc"


def test_mutable_global_is_shared(wat: Wat) -> None:
    store = Store()
    maker = Instance(
        store,
        Module(
            store,
            wat("""(module
                (global $before i64 (i64.const -1))
                (global $g (export "g") (mut i64) (i64.const 5))
                (global $v (export "v") (mut v128) (v128.const i64x2 1 2))
                (func (export "read") (result i64) (global.get $g)))"""),
        ),
    )
    user = Instance(
        store,
        Module(
            store,
            wat("""(module
                (import "m" "g" (global $g (mut i64)))
                (import "m" "v" (global $v (mut v128)))
                (func (export "add") (param i64)
                  (global.set $g (i64.add (global.get $g) (local.get 0))))
                (func (export "swap")
                  (global.set $v (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                    (global.get $v) (global.get $v)))))"""),
        ),
        {"m": maker},
    )
    user.exports.add(37)
    assert maker.exports.read() == maker.exports.g.value == 42
    maker.exports.g.value = -1
    user.exports.add(1)
    assert maker.exports.read() == 0
    user.exports.swap()
    assert maker.exports.v.value == struct.pack("<QQ", 2, 1)
    maker.close()
    user.exports.add(3)


def test_host_global_is_shared_by_all_who_import_it(wat: Wat) -> None:
    store = Store()
    module = Module(
        store,
        wat("""(module
            (import "m" "count" (global $count (mut i32)))
            (func (export "tick")
              (global.set $count (i32.add (global.get $count) (i32.const 1)))))"""),
    )
    count = wamr.Global(store, wamr.GlobalType(ValType.I32, mutable=True), 40)
    for _ in range(2):
        Instance(store, module, {"m": {"count": count}}).exports.tick()
    assert count.value == 42


ALL = "i32 i64 f32 f64 v128 externref funcref"


def test_host_function_of_every_type(wat: Wat) -> None:
    """The results are the parameters in reverse order, so each value moves to another cell."""
    names = ALL.split()
    back = " ".join(reversed(names))
    text = f"""(module
        (import "m" "f" (func $f (param {ALL}) (result {back})))
        (func (export "call") (param {ALL}) (result {back})
          {" ".join(f"(local.get {i})" for i in range(len(names)))} (call $f)))"""
    seen: list[tuple[Any, ...]] = []

    def reverse(*args: Any) -> tuple[Any, ...]:
        seen.append(args)
        return args[::-1]

    instance = wamr.load(wat(text), {"m": {"f": reverse}})
    call = instance.exports.call
    values = (-1, 2**63 - 1, 1.5, -2.25, bytes(range(16)), ["object"], call)
    assert call(*values) == values[::-1]
    assert call(*values)[1] is values[5]
    assert call(0, 0, 0.0, 0.0, bytes(16), None, None) == (None, None, bytes(16), 0.0, 0.0, 0, 0)
    assert seen[0] == values


def test_host_function_with_many_parameters_and_results(wat: Wat) -> None:
    kinds = " ".join(["i32 i64 v128"] * 100)
    text = f"""(module
        (import "m" "f" (func $f (param {kinds}) (result {kinds})))
        (func (export "call") (param {kinds}) (result {kinds})
          {" ".join(f"(local.get {i})" for i in range(300))} (call $f)))"""
    instance = wamr.load(wat(text), {"m": {"f": lambda *args: args}})
    values = tuple(i.to_bytes(16, "little") if i % 3 == 2 else i for i in range(300))
    assert instance.exports.call(*values) == values


# ------------------------------------------------------------------ functions as values

FUNCTIONS = """(module
    (func $pad1) (func $pad2) (func $pad3)
    (func $answer (export "answer") (result i32) (i32.const 42))
    (func (export "give") (result funcref) (ref.func $answer))
    (global (export "constant") funcref (ref.func $answer))
    (elem declare func $answer))"""

CALLER = """(module
    (type $t (func (result i32)))
    (table $t 4 funcref)
    (func (result i32) (i32.const -1)) (func (result i32) (i32.const -2))
    (func (result i32) (i32.const -3)) (func (result i32) (i32.const -4))
    (func (export "put") (param i32 funcref) (table.set $t (local.get 0) (local.get 1)))
    (func (export "at") (param i32) (result funcref) (table.get $t (local.get 0)))
    (func (export "call") (param i32) (result i32)
      (call_indirect $t (type $t) (local.get 0)))
    (func (export "tail") (param i32) (result i32)
      (return_call_indirect $t (type $t) (local.get 0))))"""


def two(wat: Wat) -> tuple[Any, Any]:
    store = Store()
    return (
        Instance(store, Module(store, wat(FUNCTIONS))).exports,
        Instance(store, Module(store, wat(CALLER))).exports,
    )


def test_funcref_is_the_same_function_in_another_instance(wat: Wat) -> None:
    functions, caller = two(wat)
    given = functions.give()
    assert given == functions.answer == functions.constant.value
    assert given() == 42
    caller.put(2, given)
    assert caller.at(2) == functions.answer
    assert caller.at(1) is None


def test_call_indirect_reaches_another_instance(wat: Wat) -> None:
    functions, caller = two(wat)
    store = functions.answer.store
    caller.put(1, functions.answer)
    caller.put(2, wamr.Func(store, FuncType([], [ValType.I32]), lambda: 43))
    caller.put(3, wamr.Func(store, FuncType([], [ValType.I64]), lambda: 44))
    for call in (caller.call, caller.tail):
        assert [call(1), call(2)] == [42, 43]
        with pytest.raises(wamr.Trap, match="indirect call type mismatch"):
            call(3)
        with pytest.raises(wamr.Trap, match="uninitialized element"):
            call(0)
        with pytest.raises(wamr.Trap, match="undefined element"):
            call(4)


def test_function_of_a_closed_instance_can_be_called_through_no_table(wat: Wat) -> None:
    store = Store()
    functions = Instance(store, Module(store, wat(FUNCTIONS)))
    caller = Instance(store, Module(store, wat(CALLER))).exports
    caller.put(1, functions.exports.answer)
    functions.close()
    with pytest.raises((wamr.Trap, wamr.ClosedError)):
        caller.call(1)
    assert caller.at(0) is None


SHARED = """(module
    (import "host" "table" (table $t 10 funcref))
    (func $pad) (func $a (result i32) (i32.const {a})) (func $b (result i32) (i32.const {b}))
    {segment}
    (type $t (func (result i32)))
    (func (export "call") (param i32) (result i32) (call_indirect $t (type $t) (local.get 0))))"""


def sharing(wat: Wat, segments: list[str]) -> tuple[wamr.Table, list[Any]]:
    """Return instances that write their functions into one table."""
    store = Store()
    table = wamr.Table(store, TableType(ValType.FUNCREF, Limits(10)))
    exports = []
    for i, segment in enumerate(segments):
        text = SHARED.format(a=10 * i, b=10 * i + 1, segment=segment)
        module = Module(store, wat(text))
        exports.append(Instance(store, module, {"host": {"table": table}}).exports)
    return table, exports


def test_element_segment_into_a_shared_table(wat: Wat) -> None:
    table, exports = sharing(
        wat,
        [
            "(elem (i32.const 0) $a $b)",
            "(elem (i32.const 2) funcref (ref.func $b) (ref.null func) (ref.func $a))",
        ],
    )
    for each in exports:
        assert [each.call(i) for i in (0, 1, 2, 4)] == [0, 1, 11, 10]
    assert table[1]() == 1
    assert table[3] is None


def test_table_init_into_a_shared_table(wat: Wat) -> None:
    init = """(elem $e funcref (ref.func $a) (ref.null func) (ref.func $b))
        (func $init (table.init $t $e (i32.const {}) (i32.const 0) (i32.const 3)))
        (start $init)"""
    table, exports = sharing(wat, [init.format(0), init.format(3)])
    for each in exports:
        assert [each.call(i) for i in (0, 2, 3, 5)] == [0, 1, 10, 11]
    assert [table[1], table[4]] == [None, None]
    assert table[5]() == 11


def test_functions_of_a_failed_instance_stay_callable(wat: Wat) -> None:
    """Only the first segment fits. As the specification says, the table keeps its functions."""
    store = Store()
    table = wamr.Table(store, TableType(ValType.FUNCREF, Limits(10)))
    text = SHARED.format(a=1, b=2, segment="(elem (i32.const 0) $b) (elem (i32.const 9) $a $b)")
    with pytest.raises(wamr.Trap, match="out of bounds table access"):
        Instance(store, Module(store, wat(text)), {"host": {"table": table}})
    gc.collect()
    assert table[0]() == 2
    assert table[9] is None


# ------------------------------------------------------------------ traps


def test_trap_tells_its_frames(wat: Wat) -> None:
    text = """(module $calc
        (import "m" "back" (func $back))
        (func $deep (param i32) (result i32)
          (if (result i32) (local.get 0)
            (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
            (else (unreachable))))
        (func $outer (export "outer") (param i32) (result i32)
          (i32.add (i32.const 1) (call $deep (local.get 0))))
        (func $via (export "via") (call $back)))"""
    exports: Any = None
    instance = wamr.load(wat(text), {"m": {"back": lambda: exports.outer(0)}})
    exports = instance.exports
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        exports.outer(2)
    assert [frame.func_name for frame in caught.value.frames] == ["deep"] * 3 + ["outer"]
    assert [frame.func_index for frame in caught.value.frames] == [1, 1, 1, 2]
    assert {frame.instance for frame in caught.value.frames} == {instance}
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        exports.via()
    assert [frame.func_name for frame in caught.value.frames][:2] == ["deep", "outer"]


def test_frames_have_offsets(wat: Wat) -> None:
    code = wat("""(module
        (func $divide (param i32) (result i32)
          (i32.div_s (i32.const 7) (local.get 0)))
        (func (export "go") (result i32) (call $divide (i32.const 0))))""")
    with pytest.raises(wamr.Trap, match="divide by zero") as caught:
        wamr.load(code).exports.go()
    places = [frame.module_offset for frame in caught.value.frames]
    assert [code[place] for place in places if place] == [0x6D, 0x10]  # i32.div_s, call


def test_table_grow_stops_at_the_limit(wat: Wat) -> None:
    text = """(module
        (table 4 funcref)
        (func (export "grow") (param i32) (result i32)
          (table.grow 0 (ref.null func) (local.get 0))))"""
    exports = wamr.load(wat(text), limits=wamr.ResourceLimits(table_elements=6)).exports
    assert [exports.grow(n) for n in (3, 1, 1, 1)] == [-1, 4, 5, -1]
