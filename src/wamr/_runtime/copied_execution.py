"""Executions of instances that are made of snapshots."""

from __future__ import annotations

from _thread import allocate_lock

from .._backend.binding import ffi, lib
from .._backend.handles import deferrable
from .._values.codec import codec_of
from .execution import Execution
from .limits import NO_FUEL_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .func import Func

_CELLS, _RESUMPTION = ffi.typeof("uint32_t *"), ffi.typeof("wpy_resumption *")


def copied_execution(func: Func, c: Any, stop: Any, slice_ns: int) -> Execution:
    """Return the execution of a suspended call that was copied; it takes over `c`.

    func: the function that was called. stop: a wpy_stop *, why the call was suspended.
    """
    self = object.__new__(Execution)
    self._c = ffi.gc(c, _free)
    self.func = func
    self._codec = codec = codec_of(func._type)
    self._lifetime = func._lifetime
    self._args = ()
    memory = ffi.new("char[]", codec.bytes + 8)
    self._buffer = ffi.buffer(memory, codec.bytes)
    self._cells = ffi.cast(_CELLS, memory)
    self._lock = allocate_lock()
    self._unawaited = None
    self._bare_events = False
    self._packs_late = False
    self._refused = self._spent = 0
    self._timeout_ns = self._timeout_ends = 0
    self._fuel = NO_FUEL_LIMIT
    self._state = "suspended"
    self._stop = stop
    self._how = ffi.new(_RESUMPTION)
    self._how.slice_ns = slice_ns
    self._how.slice_fuel = stop.slice_fuel
    self._fn = func._c
    self._event = self._new_event()
    return self


_free = deferrable(lib.wpy_execution_free)
