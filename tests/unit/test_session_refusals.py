"""Sessions that threads and callables use at once, and wrong arguments."""

from __future__ import annotations

import threading
import time
from subprocess import STDOUT

import pytest
from fed_programs import fed, session

import wamr

pytestmark = pytest.mark.usefixtures("wat")


# ------------------------------------------------------------------ threads
def test_feeding_in_another_thread():
    with session() as s:
        found = []
        for _ in range(3):
            thread = threading.Thread(target=lambda: found.append(s.feed(b"n")))
            thread.start()
            thread.join()
        assert found == [b"ready\n1", b"2", b"3"]


@pytest.mark.parametrize("command", [b"l", b"S"])
def test_a_second_thread_is_refused_and_may_close(command):
    s, raised = session(), []
    s.feed(b"")

    def run():
        try:
            s.feed(command)
        except wamr.ClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while s.waiting == "stdin":
        time.sleep(0.001)
    for call in (lambda: s.feed(b"x"), s.end):
        with pytest.raises(RuntimeError, match="the program runs already, in another call"):
            call()
    s.close()
    thread.join()
    assert len(raised) == 1
    with pytest.raises(wamr.ClosedError, match="the program is closed"):
        s.feed(b"")


def test_a_callable_may_close_the_session_and_may_not_feed_it():
    refused = []

    def write(data):
        try:
            s.feed(b"x")
        except RuntimeError as error:
            refused.append(str(error))
        s.close()

    s = session(stdout=write)
    with pytest.raises(wamr.ClosedError, match="the program was closed while it ran"):
        s.feed(b"")
    assert refused == ["the program runs already, in another call"]


# ------------------------------------------------------------------ refusals
@pytest.mark.parametrize("data", [None, "text", 7, [b"x"]])
def test_data_of_a_wrong_kind_is_refused(data):
    with session() as s:
        with pytest.raises(TypeError, match="data must be bytes, or str with text=True"):
            s.feed(data)
        assert s.feed(b"ex") == b"ready\nx"


@pytest.mark.parametrize("data", [None, b"bytes"])
def test_data_of_a_wrong_kind_is_refused_in_text_mode(data):
    with session(text=True) as s, pytest.raises(TypeError, match="data must be a str in text mode"):
        s.feed(data)


def test_bytes_like_data():
    with session() as s:
        data = bytearray(b"ex")
        s.feed(data)
        assert s.feed(memoryview(data)) == b"x"


@pytest.mark.parametrize(
    ("timeout", "error"), [("1", TypeError), (-1, ValueError), (float("nan"), ValueError)]
)
def test_a_wrong_timeout_is_refused(timeout, error):
    with session() as s:
        for call in (lambda: s.feed(b"", timeout=timeout), lambda: s.end(timeout=timeout)):
            with pytest.raises(error, match="timeout must"):
                call()
        assert s.feed(b"") == b"ready\n"
        s.end()
        with pytest.raises(error, match="timeout must"):
            s.end(timeout=timeout)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((None,), TypeError, "args must be a sequence"),
        (([],), ValueError, "args is empty"),
        (([b"x"],), TypeError, r"args\[0\] must be a path or a Module"),
        (([wamr.Store()],), TypeError, r"args\[0\] must be a path or a Module"),
        ((["(module)"],), wamr.LinkError, "has no function _start"),
        ((["nowhere.wasm"],), FileNotFoundError, "nowhere.wasm"),
    ],
)
def test_a_wrong_program_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        wamr.Session(*arguments)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stdout": STDOUT}, ValueError),
        ({"stdout": object()}, TypeError),
        ({"stderr": object()}, TypeError),
        ({"env": ["x"]}, TypeError),
        ({"dirs": {"/x": "/nowhere"}}, FileNotFoundError),
        ({"limits": 3}, TypeError),
        ({"encoding": "nothing"}, LookupError),
        ({"encoding": 3}, TypeError),
    ],
)
def test_a_wrong_option_is_refused(options, error):
    with pytest.raises(error):
        session(**options)


def test_a_session_is_made_once_and_cannot_be_copied():
    import copy
    import pickle

    with session() as s:
        with pytest.raises(TypeError, match="this Session was made already"):
            s.__init__([fed()])
        for call in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="a Session cannot be copied or pickled"):
                call(s)


def test_a_start_function_cannot_wait():
    text = """(module (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
        (func $s (i32.store (i32.const 4) (i32.const 9))
          (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16))))
        (start $s) (func (export "_start")))"""
    with pytest.raises(RuntimeError, match="reads its input before _start"):
        wamr.Session([text])
