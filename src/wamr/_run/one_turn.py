"""A run: a program that runs to its end in one turn, as `run_async` and `Program.run` need it."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic_ns

from .._runtime.limits import checked_timeout
from ..errors import TimeoutTrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import Request


@contextmanager
def exceptions_of_run(request: Request) -> Iterator[int]:
    """Let the block, which runs a program, raise the exceptions of `run`.

    Its value is the time at which the timeout of the request begins, by monotonic_ns.
    """
    begin = monotonic_ns()
    try:
        yield begin
    except BaseException as error:
        limit = checked_timeout(request.timeout)
        if isinstance(error, TimeoutTrap) and limit and monotonic_ns() >= begin + limit:
            raise request.timed_out() from error
        request.captured.attach_to(error)
        raise
