"""Events where the GIL is acquired or kept: tracing, other threads, exceptions, fork."""

import os
import subprocess
import sys
import textwrap

import pytest
from platforms import needs_fork

MODULE = """(module (import "m" "back" (func $back (param i32) (result i32)))
    (func (export "one") (param i32) (result i32) (call $back (local.get 0)))
    (func (export "seven") (result i32) (i32.const 7))
    (func (export "calls") (loop $l (drop (call $back (i32.const 1))) (br $l))))"""
START = """
import faulthandler, os, signal, sys, threading, time, wamr
faulthandler.dump_traceback_later(60, exit=True)

def made(back=abs):
    return wamr.load({module!r}, {{"m": {{"back": back}}}})
"""


@pytest.fixture
def outcome(wat):
    def run(program):
        code = START.format(module=wat(MODULE)) + textwrap.dedent(program)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")


# ------------------------------------------------------------------ tracing
def test_a_trace_function_sees_callbacks_and_may_call(outcome):
    program = """
        def back(value):
            doubled = 2 * value
            return doubled
        call, other, events = made(back).exports.one, made().exports.one, []
        def trace(frame, event, arg):
            if frame.f_code is back.__code__:
                events.append((event, other(-1)))
            return trace
        sys.settrace(trace)
        result = call(4)
        sys.settrace(None)
        print(result, [event for event, _ in events], {value for _, value in events})
        """
    events = ["call", "line", "line", "return"]
    assert outcome(program) == [f"8 {events} {{1}}"]


def test_a_profile_function_sees_callbacks(outcome):
    program = """
        back = lambda value: value
        exports, events = made(back).exports, []
        one, seven = exports.one, exports.seven
        def profile(frame, event, arg):
            if frame.f_code is back.__code__:
                events.append(event)
        sys.setprofile(profile)
        one(4)
        seven()
        sys.setprofile(None)
        print(events.count("call"), events.count("return"))
        """
    assert outcome(program) == ["1 1"]


def test_what_a_trace_function_raises_comes_out(outcome):
    program = """
        one = made(lambda value: value)
        def trace(frame, event, arg):
            raise ValueError("traced")
        sys.settrace(trace)
        try:
            one.exports.one(4)
        except ValueError as error:
            print(error)
        print(one.exports.one(5))
        """
    assert outcome(program) == ["traced", "5"]


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="needs sys.monitoring")
def test_monitoring_may_call_too(outcome):
    program = """
        one, seen = made(lambda value: abs(value)), []
        monitoring = sys.monitoring
        monitoring.use_tool_id(2, "test")
        def called(*args):
            monitoring.set_events(2, 0)
            seen.append(one.exports.seven())
        monitoring.register_callback(2, monitoring.events.CALL, called)
        monitoring.set_events(2, monitoring.events.CALL)
        print(one.exports.one(-5), seen)
        """
    assert outcome(program) == ["5 [7]"]


# ------------------------------------------------------------------ asynchronous exceptions
@pytest.mark.parametrize("call", ["one.exports.calls()", "[one.exports.one(1) for _ in forever]"])
def test_an_asynchronous_exception_comes_out_of_host_functions(call, outcome):
    program = f"""
        import ctypes, itertools
        forever = itertools.count()
        ready, begun = os.pipe()
        def back(value):
            global begun
            if begun is not None:
                descriptor, begun = begun, None
                os.write(descriptor, b"x")
            return value
        one = made(back)
        class Stop(Exception):
            pass
        def work():
            try:
                {call}
            except Stop:
                print("stopped")
            print(one.exports.one(3))
        thread = threading.Thread(target=work)
        thread.start()
        os.read(ready, 1)
        stop = ctypes.py_object(Stop)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), stop)
        thread.join()
        """
    assert outcome(program) == ["stopped", "3"]


@POSIX
def test_ctrl_c_within_and_between_bounded_calls(outcome):
    program = """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def back(value):
            if value:
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    pass
            return value
        one = made(back)
        try:
            one.exports.one(1)
        except KeyboardInterrupt:
            print("within")
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            while True:
                one.exports.seven()
        except KeyboardInterrupt:
            print("between")
        print(one.exports.one(0))
        """
    assert outcome(program) == ["within", "between", "0"]


@POSIX
def test_a_signal_handler_may_call_the_instance_that_calls_back(outcome):
    program = """
        seen = []
        def back(value):
            if value == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
                while not seen:
                    pass
            return value
        one = made(back)
        handler = lambda *_: seen.append((one.exports.one(5), one.exports.seven()))
        signal.signal(signal.SIGUSR1, handler)
        print(one.exports.one(1), seen)
        """
    assert outcome(program) == ["1 [(5, 7)]"]


# ------------------------------------------------------------------ other threads and processes
@POSIX
def test_threads_that_python_did_not_start(outcome):
    program = """
        import ctypes
        libc, shared, seen = ctypes.CDLL(None), made(lambda value: value), []
        @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        def start(_):
            try:
                for one in (shared, made()):
                    for _ in range(200):
                        assert one.exports.one(3) == 3
                        assert one.exports.seven() == 7
                seen.append("right")
            except BaseException as error:
                seen.append(error)
        threads = [ctypes.c_ulong() for _ in range(4)]
        for thread in threads:
            assert libc.pthread_create(ctypes.byref(thread), None, start, None) == 0
        for thread in threads:
            libc.pthread_join(thread, None)
        print(set(seen), len(seen))
        """
    assert outcome(program) == ["{'right'} 4"]


@needs_fork
def test_fork_in_a_callback_that_has_kept_the_gil(outcome):
    program = """
        def back(value):
            if value == 1:
                child = os.fork()
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 2
            return value
        one = made(back)
        result = one.exports.one(1)
        if result == 2:
            os._exit(one.exports.one(9) + one.exports.seven())
        print(result)
        """
    assert outcome(program) == ["16"]
