"""Executions: calls that stop on their way, and go on later.

An `Execution` has the protocol of a generator. It stops where a host function returns SUSPEND,
where a WASI function would block, and at the end of each slice; `next` and `send` return an `Event`
that tells why. In C, the frames of a suspended call stay on the wasm stack
(src/native/runtime/execution.c).
"""

from __future__ import annotations

from collections.abc import Generator

from .._backend.binding import ffi, keep_raised, lib, take_raised
from .._backend.handles import deferrable
from .._backend.waiting import retry_while_busy, waiting_error
from .._base.clock import monotonic_ns
from .._base.locks import SoleUse
from .._base.thrown import thrown_exception
from .._values.codec import codec_of
from ..errors import ClosedError, trap_from_text
from .awaitables import Unawaited, close_unstarted, handed
from .calls import HeldResults, raise_status, take_error, timeout_left
from .event import Event, event_of, stopped_in
from .exceptions import WasmException
from .limits import NO_FUEL_LIMIT, checked_slice, checked_timeout
from .state import InstanceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Literal

    from .._values.codec import Codec
    from .callbacks import HostFunction
    from .func import Func

    State = Literal["new", "running", "suspended", "done"]

_OK, _SUSPENDED, _BUSY = lib.WPY_OK, lib.WPY_SUSPENDED, lib.WPY_BUSY
_HOST, _TIMEOUT, _INTERRUPTED = lib.WPY_HOST, lib.WPY_TIMEOUT, lib.WPY_INTERRUPTED
_STATES: tuple[State, ...] = ("new", "running", "suspended", "done")
_cast, _CELLS, _UINTPTR = ffi.cast, ffi.typeof("uint32_t *"), ffi.typeof("uintptr_t")
_STOP, _RESUMPTION = ffi.typeof("wpy_stop *"), ffi.typeof("wpy_resumption *")


# `Generator` has the protocol: isinstance, `yield from`, __iter__.
class Execution(Generator[Event, "Any", "Any"]):
    """A call that can stop on its way, and go on later, in any thread. `Func.execution` makes it.

    `next(execution)` and `execution.send(value)` run the code until it stops, and return an Event,
    or raise StopIteration, whose `value` is the result of the call. After an event of kind "call",
    `value` is what the host function returns to the wasm code: for an `async def` function, the
    result of the event's `awaitable`. After others `value` is None, and the code goes on where it
    is. `execution.throw(error)` raises the exception in the place where the
    code has stopped: wasm code can catch a WasmException that a host function raises so.
    `execution.close()` ends the call.
    While a call is suspended, other calls of its instance may be made; they end before it goes on.
    A call that has stopped at the end of a slice keeps its instance, and what is linked to it, for
    itself.
    Attribute `func`: the function.
    Raises RuntimeError, and what `Func.call` raises.

    >>> import wamr
    >>> inst = wamr.load('(module (import "env" "ask" (func $ask (param i32) (result i32)))'
    ...                  ' (func (export "f") (result i32) (call $ask (i32.const 7))))',
    ...                  {"env": {"ask": lambda number: wamr.SUSPEND}})
    >>> execution = inst.exports.f.execution()
    >>> event = next(execution)
    >>> event.kind, event.args
    ('call', (7,))
    >>> try:
    ...     execution.send(42)
    ... except StopIteration as done:
    ...     print(done.value)
    42
    """

    __slots__ = (
        "__weakref__",
        "_args",
        "_bare_events",
        "_buffer",
        "_c",
        "_cells",
        "_codec",
        "_event",
        "_extended_us",
        "_fn",
        "_fuel",
        "_how",
        "_lifetime",
        "_packs_late",
        "_refused",
        "_spent",
        "_state",
        "_stop",
        "_timeout_ends",
        "_timeout_ns",
        "_unawaited",
        "_use",
        "func",
    )
    func: Func
    _args: tuple[object, ...]  # if `_packs_late`
    _buffer: Any  # of the cells of arguments and results, which it keeps alive
    _c: Any  # the handle
    _cells: Any
    _codec: Codec
    _event: Event | None
    _extended_us: int  # of the instance, when the timeout began
    _fn: Any
    _fuel: int
    _lifetime: InstanceState
    _how: Any  # a wpy_resumption *
    _packs_late: bool  # whether the arguments are converted when it starts
    _spent: int  # ns of the instance's limit, in slices since the code has stopped otherwise
    _state: State  # while it doesn't run
    _stop: Any  # a wpy_stop *: of the last stop
    _timeout_ends: int  # on the scale of monotonic_ns, without extensions; 0: never
    _timeout_ns: int
    _unawaited: Unawaited | None  # of the last event
    _use: SoleUse  # while it runs, and while its event is made
    _bare_events: bool  # whether events that have an awaitable need no arguments
    _refused: int  # the status of the last start or resumption that wasn't allowed; 0: it was

    def __init__(self, *_args: object, **_rest: object) -> None:
        raise TypeError("Func.execution makes executions")

    @property
    def state(self) -> State:
        """The state: "new", "running", "suspended" or "done"."""
        return "running" if self._use else self._state

    def __next__(self) -> Event:
        return self.send(None)

    def __iter__(self) -> Execution:
        return self

    def send(self, value: Any) -> Event:
        """Go on until the next event, and return it; value: what the host function returns.

        Raises StopIteration at the end, with the result as its `value`; TypeError, OverflowError
        and ValueError for a wrong value, after which the execution is as before; RuntimeError if
        it can't go on now; and what `Func.call` raises.
        """
        event: Event = self._use.run(self._running, self._send, value)
        return event

    def _send(self, value: Any) -> Event:
        state = self._state
        if state == "done":
            raise StopIteration
        if state == "new":
            if value is not None:
                raise TypeError(f"{self}: the first value that is sent must be None")
            return self._start()
        event = self._event or self._bare_event()  # making it may have failed
        if event._host is not None:  # not `kind`, which users could set
            return self._answer(event._host, value)
        if value is not None:
            raise TypeError(
                f"{self}: only None can be sent after an event {event.kind!r}, not "
                f"{type(value).__name__}"
            )
        return self._go_on(_OK)

    def throw(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Event:
        """Raise an exception in the place where the code has stopped.

        If wasm code catches it, go on as `send` does. Otherwise the call ends, and the exception
        is raised here.
        """
        error = thrown_exception(typ, val, tb)
        del typ, val  # no cycle through the traceback
        try:
            event: Event = self._use.run(self._running, self._throw, error)
            return event
        finally:
            del error

    def _throw(self, error: BaseException) -> Event:
        if self._state != "suspended":
            self._close()
            try:
                raise error
            finally:
                del error
        caught: Any = ffi.NULL
        instance = stopped_in(self._stop)
        if self._stop.reason == lib.WPY_REASON_SLICE:  # in the middle of code: nothing is caught
            instance = None
        if instance is not None and isinstance(error, WasmException):
            tag = error.tag
            if tag.store is instance.store and not tag._lifetime.closed:
                instance.link(tag._lifetime)
                caught = error._handle()
        how = self._how
        how.number = number = keep_raised(type(error), error, error.__traceback__)
        how.exception = caught
        try:
            return self._go_on(_HOST)
        finally:
            take_raised(number)  # if the execution could not go on, or code has caught it
            del error

    def close(self) -> None:
        """End the call without running any more code. RuntimeError if it runs."""
        self._use.run(self._running, self._close)

    def _close(self) -> None:
        if not lib.wpy_execution_close(self._c):
            raise self._running()
        self._ended()

    def _end_waiting(self, *, timed_out: bool) -> Event:
        """Go on although what the code waits for hasn't come: the call ends, or is refused.

        timed_out: as after a timeout; otherwise one of its instances was closed or interrupted.
        """
        status = _TIMEOUT if timed_out else _INTERRUPTED
        event: Event = self._use.run(self._running, self._go_on, status)
        return event

    def limit(self, *, timeout: float | None = None, slice: float | None = None) -> None:  # noqa: A002
        """Set the time limits of the call, which hold from now on; both are replaced.

        timeout: seconds from now that the rest of the call may take, stops included; None: no
        limit. slice: as in `Func.execution`. An execution that Snapshot.instantiate or
        Instance.reset returns has no timeout, and the slices of the one in the snapshot.
        Raises TypeError, ValueError, and RuntimeError if the call runs.

        >>> import wamr
        >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))')
        >>> execution = inst.exports.spin.execution()
        >>> execution.limit(slice=0.001)
        >>> next(execution)
        <wamr.Event slice>
        """
        timeout_ns, slice_ns = checked_timeout(timeout), checked_slice(slice)
        deadline = monotonic_ns() + timeout_ns if timeout_ns else 0
        self._use.run(self._running, self._replace_limits, slice_ns, deadline)

    def _replace_limits(self, slice_ns: int, deadline: int) -> None:
        self._timeout_ns = 0
        self._limit(slice_ns, deadline)

    def _limit(self, slice_ns: int, deadline: int) -> None:
        """Limit what runs from now on.

        slice_ns: as checked_slice returns it. deadline: a time of monotonic_ns, 0 for none.
        """
        self._how.slice_ns = slice_ns
        self._set_deadline(deadline)

    # ---- running
    def _start(self) -> Event:
        codec = self._codec
        self._begin_timeout()
        if not self._packs_late:
            return self._run(self._start_once)
        with self._lifetime.store._passing_refs():
            codec.pack_arguments(self._buffer, self._args, self._lifetime, self)
            return self._run(self._start_once)

    def _begin_timeout(self) -> int:
        """Let the timeout begin, unless it has; return its end by time.monotonic_ns(), or 0."""
        if self._timeout_ns and not self._timeout_ends:
            self._set_deadline(monotonic_ns() + self._timeout_ns)
        return self._deadline

    def _set_deadline(self, deadline: int) -> None:
        if deadline != self._timeout_ends:
            self._timeout_ends = deadline
            self._extended_us = lib.wpy_instance_extended(self._lifetime.c)

    @property
    def _deadline(self) -> int:
        """The end of the timeout, with the extensions until now, by monotonic_ns; 0: none."""
        if not self._timeout_ends:
            return 0
        extended = lib.wpy_instance_extended(self._lifetime.c) - self._extended_us
        return self._timeout_ends + extended % (1 << 64) * 1000

    def _start_once(self, timeout_ns: int) -> int:
        return lib.wpy_execution_start(
            self._c,
            self._cells,
            timeout_ns,
            self._fuel,
            self._how.slice_ns,
            self._how.slice_fuel,
            self._stop,
        )

    def _answer(self, host: HostFunction, value: object) -> Event:
        codec, how = host._codec, self._how
        cells = ffi.new("char[]", codec.bytes)
        how.answer = _cast(_CELLS, cells)
        how.answer_count = codec.result_bytes // 4
        context: Any = host  # it has a store, which is all that other values need
        if codec.needs_context or codec.refs:
            context = stopped_in(self._stop) or self._lifetime
        if not codec.refs:
            host.pack(ffi.buffer(cells), value, context)
            return self._go_on(_OK)
        with self._lifetime.store._passing_refs():
            host.pack(ffi.buffer(cells), value, context)
            return self._go_on(_OK)

    def _go_on(self, status: int) -> Event:
        if self._timeout_ends and status == _OK and monotonic_ns() >= self._deadline:
            status = _TIMEOUT
        self._how.status = status
        if not self._codec.refs:
            return self._run(self._resume_once)
        with self._lifetime.store._passing_refs():
            return self._run(self._resume_once)

    def _resume_once(self, timeout_ns: int) -> int:
        how = self._how
        how.timeout_ns = timeout_ns
        return lib.wpy_execution_resume(self._c, how, self._cells, self._stop)

    def _run(self, once: Callable[[int], int]) -> Event:
        """Start or resume, and return the event; `once` gets a timeout in nanoseconds."""
        try:
            if self._timeout_ends or self._lifetime.timeout_ns:
                status = self._run_limited(once)
            else:
                status = once(0)
                if status == _BUSY:
                    status = retry_while_busy(lambda: once(0), self, status)
        except BaseException:  # of a signal handler, when the code has stopped or ended
            self._state = _STATES[lib.wpy_execution_state(self._c)]
            self._event = None
            raise
        if status == _SUSPENDED:
            self._state = "suspended"
            self._event = self._unawaited = None  # in case that the next line fails
            awaitable = self._take_handed() if handed else None
            bare = awaitable is not None and self._bare_events
            self._event = event = event_of(self._stop, self._lifetime, awaitable, bare)
            return event
        raise self._outcome(status)

    def _run_limited(self, once: Callable[[int], int]) -> int:
        """The same with a timeout, which includes waiting for other threads; return the status."""
        begin = monotonic_ns()
        limits = []
        if self._timeout_ends:
            limits.append(self._deadline - begin)
        if self._lifetime.timeout_ns:  # stops at the end of a slice don't interrupt this limit
            limits.append(self._lifetime.timeout_ns - self._spent)
        limit = max(1, min(limits))

        def again() -> int:
            return once(timeout_left(limit, begin, ffi.NULL))

        status = once(limit)
        if status == _BUSY:
            status = retry_while_busy(again, self, status)
        sliced = status == _SUSPENDED and self._stop.reason == lib.WPY_REASON_SLICE
        self._spent = self._spent + monotonic_ns() - begin if sliced else 0
        return status

    def _outcome(self, status: int) -> BaseException:
        """Return or raise the exception for the end of the call, or for a refusal to go on."""
        if status == _OK:
            self._ended()
            codec, state = self._codec, self._lifetime
            context: Any = HeldResults(state) if codec.exnref_results else state
            return StopIteration(codec.unpack_results(self._buffer, context))
        if status == lib.WPY_RUNS_ALREADY:
            return self._running()
        if status == lib.WPY_NOT_LAST:
            self._refused = status
            return RuntimeError(
                f"{self}: a call that was suspended later in the same instance goes on first"
            )
        if _STATES[lib.wpy_execution_state(self._c)] != "done":
            self._refused = status
            stopped = "timed out" if status == _TIMEOUT else "interrupted"  # while it waited
            return waiting_error(status, self) or trap_from_text(stopped)
        self._ended()
        try:
            raise_status(take_error(self._fn), self._fn, self, self._lifetime)
        except StopIteration as error:  # would be taken for the end of this execution (PEP 479)
            raise RuntimeError(f"{self} raised StopIteration") from error

    def _ended(self) -> None:
        if handed:  # the call may have failed after the host function had returned
            close_unstarted(handed.pop(self._address, None))
        self._event = self._unawaited = None
        self._state = "done"

    def _bare_event(self) -> Event:
        """Make the event of the last stop again, without arguments."""
        awaitable = self._take_handed() if handed else None
        return event_of(self._stop, self._lifetime, awaitable, True)

    @property
    def _address(self) -> int:
        """The address in C."""
        return int(_cast(_UINTPTR, self._c))

    def _take_handed(self) -> Any:
        """Take the awaitable that the host function has returned, if there is one."""
        awaitable = handed.pop(self._address, None)
        if awaitable is not None:
            self._unawaited = Unawaited(awaitable)
        return awaitable

    def _running(self) -> RuntimeError:
        return RuntimeError(f"{self}: this execution runs already")

    def __str__(self) -> str:
        return f"{self.func.__name__}{self.func.type}"

    def __repr__(self) -> str:
        return f"<wamr.Execution {self}, {self.state}>"

    def __reduce__(self) -> str:
        raise TypeError("an Execution cannot be copied or pickled: it holds running code")


def _prepared_execution(
    func: Func, state: State, stop: Any, slice_ns: int, slice_fuel: int
) -> Execution:
    """Return an execution without a handle in C and without limits, which the caller completes."""
    self = object.__new__(Execution)
    self.func = func
    self._fn = func._c
    self._codec = codec = codec_of(func._type)
    self._lifetime = func._lifetime
    self._args = ()
    self._packs_late = False
    memory = ffi.new("char[]", codec.bytes + 8)
    self._buffer = ffi.buffer(memory, codec.bytes)
    self._cells = _cast(_CELLS, memory)
    self._use = SoleUse()
    self._event = self._unawaited = None
    self._bare_events = False
    self._refused = self._spent = 0
    self._timeout_ns = self._timeout_ends = 0
    self._fuel = NO_FUEL_LIMIT
    self._state = state
    self._stop = stop
    self._how = ffi.new(_RESUMPTION)
    self._how.slice_ns = slice_ns
    self._how.slice_fuel = slice_fuel
    return self


def new_execution(
    func: Func,
    args: tuple[object, ...],
    timeout_ns: int,
    fuel: int,
    slice_ns: int,
    slice_fuel: int = 0,
    *,
    waits: bool = True,
) -> Execution:
    """Return the execution of a call; TypeError, OverflowError, ValueError, ClosedError.

    waits: whether converting the arguments may wait for another thread's call now; otherwise it is
    done when the execution starts.
    """
    self = _prepared_execution(func, "new", ffi.new(_STOP), slice_ns, slice_fuel)
    codec, lifetime = self._codec, self._lifetime
    self._packs_late = codec.refs or (codec.needs_context and not waits)
    self._args = args if self._packs_late else ()
    self._timeout_ns = timeout_ns
    self._fuel = fuel
    if lifetime.closed:
        raise ClosedError(f"{self}: its instance is closed")
    if waits or not codec.needs_context:
        with lifetime.store._passing_refs():
            codec.pack_arguments(self._buffer, args, lifetime, self)
    c = lib.wpy_execution_new(self._fn)
    if not c:
        raise MemoryError("no memory for an execution")
    self._c = ffi.gc(c, _free)
    return self


def copied_execution(func: Func, c: Any, stop: Any, slice_ns: int) -> Execution:
    """Return the execution of a suspended call that a snapshot has copied; it takes over `c`.

    func: the function that was called. stop: a wpy_stop *, why the call was suspended.
    """
    self = _prepared_execution(func, "suspended", stop, slice_ns, stop.slice_fuel)
    self._c = ffi.gc(c, _free)
    self._event = event_of(stop, self._lifetime, None, False)
    return self


_free = deferrable(lib.wpy_execution_free)
