"""Sessions that end in unusual ways: signals, forks, dropped references, and many of them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from subprocess import TimeoutExpired

import fed_programs
import pytest
from collecting import collect_until
from fed_programs import session
from wasm_fixtures import descriptors, in_process

import wamr

pytestmark = pytest.mark.usefixtures("wat")


def stopped(command: bytes) -> wamr.Session:
    s = session()
    with pytest.raises(TimeoutExpired):
        s.feed(command, timeout=0.01)
    return s


def test_dropped_sessions_are_freed():
    for make in (
        session,
        lambda: stopped(b"S"),
        lambda: stopped(b"l"),
    ):
        s = make()
        instance = weakref.ref(s._running.instance._state)
        alive = weakref.ref(s)
        del s
        assert collect_until(lambda alive=alive: alive() is None)
        assert collect_until(lambda instance=instance: instance() is None)


def test_sessions_that_are_dropped_or_closed_leave_nothing():
    def once():
        for _ in range(20):
            session().feed(b"n")
            with session() as s:
                s.feed(b"n")
            stopped(b"l")
            stopped(b"S").close()
            session().end()
        gc.collect()

    once()
    before = descriptors()
    once()
    assert descriptors() == before


def test_sessions_with_captured_output_have_no_descriptors():
    kept = [session()]
    before = descriptors()
    for _ in range(50):
        kept.append(session())
        kept[-1].feed(b"n")
    assert descriptors() == before
    for s in kept:
        s.close()


def test_ctrl_c_in_a_sleep_leaves_the_session_asleep():
    s = session()
    s.feed(b"")

    def interrupt():
        while s.waiting != "sleep":
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        thread = threading.Thread(target=interrupt)
        thread.start()
        s.feed(b"S")
    thread.join()
    assert s.waiting == "sleep"
    with pytest.raises(TimeoutExpired):
        s.feed(b"ex", timeout=0.01)
    s.close()


def test_ctrl_c_while_code_runs_ends_the_program():
    running = threading.Event()

    def interrupt():
        running.wait()
        time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    s = session(stdout=lambda data: running.set() if data.startswith(b"now") else None)
    s.feed(b"")
    with pytest.raises(KeyboardInterrupt):
        thread = threading.Thread(target=interrupt)
        thread.start()
        s.feed(b"enow" + b" " * 65532 + b"l")  # one read takes 64 KiB
    thread.join()
    assert s.returncode is None
    with pytest.raises(RuntimeError, match="the program has ended, by KeyboardInterrupt"):
        s.feed(b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_copies_the_sessions():
    in_process(
        """
        from fed_programs import session
        waiting, new = session(), session()
        waiting.feed(b"n")
        pid = os.fork()
        assert waiting.feed(b"n") == b"2", "counts on its own"
        assert new.feed(b"n") == b"ready\\n1"
        assert waiting.end().stdout == b"bye\\n"
        new.close()
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_copies_sessions_that_were_stopped():
    in_process(
        """
        from subprocess import TimeoutExpired
        from fed_programs import asleep, session

        def stopped(s, command=b""):
            try:
                s.feed(command, timeout=0.01)
            except TimeoutExpired:
                return s
            raise AssertionError

        looping, sleeping = stopped(session(), b"l"), asleep()
        pid = os.fork()
        stopped(looping).close()
        assert sleeping.feed(b"n") == b".1"
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_during_a_feed_of_another_thread():
    in_process(
        """
        import threading, time
        from fed_programs import session
        s, other = session(), session()
        s.feed(b""), other.feed(b"")
        threading.Thread(target=lambda: s.feed(b"l"), daemon=True).start()
        while s.waiting == "stdin":
            time.sleep(0.001)
        pid = os.fork()
        if not pid:
            try:
                s.feed(b"")
            except RuntimeError as error:
                assert "the program runs already" in str(error)
            else:
                os._exit(1)
            s.close()
            ok = other.feed(b"n") == b"1"
            os._exit(0 if ok else 2)
        assert os.waitpid(pid, 0)[1] == 0
        assert other.feed(b"n") == b"1"
        os._exit(0)
        """
    )


def test_a_session_that_is_open_when_python_ends():
    code = (
        "from fed_programs import session\n"
        "import subprocess\n"
        "kept = [session() for _ in range(3)]\n"
        "kept[0].feed(b'n')\n"
        "try: kept[1].feed(b'l', timeout=0.01)\n"
        "except subprocess.TimeoutExpired: print('stopped')\n"
    )
    path = [str(Path(fed_programs.__file__).parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


@pytest.mark.slow
def test_thousands_of_sessions_one_after_another_do_not_grow():
    in_process(
        """
        import gc, resource
        from fed_programs import session

        def pages():
            return int(open("/proc/self/statm").read().split()[1])

        def many(count):
            for i in range(count):
                s = session()
                assert s.feed(b"n") == b"ready\\n1"
                if i % 3 == 1:
                    s.close()
                elif i % 3 == 2:
                    s.end()
            del s
            gc.collect()

        many(1000)
        before, files = pages(), descriptors()
        many(2000)
        assert descriptors() == files
        assert pages() - before < 250, pages() - before  # 512 bytes of each
        """
    )


@pytest.mark.parametrize("threads", [4])
def test_threads_with_sessions_of_their_own(threads):
    def work():
        for _ in range(10):
            with session() as s:
                outputs.append(s.feed(b"n") + s.feed(b"n") + s.end().stdout)

    outputs: list[bytes] = []
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert outputs == [b"ready\n12bye\n"] * 10 * threads


def test_one_session_that_threads_compete_for():
    s, fed, refused = session(), [], []
    s.feed(b"")

    def work():
        while len(fed) < 50:
            try:
                fed.append(s.feed(b"eword"))
            except RuntimeError as error:
                refused.append(str(error))

    running = [threading.Thread(target=work) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert set(fed) == {b"word"}
    assert {*refused} <= {"the program runs already, in another call"}
    s.close()
