"""A run: a program that runs to its end at once, as `run`, `run_async` and `Program.run` do."""

from __future__ import annotations

from .._base.clock import monotonic_ns
from .._runtime.limits import checked_timeout
from ..errors import TimeoutTrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from .request import Request


class ExceptionsOfRun:
    """A context, in which a program runs, that raises the exceptions of `run`.

    Its value is the time at which the timeout of the request begins, by monotonic_ns. No generator:
    contextlib sets the traceback of an exception, which not every exception allows.
    """

    __slots__ = ("_begin", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request

    def __enter__(self) -> int:
        self._begin = monotonic_ns()
        return self._begin

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        limit = checked_timeout(self._request.timeout)
        if isinstance(error, TimeoutTrap) and limit and monotonic_ns() >= self._begin + limit:
            raise self._request.timed_out() from error
        self._request.captured.attach_to(error)
