"""Another thread that does something soon, for tests of what ends a call that runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def repeatedly(action: Callable[[], object], every: float = 0.02) -> Iterator[None]:
    """Let another thread do this again and again until the block ends.

    An interrupt that comes before the call that it is for has begun is lost, and on a busy machine
    no time is long enough to wait for that.
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
