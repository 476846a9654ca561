"""The end of the interpreter while wasm runs: the process ends, and waiting threads get an error.

A daemon thread in a call never gets the GIL again. CPython ends it (before 3.14) or lets it hang
(since 3.14), with its instance locked.
"""

import subprocess
import sys
import textwrap

import pytest
from platforms import finalizes_at_exit, finalizes_before_modules_go

MODULE = """(module (import "m" "back" (func $back (param i32) (result i32)))
    (func (export "one") (param i32) (result i32) (call $back (local.get 0)))
    (func (export "seven") (result i32) (i32.const 7))
    (func (export "calls") (loop $l (drop (call $back (i32.const 1))) (br $l)))
    (func (export "loop") (loop $l (br $l))))"""
START = """
import atexit, faulthandler, os, sys, threading, time, wamr
faulthandler.dump_traceback_later(60, exit=True)
started = threading.Event()

def slowly(value):
    started.set()
    time.sleep(0.01)
    return value

def made(back=slowly):
    return wamr.load({module!r}, {{"m": {{"back": back}}}})

def in_background(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()

class Last:
    def __init__(self, work):
        self.work = work

    def __del__(self):
        try:
            text = repr(self.work())
        except BaseException as error:
            text = f"{{type(error).__name__}}: {{error}}"
        os.write(1, text.encode())

def at_the_end(work):
    '''Call it when the interpreter empties its modules.'''
    threading.kept_until_the_end = Last(work)
"""


@pytest.fixture
def outcome(wat):
    def run(program):
        code = START.format(module=wat(MODULE)) + textwrap.dedent(program)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run


BUSY = {
    "an endless loop": "in_background(one.exports.loop); time.sleep(0.2)",
    "a host function": "in_background(one.exports.calls); started.wait()",
}
WAITS = {
    "a bounded call": ("lambda f=one.exports.seven: f()", "seven() -> i32"),
    "a call": ("lambda f=one.exports.loop: f()", "loop() -> ()"),
    "a call with a limit": ("lambda f=one.exports.seven: f.call(fuel=9)", "seven() -> i32"),
}
SENTENCE = "another thread was in its instance when the interpreter ended, and never leaves it"


@finalizes_at_exit
@finalizes_before_modules_go
@pytest.mark.parametrize("waits", WAITS)
@pytest.mark.parametrize("busy", BUSY)
def test_a_finalizer_that_calls_what_a_daemon_thread_is_in_is_told(busy, waits, outcome):
    work, what = WAITS[waits]
    program = f"one = made()\n{BUSY[busy]}\nat_the_end({work})"
    assert outcome(program) == f"RuntimeError: {what}: {SENTENCE}"


@finalizes_at_exit
@finalizes_before_modules_go
def test_so_is_one_that_uses_a_table_of_it(outcome, wat):
    data = wat(
        '(module (import "m" "t" (table 1 externref)) (func (export "f") (loop $l (br $l))))'
    )
    program = f"""
        store = wamr.Store()
        table = wamr.Table(store, wamr.TableType(wamr.ValType.EXTERNREF, wamr.Limits(1)))
        one = wamr.Instance(store, wamr.Module(store, {data!r}), {{"m": {{"t": table}}}})
        in_background(one.exports.f)
        time.sleep(0.2)
        at_the_end(lambda: table[0])
        """
    out = outcome(program)
    assert out == f"RuntimeError: using this Table: {SENTENCE}"


@finalizes_at_exit
@finalizes_before_modules_go
@pytest.mark.parametrize("busy", BUSY)
@pytest.mark.parametrize("close", ["one.close", "one.store.close", "one.interrupt"])
def test_a_finalizer_may_close_it(busy, close, outcome):
    assert outcome(f"one = made()\n{BUSY[busy]}\nat_the_end({close})") == "None"


@finalizes_at_exit
@finalizes_before_modules_go
@pytest.mark.parametrize("busy", BUSY)
def test_a_finalizer_and_an_exit_handler_may_call_other_instances(busy, outcome):
    program = f"""
        one, other = made(), made(abs)
        {BUSY[busy]}
        atexit.register(lambda: os.write(1, b"%d " % other.exports.one(-3)))
        at_the_end(lambda f=other.exports.one: f(-4))
        """
    assert outcome(program) == "3 4"


@pytest.mark.slow
def test_many_daemon_threads_in_all_kinds_of_calls(outcome, wat):
    data = wat(
        '(module (import "m" "f" (func $f (param externref) (result externref)))'
        ' (func (export "f") (param externref) (loop $l (drop (call $f (local.get 0))) (br $l))))'
    )
    program = f"""
        def again(function, *args):
            while True:
                function(*args)
        shared = made(abs)
        for _ in range(3):
            in_background(again, shared.exports.one, -5)
            in_background(again, made(abs).exports.one, -5)
            in_background(again, made(abs).exports.seven)
            in_background(wamr.load({data!r}, [slowly]).exports.f, [])
        started.wait()
        time.sleep(0.1)
        """
    assert outcome(program) == ""


def test_a_thread_that_is_no_daemon_is_waited_for(outcome):
    program = """
        one = made()
        threading.Thread(target=lambda: print(one.exports.one(8))).start()
        """
    assert outcome(program) == "8\n"


def test_waiting_goes_on_while_the_interpreter_does(outcome):
    """A thread gives up waiting only at the end of the interpreter."""
    program = """
        one = made(lambda value: (started.set(), time.sleep(0.5), value)[2])
        in_background(one.exports.one, 1)
        started.wait()
        print(one.exports.seven())
        """
    assert outcome(program) == "7\n"


KINDS = """
import wamr.ffi
data = {data!r}

async def later(value):
    return value

def kinds():
    engine = wamr.Engine()
    store = wamr.Store(engine, limits=wamr.ResourceLimits())
    module = wamr.Module(store, data)
    def made(back):
        return wamr.Instance(store, module, {{"m": {{"back": back}}}})
    one, other = made(lambda value: wamr.SUSPEND), made(later)
    exports = one.exports
    exports.table[0] = exports.g.value = object()
    yield from (engine, store, module, one, exports, exports.table, exports.g, exports.t)
    yield from (exports.one, exports.memory, exports.memory.view(), wamr.WasiConfig())
    for instance in one, other:
        execution = instance.exports.one.execution(1)
        yield next(execution)
        yield execution
    yield wamr.Snapshot(wamr.load("(module (memory 1))"))
    try:
        exports.throw(object())
    except wamr.WasmException as error:
        yield error
    yield wamr.ffi.WASM_ARRAY_VEC("val", [])

objects = list(kinds())
modules = [vars(module) for name, module in sys.modules.items() if name.startswith("wamr")]

def drop(objects=objects, modules=modules):
    '''As the interpreter does where the modules live on; then nothing has let go of the objects.'''
    for names in modules:
        names.update(dict.fromkeys(names))
    return len(objects), objects.clear()
"""


@pytest.fixture
def kinds(wat):
    data = wat(
        """(module (import "m" "back" (func $back (param i32) (result i32)))
        (tag $t (export "t") (param externref)) (memory (export "memory") 1)
        (table (export "table") 2 externref) (global (export "g") (mut externref) (ref.null extern))
        (func (export "one") (param i32) (result i32) (call $back (local.get 0)))
        (func (export "throw") (param externref) (throw $t (local.get 0))))"""
    )
    return KINDS.format(data=data)


@finalizes_before_modules_go
def test_objects_of_each_kind_may_outlive_the_package(kinds, outcome):
    assert outcome(kinds + "at_the_end(drop)") == "(19, None)"


def test_objects_of_each_kind_may_be_left(kinds, outcome):
    """Free-threaded builds empty the modules first, and let go of the objects then."""
    assert outcome(kinds + "print(len(objects))") == "19\n"
