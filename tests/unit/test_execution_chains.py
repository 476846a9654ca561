"""Executions through several instances, and exceptions that pass through suspensions."""

from __future__ import annotations

import gc
import threading

import pytest
from executions import CALLS, calls_of, events, finish, instance

import wamr
from wamr import SUSPEND, Instance, Linker, Module, Store, Tag, TagType, ValType, WasmException

pytestmark = pytest.mark.usefixtures("wat")

FORWARD = """(module
  (import "a" "direct" (func $f (param i32) (result i32)))
  (import "a" "table" (table 4 funcref))
  (type $t (func (param i32) (result i32)))
  (func (export "call") (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))
  (func (export "tail") (param i32) (result i32) (return_call $f (local.get 0)))
  (func (export "table") (param i32) (result i32)
    (i32.add (i32.const 2) (call_indirect (type $t) (local.get 0) (i32.const 1))))
  (func (export "spin") (param i32) (result i32) (call $f (local.get 0)))
  (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""


@pytest.fixture
def pair(store):
    """Two linked instances; the second one calls the first."""
    first = instance(store)
    return first, Instance(store, Module(store, FORWARD), {"a": first.exports})


@pytest.mark.parametrize(("name", "result"), [("call", 211), ("tail", 210)])
def test_a_call_of_another_instance_can_be_suspended(pair, name, result):
    got, found = events(pair[1].exports[name].execution(3), 10, 20)
    assert got == result
    assert calls_of(found) == [(3,), (5,)]


def test_a_call_through_the_table_of_another_instance_can_be_suspended(pair):
    assert events(pair[1].exports.table.execution(3), 10)[0] == 13


def test_both_instances_can_be_called_while_a_chain_is_suspended(pair):
    execution = pair[1].exports.call.execution(3)
    next(execution)
    assert (pair[0].exports.plus(1), pair[1].exports.plus(1)) == (2, 2)
    assert finish(execution, 10, 20) == 211


def chain(store, length):
    """Return the last of so many instances, each of which adds 1 to what the one before returns."""
    module = Module(
        store,
        '(module (import "" "f" (func $f (param i32) (result i32)))'
        ' (func (export "f") (param i32) (result i32)'
        " (i32.add (i32.const 1) (call $f (local.get 0)))))",
    )
    imported = wamr.Func(store, wamr.FuncType.parse("(i32) -> i32"), lambda _: SUSPEND)
    limits = wamr.ResourceLimits(stack_bytes=8192)
    for _ in range(length):
        imported = Instance(store, module, [imported], limits=limits).exports.f
    return imported


def test_a_long_chain_goes_on(store):
    func = chain(store, 100)
    for _ in range(2):
        execution = func.execution(1)
        next(execution)
        assert finish(execution, 5) == 105
    execution = func.execution(1)
    next(execution)
    with pytest.raises(wamr.Trap, match="mine") as caught:
        execution.throw(wamr.Trap("mine"))
    assert len(caught.value.frames) == 100
    execution = func.execution(1)
    next(execution)
    del execution
    gc.collect()
    assert events(func.execution(1), 6)[0] == 106


RECURSIVE = """(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "b" "table" (table $table 2 funcref))
  (type $t (func (param i32) (result i32)))
  (func $f (export "f") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call_indirect $table (type $t)
        (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
      (else (i32.mul (call $ask (i32.const 0)) (call $ask (i32.const 1))))))
  (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""


# Two instances call each other, and ask before.
DEEPER = """(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "b" "table" (table $table 2 funcref))
  (type $t (func (param i32) (result i32)))
  (func (export "f") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (call $ask (local.get 0))
        (call_indirect $table (type $t) (i32.sub (local.get 0) (i32.const 1))
          (i32.and (local.get 0) (i32.const 1)))))
      (else (i32.const 0)))))"""


def recursive(store):
    """Return an instance that calls itself through a table element of another instance."""
    table = wamr.Table(store, wamr.TableType(ValType.FUNCREF, wamr.Limits(2)))
    first = Instance(
        store, Module(store, RECURSIVE), {"env": {"ask": lambda _: SUSPEND}, "b": {"table": table}}
    )
    between = Instance(
        store,
        Module(
            store,
            '(module (import "a" "f" (func $f (param i32) (result i32)))'
            ' (import "b" "table" (table 2 funcref)) (elem (i32.const 0) $g)'
            " (func $g (param i32) (result i32) (call $f (local.get 0))))",
        ),
        {"a": first.exports, "b": {"table": table}},
    )
    return first, between


@pytest.mark.parametrize("depth", [0, 1, 2, 20])
def test_an_instance_may_be_in_a_chain_several_times(store, depth):
    first, _ = recursive(store)
    execution = first.exports.f.execution(depth)
    next(execution)
    assert first.exports.plus(1) == 2
    other = first.exports.f.execution(depth)
    next(other)
    with pytest.raises(
        RuntimeError, match="was suspended later in the same instance goes on first"
    ):
        execution.send(1)
    assert finish(other, 3, 4) == 12 + depth
    assert finish(execution, 5, 6) == 30 + depth


@pytest.mark.parametrize("stack", [0, 1 << 17])
def test_a_chain_may_become_longer_than_the_native_stack(store, stack):
    """Each time that it goes on, the native stack is as empty as at its beginning."""
    table = wamr.Table(store, wamr.TableType(ValType.FUNCREF, wamr.Limits(2)))
    module = Module(store, DEEPER)
    limits = wamr.ResourceLimits(stack_bytes=1 << 23)
    imports = {"env": {"ask": lambda _: SUSPEND}, "b": {"table": table}}
    first = Instance(store, module, imports, limits=limits)
    second = Instance(store, module, imports, limits=limits)
    table[0], table[1] = first.exports.f, second.exports.f
    outcomes = []

    def run():
        execution = first.exports.f.execution(3000)
        try:
            next(execution)
            while True:
                execution.send(1)
        except (StopIteration, wamr.StackOverflowTrap) as end:
            outcomes.append(end)

    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    (end,) = outcomes
    if not stack:
        assert end.value == 3000
    assert events(first.exports.f.execution(2), 1, 1)[0] == 2


def test_a_chain_with_an_instance_several_times_can_be_dropped_and_thrown_into(store):
    first, _ = recursive(store)
    lower, upper = first.exports.f.execution(3), first.exports.f.execution(3)
    next(lower)
    next(upper)
    del lower
    gc.collect()
    with pytest.raises(KeyError):
        upper.throw(KeyError("x"))
    assert events(first.exports.f.execution(3), 2, 2)[0] == 7


def test_a_table_entry_that_another_instance_made_calls_back_in_the_same_instance(store):
    """The element is the first instance's own function, as an import of the second one."""
    table = wamr.Table(store, wamr.TableType(ValType.FUNCREF, wamr.Limits(2)))
    first = Instance(
        store, Module(store, RECURSIVE), {"env": {"ask": lambda _: SUSPEND}, "b": {"table": table}}
    )
    Instance(
        store,
        Module(
            store,
            '(module (import "a" "f" (func $f (param i32) (result i32)))'
            ' (import "b" "table" (table 2 funcref)) (elem (i32.const 0) $f))',
        ),
        {"a": first.exports, "b": {"table": table}},
    )
    for depth in (1, 5):
        assert events(first.exports.f.execution(depth), 2, 3)[0] == 6 + depth
        execution = first.exports.f.execution(depth)
        next(execution)
        with pytest.raises(ValueError, match="x"):
            execution.throw(ValueError("x"))


# ------------------------------------------------------------------ exceptions of wasm code
CATCHING = """(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "tag" (tag $tag (param i32)))
  (func $leaf (export "leaf") (param i32) (result i32) (call $ask (local.get 0)))
  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $tag $caught)
        (i32.add (i32.const 1) (call $leaf (local.get 0))))
      (return))
    (i32.add (i32.const 100)))
  (func (export "catch_all") (param i32) (result i32)
    (block $caught
      (try_table (result i32) (catch_all $caught) (call $leaf (local.get 0)))
      (return))
    (i32.const -1))
  (func (export "again") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $tag $caught) (call $leaf (local.get 0)))
      (return))
    (call $ask))
  (func (export "throw") (param i32) (result i32)
    (drop (call $ask (local.get 0))) (throw $tag (i32.const 9))))"""

OUTER = """(module
  (import "a" "leaf" (func $leaf (param i32) (result i32)))
  (import "a" "throw" (func $throw (param i32) (result i32)))
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "tag" (tag $tag (param i32)))
  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $tag $caught) (call $leaf (local.get 0)))
      (return))
    (i32.add (i32.const 1000)))
  (func (export "ask_again") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $tag $caught) (call $throw (local.get 0)))
      (return))
    (call $ask))
  (func (export "pass") (param i32) (result i32) (call $leaf (local.get 0))))"""


@pytest.fixture
def catching(store):
    tag = Tag(store, TagType([ValType.I32]))
    imports = {"env": {"ask": lambda _: SUSPEND, "tag": tag}}
    first = Instance(store, Module(store, CATCHING), imports)
    return tag, first, Instance(store, Module(store, OUTER), {**imports, "a": first.exports})


def test_wasm_code_catches_an_exception_thrown_into_a_host_function(catching):
    tag, first, _ = catching
    for name, result in (("catch", 107), ("catch_all", -1)):
        execution = first.exports[name].execution(1)
        next(execution)
        with pytest.raises(StopIteration) as end:
            execution.throw(WasmException(tag, 7))
        assert end.value.value == result


def test_code_that_has_caught_an_exception_can_be_suspended_again(catching):
    tag, first, _ = catching
    execution = first.exports.again.execution(1)
    next(execution)
    event = execution.throw(WasmException(tag, 7))
    assert event.args == (7,)
    assert finish(execution, 70) == 70


def test_only_wasm_exceptions_are_caught(catching):
    _, first, _ = catching
    for error in (ValueError("x"), wamr.Trap("x"), KeyboardInterrupt(), GeneratorExit()):
        execution = first.exports.catch_all.execution(1)
        next(execution)
        with pytest.raises(type(error)) as caught:
            execution.throw(error)
        assert caught.value is error


def test_an_exception_of_another_tag_or_store_is_not_caught(catching):
    tag, first, _ = catching
    for other in (Tag(first.store, TagType([ValType.I32])), Tag(Store(), TagType([ValType.I32]))):
        execution = first.exports.catch.execution(1)
        next(execution)
        error = WasmException(other, 7)
        with pytest.raises(WasmException) as caught:
            execution.throw(error)
        assert caught.value is error
        assert [frame.func_name for frame in error.frames] == ["leaf", "catch"]
    execution = first.exports.catch.execution(1)
    next(execution)
    assert finish(execution, 1) == 2
    assert tag.type.params == (ValType.I32,)


def test_an_exception_unwinds_the_segments_of_other_instances(catching):
    tag, _, outer = catching
    execution = outer.exports.catch.execution(1)
    next(execution)
    with pytest.raises(StopIteration) as end:
        execution.throw(WasmException(tag, 7))
    assert end.value.value == 1007
    execution = outer.exports["pass"].execution(1)
    next(execution)
    error = WasmException(tag, 7)
    with pytest.raises(WasmException) as caught:
        execution.throw(error)
    assert caught.value is error
    assert [frame.func_name for frame in error.frames] == ["leaf", "pass"]


def test_what_resumed_code_throws_is_caught_in_another_instance(catching):
    _, _, outer = catching
    execution = outer.exports.ask_again.execution(1)
    next(execution)
    assert execution.send(0).args == (9,)
    assert finish(execution, 5) == 5


def test_an_uncaught_exception_of_resumed_code_comes_out(catching):
    tag, first, _ = catching
    execution = first.exports.throw.execution(1)
    next(execution)
    with pytest.raises(WasmException) as caught:
        execution.send(0)
    assert (caught.value.tag, caught.value.values) == (tag, (9,))
    assert [frame.func_name for frame in caught.value.frames] == ["throw"]


def test_nothing_is_caught_in_the_middle_of_code(store):
    tag = Tag(store, TagType([]))
    inst = Instance(
        store,
        Module(
            store,
            '(module (import "" "tag" (tag)) (func (export "f") (block $caught'
            " (try_table (catch_all $caught) (loop (br 0))))))",
        ),
        {"": {"tag": tag}},
    )
    execution = inst.exports.f.execution(slice=0)
    assert next(execution).kind == "slice"
    error = WasmException(tag)
    with pytest.raises(WasmException) as caught:
        execution.throw(error)
    assert caught.value is error
    assert [frame.func_name for frame in error.frames] == ["f"]


def test_an_exnref_passes_through_a_suspension(store):
    tag = Tag(store, TagType([ValType.I32]))
    inst = Instance(
        store,
        Module(
            store,
            """(module (import "" "ask" (func $ask (param exnref) (result exnref)))
            (import "" "tag" (tag $tag (param i32)))
            (func (export "f") (result exnref) (call $ask (block $caught (result exnref)
              (try_table (result exnref) (catch_all_ref $caught) (throw $tag (i32.const 3)))))))""",
        ),
        {"": {"tag": tag, "ask": lambda _: SUSPEND}},
    )
    execution = inst.exports.f.execution()
    event = next(execution)
    assert event.args[0].values == (3,)
    answer = WasmException(tag, 4)
    assert finish(execution, answer) is answer
    execution = inst.exports.f.execution()
    event = next(execution)
    assert finish(execution, event.args[0]) is event.args[0]


def test_a_linker_s_functions_can_suspend(store):
    linker = Linker(store)
    linker.define("env", "ask", lambda _: SUSPEND)
    linker.define("env", "many", lambda *_: SUSPEND)
    linker.define("env", "none", lambda: SUSPEND)
    assert events(linker.instantiate(Module(store, CALLS)).exports.tail.execution(1), 8)[0] == 8
