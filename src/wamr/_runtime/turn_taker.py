"""Awaited calls and the turns that they take, also when host functions of one make others.

turns.py has the queues in which calls wait. A context variable names the call whose host function
runs, or has started the task that runs, so that calls for its sake run above it.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar

from .._backend.binding import lib
from .._base.clock import monotonic_ns
from .._base.locks import locked, new_lock
from .._base.per_thread import PerThread
from ..errors import trap_from_text
from .awaiter import Awaiter
from .deadline_timer import DeadlineTimer
from .event_loops import running_loop
from .turns import CallQueue, Place, queue_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .execution import Execution

_DRIVE = "Drive Func.execution instead: its events have what to await"
serving: ContextVar[TurnTaker | None] = ContextVar("wamr call", default=None)
_inner_lock = new_lock()  # guards that a call and its inner queue agree on whether the call runs
running = PerThread()  # of each thread: the innermost TurnTaker whose code it runs


class TurnTaker(Awaiter):
    """A call that an event loop awaits, and its turn."""

    __slots__ = (
        "_abandoned",
        "_address",
        "_inner_place",
        "_inner_queue",
        "_parent",
        "_place",
        "_queue",
        "_queue_place",
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
        self._inner_queue: CallQueue | None = None  # see inner_queue
        self._queue: CallQueue | None = None  # in which it has its turn, or waits for it
        self._inner_place, self._queue_place = Place(self), Place(self)
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
            queue = self._queue = outer.inner_queue if outer is not None else queue_of(group)
            if await self._take_turn(queue, self._queue_place) and group == self.group:
                self._runs = True
                return
            queue.leave(self._queue_place)
            self._queue = None
            if execution._lifetime.closed:
                return  # to start it raises ClosedError

    def _is_started_only(self) -> bool:
        """Tell whether the host function that this call is made in doesn't wait for its end.

        It can't, if this call's loop runs it: the host function is stepped in it, or starts a task.
        """
        outer: TurnTaker | None = running.get()
        return outer is not None and outer.loop is self.loop

    @property
    def inner_queue(self) -> CallQueue:
        """The queue of the calls that host functions of this call make, and of this call."""
        queue: CallQueue = locked(_inner_lock, self._make_inner_queue)
        return queue

    def _make_inner_queue(self) -> CallQueue:
        queue = self._inner_queue
        if queue is None:
            queue = CallQueue()
            if self._runs:
                queue.join(self._inner_place)
            self._inner_queue = queue
        return queue

    async def _take_turn(self, queue: CallQueue, place: Place) -> bool:
        """Take the turn; False: the queue has ended, or the instance was closed."""
        if queue.join(place):
            return not queue.ended
        self._place = place
        self.follow(self.execution._lifetime.instance_id)
        timer = self.timer(place.wake_here)
        try:
            while not self.execution._lifetime.closed:
                if await queue.wait(place, self.loop):
                    return True
                if queue.ended:
                    return False
                if self._is_late():
                    break
        except BaseException:
            queue.leave(place)
            raise
        finally:
            self._place = None
            if timer is not None:
                timer.cancel()
        queue.leave(place)
        self.check_time()
        return False

    def pause_turn(self) -> None:
        """Let the calls that its host functions make run, while this call is suspended."""
        locked(_inner_lock, self._give_way)

    def _give_way(self) -> None:
        self._runs = False
        if self._inner_queue is not None:
            self._inner_queue.leave(self._inner_place)

    async def resume_turn(self) -> None:
        """Wait until none of these calls runs."""
        queue = locked(_inner_lock, self._go_on_alone)
        if queue is not None:
            await self._take_turn(queue, self._inner_place)
            self._runs = True

    def _go_on_alone(self) -> CallQueue | None:
        """Let the call run if it has no inner queue yet; otherwise return the inner queue."""
        if self._inner_queue is None:
            self._runs = True
        return self._inner_queue

    def follow(self, instance_id: int) -> None:
        """Be told when this instance is closed or interrupted."""

    def abandon(self) -> None:
        """End the execution without running any more code."""
        self._abandoned = True
        with suppress(RuntimeError):  # it runs in a thread, which ends it
            self.execution.close()

    def end_turn(self) -> None:
        """Leave all queues; the call has ended."""
        self.execution = None  # tasks that its host functions have started still refer to this
        if self._queue is not None:
            self._queue.leave(self._queue_place)
        if self._inner_queue is not None:
            self._inner_queue.end()

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
