"""Greenlets that switch within host functions: right results or a RuntimeError, never a crash.

Each program runs in a process of its own with a time limit. The code is in
src/native/runtime/stack_switch.c.
"""

import os
import sys

import greenlet_programs
import pytest
from bounds import SANITIZED
from needs import needs

if sys.implementation.name != "cpython":
    pytest.skip("the extra has greenlet for CPython only", allow_module_level=True)
needs("greenlet", "test")

pytestmark = pytest.mark.skipif(SANITIZED, reason="greenlets move what ASan watches")


@pytest.fixture
def outcome(wat):
    """Return a function that runs a program and returns the lines that it prints."""
    return greenlet_programs.run


@pytest.mark.parametrize("name", ["many", "deep"])
@pytest.mark.parametrize("count", [2, 7])
def test_instances_by_turns_give_right_answers(name, count, outcome):
    program = f"""
        instances = [made() for _ in range({count})]
        by_turns(*(started(i, getattr(instance.exports, {name!r}), 20, i)
                   for i, instance in enumerate(instances)))
        print(results == {{i: i * {20 if name == "many" else 21} for i in range({count})}})
        print([instance.exports.many for instance in instances] != [])
        """
    assert outcome(program) == ["True", "True"]


def test_calls_may_end_in_the_order_in_which_they_began(outcome):
    """The first call returns to a native stack that the second one has used."""
    program = """
        first, second = made(), made()
        a = started("a", first.exports.deep, 50, 3)
        b = started("b", second.exports.deep, 50, 5)
        a.switch()
        print(results, made(abs).exports.deep(3, 4))
        b.switch()
        print(results)
        """
    assert outcome(program) == ["{'a': 153} 16", "{'a': 153, 'b': 255}"]


def test_calls_from_different_depths_of_python(outcome):
    program = """
        def below(depth, function, *args):
            if depth:
                return max([depth - 1], key=lambda n: 0) * 0 + below(depth - 1, function, *args)
            return function(*args)
        for depths in ((0, 30), (30, 0), (5, 6), (6, 5), (0, 0)):
            results.clear()
            pair = [made(), made()]
            by_turns(*(started(i, below, depths[i], one.exports.deep, 9, i + 1)
                       for i, one in enumerate(pair)))
            print(results)
        """
    assert outcome(program) == ["{0: 10, 1: 20}"] * 5


def test_a_greenlet_that_began_in_a_host_function_may_outlive_the_call(outcome):
    """Its calls began within a call that has ended when it continues."""
    program = """
        inner = made()
        def back(value):
            global child
            child = greenlet.greenlet(kept)
            child.switch("child", inner.exports.many, 3, 7)
            return value
        pause_to = hub
        print(made(back, limits=wamr.ResourceLimits(timeout=30)).exports.one(4))
        for _ in range(100):
            made(abs).exports.deep(50, 1)
        gc.collect()
        by_turns(child)
        print(results)
        """
    assert outcome(program) == ["4", "{'child': 21}"]


def test_one_instance_within_calls_that_end_in_reverse_is_as_ever(outcome):
    program = """
        def back(value):
            def again():
                return one.exports.deep(3, value - 1) if value else 1
            return greenlet.greenlet(again).switch()
        one = made(back)
        print(one.exports.deep(2, 3))
        """
    # 3 + 3 + (2 + 2 + 2 + (1 + 1 + 1 + (0 + 0 + 0 + 1)))
    assert outcome(program) == ["16"]


def test_who_returns_too_early_to_an_instance_is_told_and_the_later_call_goes_on(outcome):
    program = """
        one = made()
        a = started("a", one.exports.deep, 50, 3)
        b = started("b", one.exports.deep, 50, 5)
        a.switch()
        print(results)
        c = started("c", one.exports.deep, 4, 2)
        c.switch()
        b.switch()
        print(results)
        one_more = started("d", one.exports.deep, 2, 1)
        one_more.switch()
        print(results["d"])
        """
    assert outcome(program) == [
        "{'a': 'RuntimeError'}",
        "{'a': 'RuntimeError', 'c': 10, 'b': 255}",
        "3",
    ]


def test_many_greenlets_on_one_instance_answer_right_or_say_why_not(outcome):
    program = """
        import random
        for seed in range(30):
            random.seed(seed)
            results.clear()
            one = made()
            greenlets = [started(i, one.exports.many, 5, i) for i in range(6)]
            while alive := [g for g in greenlets if not g.dead]:
                random.choice(alive).switch()
            assert all(results[i] in (5 * i, "RuntimeError") for i in range(6)), results
            assert set(results.values()) != {"RuntimeError"}
            results.clear()
            by_turns(started("after", one.exports.many, 5, 2))
            assert results == {"after": 10}
        print("done")
        """
    assert outcome(program) == ["done"]


def test_many_greenlets_on_many_instances_traps_and_closes_among_them(outcome):
    program = """
        import random
        def back(value):
            hub.switch()
            if value == 3:
                raise KeyError(value)
            if value == 4:
                raise wamr.Trap("x")
            return value
        for seed in range(30):
            random.seed(seed)
            results.clear()
            instances = [made(back) for _ in range(8)]
            greenlets = [started(i, one.exports.many, 5, i) for i, one in enumerate(instances)]
            instances[7].close()
            del instances
            while alive := [g for g in greenlets if not g.dead]:
                random.choice(alive).switch()
                if random.random() < 0.2:
                    gc.collect()
            want = {i: 5 * i for i in range(8)} | {3: "KeyError", 4: "Trap"}
            assert results == want, results
        print("done")
        """
    assert outcome(program) == ["done"]


def test_a_time_limit_ends_its_own_greenlet_only(outcome):
    program = """
        import time
        limited, free = made(limits=wamr.ResourceLimits(timeout=0.05)), made()
        a = started("limited", limited.exports.many, 3, 3)
        b = started("free", free.exports.many, 50, 5)
        time.sleep(0.1)
        by_turns(b)
        by_turns(a)
        print(results)
        """
    assert outcome(program) == ["{'free': 250, 'limited': 'TimeoutTrap'}"]


def test_another_thread_waits_until_all_greenlets_have_left_what_is_linked(outcome, wat):
    user = wat(
        '(module (import "m" "back" (func $b (param i32) (result i32))) '
        '(import "m" "one" (func $one (param i32) (result i32)))'
        '(func (export "two") (param i32) (result i32) (call $b (local.get 0))))'
    )
    program = f"""
        import threading
        first = made()
        store = first.store
        second = wamr.Instance(store, wamr.Module(store, {user!r}),
                               {{"m": {{"back": pause, "one": first.exports.one}}}})
        third = wamr.Instance(store, wamr.Module(store, {user!r}),
                              {{"m": {{"back": abs, "one": first.exports.one}}}})
        a = started("a", first.exports.one, 3)
        b = started("b", second.exports.two, 4)
        a.switch()  # the outer one has left
        seen = []
        thread = threading.Thread(target=lambda: seen.append(third.exports.two(6)))
        thread.start()
        thread.join(0.3)
        print(results, seen)
        b.switch()
        thread.join()
        print(results, seen)
        """
    assert outcome(program) == ["{'a': 3} []", "{'a': 3, 'b': 4} [6]"]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_what_is_linked_while_calls_of_both_are_open_is_left_with_the_last(order, outcome, wat):
    user = wat(
        '(module (import "m" "first" (func $f (param i32) (result i32))) '
        '(import "m" "second" (func $s (param i32) (result i32)))'
        '(func (export "both") (param i32) (result i32)'
        "(i32.add (call $f (local.get 0)) (call $s (local.get 0)))))"
    )
    program = f"""
        import threading
        store = wamr.Store()
        def instance(data, **functions):
            return wamr.Instance(store, wamr.Module(store, data), {{"m": functions}})
        def back(value):
            return value if value < 0 else pause(value)
        first, second = (instance(made.__defaults__[1], back=back) for _ in range(2))
        open_ = {{key: started(key, one.exports.one, value)
                 for key, one, value in (("a", first, 3), ("b", second, 4))}}
        third = instance({user!r}, first=first.exports.one, second=second.exports.one)
        print(third.exports.both(-1))
        open_[{order[0]!r}].switch()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(third.exports.both(-2)))
        thread.start()
        thread.join(0.3)
        print(list(results), seen)
        open_[{order[1]!r}].switch()
        thread.join()
        print(sorted(results.items()), seen)
        """
    assert outcome(program) == ["-2", f"['{order[0]}'] []", "[('a', 3), ('b', 4)] [-4]"]


def test_a_deadlock_with_a_greenlet_that_waits_is_found(outcome):
    """The thread is in no call now, but holds the lock. One of the two gets the error, or both."""
    program = """
        import threading
        one, inside = made(lambda value: pause(value) if value == 3 else value), threading.Event()
        def back(value):
            inside.set()
            return one.exports.one(value)
        other = made(back)
        a = started("a", one.exports.one, 3)
        def call(key):
            try:
                results[key] = other.exports.one(5)
            except RuntimeError as error:
                results[key] = "told" if "would wait for ever" in str(error) else error
        thread = threading.Thread(target=call, args=("thread",))
        thread.start()
        inside.wait()
        call("main")
        a.switch()
        thread.join()
        del results["a"]
        print("told" in results.values(), {*results.values()} <= {5, "told"})
        """
    assert outcome(program) == ["True True"]


def test_references_go_where_they_are_meant_to(outcome, wat):
    program = f"""
        data = {wat(greenlet_programs.REFERENCES)!r}
        def back(value, func):
            hub.switch()
            return [value, func]
        def world():
            return wamr.load(data, {{"m": {{"back": back, "call": lambda f: None}}}})
        worlds = [world() for _ in range(4)]
        objects = [object() for _ in worlds]
        by_turns(*(started(i, one.exports["pass"], objects[i], one.exports["pass"])
                   for i, one in enumerate(worlds)))
        for one in worlds:
            one.store.gc()
        print([results[i][0] is objects[i] and results[i][1] == one.exports["pass"]
               for i, one in enumerate(worlds)])
        print([one.exports.table[0] == one.exports["pass"] for one in worlds])
        print([one.store._objects.passing for one in worlds])
        """
    assert outcome(program) == [str([True] * 4), str([True] * 4), str([0] * 4)]


def test_stdio_of_a_program_may_switch(outcome, wat):
    writes = wat(
        '(module (import "wasi_snapshot_preview1" "fd_write" '
        "(func $w (param i32 i32 i32 i32) (result i32))) "
        '(memory (export "memory") 1) (data (i32.const 8) "\\10\\00\\00\\00\\03\\00\\00\\00abc")'
        '(func (export "write") (result i32) '
        "(i32.add (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))"
        " (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))"
    )
    program = f"""
        written = []
        def out(number):
            return wamr.WasiConfig(stdout=lambda data: (written.append(number), hub.switch()))
        pair = [wamr.load({writes!r}, wasi=out(i)) for i in range(2)]
        by_turns(*(started(i, one.exports.write) for i, one in enumerate(pair)))
        print(results, written)
        one = wamr.load({writes!r}, wasi=out(9))
        a, b = started("a", one.exports.write), started("b", one.exports.write)
        by_turns(a)
        by_turns(b)
        print(results["a"], results["b"])
        """
    assert outcome(program) == ["{0: 0, 1: 0} [0, 1, 0, 1]", "RuntimeError 0"]


@pytest.mark.parametrize("end", ["", "del a", "a.throw()", "one.close()", "one.store.close()"])
def test_a_greenlet_that_is_left_in_a_call_harms_nobody(end, outcome):
    program = f"""
        one = made()
        a = started("a", one.exports.deep, 5, 3)
        {end}
        gc.collect()
        print(made(abs).exports.deep(3, 4))
        """
    assert outcome(program) == ["16"]


def test_a_signal_handler_may_switch(outcome):
    if os.name == "nt":
        pytest.skip("sends a signal")
    program = """
        import signal
        text = '''(module (func (export "spin") (param $n i64) (result i32)
            (loop $l (br_if $l (i32.eqz (i64.eqz
                (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))) (i32.const 9)))'''
        spinning, one = wamr.load(text), made()
        other = started("other", one.exports.many, 10_000, 1)
        signal.signal(signal.SIGALRM, lambda *_: other.dead or other.switch())
        def pause_in_it(value):
            return value
        hub = getcurrent()
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        print(spinning.exports.spin(30_000_000))
        signal.setitimer(signal.ITIMER_REAL, 0)
        by_turns(other)
        print(results)
        """
    assert outcome(program) == ["9", "{'other': 10000}"]
