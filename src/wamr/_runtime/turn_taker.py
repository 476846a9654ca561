"""Awaited calls and the turns that they take, also when host functions of one make others.

turns.py has the lines in which calls stand. A context variable names the call whose host function
runs, or has started the task that runs, so that calls for its sake run above it.
"""

from __future__ import annotations

from _thread import RLock
from contextlib import suppress
from contextvars import ContextVar

from .._backend.binding import lib
from .._base.clock import monotonic_ns
from .._base.locks import locked
from .._base.per_thread import PerThread
from ..errors import trap_from_text
from .awaiter import Awaiter
from .deadline_timer import DeadlineTimer
from .event_loops import running_loop
from .turns import Line, Place, line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .execution import Execution

_DRIVE = "Drive Func.execution instead: its events have what to await"
serving: ContextVar[TurnTaker | None] = ContextVar("wamr call", default=None)
_levels = RLock()  # guards that a call and its level agree on whether the call runs
running = PerThread()  # of each thread: the innermost TurnTaker whose code it runs


class TurnTaker(Awaiter):
    """A call that an event loop awaits, and its turn."""

    __slots__ = (
        "_abandoned",
        "_address",
        "_in_level",
        "_in_line",
        "_level",
        "_line",
        "_parent",
        "_place",
        "_runs",
        "execution",
        "loop",
        "over",
    )

    def __init__(self, execution: Execution) -> None:
        super().__init__()
        self.loop = running_loop("call_async", _DRIVE, execution)
        self.execution: Any = execution  # None: it has ended
        self._abandoned = False
        self._address = execution._address
        self._level: Line | None = None  # of calls that its host functions make
        self._line: Line | None = None
        self._in_level, self._in_line = Place(self), Place(self)
        self._parent = serving.get()
        self._place: Place | None = None  # in which it waits
        self._runs = False
        self.over = False

    def _outer(self) -> TurnTaker | None:
        """Return the innermost call of the same group that waits for this one."""
        group, call = self.group, self._parent
        while call is not None and (call.ended or group != call.group):
            call = call._parent
        return call

    @property
    def ended(self) -> bool:
        """Whether the call has ended."""
        return self.execution is None

    @property
    def group(self) -> int:
        """The number of the call's group in C."""
        execution = self.execution
        return 0 if execution is None else lib.wpy_func_group(execution._fn)

    async def wait_for_turn(self, *, inline: bool) -> None:
        """Wait until the call may run; RuntimeError if that would be for ever.

        inline: whether it runs in this thread.
        """
        execution = self.execution
        if lib.wpy_func_is_entered(execution._fn) and not self._is_started_only():
            # within a plain host function, which waits for this call
            if not inline:
                raise RuntimeError(
                    f"{execution}: call_async would wait for itself: the call of its instance that "
                    "this is called in goes on only afterwards. Make the host function an "
                    "`async def`"
                )
            self._runs = True
            return
        while True:
            outer, group = self._outer(), self.group
            line = self._line = outer.level if outer is not None else line_of(group)
            if await self._take_turn(line, self._in_line) and group == self.group:
                self._runs = True
                return
            line.leave(self._in_line)
            self._line = None
            if execution._lifetime.closed:
                return  # to start it raises ClosedError

    def _is_started_only(self) -> bool:
        """Tell whether the host function that this call is made in doesn't wait for its end.

        It can't, if this call's loop runs it: the host function is stepped in it, or starts a task.
        """
        outer: TurnTaker | None = running.get()
        return outer is not None and outer.loop is self.loop

    @property
    def level(self) -> Line:
        """The line of calls that host functions of this one make."""
        line: Line = locked(_levels, self._make_level)
        return line

    def _make_level(self) -> Line:
        level = self._level
        if level is None:
            level = Line()
            if self._runs:
                level.join(self._in_level)
            self._level = level
        return level

    async def _take_turn(self, line: Line, place: Place) -> bool:
        """Take the turn; False: the line has ended, or the instance was closed."""
        if line.join(place):
            return not line.ended
        self._place = place
        self.follow(self.execution._lifetime.instance_id)
        timer = self.timer(place.wake_here)
        try:
            while not self.execution._lifetime.closed:
                if await line.wait(place, self.loop):
                    return True
                if line.ended:
                    return False
                if self._is_late():
                    break
        except BaseException:
            line.leave(place)
            raise
        finally:
            self._place = None
            if timer is not None:
                timer.cancel()
        line.leave(place)
        self.check_time()
        return False

    def pause_turn(self) -> None:
        """Let calls of host functions run, while this one is suspended."""
        locked(_levels, self._give_way)

    def _give_way(self) -> None:
        self._runs = False
        if self._level is not None:
            self._level.leave(self._in_level)

    async def resume_turn(self) -> None:
        """Wait until none of them runs."""
        level = locked(_levels, self._go_on_alone)
        if level is not None:
            await self._take_turn(level, self._in_level)
            self._runs = True

    def _go_on_alone(self) -> Line | None:
        """Let the call run if nobody has asked for its level yet, which is returned otherwise."""
        if self._level is None:
            self._runs = True
        return self._level

    def follow(self, instance_id: int) -> None:
        """Be told when this instance is closed or interrupted."""

    def abandon(self) -> None:
        """End the execution without running any more code."""
        self._abandoned = True
        with suppress(RuntimeError):  # it runs in a thread, which ends it
            self.execution.close()

    def end_turn(self) -> None:
        """Leave all lines; the call has ended."""
        self.execution = None  # tasks that its host functions have started still refer to this
        if self._line is not None:
            self._line.leave(self._in_line)
        if self._level is not None:
            self._level.end()

    # ---- time
    def timer(self, function: Callable[[], object]) -> DeadlineTimer | None:
        """Call a function when the call's time is over."""
        if not self.execution._deadline:
            return None
        return DeadlineTimer(self.execution, self.loop, function)

    def _is_late(self) -> bool:
        deadline: int = self.execution._deadline
        return deadline != 0 and monotonic_ns() >= deadline

    def check_time(self) -> None:
        if self._is_late():
            raise trap_from_text("timed out")
