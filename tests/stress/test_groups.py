"""Groups of linked instances in several threads: merging, closing, retaining; and the costs."""

import os
import threading

import pytest

from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryLimitError,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    load,
)
from wamr._backend.binding import ffi, lib

CALLS_OUT = """(module (import "m" "out" (func $out))
    (memory (export "memory") 1)
    (func (export "go") (call $out)) (func (export "f") (result i32) (i32.const 7)))"""
IMPORTS_TWO = """(module
    (import "a" "f" (func $f (result i32))) (import "b" "f" (func $g (result i32)))
    (func (export "sum") (result i32) (i32.add (call $f) (call $g))))"""


class RunningCall:
    """A thread that stays in a call of an instance until it is told to return."""

    def __init__(self, store, text=CALLS_OUT, imports=()):
        self.arrived, self.leave = threading.Event(), threading.Event()
        self.error = None
        self.work = None
        self.instance = Instance(store, Module(store, text), [self._out, *imports])
        self._thread = threading.Thread(target=self._run)

    def _out(self):
        self.arrived.set()
        if self.work:
            self.work()
        else:
            assert self.leave.wait(200)

    def _run(self):
        try:
            self.instance.exports.go()
        except Exception as error:
            self.error = error

    def __enter__(self):
        self._thread.start()
        assert self.arrived.wait(200)
        return self

    def __exit__(self, *_):
        self.leave.set()
        self._thread.join(200)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error


# ------------------------------------------------------------------ merging
@pytest.mark.parametrize("ours_first", [True, False])
def test_who_links_two_instances_does_not_deadlock_a_thread_that_goes_from_one_to_the_other(
    store, ours_first
):
    """The linking thread must not hold the first group's lock while it waits for the second's."""
    module = Module(store, IMPORTS_TWO)
    other = Instance(store, Module(store, CALLS_OUT), [lambda: None])
    outer = RunningCall(store)
    linked = []

    def link():
        pair = [outer.instance.exports.f, other.exports.f]
        linked.append(Instance(store, module, pair if ours_first else pair[::-1]))

    linking = threading.Thread(target=link)

    def nested():
        linking.start()
        for _ in range(20):  # the linking thread waits for the instance in which this thread is
            assert other.exports.f() == 7
            threading.Event().wait(0.01)

    outer.work = nested
    with outer:
        pass
    linking.join(200)
    assert linked[0].exports.sum() == 14


def test_threads_link_the_same_instances_in_opposite_orders_from_within_calls(times):
    """Each thread is in an instance of its own; they link two others that no thread is in."""
    for _ in range(times(20)):
        store = Store()
        module = Module(store, IMPORTS_TWO)
        free = [Instance(store, Module(store, CALLS_OUT), [lambda: None]).exports.f for _ in "ab"]
        barrier = threading.Barrier(2)
        sums = []

        def work(order, store=store, module=module, barrier=barrier, sums=sums):
            barrier.wait(200)
            sums.append(Instance(store, module, order).exports.sum())

        one, two = RunningCall(store), RunningCall(store)
        one.work, two.work = lambda: work(free), lambda: work(free[::-1])  # noqa: B023
        one._thread.start()
        with two:
            pass
        one._thread.join(200)
        assert (one.error, sums) == (None, [14, 14])


def test_two_threads_that_do_wait_for_each_other_are_still_told(store):
    one, two = RunningCall(store), RunningCall(store)
    barrier = threading.Barrier(2)
    told = []

    def into(other):
        barrier.wait(200)
        try:
            other.instance.exports.f()
        except RuntimeError as error:
            told.append(str(error))

    one.work, two.work = lambda: into(two), lambda: into(one)
    one._thread.start()
    with two:
        pass
    one._thread.join(200)
    assert not one.error
    assert len(told) == 1
    assert "would wait for ever" in told[0]


# ------------------------------------------------------------------ closing
BIG = """(module (import "m" "f" (func $f (result i32)))
    (memory 6) (func (export "g") (result i32) (call $f)))"""


def test_what_is_closed_while_another_thread_is_in_its_group_is_closed_when_that_has_left():
    with Store(limits=ResourceLimits(memory_bytes=8 * 65536)) as store:
        running = RunningCall(store)
        big = Instance(store, Module(store, BIG), [running.instance.exports.f])
        with running:
            big.close()
            with pytest.raises(MemoryLimitError):
                Memory(store, MemoryType(Limits(6)))  # the instance still has its memory
        assert Memory(store, MemoryType(Limits(6))).pages == 6
        assert running.instance.exports.f() == 7


def test_also_when_the_group_is_merged_with_another_before_that(store):
    limits = ResourceLimits(memory_bytes=8 * 65536)
    with Store(limits=limits) as store:
        running = RunningCall(store)
        big = Instance(store, Module(store, BIG), [running.instance.exports.f])
        alone = Instance(store, Module(store, CALLS_OUT), [lambda: None])
        linked = []

        def work():
            closing = threading.Thread(target=big.close)
            closing.start()
            closing.join(200)
            pair = [running.instance.exports.f, alone.exports.f]
            linked.append(Instance(store, Module(store, IMPORTS_TWO), pair))

        running.work = work
        with running:
            pass
        assert linked[0].exports.sum() == 14
        assert Memory(store, MemoryType(Limits(6))).pages == 6


def test_instances_are_closed_by_many_threads_while_others_are_in_their_group(times):
    """All of the memory is released when the last thread has left."""
    pages = 4
    text = f"""(module (import "m" "f" (func $f (result i32))) (memory {pages})
        (func (export "g") (result i32) (call $f)))"""
    for _ in range(times(10)):
        store = Store(limits=ResourceLimits(memory_bytes=(1 + 16 * pages) * 65536))
        root = Instance(store, Module(store, CALLS_OUT), [lambda: None])
        module = Module(store, text)
        instances = [Instance(store, module, [root.exports.f]) for _ in range(16)]
        stop = threading.Event()

        def use(root=root, stop=stop):
            while not stop.is_set():
                root.exports.go()

        users = [threading.Thread(target=use) for _ in range(3)]
        closers = [threading.Thread(target=instance.close) for instance in instances]
        for thread in users + closers:
            thread.start()
        for thread in closers:
            thread.join(200)
        stop.set()
        for thread in users:
            thread.join(200)
        assert Memory(store, MemoryType(Limits(16 * pages))).pages == 16 * pages


# ------------------------------------------------------------------ host functions in tables
def test_a_host_function_that_goes_into_two_tables_by_turns_costs_nothing(times, resident):
    store = Store()
    tables = [Table(store, TableType(ValType.FUNCREF, Limits(1))) for _ in "ab"]
    func = Func(store, FuncType([], [ValType.I32]), lambda: 5)
    number = lib.wpy_func_ref(func._c)
    for table in tables:
        table[0] = func
    before = resident()
    for _ in range(times(300_000)):
        assert lib.wpy_retain_reference(tables[0]._c, number) == lib.WPY_OK
        assert lib.wpy_retain_reference(tables[1]._c, number) == lib.WPY_OK
    assert resident() - before < 2**20
    assert tables[0][0]() == tables[1][0]() == 5


def test_host_functions_in_merged_groups_live_as_long_as_the_tables(store):
    """More functions than fit into the first set, some in both groups; then the groups merge."""
    type_ = FuncType([], [ValType.I32])
    tables = [Table(store, TableType(ValType.FUNCREF, Limits(100, 100))) for _ in "ab"]
    for i in range(100):
        func = Func(store, type_, lambda i=i: i)
        tables[0][i] = func
        if i % 3 == 0:
            tables[1][i] = func
    text = """(module
        (import "m" "a" (table $a 100 funcref)) (import "m" "b" (table $b 100 funcref))
        (type $t (func (result i32)))
        (func (export "a") (param i32) (result i32) (call_indirect $a (type $t) (local.get 0)))
        (func (export "b") (param i32) (result i32) (call_indirect $b (type $t) (local.get 0))))"""
    exports = Instance(store, Module(store, text), tables).exports
    tables[0][0] = tables[1][99] = Func(store, type_, lambda: -1)
    assert [exports.a(i) for i in range(1, 100)] == list(range(1, 100))
    assert [exports.b(i) for i in range(0, 99, 3)] == list(range(0, 99, 3))
    assert exports.a(0) == exports.b(99) == -1
    with pytest.raises(Trap):
        exports.b(1)


# ------------------------------------------------------------------ failed instances leave nothing
def test_instances_that_fail_in_a_group_give_back_at_once_what_they_had(resident, times):
    """A data segment doesn't fit. No table has its functions, so the instance is freed."""
    limits = ResourceLimits(memory_bytes=4 * 65536, table_elements=1000)
    store = Store(limits=limits)
    shared = Global(store, GlobalType(ValType.I32, mutable=True), 1)
    text = """(module (import "m" "g" (global (mut i32))) (memory (export "m") 3)
        (table (export "t") 600 funcref) (table 300 funcref)
        (global (export "own") (mut i32) (i32.const 1))
        (func $f (export "f")) (elem (i32.const 0) $f) (data (i32.const %s) "x"))"""
    bad, good = Module(store, text % 0x30000), Module(store, text % 0)
    for _ in range(100):
        with pytest.raises(Trap, match="out of bounds memory access"):
            Instance(store, bad, [shared])
    before = resident()
    for _ in range(times(500)):
        with pytest.raises(Trap, match="out of bounds memory access"):
            Instance(store, bad, [shared])
    assert resident() - before < 2**20
    Instance(store, good, [shared])
    # The failed instance has its functions in the table, so it keeps its memory.
    with pytest.raises(MemoryLimitError):
        Instance(store, good, [shared])


def test_one_whose_functions_may_be_in_a_table_of_others_stays(store):
    table = Table(store, TableType(ValType.FUNCREF, Limits(1)))
    text = """(module (import "m" "t" (table 1 funcref)) (memory 1)
        (func $f (result i32) (i32.const 9)) (elem (i32.const 0) $f)
        (data (i32.const 65536) "x"))"""
    with pytest.raises(Trap, match="out of bounds memory access"):
        Instance(store, Module(store, text), [table])
    assert table[0]() == 9


# ------------------------------------------------------------------ records of errors
TRAPS = '(module (func (export "t") unreachable) (func (export "d") (result i32) '
TRAPS += "(i32.div_u (i32.const 1) (i32.const 0))))"


def taken(func):
    error = ffi.new("wpy_error *")
    return lib.wpy_take_error(func._c, error), ffi.string(error.text).decode()


def test_an_error_that_nobody_took_is_in_nobodys_way():
    """A signal handler that raises before the error of a call is raised leaves such an error."""
    first, second = load(TRAPS).exports.t, load(TRAPS).exports.d
    cells = ffi.new("uint32_t[]", 4)
    assert lib.wpy_call_cells(first._c, cells, 0, -1, ffi.NULL) == lib.WPY_TRAP
    assert lib.wpy_call_cells(second._c, cells, 0, -1, ffi.NULL) == lib.WPY_TRAP  # left behind
    status, text = taken(first)
    assert (status, text) == (lib.WPY_TRAP, "Exception: unreachable")
    assert lib.wpy_take_frames(first._c, ffi.NULL, 0) == 0
    assert taken(first)[0] == lib.WPY_OK
    assert "divide by zero" in taken(second)[1]
    assert lib.wpy_take_frames(second._c, ffi.NULL, 0) == 0


def test_old_errors_that_nobody_took_are_not_a_later_calls(store):
    first = load(TRAPS).exports.t
    cells = ffi.new("uint32_t[]", 4)
    for _ in range(20):
        lib.wpy_call_cells(first._c, cells, 0, -1, ffi.NULL)
    with pytest.raises(Trap, match="integer divide by zero"):
        load(TRAPS).exports.d()
    host = Func(store, FuncType([], []), lambda: None)
    assert lib.wpy_call_cells(host._c, cells, 0, -1, ffi.NULL) == lib.WPY_CLOSED
    # The record of the host function, not that of an instance that had its address before.
    assert taken(host)[0] == lib.WPY_CLOSED
    while taken(first)[0]:
        lib.wpy_take_frames(first._c, ffi.NULL, 0)


# ------------------------------------------------------------------ fork
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_uses_a_module_that_another_thread_was_instantiating(script):
    out = script(
        """
        import os, signal, sys, threading, warnings
        import wamr
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        store = wamr.Store()
        module = wamr.Module(store, '''(module (import "m" "g" (global i32)) (memory 1)
            (table 2000000 funcref) (func (export "f") (result i32) (global.get 0)))''')
        stop = False
        def work():
            own = wamr.Store(store.engine)
            shared = wamr.Global(own, wamr.GlobalType(wamr.ValType.I32), 3)
            while not stop:
                wamr.Instance(own, module, [shared]).close()
        thread = threading.Thread(target=work)
        thread.start()
        codes = set()
        for _ in range(20):
            pid = os.fork()
            if not pid:
                signal.alarm(100)  # a child that hangs dies of it
                own = wamr.Store(store.engine)
                shared = wamr.Global(own, wamr.GlobalType(wamr.ValType.I32), 5)
                os._exit(wamr.Instance(own, module, [shared]).exports.f())
            codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            if codes != {5}:
                break
        stop = True
        thread.join()
        print(codes)
        """
    )
    assert out == "{5}\n"
