"""Awaited calls: executions that an event loop drives, between other things that it does.

`drive` runs an execution to its end, or to an event that its caller wants. Wasm code runs in a
thread of the executor, or, `inline`, in slices in the thread of the loop. What it waits for, the
awaitables of host functions and the events of WASI, is awaited in the task that awaits the call, so
no thread is occupied meanwhile. Only public parts of asyncio are used. turn_taker.py tells which
call of a group may run.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from weakref import ref

from .._backend.binding import ffi, lib
from .._backend.waiting import checks_of_waits
from .._base.registry import WeakRegistry, new_key
from .._base.suspension import SUSPEND
from ..errors import _TracedError, trap_from_text
from .awaitables import Begun, coroutine_of, stepping
from .awaiter import Stepped, cancellations
from .event_waits import FIRST_PAUSE, LONGEST_PAUSE, unanswered, wait_for_event
from .executor import in_thread
from .state import awaited_in
from .turn_taker import TurnTaker, running, serving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .event import Event
    from .execution import Execution


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
        return await call.run(until)
    except BaseException:
        call.abandon()
        raise
    finally:
        call.over = True  # whatever prevents the rest
        call.end()


class AwaitedCall(TurnTaker):
    """An execution that a task awaits."""

    __slots__ = (
        "_error",
        "_followed",
        "_is_awaiting",
        "_pause",
        "_timed_out",
        "inline",
    )

    def __init__(self, execution: Execution, inline: bool) -> None:
        super().__init__(execution)
        self.inline = inline
        self._error: BaseException | None = None  # that is to be thrown
        self._is_awaiting = False
        self._pause = FIRST_PAUSE
        self._timed_out = False
        execution._bare_events = True
        execution._begin_timeout()
        self._followed: dict[int, WeakRegistry] = {}
        if inline:
            stepping[self._address] = ref(self)

    # ---- running
    async def run(self, until: Callable[[Event], bool] | None) -> tuple[Event | None, Any]:
        """Run the execution as `drive` says."""
        await self.wait_for_turn(inline=self.inline)
        event, result = self.execution._event, None
        if event is None or event.kind != "call":  # otherwise it is resumed, from there
            event, result = await self.go(self.execution.send, None)
        while event is not None and not (until is not None and until(event)):
            event, result = await self.go(*await self.answer(event))
        return event, result

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
                    done: tuple[Event | None, Any] = await in_thread(
                        partial(self._run_in_thread, method, value)
                    )
                    return done
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
            self.check_time()

    def _run_here(self, method: Callable[[Any], Event], value: Any) -> tuple[Event | None, Any]:
        done: tuple[Event | None, Any] = running.during(self, self._step, method, value)
        return done

    def _step(self, method: Callable[[Any], Event], value: Any) -> tuple[Event | None, Any]:
        token = serving.set(self)
        try:
            return method(value), None
        except StopIteration as end:
            return None, end.value
        finally:
            serving.reset(token)

    def _run_in_thread(
        self, method: Callable[[Any], Event], value: Any, stop: Any
    ) -> tuple[Event | None, Any]:
        execution = self.execution

        def check() -> None:
            if stop[0]:
                raise trap_from_text("interrupted")

        check()
        done: tuple[Event | None, Any] = checks_of_waits.during(
            check, self._run_here, method, value
        )
        if self._abandoned:
            execution.close()
        return done

    def step(self, step: Callable[[Any], Any], value: Any) -> Any:
        """Call a method of the coroutine that is awaited."""
        # around each step: while it waits, the context may be another coroutine's
        outer = serving.get()
        serving.set(self)
        try:
            return step(value)
        finally:
            serving.set(outer)

    def begin(self, awaitable: Any) -> tuple[Any, Any]:
        """Step an awaitable in a host function; return what is left of it, or None and its result.

        See awaitables.py.
        """
        coroutine = coroutine_of(awaitable)
        try:
            return Begun(coroutine, coroutine.send(None)), None
        except StopIteration as end:
            return None, end.value

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
            method, value = await self._await(event.awaitable)
            if value is not SUSPEND:
                return method, value
        self._error = unanswered(event)
        return _throw, self

    async def _await(self, awaitable: Any) -> tuple[Callable[[Any], Event], Any]:
        """Await something while calls of host functions may run."""
        self._follow_instances()
        self.pause_turn()
        timer = self.timer(self._time_out)
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
        await self.resume_turn()
        return method, value

    def _time_out(self) -> None:
        self._timed_out = True
        self.wake()

    def tell(self) -> None:
        """Look whether an instance of the call was closed or interrupted; any thread calls this."""
        if self._is_awaiting or self._place is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._place is not None:
            self._place.wake_here()
        elif self._is_awaiting and lib.wpy_execution_is_doomed(self.execution._c):
            self.wake()

    def _follow_instances(self) -> None:
        """Be told when an instance that the call has entered is closed or interrupted."""
        c = self.execution._c
        count = lib.wpy_execution_instances(c, ffi.NULL, 0)
        if count < 2:
            self.follow(self.execution._lifetime.instance_id)
            return
        ids = ffi.new("uint64_t[]", count)
        lib.wpy_execution_instances(c, ids, count)
        for instance_id in {*ids}:
            self.follow(instance_id)

    def follow(self, instance_id: int) -> None:
        """Be told when this instance is closed or interrupted."""
        if instance_id in self._followed:
            return
        calls = awaited_in.get(instance_id)
        if calls is None:
            calls = awaited_in.setdefault(instance_id, WeakRegistry())
        self._followed[instance_id] = calls
        calls.add(new_key(), self)

    # ---- the end
    def end(self) -> None:
        """Leave all lines."""
        self._error = None
        self._followed.clear()
        self.execution._bare_events = False
        if self.inline:
            stepping.pop(self._address, None)
        self.end_turn()


def _throw(call: AwaitedCall) -> Event:
    error, call._error = call._error, None
    try:
        event: Event = call.execution.throw(error)
        return event
    finally:
        del error  # no cycle through the traceback


def _end_waiting(call: AwaitedCall) -> Event:
    event: Event = call.execution._end_waiting(timed_out=call._timed_out)
    return event
