"""A pytest plugin: limits of the time and the address space of a test.

Both limits are several times what any test takes on a busy machine. A test that hangs is killed
with a traceback of each thread on stderr and fails; pytest-xdist (`make test`) runs the other tests
in a new process. A test that reserves addresses without end reaches the limit, not the 2**47 bytes
of the processor: where the kernel, or an emulator, pays for reserved addresses, that would take all
memory of the machine.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from collecting import collect_everything

with contextlib.suppress(ImportError):
    import resource

SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
SECONDS = 300 * (4 if SANITIZED else 1)
# Of a test that compiles: a compiler needs minutes of processor time, which other processes share.
COMPILING = 3600.0
# Address space of a process, in bytes: 256 wasm memories, each of which reserves 4 GiB.
ADDRESSES = 1 << 40
TIMER = hasattr(signal, "setitimer")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seconds", type=float, default=SECONDS, help="the time limit of a test")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "seconds(n): the time limit of the test")
    config.addinivalue_line(
        "markers", "much_address_space: the test has no limit of its address space"
    )
    if TIMER:
        # A signal and no watchdog thread: a process that forks should have no threads.
        assert sys.__stderr__
        file = os.fdopen(os.dup(sys.__stderr__.fileno()), "w")
        config.add_cleanup(file.close)
        faulthandler.register(signal.SIGALRM, file=file, chain=True)
        config.add_cleanup(lambda: faulthandler.unregister(signal.SIGALRM))


def limit_address_space(most: int | None) -> None:
    """Limit the address space of this process and its children; None: no limit."""
    if sys.platform == "linux" and not SANITIZED:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = hard if most is None or most > hard > 0 else most
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def reserved() -> int:
    """Return how many bytes of address space this process has reserved."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


class _Collector:
    """Frees the instances of cycles that earlier tests left, before they come near the limit.

    Python collects its oldest generation by the number of objects, and an instance with gigabytes
    of addresses is one object. What stays reserved is with the pools of WAMR's memories, which
    later tests use again: only what is reserved in addition may be garbage.
    """

    def __init__(self) -> None:
        self._kept = 0

    def collect_if_needed(self) -> None:
        if sys.platform != "linux" or SANITIZED:
            return
        if reserved() > max(ADDRESSES // 2, self._kept + ADDRESSES // 8):
            collect_everything()
            self._kept = reserved()


COLLECTOR = _Collector()


def start_timer(seconds: float) -> None:
    """End this process with a traceback after so many seconds, unless the timer is cancelled."""
    if TIMER:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        faulthandler.dump_traceback_later(seconds, exit=True)


def stop_timer() -> None:
    if TIMER:
        signal.setitimer(signal.ITIMER_REAL, 0)
    else:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def time_to_compile() -> Iterator[None]:
    """Let a compiler take longer than a test may; afterwards the test has its time again."""
    left = signal.getitimer(signal.ITIMER_REAL)[0] if TIMER else SECONDS
    start_timer(COMPILING)
    try:
        yield
    finally:
        start_timer(left)  # 0: there was no limit


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    mark = item.get_closest_marker("seconds")
    limit_address_space(None if item.get_closest_marker("much_address_space") else ADDRESSES)
    start_timer(mark.args[0] if mark else item.config.getoption("--seconds"))
    try:
        return (yield)
    finally:
        stop_timer()
        COLLECTOR.collect_if_needed()
