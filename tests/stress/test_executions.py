"""Executions in many threads: random steps against a model, and no growth."""

from __future__ import annotations

import gc
import random
import threading
from functools import partial

import pytest
from executions import finish, instance

import wamr
from wamr import SUSPEND, Instance, Module, Store

pytestmark = pytest.mark.usefixtures("wat")


def run_in_threads(*functions):
    """Run each function in a thread of its own; raise the first exception."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_executions_of_one_instance_in_many_threads():
    """Threads continue executions; each refusal is an error with the expected text."""
    inst = instance()
    e = inst.exports
    done, refused = [], []

    def work(seed):
        rng = random.Random(seed)
        mine = []
        for step in range(400):
            choice = rng.random()
            try:
                if choice < 0.4 and len(mine) < 5:
                    execution = e.deep.execution(rng.randrange(20))
                    mine.append(execution)
                    next(execution)
                elif choice < 0.7 and mine:
                    execution = mine[-1]
                    if execution.state == "new":
                        next(execution)
                    else:
                        finish(execution, 1)
                        done.append(1)
                elif choice < 0.8 and mine:
                    mine.pop(rng.randrange(len(mine)))
                elif choice < 0.9:
                    assert e.plus(step) == step + 1
                else:
                    execution = e.spin.execution(70_000, slice=0)
                    while execution.state != "done":
                        finish(execution)
            except RuntimeError as error:
                refused.append(str(error))

    run_in_threads(*[lambda seed=seed: work(seed) for seed in range(4)])
    gc.collect()
    assert e.plus(1) == 2
    assert done
    words = ("goes on first", "suspended in the middle of")
    assert [text for text in refused if not any(word in text for word in words)] == []


def test_executions_handed_from_thread_to_thread():
    queue = [instance().exports.direct.execution(i) for i in range(40)]
    results = []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue:
                    return
                execution = queue.pop(0)
            try:
                if execution.state == "new":
                    next(execution)
                else:
                    execution.send(3)
            except StopIteration as end:
                results.append(end.value)
            else:
                with lock:
                    queue.append(execution)

    run_in_threads(*[work] * 4)
    assert results == [33] * 40


def test_closing_instances_while_their_calls_are_suspended_and_resumed():
    module = Module(
        Store(),
        '(module (import "" "ask" (func $ask (result i32)))'
        ' (func (export "f") (result i32) (local i32) (loop (drop (call $ask))'
        " (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))"
        " (i32.const 20)))) (local.get 0)))",
    )

    def go_on(execution):
        try:
            next(execution)
            while True:
                execution.send(0)
        except StopIteration as end:
            results.append(end.value)
        except wamr.ClosedError:
            results.append(execution.state)

    results = []
    for _ in range(60):
        inst = Instance(Store(), module, {"": {"ask": lambda: SUSPEND}})
        run_in_threads(partial(go_on, inst.exports.f.execution()), inst.close)
        with pytest.raises(wamr.ClosedError):
            inst.exports.f()
    assert set(results) <= {20, "done"}


def test_dropping_executions_while_another_thread_calls():
    inst = instance()
    e = inst.exports
    stop = threading.Event()

    def call():
        number = 0
        while not stop.is_set():
            number += 1
            assert e.spin(1000) == 3000

    def drop():
        try:
            for _ in range(500):
                for _ in range(3):
                    next(e.deep.execution(10))
        finally:
            stop.set()

    run_in_threads(call, drop)
    execution = e.deep.execution(5)
    next(execution)
    assert finish(execution, 1) == 6


def test_many_calls_suspended_at_once():
    module = Module(
        Store(),
        '(module (import "" "ask" (func $ask (result i32)))'
        ' (func (export "f") (result i32) (call $ask)))',
    )
    imports = {"": {"ask": lambda: SUSPEND}}
    limits = wamr.ResourceLimits(stack_bytes=4096)
    threads = threading.active_count()
    executions = [
        Instance(Store(), module, imports, limits=limits).exports.f.execution() for _ in range(3000)
    ]
    for execution in executions:
        next(execution)
    assert threading.active_count() == threads
    assert [finish(execution, i) for i, execution in enumerate(executions)] == [*range(3000)]


@pytest.mark.parametrize("end", ["finish", "close", "drop", "throw"])
def test_nothing_is_left_of_executions(end, resident):
    e = instance().exports

    def use(count):
        for _ in range(count):
            execution = e.deep.execution(3)
            next(execution)
            if end == "finish":
                finish(execution, 1)
            elif end == "close":
                execution.close()
            elif end == "throw":
                with pytest.raises(KeyError):
                    execution.throw(KeyError("x"))

    use(2000)
    before = resident()
    use(20_000)
    assert resident() - before < 1 << 20
