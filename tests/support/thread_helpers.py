"""Work in other threads: again and again during a block, or in several threads at once."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


@contextlib.contextmanager
def repeatedly(action: Callable[[], object], every: float = 0.02) -> Iterator[None]:
    """Let another thread repeat the action until the block ends.

    An interrupt that comes before its call has begun is lost, and on a busy machine no delay is
    certain to be long enough.
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def in_another_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """Run work(*arguments) in another thread; return the result, or raise the exception."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result()


def in_threads(count: int, work: Callable[[int], Result]) -> list[Result]:
    """Run work(0), work(1) … at once; return the results, or raise the first exception."""
    barrier = threading.Barrier(count)

    def begin(n: int) -> Result:
        barrier.wait()
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count), timeout=240))


def send_ctrl_c() -> None:
    """Interrupt the main thread as Ctrl-C does. On Windows os.kill would end the process."""
    if os.name == "nt":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)
