"""Instances and threads that wait for each other: an answer or an error, and no hang."""

import threading
import time

import pytest
from thread_helpers import in_threads

from wamr import (
    Instance,
    Module,
    Store,
)

pytestmark = pytest.mark.usefixtures("frequent_switches")


def test_two_instances_that_call_each_other_from_two_threads(times):
    """Each call returns, or raises the error that it would wait for ever; none hangs."""
    store = Store()
    text = """(module (import "m" "other" (func $other (param i32) (result i32)))
        (func (export "go") (param i32) (result i32) (call $other (local.get 0)))
        (func (export "leaf") (param i32) (result i32) (local.get 0)))"""
    module = Module(store, text)
    pair = {}

    def calls(other):
        def host(x):
            time.sleep(0)
            return pair[other].exports.leaf(x)

        return host

    pair[0], pair[1] = (Instance(store, module, [calls(other)]) for other in (1, 0))
    outcomes = {0: [], 1: []}

    def work(n):
        for i in range(times(300)):
            try:
                outcomes[n].append(pair[n].exports.go(i) == i)
            except RuntimeError as error:
                outcomes[n].append(None if "would wait for ever" in str(error) else error)
                # Otherwise this thread blocks the other one again before that wakes up.
                time.sleep(0.0002)

    in_threads(2, work)
    for seen in outcomes.values():
        assert set(seen) <= {True, None}
        assert True in seen
    assert pair[0].exports.go(5) == 5


def test_a_sure_deadlock_is_told_to_one_of_the_two():
    store = Store()
    text = """(module (import "m" "other" (func $other))
        (func (export "go") (call $other)) (func (export "leaf")))"""
    module, barrier, pair = Module(store, text), threading.Barrier(2), {}

    def calls(other):
        def host():
            barrier.wait(200)
            pair[other].exports.leaf()

        return host

    pair[0], pair[1] = (Instance(store, module, [calls(other)]) for other in (1, 0))
    told = []

    def work(n):
        try:
            pair[n].exports.go()
        except RuntimeError as error:
            told.append(str(error))

    in_threads(2, work)
    assert len(told) == 1
    assert "leaf() -> () would wait for ever" in told[0]


def test_a_ring_of_five_instances_and_threads():
    store = Store()
    text = """(module (import "m" "next" (func $next))
        (func (export "go") (call $next)) (func (export "leaf")))"""
    module, barrier, ring = Module(store, text), threading.Barrier(5), []

    def calls(n):
        def host():
            barrier.wait(200)
            ring[(n + 1) % 5].exports.leaf()

        return host

    ring += [Instance(store, module, [calls(n)]) for n in range(5)]
    told = []

    def work(n):
        try:
            ring[n].exports.go()
        except RuntimeError as error:
            told.append(str(error))

    in_threads(5, work)
    assert len(told) == 1


def test_linking_while_the_others_run(times):
    """Groups merge while threads call into them or wait for their locks."""
    store = Store()
    provider = Module(
        store,
        """(module (global $n (mut i32) (i32.const 0)) (func (export "f") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))""",
    )
    user = Module(
        store,
        """(module (import "a" "f" (func $a (result i32))) (import "b" "f" (func $b (result i32)))
            (func (export "go") (result i32) (i32.add (call $a) (call $b))))""",
    )
    for _ in range(times(20)):
        providers = [Instance(store, provider) for _ in range(8)]
        barrier = threading.Barrier(8)

        def work(n, providers=providers, barrier=barrier):
            barrier.wait()
            for i in range(20):
                providers[n].exports.f()
                if i == 10:
                    pair = {"a": providers[n], "b": providers[(n + 1) % 8]}
                    linked = Instance(store, user, pair)
                    for _ in range(10):
                        linked.exports.go()

        in_threads(8, work)
        assert [p.exports.f() for p in providers] == [20 + 10 + 10 + 1] * 8
