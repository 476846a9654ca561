"""Awaited calls: executions that an event loop drives, between other things that it does.

`drive` runs an execution to its end, or to an event that its caller wants. Wasm code runs in a
thread of the executor, or, `inline`, in slices in the thread of the loop. What it waits for, the
awaitables of host functions and the events of WASI, is awaited in the task that awaits the call, so
no thread is occupied meanwhile. Only public parts of asyncio are used. turns.py tells which call
of a group may run.
"""

from __future__ import annotations

import asyncio
from _thread import get_ident
from contextvars import ContextVar
from time import monotonic_ns
from weakref import ref

from .._backend.binding import ffi, lib
from .._backend.waiting import CheckedWaiting
from .._base.registry import WeakRegistry, new_key
from ..errors import _TracedError, trap_from_text
from .awaitables import Begun, coroutine_of, stepping
from .deadline_timer import DeadlineTimer
from .event_waits import FIRST_PAUSE, LONGEST_PAUSE, unanswered, wait_for_event
from .executor import in_thread
from .state import find_instance_state
from .turns import Line, line_of, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .event import Event
    from .execution import Execution
    from .state import InstanceState

# The call whose host function runs, or has started the task that runs.
_serving: ContextVar[AwaitedCall | None] = ContextVar("wamr call", default=None)
_steppers: dict[int, int] = {}  # thread -> in how many host functions it steps coroutines


async def drive(
    execution: Execution,
    *,
    inline: bool = False,
    until: Callable[[Event], bool] | None = None,
) -> tuple[Event | None, Any]:
    """Run an execution to its end, and return None and its result.

    inline: run the code in the thread of the event loop, and let the loop go on after each of the
    execution's slices; otherwise in a thread of the executor. until: tells whether to stop at an
    event, which is returned with None; the execution is suspended then. Raises what the call
    raises; CancelledError when nothing of the call runs any more, and the execution is closed.
    """
    call = AwaitedCall(execution, inline)
    try:
        await call.wait_for_turn()
        event, result = execution._event, None
        if event is None or event.kind != "call":  # otherwise it is resumed, from there
            event, result = await call.go(execution.send, None)
        while event is not None and not (until is not None and until(event)):
            event, result = await call.go(*await call.answer(event))
    except BaseException:
        call.abandon()
        raise
    finally:
        call.end()
    return event, result


class Awaiter:
    """Awaits something that may be cancelled although its task isn't."""

    __slots__ = ("_future", "_woken")

    def __init__(self) -> None:
        self._future: Any = None  # that the awaitable has yielded
        self._woken = False

    def step(self, step: Callable[[Any], Any], value: Any) -> Any:
        """Call a method of the coroutine that is awaited."""
        return step(value)

    def wake(self) -> None:
        """Cancel what is awaited; in the thread of the loop."""
        if not self._woken:
            self._woken = True
            if self._future is not None:
                self._future.cancel()


class AwaitedCall(Awaiter):
    """An execution that a task awaits."""

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_address",
        "_error",
        "_is_awaiting",
        "_level",
        "_line",
        "_parent",
        "_pause",
        "_place",
        "_runs",
        "_timed_out",
        "execution",
        "inline",
        "loop",
        "thread",
    )

    def __init__(self, execution: Execution, inline: bool) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.execution: Any = execution
        self.inline = inline
        self.thread = 0  # in which its code runs
        self._abandoned = False
        self._address = execution._address
        self._error: BaseException | None = None  # that is to be thrown
        self._is_awaiting = False
        self._level: Line | None = None  # of calls that its host functions make
        self._line: Line | None = None
        self._parent = _serving.get()
        self._pause = FIRST_PAUSE
        self._place: Any = None
        self._runs = False
        self._timed_out = False
        execution._bare_events = True
        execution._begin_timeout()
        self._follow(execution._lifetime)
        if inline:
            stepping[self._address] = ref(self)

    # ---- turns
    def _outer(self) -> AwaitedCall | None:
        """Return the innermost call of the same group that waits for this one."""
        group = lib.wpy_func_group(self.execution._fn)
        call = self._parent
        while call is not None and (call.ended or group != call.group):
            call = call._parent
        return call

    @property
    def ended(self) -> bool:
        """Whether the call has ended."""
        return self._address == 0

    @property
    def group(self) -> int:
        """The number of the call's group in C."""
        return lib.wpy_func_group(self.execution._fn)

    async def wait_for_turn(self) -> None:
        """Wait until the call may run; RuntimeError if that would be for ever."""
        execution = self.execution
        if lib.wpy_func_is_entered(execution._fn) and get_ident() not in _steppers:
            # within a plain host function, which waits for this call
            if not self.inline:
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
            if await self._take_turn(line) and group == self.group:
                self._runs = True
                return
            line.leave(self)
            self._line = None
            if execution._lifetime.closed:
                return  # to start it raises ClosedError

    @property
    def level(self) -> Line:
        """The line of calls that host functions of this one make."""
        with lock:
            if self._level is None:
                self._level = Line()
                if self._runs:
                    self._level.try_take(self)
            return self._level

    async def _take_turn(self, line: Line) -> bool:
        """Take the turn; False: the line has ended, or the instance was closed."""
        place = line.join(self)
        if place is None:
            return not line.ended
        self._place = place
        timer = self._timer(place.wake_here)
        try:
            while not await line.wait(place):
                if line.ended:
                    return False
                if self.execution._lifetime.closed or self._is_late():
                    line.drop(place)
                    self._check_time()
                    return False
        finally:
            self._place = None
            if timer is not None:
                timer.cancel()
        return True

    def _pause_turn(self) -> None:
        """Let calls of host functions run, while this one is suspended."""
        with lock:
            self._runs = False
            if self._level is not None:
                self._level.leave(self)

    async def _resume_turn(self) -> None:
        """Wait until none of them runs."""
        with lock:
            level = self._level
            if level is None:
                self._runs = True
                return
        await self._take_turn(level)
        self._runs = True

    # ---- running
    async def go(self, method: Callable[[Any], Event], value: Any) -> tuple[Event | None, Any]:
        """Start or resume; return the next event, or None and the result."""
        execution = self.execution
        pause = FIRST_PAUSE
        while True:
            execution._refused = 0
            event = execution._event
            try:
                in_the_way = (self.inline or execution._packs_late) and not (
                    lib.wpy_execution_is_free(execution._c)
                )
                if not in_the_way and self.inline:
                    return self._run_here(method, value)
                if not in_the_way:
                    return await in_thread(lambda stop: self._run_in_thread(method, value, stop))
            except RuntimeError:
                if execution._refused not in (lib.WPY_NOT_LAST, lib.WPY_HELD):
                    raise
            except (TypeError, ValueError, OverflowError) as error:
                if event is None or execution._event is not event:
                    raise
                # what the awaitable has returned is no result
                self._error = error
                method, value = _throw, self
            # a call that isn't awaited is in the way
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self._check_time()

    def _run_here(self, method: Callable[[Any], Event], value: Any) -> tuple[Event | None, Any]:
        before = self.thread
        self.thread = get_ident()
        token = _serving.set(self)
        try:
            return method(value), None
        except StopIteration as end:
            return None, end.value
        finally:
            _serving.reset(token)
            self.thread = before

    def _run_in_thread(
        self, method: Callable[[Any], Event], value: Any, stop: Any
    ) -> tuple[Event | None, Any]:
        execution = self.execution

        def check() -> None:
            if stop[0]:
                raise trap_from_text("interrupted")

        check()
        with CheckedWaiting(check):
            done = self._run_here(method, value)
        if self._abandoned:
            execution.close()
        return done

    def step(self, step: Callable[[Any], Any], value: Any) -> Any:
        """Call a method of the coroutine that is awaited."""
        # around each step: while it waits, the context may be another coroutine's
        outer = _serving.get()
        _serving.set(self)
        try:
            return step(value)
        finally:
            _serving.set(outer)

    def begin(self, awaitable: Any) -> tuple[Any, Any]:
        """Step an awaitable in a host function; return what is left of it, or None and its result.

        See awaitables.py.
        """
        coroutine = coroutine_of(awaitable)
        thread = self.thread
        _steppers[thread] = _steppers.get(thread, 0) + 1
        try:
            return Begun(coroutine, coroutine.send(None)), None
        except StopIteration as end:
            return None, end.value
        finally:
            _steppers[thread] -= 1
            if not _steppers[thread]:
                del _steppers[thread]

    # ---- waiting
    async def answer(self, event: Event) -> tuple[Callable[[Any], Event], Any]:
        """Wait for what the code waits for; return the method to go on with, and its argument."""
        if event.kind == "slice":
            await asyncio.sleep(0)
            return self.execution.send, None
        if event.kind != "call":
            pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
            return await self._await(wait_for_event(event, pause=pause))
        self._pause = FIRST_PAUSE
        if event.awaitable is not None:
            return await self._await(event.awaitable)
        self._error = unanswered(event)
        return _throw, self

    async def _await(self, awaitable: Any) -> tuple[Callable[[Any], Event], Any]:
        """Await something while calls of host functions may run."""
        self._follow_instances()
        self._pause_turn()
        timer = self._timer(self._time_out)
        before = cancellations()
        self._is_awaiting = True
        if lib.wpy_execution_is_doomed(self.execution._c):  # it happened just before
            self.wake()
        method: Callable[[Any], Event] = self.execution.send
        try:
            value = await Stepped(self, awaitable)
        except GeneratorExit:
            raise
        except asyncio.CancelledError:
            if not self._woken or cancellations() > before:
                raise
            method, value = _end_waiting, self
        except BaseException as error:
            if not isinstance(error, _TracedError):  # wasm code neither catches it nor adds frames
                raise
            self._error = error
            method, value = _throw, self
        finally:
            self._is_awaiting = False
            if timer is not None:
                timer.cancel()
        await self._resume_turn()
        return method, value

    def _timer(self, function: Callable[[], object]) -> DeadlineTimer | None:
        """Call a function when the call's time is over."""
        if not self.execution._deadline:
            return None
        return DeadlineTimer(self.execution, self.loop, function)

    def _is_late(self) -> bool:
        deadline = self.execution._deadline
        return deadline != 0 and monotonic_ns() >= deadline

    def _check_time(self) -> None:
        if self._is_late():
            raise trap_from_text("timed out")

    def _time_out(self) -> None:
        self._timed_out = True
        self.wake()

    def tell(self) -> None:
        """Look whether an instance of the call was closed or interrupted; any thread calls this."""
        if self._is_awaiting or self._place is not None:
            try:
                self.loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # the loop is closed
                pass

    def _look(self) -> None:
        if self._place is not None:
            self._place.wake_here()
        elif self._is_awaiting and lib.wpy_execution_is_doomed(self.execution._c):
            self.wake()

    def _follow_instances(self) -> None:
        """Be told when an instance that the call has entered is closed or interrupted."""
        c = self.execution._c
        count = lib.wpy_execution_instances(c, ffi.NULL, 0)
        if count < 2:  # the outermost one is known
            return
        ids = ffi.new("uint64_t[]", count)
        lib.wpy_execution_instances(c, ids, count)
        for number in {*ids}:
            state = find_instance_state(number)
            if state is not None:
                self._follow(state)

    def _follow(self, state: InstanceState) -> None:
        if state.awaited is None:
            state.awaited = WeakRegistry()
        state.awaited.add(new_key(), self)

    # ---- the end
    def abandon(self) -> None:
        """End the execution without running any more code."""
        self._abandoned = True
        try:
            self.execution.close()
        except RuntimeError:  # it runs in a thread, which ends it
            pass

    def end(self) -> None:
        """Leave all lines."""
        self._error = None
        if self.inline:
            stepping.pop(self._address, None)
        self._address = 0
        self.execution = None  # tasks that its host functions have started still refer to this
        if self._line is not None:
            self._line.leave(self)
        if self._level is not None:
            self._level.end()


def _throw(call: AwaitedCall) -> Event:
    error, call._error = call._error, None
    try:
        return call.execution.throw(error)
    finally:
        del error  # no cycle through the traceback


def _end_waiting(call: AwaitedCall) -> Event:
    return call.execution._end_waiting(timed_out=call._timed_out)


def cancellations() -> int:
    """Return how often the task was cancelled, where asyncio counts that (3.11)."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return 0 if cancelling is None else cancelling()


class Stepped:
    """Awaits something for an Awaiter, and tells it what future that waits for."""

    __slots__ = ("_awaitable", "_call")

    def __init__(self, call: Awaiter, awaitable: Any) -> None:
        self._call = call
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        call, awaitable = self._call, self._awaitable
        self._awaitable = None
        try:
            if isinstance(awaitable, Begun):
                coroutine, item = awaitable.take()
            else:
                coroutine = coroutine_of(awaitable)
                item = call.step(coroutine.send, None)
            del awaitable
            cancelled = False
            while True:
                call._future = item if hasattr(item, "cancel") else None
                if call._woken and not cancelled and call._future is not None:
                    cancelled = True
                    item.cancel()
                try:
                    sent = yield item
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the coroutine gets it
                    step, value = coroutine.throw, error
                else:
                    step, value = coroutine.send, sent
                call._future = None
                try:
                    item = call.step(step, value)
                finally:
                    del step, value  # no cycle through the traceback
        except StopIteration as end:
            return end.value
        finally:
            call._future = None
