"""A running program: the execution of its `_start`, and the turns in which it is driven.

A program runs in turns: a turn of a session is one `feed`, a run is one turn. `Turn.step` runs code
until it stops; between two steps a driver waits for the event that `step` has returned, with
wait_for_event in a thread (`drive`). This module knows neither sessions nor results.
"""

from __future__ import annotations

from contextlib import suppress

from .._base.clock import monotonic_ns
from .._base.locks import SoleUse
from .._runtime.limits import NO_LIMIT, checked_timeout
from .._runtime.snapshot import Snapshot
from ..errors import ClosedError, ExitTrap
from .waiting import wait_for_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from .._runtime.event import Event
    from .._runtime.execution import Execution
    from .._runtime.instance import Instance
    from .._wasi.streams import Streams
    from .captured import Captured
    from .fed_input import FedInput


class Running:
    """A program between its start and its end.

    args: for exceptions. execution: of `_start`. fed: its stdin if that is fed, else None.
    timeout_ns: of the limits, for each turn; 0: none.
    """

    __slots__ = (
        "_use",
        "args",
        "captured",
        "closed",
        "event",
        "execution",
        "failure",
        "fed",
        "instance",
        "returncode",
        "streams",
        "timeout_ns",
        "waker",
    )

    def __init__(
        self,
        args: Any,
        instance: Instance,
        execution: Execution,
        streams: Streams,
        captured: Captured,
        timeout_ns: int,
        fed: FedInput | None = None,
    ) -> None:
        self.args = args
        self.instance = instance
        self.execution = execution
        self.streams = streams
        self.captured = captured
        self.fed = fed
        self.timeout_ns = timeout_ns
        self.event: Event | None = None  # at which it has stopped
        self.returncode: int | None = None
        self.failure: str | None = None  # the exception that has ended it
        self.closed = False
        self.waker: Callable[[], object] | None = None  # ends the wait of a turn
        self._use = SoleUse()  # during a turn, and while it is taken down

    @property
    def over(self) -> bool:
        """Whether the program has ended, by itself or with an exception."""
        return self.returncode is not None or self.failure is not None

    @property
    def waits_for_input(self) -> bool:
        """Whether the program has stopped because it was fed no more."""
        event = self.event
        return event is not None and event.kind == "stdin" and self.fed is not None and not self.fed

    def turn(
        self,
        timeout: float | None,
        *,
        since: int | None = None,
        feeds: Callable[[], bytes] = bytes,
        ends: bool = False,
    ) -> Turn:
        """Return a new turn; timeout: seconds until it raises TimeoutExpired.

        since: when the timeout has begun, a time of monotonic_ns; None: now. feeds: returns data
        for stdin; called if the turn begins. ends: whether the input ends.
        """
        return Turn(self, timeout, monotonic_ns() if since is None else since, feeds, ends)

    def snapshot(self, on_restore: Any) -> Snapshot:
        """Return a snapshot of the program as it has stopped; as `Session.snapshot`."""
        snapshot: Snapshot = self.turn(None).run(self._snapshot, on_restore)
        return snapshot

    def _snapshot(self, on_restore: Any) -> Snapshot:
        execution = None if self.execution.state == "new" else self.execution
        return Snapshot(self.instance, execution, on_restore=on_restore)

    def close(self) -> None:
        """End the program, also if it runs in another thread, or is the caller of this."""
        self.closed = True
        try:
            self._use.run(_InUse, self._take_down)
        except _InUse:
            self.instance.interrupt()  # whoever runs it takes it down
            waker = self.waker
            if waker is not None:
                with suppress(RuntimeError):  # the event loop is closed
                    waker()

    def _take_down(self) -> None:
        self.event = None
        self.execution.close()
        self.instance.store.close()

    def _begin(self, feeds: Callable[[], bytes], ends: bool) -> None:
        error = self._refusal()
        if error is not None:
            raise error
        data = feeds()
        if self.fed is not None:
            if data and self.fed.ended:
                raise RuntimeError("the program's input has ended")
            self.fed.feed(data)
            self.fed.ended |= ends

    def _refusal(self) -> Exception | None:
        """Return the reason why the program can't go on."""
        if self.returncode is not None:
            return RuntimeError(f"the program has ended, with exit code {self.returncode}")
        if self.closed:
            return ClosedError("the program is closed")
        if self.failure is not None:
            return RuntimeError(f"the program has ended, by {self.failure}")
        return None


class _InUse(Exception):
    """The program has a turn."""


def _runs_already() -> RuntimeError:
    return RuntimeError("the program runs already, in another call")


class Turn:
    """A turn, in which a program runs until it ends or waits to be fed."""

    __slots__ = ("_deadline", "_ends", "_feeds", "_input_ends", "_running", "_timeout")

    def __init__(
        self,
        running: Running,
        timeout: float | None,
        since: int,
        feeds: Callable[[], bytes],
        input_ends: bool,
    ) -> None:
        self._running = running
        self._timeout = timeout
        self._feeds, self._input_ends = feeds, input_ends
        limit = checked_timeout(timeout)
        self._ends = since + limit if limit else 0  # then the caller gets a TimeoutExpired
        self._deadline = since + running.timeout_ns if running.timeout_ns else 0  # the limit's

    @property
    def until(self) -> float | None:
        """When waiting has no sense any more, a time of time.monotonic(), or None."""
        ends = [end for end in (self._ends, self._running.execution._deadline) if end]
        return min(ends) / 1e9 if ends else None

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in this turn, and return what it returns.

        Raises RuntimeError, ClosedError, and what the function raises, with what was captured.
        """
        running = self._running
        try:
            return running._use.run(_runs_already, self._run, function, *args)
        finally:
            if running.closed:
                running.close()  # by another thread, meanwhile

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        self._running._begin(self._feeds, self._input_ends)
        try:
            return function(*args)
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._end()

    async def run_async(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Do the same with a coroutine function."""
        running = self._running
        try:
            return await running._use.run_async(_runs_already, self._run_async, function, *args)
        finally:
            if running.closed:
                running.close()

    async def _run_async(
        self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any
    ) -> Any:
        from asyncio import CancelledError

        self._running._begin(self._feeds, self._input_ends)
        try:
            return await function(*args)
        except BaseException as error:
            if isinstance(error, CancelledError) and error.__cause__ is not None:
                self._note_failure(error.__cause__)
            self._failed(error)
            raise
        finally:
            self._end()

    def _end(self) -> None:
        """Take the program down if it is over or was closed."""
        running = self._running
        if running.over or running.closed:
            running._take_down()

    def _was_closed(self, error: BaseException) -> bool:
        """Tell whether an exception is the trap of a program that another thread has closed."""
        if isinstance(error, ClosedError) or not isinstance(error, Exception):
            return False
        return self._running.closed

    def _failed(self, error: BaseException) -> None:
        """Note how the program has ended; raise ClosedError if it was closed while it ran."""
        self._note_failure(error)
        if self._was_closed(error):
            raise ClosedError("the program was closed while it ran") from error

    def _note_failure(self, error: BaseException) -> None:
        running = self._running
        if running.execution.state == "done" and not running.over:
            running.failure = type(error).__name__
            with suppress(Exception):  # the write of an incomplete character may fail
                running.streams.end()
        running.captured.attach_to(error)

    @property
    def returncode(self) -> int:
        """The exit code of the program, which has ended."""
        code = self._running.returncode
        assert code is not None
        return code

    def check(self) -> None:
        """Raise ClosedError if the program was closed meanwhile."""
        if self._running.closed:
            raise ClosedError("the program was closed while it waited")

    def wake_on_close(self, waker: Callable[[], object] | None) -> None:
        """Set the function that ends the wait of this turn; any thread may call it."""
        self._running.waker = waker

    def step(self, slice_ns: int = NO_LIMIT) -> Event | None:
        """Run code until it stops; return what to wait for, or None at the end of the turn.

        slice_ns: nanoseconds after which running code stops, too. Raises TimeoutExpired, and what
        the code raises.
        """
        running = self._running
        self.check()
        if self._ends:
            slice_ns = min(slice_ns, max(0, self._ends - monotonic_ns()))
        running.execution._limit(slice_ns, self._deadline)
        before, running.event = running.event, None
        try:
            running.event = event = running.execution.send(None)
        except StopIteration:
            running.returncode = 0
        except ExitTrap as trap:
            running.returncode = trap.exit_code
        except BaseException:
            if running.execution.state == "suspended":  # it could not go on
                running.event = before
            raise
        if running.returncode is not None:
            running.event = None
            running.streams.end()
            return None
        if running.waits_for_input:
            return None
        if self._ends and monotonic_ns() >= self._ends:
            raise running.captured.timed_out(running.args, self._timeout)
        return event


def drive(turn: Turn) -> None:
    """Run the program in this thread to the end of the turn, which has begun."""
    while (event := turn.step()) is not None:
        wait_for_event(event, turn.until, turn.check)
