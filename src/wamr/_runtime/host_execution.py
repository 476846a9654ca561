"""Executions of host functions, which Python calls itself: they stop if the callback suspends."""

from __future__ import annotations

from _thread import allocate_lock

from .._base.suspension import SUSPEND
from .._values.references import PassThroughContext
from ..errors import ClosedError
from .event import Event
from .execution import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from .execution import State


class _HostExecution(Execution):
    """The execution of a host function, by a generator."""

    __slots__ = ("_generator", "_stopped")
    _generator: Generator[Event, Any, Any]

    @property
    def state(self) -> State:
        """The state."""
        generator: Any = self._generator
        if self._lock.locked():
            return "running"
        if generator.gi_frame is None:
            return "done"
        return "suspended" if self._stopped else "new"

    def _send(self, value: Any) -> Event:
        event = self._generator.send(value)
        self._stopped = True
        return event

    def _throw(self, error: BaseException) -> Event:
        return self._generator.throw(error)

    def _close(self) -> None:
        self._generator.close()


def new_host_execution(func: Any, args: tuple[object, ...]) -> Execution:
    """Return the execution of a call of a host function; TypeError, OverflowError, ValueError."""
    host = func._host
    self = object.__new__(_HostExecution)
    self.func = func
    self._lock = allocate_lock()
    codec = host._codec
    context = PassThroughContext(func.store)
    cells = bytearray(codec.bytes)
    codec.pack_arguments(cells, args, context, self)
    values = codec.unpack_arguments(cells, context)

    def generator() -> Generator[Event, Any, Any]:
        if func._lifetime.closed:
            raise ClosedError(f"{host} is closed")
        result = host.callback(*([None] if host.access_caller else []), *values)
        if result is SUSPEND:
            result = yield Event("call", host, values)
        codec.pack_results(cells, result, context, host)
        return codec.unpack_results(cells, context)

    self._generator = generator()
    self._stopped = False
    return self
