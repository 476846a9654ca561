"""Tests in processes of their own: signals, fork, the end of the interpreter, exhausted limits."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from small_modules import FOREVER


# ------------------------------------------------------------------ Ctrl-C
@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
@pytest.mark.parametrize(
    "call", ["exports.run()", "exports.run.call(timeout=600)", "exports.run.callable()"]
)
def test_ctrl_c_ends_an_endless_loop(call):
    code = f"""
        import signal, wamr
        signal.signal(signal.SIGINT, signal.default_int_handler)
        exports = wamr.load({FOREVER!r}, [lambda: print("running", flush=True)]).exports
        try:
            {call}
        except KeyboardInterrupt as error:
            print("stopped", flush=True)
        ok = wamr.load('(module (func (export "f") (result i32) (i32.const 7)))')
        print(ok.exports.f())
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert process.stdout.read() == "7\n"
        assert process.wait(100) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_ctrl_c_while_another_thread_runs_and_the_main_thread_waits_for_it(script):
    out = script(
        f"""
        import os, signal, threading, wamr
        signal.signal(signal.SIGINT, signal.default_int_handler)
        started = threading.Event()
        instance = wamr.load({FOREVER!r}, [started.set])
        stopped = []
        def work():
            try:
                instance.exports.run()
            except wamr.Trap as trap:
                stopped.append(trap.code.name)
        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        try:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            instance.exports.run()
        except KeyboardInterrupt:
            print("woken")
        instance.interrupt()
        thread.join()
        print(stopped)
        """
    )
    assert out == "woken\n['INTERRUPTED']\n"


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_a_signal_handler_may_call_wasm_and_go_on(script):
    out = script(
        """
        import os, signal, threading, wamr
        text = '''(module (func (export "spin") (param $n i64) (result i32)
            (loop $l (br_if $l (i32.eqz (i64.eqz
                (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))) (i32.const 9))
            (func (export "f") (result i32) (i32.const 7)))'''
        spinning, other = wamr.load(text), wamr.load(text)
        seen = []
        def handler(number, frame):
            seen.append((other.exports.f(), spinning.exports.f()))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        print(spinning.exports.spin(30_000_000))
        while not seen:  # where a machine is that fast
            spinning.exports.spin(30_000_000)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(set(seen))
        """
    )
    assert out == "9\n{(7, 7)}\n"


# ------------------------------------------------------------------ fork
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@FORK
def test_fork_between_and_within_calls(script):
    out = script(
        """
        import os, warnings, wamr
        warnings.simplefilter("ignore")
        def child(work):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    code = work()
                finally:
                    os._exit(code)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        text = '''(module (import "m" "f" (func $f (result i32)))
            (func (export "go") (result i32) (i32.add (call $f) (i32.const 1)))
            (memory (export "m") 1))'''
        instance = wamr.load(text, [lambda: 41])
        instance.exports.m[0] = 3
        view = instance.exports.m.view()
        print(child(instance.exports.go))
        print(child(lambda: view[0]))
        def change():
            view[0] = 9
            return instance.exports.m[0]
        print(child(change), view[0])
        print(child(lambda: wamr.load(text, [lambda: 9]).exports.go()))
        forking = wamr.load(text, [lambda: child(instance.exports.go)])
        print(forking.exports.go())
        print(child(lambda: (instance.close(), 5)[1]), instance.exports.go())
        """
    )
    assert out.split() == ["42", "3", "9", "3", "10", "43", "5", "42"]


@FORK
def test_a_child_goes_on_with_the_call_that_forked(script):
    out = script(
        """
        import os, warnings, wamr
        warnings.simplefilter("ignore")
        pids = []
        def fork():
            pids.append(os.fork())
            return 0 if pids[-1] else 5
        text = '''(module (import "m" "f" (func $f (result i32)))
            (func (export "go") (result i32) (i32.add (call $f) (i32.const 1))))'''
        instance = wamr.load(text, [fork])
        result = instance.exports.go()
        if pids[0] == 0:
            os._exit(result)
        print(result, os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
        """
    )
    assert out.split() == ["1", "6"]


@FORK
def test_fork_while_other_threads_run(script):
    """In the child, an instance that another thread was in raises an error; all others work."""
    out = script(
        f"""
        import os, threading, time, warnings, wamr
        warnings.simplefilter("ignore")
        started = threading.Event()
        busy = wamr.load({FOREVER!r}, [started.set])
        idle = wamr.load('(module (func (export "f") (result i32) (i32.const 7)))')
        def run():
            try:
                busy.exports.run()
            except wamr.Trap:
                pass
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        started.wait()
        time.sleep(0.1)
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    code = idle.exports.f()
                    try:
                        busy.exports.run.call(timeout=100)
                    except RuntimeError as error:
                        code += 10 * ("forked" in str(error))
                    done = []
                    later = threading.Thread(target=lambda: done.append(idle.exports.f()))
                    later.start()
                    later.join(100)
                    code += 100 * (done == [7])
                    busy.close()
                finally:
                    os._exit(code)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        for thread in threads:
            while thread.is_alive():  # which of the two runs, and which comes in next?
                busy.interrupt()
                thread.join(0.05)
        """
    )
    assert out.split() == ["117"] * 5


@FORK
def test_fork_while_threads_make_and_drop_objects(script):
    """The registry's lock is free in each child."""
    out = script(
        """
        import os, threading, warnings, wamr
        warnings.simplefilter("ignore")
        engine = wamr.Engine()
        module = wamr.Module(engine, '''(module (memory 1)
            (func (export "f") (result i32) (i32.const 3)))''')
        stop = threading.Event()
        def work():
            while not stop.is_set():
                wamr.Instance(wamr.Store(engine), module).exports.f()
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        codes = set()
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                os._exit(wamr.Instance(wamr.Store(engine), module).exports.f())
            codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        for thread in threads:
            thread.join()
        print(codes)
        """
    )
    assert out == "{3}\n"


# ------------------------------------------------------------------ the end of the interpreter
@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "import sys; sys.exit(0)",
        "import builtins; builtins.kept = [instance, view, fast]",
        "cycle = []; cycle += [cycle, instance]",
        "del wamr",
        "from sys import modules as m; del m['wamr._runtime.store'], m['wamr._backend.binding']",
        "instance.store.close()",
        "import atexit; atexit.register(fast)",
        "import threading; threading.Thread(target=fast).start()",
    ],
)
def test_live_objects_at_the_end(script, ending):
    code = f"""
        import wamr
        text = '''(module (import "m" "f" (func $f)) (func (export "go") (call $f))
            (memory (export "m") 1))'''
        instance = wamr.load(text, [lambda: None])
        fast = instance.exports.go.callable
        view = instance.exports.m.view()
        class Late:
            def __del__(self):
                view[0] = 1
                try:
                    fast()
                except Exception:
                    pass
        late = Late()
        late.self = late
        fast()
        {ending}
        """
    script(code)


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_is_in_wasm_at_the_end(daemon):
    """A daemon thread in a call doesn't keep the process from ending."""
    code = f"""
        import threading, time, wamr
        instance = wamr.load({FOREVER!r}, [lambda: None], limits=wamr.ResourceLimits(timeout=1))
        def run():
            try:
                instance.exports.run()
            except wamr.TimeoutTrap:
                pass
        threading.Thread(target=run, daemon={daemon}).start()
        time.sleep(0.1)
        print("end", flush=True)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "end\n")


# ------------------------------------------------------------------ exhausted limits
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sets RLIMIT_AS")
@pytest.mark.usefixtures("unsanitized")
def test_little_address_space(script):
    out = script(
        """
        import resource, wamr
        wamr.load("(module)")
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        kept, errors = [], set()
        text = '''(module (memory (export "m") 1)
            (func (export "f") (result i32) (i32.load8_u (i32.const 0))))'''
        for i in range(3000):
            try:
                instance = wamr.load(text)
                instance.exports.m[0] = i % 256
                kept.append(instance)
            except MemoryError as error:
                errors.add(type(error).__name__)
        assert len(kept) >= 15, len(kept)
        assert errors <= {"MemoryLimitError", "MemoryError"}, errors
        assert errors
        assert all(k.exports.f() == i % 256 for i, k in enumerate(kept))
        try:
            kept[0].exports.m.grow(60_000)
        except wamr.MemoryLimitError:
            print("refused")
        kept.clear()
        print(wamr.load(text).exports.f())
        """
    )
    assert out.split() == ["refused", "0"]


def test_recursion_between_python_and_wasm_in_a_fresh_process(script):
    out = script(
        """
        import sys, threading, wamr
        text = '(module (import "m" "f" (func)) (func (export "go") (call 0)))'
        def nest(limit):
            sys.setrecursionlimit(limit)
            box = []
            box.append(wamr.load(text, [lambda: box[0].exports.go()]))
            for _ in range(3):
                try:
                    box[0].exports.go()
                except RecursionError as error:
                    print(type(error).__name__)
        nest(1000)
        nest(100_000)
        thread = threading.Thread(target=nest, args=(100_000,))
        thread.start()
        thread.join()
        """,
        stderr=None,  # cffi prints exceptions for which there is no stack left
    )
    assert len(out.split()) == 9
    assert set(out.split()) <= {"RecursionError", "StackOverflowTrap"}


def test_faulthandler_and_traps(script):
    out = script(
        """
        import faulthandler, wamr
        faulthandler.enable()
        exports = wamr.load('''(module (memory 1) (func (export "f") (result i32)
            (i32.load (i32.const -4))))''').exports
        for _ in range(3):
            try:
                exports.f()
            except wamr.Trap as trap:
                print(trap.code.name)
        """
    )
    assert out.split() == ["MEMORY_OUT_OF_BOUNDS"] * 3
