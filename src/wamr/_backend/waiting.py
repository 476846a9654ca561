"""Operations that may have to wait for another thread's call, and the errors of waiting.

A C function that waits for the lock of a group returns `WPY_BUSY` after 50 ms, so that Python can
check whether waiting still makes sense.
"""

from __future__ import annotations

from sys import is_finalizing

from .._base.per_thread import PerThread
from ..errors import trap_from_text
from .binding import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BUSY = lib.WPY_BUSY
# of each thread: a function that each of its waits calls every 50 ms; it may raise
checks_of_waits = PerThread()


def retry_while_busy(attempt: Callable[[], int], label: object, status: int) -> int:
    """Repeat `attempt` until its status isn't `WPY_BUSY`; status: of the first attempt.

    Raises RuntimeError if the interpreter has ended: the other thread, a daemon thread, was stopped
    in the middle of its call and never leaves it. label: how the message names the operation.
    """
    while status == _BUSY:
        if is_finalizing():
            raise RuntimeError(
                f"{label}: another thread was in its instance when the interpreter ended, and "
                "never leaves it"
            )
        check = checks_of_waits.get()
        if check is not None:
            check()
        status = attempt()
    return status


def waiting_error(status: int, label: object) -> RuntimeError | None:
    """Return the error for a status that says why waiting failed; None: it says something else."""
    if status == lib.WPY_FORKED:
        return RuntimeError(
            f"{label}: another thread was in its instance when this process was forked; make a new "
            "one"
        )
    if status == lib.WPY_DEADLOCK:
        return RuntimeError(
            f"{label} would wait for ever: another thread is in its instance and waits for one "
            "that this thread is in"
        )
    if status == lib.WPY_HELD:
        return RuntimeError(
            f"{label}: another call is suspended in the middle of its instance's code: resume or "
            "close it first"
        )
    return None


def wait_for(attempt: Callable[[], int], label: str, status: int | None = None) -> int:
    """Repeat `attempt` until it isn't busy, and return its status.

    status: of the first attempt, if the caller has made it. Raises RuntimeError if waiting failed,
    and Trap if the call that this thread is in was stopped meanwhile.
    """
    if status is None:
        status = attempt()
    if not status:
        return status
    status = retry_while_busy(attempt, label, status)
    if status in (lib.WPY_INTERRUPTED, lib.WPY_TIMEOUT):
        raise trap_from_text("interrupted" if status == lib.WPY_INTERRUPTED else "timed out")
    error = waiting_error(status, label)
    if error is not None:
        raise error
    return status
