"""Runs each test of this folder in a process of its own.

Without its patch, a fault of WAMR may crash the process and so end the whole run. So the body of
the test runs in a forked child, which sends back the outcome; a child that crashes is a failed
test. Where there is no fork, the body runs as usual.
"""

from __future__ import annotations

import faulthandler
import gc
import mmap
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import bounds
import pytest

SECONDS = bounds.SECONDS * 0.8  # a child that hangs is a failed test, too
_note = mmap.mmap(-1, 256)  # shared with the children


@pytest.fixture
def stack_factor() -> int:
    """Return how many times more native stack a call takes than in a release build."""
    return 16 if bounds.SANITIZED else 1


@pytest.fixture
def record_attempt() -> Callable[[object], None]:
    """Record what is tried next, for the message of a test that crashes there."""

    def write(what: object) -> None:
        _note[:] = repr(what).encode()[:256].ljust(256)

    return write


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not hasattr(os, "fork"):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    kind, text = in_child(lambda: pyfuncitem.obj(**arguments))
    if kind == "skipped":
        pytest.skip(text)
    if kind != "passed":
        pytest.fail(text, pytrace=False)
    return True


def in_child(body: Callable[[], object]) -> tuple[str, str]:
    """Run `body` in a forked child; return "passed", "skipped" or "failed", and the reason."""
    sys.stdout.flush()
    sys.stderr.flush()
    _note[:] = b" " * 256
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        run_and_exit(body, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        noted = _note[:].decode().strip()
        return "failed", f"the process was killed by {name}{f', at {noted}' if noted else ''}"
    if not answer:
        return "failed", f"the process ended with code {os.WEXITSTATUS(status)}"
    kind, text = pickle.loads(answer)
    return kind, text


def run_and_exit(body: Callable[[], object], writer: int) -> NoReturn:
    # An expected crash needs no core dump and no traceback.
    faulthandler.disable()
    if hasattr(gc, "freeze"):  # not in PyPy
        gc.freeze()  # a collection would write to all objects, and so copy the parent's pages
    bounds.start_timer(SECONDS)
    try:
        body()
        outcome = ("passed", "")
    except pytest.skip.Exception as skip:
        outcome = ("skipped", str(skip))
    except BaseException:
        outcome = ("failed", traceback.format_exc())
    try:
        os.write(writer, pickle.dumps(outcome))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)
