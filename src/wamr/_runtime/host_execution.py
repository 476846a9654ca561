"""Executions of host functions, which Python calls itself: they stop if the callback suspends.

`call_host_async` awaits one. No wasm code runs, so there are no slices and no turns.
"""

from __future__ import annotations

from .._base.locks import SoleUse
from .._base.suspension import SUSPEND
from .._values.references import PassThroughContext
from ..errors import ClosedError, trap_from_text
from .awaitables import Unawaited, is_awaitable
from .event import Event
from .execution import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .execution import State


class _HostExecution(Execution):
    """The execution of a host function, by a generator."""

    __slots__ = ("_generator", "_pack", "_stopped")
    _generator: Generator[Event, Any, Any]
    _pack: Callable[[object], None]  # keeps a result; TypeError, OverflowError, ValueError

    @property
    def state(self) -> State:
        """The state."""
        return "running" if self._use else self._state_now()

    def _state_now(self) -> State:
        generator: Any = self._generator
        if generator.gi_frame is None:
            return "done"
        return "suspended" if self._stopped else "new"

    def _send(self, value: Any) -> Event:
        state = self._state_now()
        if state == "suspended":  # a wrong value must not end the generator
            self._pack(value)
        elif state == "new" and value is not None:
            raise TypeError(f"{self}: the first value that is sent must be None")
        event = self._generator.send(None)
        self._stopped = True
        return event

    def _throw(self, error: BaseException) -> Event:
        return self._generator.throw(error)

    def _close(self) -> None:
        self._generator.close()

    def _limit(self, slice_ns: int, deadline: int) -> None:
        """Do nothing: no code runs that limits could stop, as in `Func.execution`."""


def new_host_execution(func: Any, args: tuple[object, ...]) -> Execution:
    """Return the execution of a call of a host function; TypeError, OverflowError, ValueError."""
    host = func._host
    self = object.__new__(_HostExecution)
    self.func = func
    self._use = SoleUse()
    codec = host._codec
    context = PassThroughContext(func.store)
    cells = bytearray(codec.bytes)
    codec.pack_arguments(cells, args, context, self)
    values = codec.unpack_arguments(cells, context)

    def pack(result: object) -> None:
        host.pack(cells, result, context)

    def generator() -> Generator[Event, None, Any]:
        if func._lifetime.closed:
            raise ClosedError(f"{host} is closed")
        result = host.callback(*([None] if host.access_caller else []), *values)
        if result is SUSPEND:
            yield Event("call", host, values)
        elif host.awaits(result) or (host.is_async and is_awaitable(result)):
            self._unawaited = Unawaited(result)
            try:
                yield Event("call", host, values, awaitable=result)
            finally:
                self._unawaited = None
        else:
            pack(result)
        return codec.unpack_results(cells, context)

    self._pack = pack
    self._generator = generator()
    self._stopped = False
    return self


async def call_host_async(
    func: Any, args: tuple[object, ...], timeout_ns: int, *, inline: bool
) -> Any:
    """Call a host function, and await its result if it is async.

    timeout_ns: bounds the awaiting; 0: no limit. inline: call plain functions in this thread, not
    in one of the executor. Raises what the function raises, TimeoutTrap, RuntimeError.
    """
    from .executor import in_thread

    execution = new_host_execution(func, args)

    def begin(_: object) -> tuple[Event | None, Any]:
        try:
            return next(execution), None
        except StopIteration as end:
            return None, end.value

    here = inline or func._host.is_async
    event, result = begin(None) if here else await in_thread(begin)
    if event is None:
        return result
    value = SUSPEND if event.awaitable is None else await _await_for(event.awaitable, timeout_ns)
    if value is SUSPEND:
        from .event_waits import unanswered

        raise unanswered(event)
    try:
        execution.send(value)
    except StopIteration as end:
        return end.value


async def _await_for(awaitable: Any, timeout_ns: int) -> Any:
    """Await something for a limited time."""
    from asyncio import CancelledError, get_running_loop

    from .awaiter import Awaiter, Stepped, cancellations

    if not timeout_ns:
        return await awaitable
    awaiter, before = Awaiter(), cancellations()
    timer = get_running_loop().call_later(timeout_ns / 1e9, awaiter.wake)
    try:
        return await Stepped(awaiter, awaitable)
    except CancelledError:
        if not awaiter._woken or cancellations() > before:
            raise
        raise trap_from_text("timed out") from None
    finally:
        timer.cancel()
