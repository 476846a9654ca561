"""Bounded functions, which end soon, keep the GIL; all other functions release it."""

import sys
import threading
import time

import pytest
from platforms import only_with_gil

from wamr import (
    Func,
    FuncType,
    Instance,
    Linker,
    Module,
    ResourceLimits,
    Store,
    TimeoutTrap,
    Trap,
    WasiConfig,
    load,
)
from wamr._backend.binding import lib

BOUNDED = {
    "nothing": "",
    "arithmetic": "(drop (i32.add (i32.const 1) (i32.const 2)))",
    "memory": "(i32.store (i32.const 0) (i32.load (i32.const 4)))",
    "forward branches": "(block (br_if 0 (i32.const 1)) (br 0))",
    "br_table": "(block (block (br_table 0 1 (i32.const 5))))",
    "if": "(if (i32.const 1) (then (nop)) (else (unreachable)))",
    "a call back": "(call $leaf) (call $leaf)",
    "a trap": "(unreachable)",
    "saturating": "(drop (i32.trunc_sat_f64_s (f64.const 1e9)))",
    "a table's element": "(drop (table.get 0 (i32.const 0)))",
    "memory.size": "(drop (memory.size))",
    "a host function": "(call $host)",
    "one that calls a host function": "(call $calling) (call $calling)",
    "v128": "(drop (i8x16.swizzle (v128.const i64x2 1 2) (v128.const i64x2 3 4)))",
}
UNBOUNDED = {
    "a loop": "(loop (br_if 0 (i32.const 0)))",
    "a loop in dead code": "(return) (loop)",
    "a loop deep inside": "(block (if (i32.const 1) (then (block (loop)))))",
    "itself": "(call $f)",
    "a call of one with a loop": "(call $looping)",
    "two levels down": "(call $indirectly_looping)",
    "a function further down": "(call $later)",
    "a loop around a host function": "(loop (call $host) (br_if 0 (i32.const 0)))",
    "many host functions": "(call $host)" * 12,
    "many that call host functions": "(call $calling)" * 12,
    "a table": "(call_indirect (i32.const 0))",
    "a tail call of itself": "(return_call $f)",
    "a tail call through a table": "(return_call_indirect (i32.const 0))",
    "growing": "(drop (memory.grow (i32.const 1)))",
    "memory.fill": "(memory.fill (i32.const 0) (i32.const 0) (i32.const 60000))",
    "memory.copy": "(memory.copy (i32.const 0) (i32.const 1) (i32.const 60000))",
    "memory.init": "(memory.init $data (i32.const 0) (i32.const 0) (i32.const 1))",
    "table.grow": "(drop (table.grow 0 (ref.null func) (i32.const 1)))",
    "table.fill": "(table.fill 0 (i32.const 0) (ref.null func) (i32.const 1))",
    "table.copy": "(table.copy (i32.const 0) (i32.const 0) (i32.const 1))",
    "too much code": "(drop (i32.add (i32.const 1) (i32.const 2)))" * 300,
    "too much code called": "(call $long)" * 12,
}


def module(body):
    long = "(drop (i32.const 1))" * 40
    return f"""(module
        (import "env" "host" (func $host))
        (memory 1) (table 2 funcref) (elem (i32.const 0) $leaf) (data $data "x")
        (func $leaf)
        (func $calling (call $host))
        (func $long {long})
        (func $looping (loop))
        (func $indirectly_looping (call $looping))
        (func $f (export "f") {body})
        (func $later))"""


@pytest.mark.parametrize("body", BOUNDED.values(), ids=BOUNDED)
def test_what_keeps_the_gil(body):
    f = load(module(body), {"env": {"host": lambda: None}}).exports.f
    assert lib.wpy_func_bounded(f._c)


@pytest.mark.parametrize("body", UNBOUNDED.values(), ids=UNBOUNDED)
def test_what_does_not(body):
    f = load(module(body), {"env": {"host": lambda: None}}).exports.f
    assert not lib.wpy_func_bounded(f._c)


def test_costs_that_double_at_each_level_do_not_overflow():
    levels = "".join(f"(func $f{i} (call $f{i - 1}) (call $f{i - 1}))" for i in range(1, 80))
    inst = load(f'(module (func $f0) {levels} (export "low" (func 4)) (export "f" (func 79)))')
    assert lib.wpy_func_bounded(inst.exports.low._c)
    assert not lib.wpy_func_bounded(inst.exports.f._c)


def test_functions_of_others_are_judged_where_they_are():
    store = Store()
    host = Func(store, FuncType.parse("() -> ()"), lambda: None)
    assert not lib.wpy_func_bounded(host._c)
    maker = Instance(
        store, Module(store, '(module (func (export "short")) (func (export "long") (loop)))')
    )
    linker = Linker(store)
    linker.define_instance("m", maker)
    user = linker.instantiate(
        Module(
            store,
            """(module (import "m" "short" (func $short)) (import "m" "long" (func $long))
            (func (export "calls") (call $short))
            (export "short" (func $short)) (export "long" (func $long)))""",
        )
    )
    assert lib.wpy_func_bounded(user.exports.short._c)
    assert not lib.wpy_func_bounded(user.exports.long._c)
    assert not lib.wpy_func_bounded(user.exports.calls._c)  # no Python code runs there


MIXED = """(module (import "m" "f" (func $f)) (import "m" "g" (func $g))
    (func $calls_f (call $f)) (export "calls_f" (func $calls_f))
    (func (export "none")))"""


def test_only_who_calls_host_functions_and_nothing_else_from_outside_is_bounded():
    store, module = Store(), Module(Store().engine, MIXED)
    maker = Instance(store, Module(store, '(module (func (export "f")))'))
    host, wasm = (lambda: None), maker.exports.f
    reexported = Instance(
        store,
        Module(store, '(module (import "m" "f" (func)) (export "f" (func 0)))'),
        [host],
    ).exports.f
    for imports, bounded in (
        ([host, host], True),
        ([reexported, host], True),  # a host function, called indirectly
        ([host, wasm], False),  # the loader doesn't check which of them is called
        ([wasm, host], False),
        ([wasm, wasm], False),
    ):
        exports = Instance(store, module, imports).exports
        assert lib.wpy_func_bounded(exports.calls_f._c) is bounded
        assert lib.wpy_func_bounded(exports.none._c)


def test_who_calls_wasi_is_not_bounded():
    linker = Linker(Store())
    linker.define_wasi(WasiConfig())
    linker.define("env", "g", lambda: None)
    exports = linker.instantiate(
        Module(
            linker.store,
            """(module (import "wasi_snapshot_preview1" "sched_yield" (func $f (result i32)))
            (import "env" "g" (func $g)) (memory (export "memory") 1)
            (func (export "yields") (drop (call $f))) (func (export "calls") (call $g)))""",
        )
    ).exports
    assert not lib.wpy_func_bounded(exports.yields._c)
    assert not lib.wpy_func_bounded(exports.calls._c)


SPIN = "(loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"


@pytest.fixture
def others():
    """Return how often another thread has had the GIL, with a switch interval that never ends."""
    seen, stop, started = [], threading.Event(), threading.Event()

    def run():
        while not stop.is_set():
            seen.append(None)
            started.set()
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    sys.setswitchinterval(1000)
    yield seen
    sys.setswitchinterval(interval)
    stop.set()
    thread.join()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython has this way in")
@only_with_gil
def test_other_threads_wait_for_a_bounded_function_and_run_beside_others(others):
    exports = load(
        f"""(module (func (export "short") (param i32) (result i32) (local.get 0))
        (func (export "long") (param i32) {SPIN}))"""
    ).exports
    short, long = exports.short, exports.long
    time.sleep(0.01)
    before = len(others)
    for i in range(10_000):
        short(i)
    assert len(others) < before + 100  # a third thread may ask for the GIL, and not 10 000 times
    before = len(others)
    while len(others) == before:  # ends, since the GIL is released
        long(100_000)


def test_a_bounded_function_waits_for_another_thread_without_the_gil():
    entered, leave = threading.Event(), threading.Event()

    def host():
        entered.set()
        leave.wait()

    exports = load(
        """(module (import "env" "host" (func $host)) (func (export "hold") (call $host))
        (func (export "short") (result i32) (i32.const 7)))""",
        {"env": {"host": host}},
    ).exports
    holder = threading.Thread(target=exports.hold)
    holder.start()
    entered.wait()
    results = []
    waiter = threading.Thread(target=lambda: results.append(exports.short()))
    waiter.start()
    waiter.join(0.2)
    assert waiter.is_alive()
    assert results == []
    leave.set()  # would never run if the waiting thread kept the GIL
    waiter.join()
    holder.join()
    assert results == [7]


CALLS = """(module (import "env" "host" (func $host))
    (func (export "f") (call $host) (call $host)) (func (export "short")))"""


def calling(host, **limits):
    store = Store()
    limits = ResourceLimits(**limits)
    return Instance(store, Module(store, CALLS), [host], limits=limits).exports


def test_other_threads_run_while_a_host_function_does():
    ran, entered = threading.Event(), threading.Event()

    def host():
        entered.set()
        while not ran.is_set():  # never releases the GIL by itself
            pass

    exports = calling(host)
    assert lib.wpy_func_bounded(exports.f._c)

    def other():
        entered.wait()
        exports.short()  # waits for its turn, without the GIL
        after.append(ran.is_set())

    after: list[bool] = []
    threads = [threading.Thread(target=f) for f in (exports.f, other)]
    for thread in threads:
        thread.start()
    entered.wait()
    ran.set()
    for thread in threads:
        thread.join()
    assert after == [True]


def test_host_functions_of_bounded_functions_are_timed_and_interrupted():
    calls: list[None] = []

    def slow():
        calls.append(None)
        time.sleep(0.02)

    exports = calling(slow, timeout=0.01)
    with pytest.raises(TimeoutTrap):
        exports.f()
    assert len(calls) == 1
    assert exports.short() is None
    store = Store()
    exports = Instance(store, Module(store, CALLS), [store.interrupt]).exports
    with pytest.raises(Trap, match="interrupted"):
        exports.f()
    assert exports.short() is None


def test_bounded_functions_that_host_functions_call_may_fail_at_any_depth():
    depth: list[int] = []

    def host():
        depth.append(0)
        if len(depth) > 20:
            raise KeyError("deep")
        exports.f()

    exports = calling(host)
    with pytest.raises(KeyError, match="deep"):
        exports.f()
    assert len(depth) == 21
    depth[:] = range(20)
    with pytest.raises(KeyError, match="deep"):
        exports.f()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython has this way in")
@only_with_gil
def test_others_have_the_gil_for_as_long_as_a_host_function_gives_it_up(others):
    f = calling(lambda: None).f
    time.sleep(0.01)
    before = len(others)
    for _ in range(10_000):
        f()
    assert len(others) < before + 100
    before = len(others)
    calling(lambda: time.sleep(0.01)).f()
    while len(others) == before:  # ends, since the GIL is released
        calling(lambda: time.sleep(0.01)).f()
