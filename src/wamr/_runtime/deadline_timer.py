"""Timers in event loops for deadlines that may be extended meanwhile."""

from __future__ import annotations

from .._base.clock import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from .execution import Execution


class DeadlineTimer:
    """Calls a function when the timeout of an execution has ended, extensions included."""

    __slots__ = ("_execution", "_function", "_handle", "_loop")
    _handle: TimerHandle

    def __init__(
        self, execution: Execution, loop: AbstractEventLoop, function: Callable[[], object]
    ) -> None:
        self._execution = execution
        self._loop = loop
        self._function = function
        self._start()

    def _start(self) -> None:
        left = max(0, self._execution._deadline - monotonic_ns())
        self._handle = self._loop.call_later(left / 1e9, self._fire)

    def _fire(self) -> None:
        if monotonic_ns() >= self._execution._deadline:
            self._function()
        else:
            self._start()

    def cancel(self) -> None:
        """Don't call the function."""
        self._handle.cancel()
