"""Exceptions across instances, tail calls, start functions, re-entrance, threads and greenlets."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable

import pytest
from bounds import SANITIZED
from needs import needs

from wamr import (
    Instance,
    Module,
    Store,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmException,
)

OF_I32 = TagType([ValType.I32])
THROWER = """(module $thrower
    (tag $t (export "t") (param i32))
    (func (export "throw") (param i32) (throw $t (local.get 0)))
    (func (export "trap") (param i32) unreachable)
    (func (export "make") (param i32) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $t (local.get 0))) (unreachable)))
    (func (export "throw_ref") (param exnref) (throw_ref (local.get 0))))"""
# `throw` may be any function of that type. Each export calls it, and catches or passes on.
CATCHER = """(module $catcher
    (import "m" "t" (tag $t (param i32)))
    (import "m" "throw" (func $throw (param i32)))
    (func $pass (export "pass") (param i32) (call $throw (local.get 0)))
    (func (export "catch") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $t $h) (call $throw (local.get 0))) (i32.const -1)))
    (func (export "all") (param i32) (result i32)
        (block $h (try_table (catch_all $h) (call $throw (local.get 0)))
            (return (i32.const -1)))
        (i32.const 1))
    (func $tail (param i32) (result i32)
        (try_table (return_call $pass_result (local.get 0)) (unreachable)) (unreachable))
    (func $pass_result (param i32) (result i32) (call $throw (local.get 0)) (i32.const -1))
    (func $tail_in_try (export "tail_in_try") (param i32) (result i32)
        (block $h (try_table (catch_all $h) (return_call $pass_result (local.get 0))))
        (i32.const 99))
    (func (export "tail_inside") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $t $h) (drop (call $tail_in_try (local.get 0)))) (i32.const -2)))
    (func (export "tail_import") (param i32)
        (block $h (try_table (catch_all $h) (return_call $throw (local.get 0))))))"""


class Linked:
    """An instance of THROWER, and some of CATCHER, each of which calls the one before."""

    def __init__(self, store: Store, between: int = 0) -> None:
        self.thrower = Instance(store, Module(store, THROWER)).exports
        self.tag = self.thrower.t
        module = Module(store, CATCHER)
        throw = self.thrower.throw
        for _ in range(between):
            throw = Instance(store, module, [self.tag, throw]).exports["pass"]
        self.catcher = Instance(store, module, [self.tag, throw]).exports
        self.module = module


# ------------------------------------------------------------------ instances


@pytest.mark.parametrize("between", [0, 1, 20])
def test_linked_instances(store, between):
    linked = Linked(store, between)
    assert linked.catcher["catch"](5) == 5
    assert linked.catcher.all(5) == 1
    with pytest.raises(WasmException) as caught:
        linked.catcher["pass"](6)
    assert caught.value.values == (6,)
    assert caught.value.tag == linked.tag
    names = [frame.func_name for frame in caught.value.frames]
    assert names == ["throw"] + ["pass"] * (between + 1)


def test_a_tag_of_the_same_type_does_not_catch(store):
    linked = Linked(store)
    for tag in (Tag(store, OF_I32), Instance(store, Module(store, THROWER)).exports.t):
        other = Instance(store, linked.module, [tag, linked.thrower.throw]).exports
        with pytest.raises(WasmException) as caught:
            other["catch"](5)
        assert caught.value.tag == linked.tag
        assert other.all(5) == 1


def test_traps_pass_through_all_instances(store):
    linked = Linked(store)
    throw = linked.thrower.trap
    for _ in range(3):
        catcher = Instance(store, linked.module, [linked.tag, throw]).exports
        for name in ("catch", "all", "pass", "tail_in_try", "tail_inside"):
            with pytest.raises(Trap, match="unreachable"):
                catcher[name](1)
        throw = catcher["pass"]


def test_through_python_between_instances(store):
    linked = Linked(store)
    passed: list[BaseException | None] = []

    def through(number: int) -> None:
        try:
            linked.catcher["pass"](number)
        finally:
            passed.append(sys.exc_info()[1])

    outer = Instance(store, linked.module, [linked.tag, through]).exports
    assert outer["catch"](8) == 8
    with pytest.raises(WasmException) as caught:
        outer["pass"](9)
    assert caught.value is passed[-1]
    assert caught.value.values == (9,)
    assert len(passed) == 2


def test_exnrefs_pass_between_instances(store):
    linked = Linked(store)
    text = """(module (import "m" "t" (tag $t (param i32)))
        (import "m" "make" (func $make (param i32) (result exnref)))
        (import "m" "throw_ref" (func $throw (param exnref)))
        (func (export "f") (param i32) (result i32)
            (block $h (result i32)
                (try_table (catch $t $h) (call $throw (call $make (local.get 0))))
                (i32.const -1)))
        (func (export "g") (param i32) (result i32)
            (block $h (result i32)
                (try_table (catch $t $h) (throw_ref (call $make (local.get 0))))
                (unreachable))))"""
    exports = Instance(store, Module(store, text), {"m": linked.thrower}).exports
    assert [exports.f(5), exports.g(6)] == [5, 6]


def test_a_closed_instance(store):
    """An exception keeps its tag and values when the instance that threw it is closed."""
    owner = Instance(store, Module(store, THROWER))
    exception = owner.exports.make(7)
    keeper = Instance(store, Module(store, '(module (table (export "t") 1 exnref))')).exports.t
    keeper[0] = exception
    del exception
    owner.close()
    assert keeper[0].values == (7,)
    assert str(keeper[0].tag.type) == "(i32)"


# ------------------------------------------------------------------ tail calls and start functions


def test_tail_calls(store):
    """A tail call replaces its frame, so the frame's handlers catch nothing."""
    linked = Linked(store)
    with pytest.raises(WasmException):
        linked.catcher.tail_in_try(5)
    assert linked.catcher.tail_inside(6) == 6
    with pytest.raises(WasmException):
        linked.catcher.tail_import(7)


def test_tail_calls_between_instances_and_host_functions(store):
    def raise_it(number: int) -> None:
        raise WasmException(tag, number)

    tag = Tag(store, OF_I32)
    module = Module(store, CATCHER)
    direct = Instance(store, module, [tag, raise_it]).exports
    outer = Instance(store, module, [tag, direct.tail_import]).exports
    for call in (direct.tail_import, direct.tail_in_try, outer.tail_import):
        with pytest.raises(WasmException) as caught:
            call(3)
        assert caught.value.values == (3,)
    assert outer["catch"](4) == direct.tail_inside(4) == 4


START = """(module (import "m" "t" (tag $t (param i32))) (import "m" "throw" (func $f (param i32)))
    (global $g (export "g") (mut i32) (i32.const 0))
    (func $start BODY) (start $start))"""


def test_start_function(store):
    linked = Linked(store)
    catches = """(block $h (result i32)
        (try_table (catch $t $h) (call $f (i32.const 5))) (i32.const -1)) (global.set $g)"""
    items = [linked.tag, linked.thrower.throw]
    module = Module(store, START.replace("BODY", catches))
    assert Instance(store, module, items).exports.g.value == 5
    module = Module(store, START.replace("BODY", "(throw $t (i32.const 6))"))
    with pytest.raises(WasmException) as caught:
        Instance(store, module, items)
    assert (caught.value.tag, caught.value.values) == (linked.tag, (6,))
    module = Module(store, START.replace("BODY", "(call $f (i32.const 7))"))
    with pytest.raises(WasmException) as caught:
        Instance(store, module, items)
    assert caught.value.values == (7,)
    thrown = WasmException(linked.tag, 8)

    def fail(number: int) -> None:
        raise thrown

    with pytest.raises(WasmException) as caught:
        Instance(store, module, [linked.tag, fail])
    assert caught.value is thrown


# ------------------------------------------------------------------ re-entrance


def test_reentrance(store):
    """Each level catches the exception of the level below, in the same instance, and throws."""
    text = """(module (import "m" "h" (func $h (param i32)))
        (tag $t (export "t") (param i32))
        (func (export "down") (param i32)
            (local $n i32)
            (local.set $n
                (block $c (result i32)
                    (try_table (catch $t $c) (call $h (local.get 0)))
                    (i32.const 0)))
            (throw $t (i32.add (local.get $n) (i32.const 1)))))"""
    tags = set()

    def down(level: int) -> None:
        if level:
            try:
                exports.down(level - 1)
            except WasmException as error:
                tags.add(error.tag)
                raise

    exports = Instance(store, Module(store, text), [down]).exports
    with pytest.raises(WasmException) as caught:
        exports.down(30)
    assert caught.value.values == (31,)
    assert tags == {exports.t}


def test_an_exnref_in_a_frame_below_a_nested_call_stays_valid(store):
    """While calls further up the stack make and drop many exceptions."""
    text = """(module (import "m" "h" (func $h)) (tag $t (param i32))
        (func $make (export "make") (param i32) (result exnref)
            (block $b (result exnref)
                (try_table (catch_all_ref $b) (throw $t (local.get 0))) (unreachable)))
        (func (export "hold") (param i32) (result i32) (local $e exnref)
            (local.set $e (call $make (local.get 0)))
            (call $h)
            (block $b (result i32)
                (try_table (catch $t $b) (throw_ref (local.get $e))) (unreachable))))"""
    depth = [0]

    def host() -> None:
        for number in range(500):
            exports.make(number)
        if depth[0]:
            depth[0] -= 1
            number = 1000 + depth[0]
            assert exports.hold(number) == number

    exports = Instance(store, Module(store, text), [host]).exports
    for number in range(3):
        depth[0] = 3
        assert exports.hold(number) == number


# ------------------------------------------------------------------ threads and greenlets


def in_threads(work: Callable[[int], None], count: int = 4) -> None:
    failed: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            ready.wait()
            work(number)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def check(linked: Linked, number: int) -> None:
    for value in range(number, number + 300):
        assert linked.catcher["catch"](value) == value
        made = linked.thrower.make(value)
        assert made.values == (value,)
        with pytest.raises(WasmException) as caught:
            linked.thrower.throw_ref(made)
        assert caught.value is made
        with pytest.raises(WasmException) as caught:
            linked.catcher["pass"](value)
        assert caught.value.values == (value,)


def test_threads_with_stores_of_their_own():
    in_threads(lambda number: check(Linked(Store(), 1), number * 1000))


def test_threads_in_one_group(store):
    linked = Linked(store, 1)
    in_threads(lambda number: check(linked, number * 1000))


def test_threads_that_throw_into_each_others_groups(store):
    """Throwing an exception of one group in another merges the two groups."""
    all_linked = [Linked(store) for _ in range(4)]

    def work(number: int) -> None:
        for turn in range(4):
            mine, other = all_linked[number], all_linked[(number + turn) % 4]
            for value in range(50):
                made = other.thrower.make(value)
                with pytest.raises(WasmException) as caught:
                    mine.thrower.throw_ref(made)
                assert caught.value is made
                assert caught.value.tag == other.tag

    in_threads(work)


GREENLETS = """
    import greenlet, wamr
    from wamr import Instance, Module, Store, Tag, TagType, ValType, WasmException
    hub = greenlet.getcurrent()
    store = Store()
    tag = Tag(store, TagType([ValType.I32]))
    def host(number):
        hub.switch()
        raise WasmException(tag, number)
    module = Module(store, CATCHER)
    def run(number):
        exports = Instance(store, module, [tag, host]).exports
        for turn in range(5):
            assert exports["catch"](number + turn) == number + turn
            assert exports.all(number) == 1
    lets = [greenlet.greenlet(run) for _ in range(5)]
    for number, let in enumerate(lets):
        let.switch(number * 100)
    while any(lets):
        for let in lets:
            if let:
                let.switch()
    print("done", all(let.dead for let in lets))
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="greenlet is for CPython only")
@pytest.mark.skipif(SANITIZED, reason="greenlets move what ASan watches")
def test_greenlets():
    needs("greenlet", "test")
    code = f"CATCHER = {CATCHER!r}\n" + textwrap.dedent(GREENLETS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done True\n", "")
