"""References in tables and globals while another thread runs in the same group."""

import asyncio
import threading

import pytest

from wamr import (
    Func,
    FuncType,
    Instance,
    Limits,
    Module,
    Store,
    Table,
    TableType,
    ValType,
    WasmException,
    load,
)

WAITING = """(module (import "m" "wait" (func $wait))
    (table $t (export "t") 2 9 funcref) (elem declare func $f)
    (global $g (export "g") (mut i32) (i32.const 0))
    (table $o (export "o") 2 externref)
    (func $f (result i32) (i32.const 6))
    (func (export "run") (param externref)
        (call $wait)
        (table.set $t (i32.const 0) (ref.func $f))
        (table.set $o (i32.const 0) (local.get 0))
        (global.set $g (i32.const 7))))"""


def element(exports):
    func = exports.t[0]
    return func and func()


def first_object(exports):
    return exports.o[0]


def number(exports):
    return exports.g.value


@pytest.mark.parametrize(
    ("use", "found", "after", "last"),
    [
        (element, 6, element, 6),
        (first_object, "object", first_object, "object"),
        (number, 7, number, 7),
        (lambda exports: exports.t.__setitem__(0, None), None, element, None),
        (lambda exports: exports.o.__setitem__(0, None), None, first_object, None),
        (lambda exports: setattr(exports.g, "value", 8), None, number, 8),
        (lambda exports: exports.t.grow(1), 2, lambda exports: len(exports.t), 3),
    ],
)
def test_a_call_of_another_thread_is_waited_for(use, found, after, last):
    inside, go_on, asked = threading.Event(), threading.Event(), threading.Event()

    def wait():
        inside.set()
        go_on.wait()

    exports = load(WAITING, {"m": {"wait": wait}}).exports
    _ = exports.t, exports.g, exports.o
    got = []

    def ask():
        asked.set()
        got.append(use(exports))

    runner = threading.Thread(target=exports.run, args=("object",))
    runner.start()
    inside.wait()
    asker = threading.Thread(target=ask)
    asker.start()
    asked.wait()
    go_on.set()
    runner.join()
    asker.join()
    assert got == [found]
    assert after(exports) == last


def test_a_host_function_uses_what_its_caller_has():
    def wait():
        exports.t[1] = exports.t[1]
        exports.t[0] = func
        exports.g.value += 1
        exports.o[1] = exports.o
        seen.append((exports.t[0], exports.g.value, exports.o[1], len(exports.t)))

    seen = []
    exports = load(WAITING, {"m": {"wait": wait}}).exports
    func = Func(exports.t.store, FuncType([], [ValType.I32]), lambda: 5)
    exports.run("x")
    assert seen == [(func, 1, exports.o, 2)]
    assert (exports.t[0](), exports.g.value, exports.o[0]) == (6, 7, "x")


def test_threads_at_one_table():
    exports = load(
        '(module (table (export "t") 4 funcref)'
        '  (global (export "g") (mut funcref) (ref.null func)))'
    ).exports
    store = exports.t.store
    table = Table(store, TableType(ValType.FUNCREF, Limits(8)))
    functions = [Func(store, FuncType([], [ValType.I32]), lambda i=i: i) for i in range(8)]
    wrong = []

    def work(start):
        for i in range(start, start + 400):
            table[i % 8] = functions[i % 8]
            exports.t[i % 4] = functions[i % 8]
            exports.g.value = functions[i % 8]
            if table[i % 8]() != i % 8 or exports.t[i % 4] not in functions:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [table[i] for i in range(8)] == functions


# ------------------------------------------------------------------ waiting to pass a reference
TAKING = """(module (import "m" "h" (func $h)) (tag $t (export "t") (param i32))
    (func (export "run") (call $h))
    (func (export "number") (param i32))
    (func (export "func") (param funcref))
    (func (export "exception") (param exnref) (result exnref) (local.get 0)))"""


@pytest.fixture
def occupied():
    """Return a function that makes a call while another thread is in the instance."""
    store = Store()
    module = Module(store, '(module (func (export "f")))')
    inside, leave = threading.Event(), threading.Event()

    def host():
        inside.set()
        assert leave.wait(240)

    exports = Instance(store, Module(store, TAKING), [host]).exports
    arguments = {
        "number": 5,
        "func": Instance(store, module).exports.f,  # of another group
        "exception": WasmException(exports.t, 5),
    }

    def during(call):
        thread = threading.Thread(target=exports.run)
        thread.start()
        try:
            assert inside.wait(240)
            return call(exports, arguments)
        finally:
            leave.set()
            thread.join()

    return during


@pytest.mark.parametrize("name", ["number", "func", "exception"])
def test_a_timeout_includes_the_waiting_to_pass_an_argument(occupied, name):
    def call(exports, arguments):
        with pytest.raises(TimeoutError, match="timed out"):
            exports[name].call(arguments[name], timeout=0.1)
        return exports[name], arguments[name]

    func, argument = occupied(call)
    assert func.call(argument, timeout=200) in (None, argument)


@pytest.mark.parametrize("name", ["number", "func", "exception"])
def test_a_cancelled_call_does_not_wait_to_pass_an_argument(occupied, name):
    def call(exports, arguments):
        async def cancelled():
            task = asyncio.ensure_future(exports[name].call_async(arguments[name]))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        return exports[name], arguments[name]

    func, argument = occupied(call)
    assert func(argument) in (None, argument)
