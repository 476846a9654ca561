"""Forks of processes with several threads, of which the child has one only."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANGS = 60  # seconds until a child that waits for ever is killed


def is_true_in_child(function: Callable[[], object]) -> bool:
    """Return whether a function returns something true in the child of a fork."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(HANGS)
            code = 0 if function() else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


@contextmanager
def another_thread(function: Callable[[Callable[[], object]], object]) -> Iterator[None]:
    """Run the block while another thread is in a function, where that has called its argument."""
    inside, over = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        over.wait()

    def run() -> None:
        try:
            function(wait)
        finally:
            inside.set()

    thread = threading.Thread(target=run)
    thread.start()
    inside.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()
