"""Events: why an execution has stopped. C tells it in a struct, the stop (`wpy_stop`)."""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._values.references import find_func
from .callbacks import find_host_function
from .calls import HeldResults
from .state import find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from .callbacks import HostFunction
    from .func import Func
    from .state import InstanceState

    Kind = Literal["call", "stdin", "stdout", "sleep", "slice"]

_KINDS: dict[int, Kind] = {
    lib.WPY_REASON_CALL: "call",
    lib.WPY_REASON_READ: "stdin",
    lib.WPY_REASON_WRITE: "stdout",
    lib.WPY_REASON_SLEEP: "sleep",
    lib.WPY_REASON_SLICE: "slice",
}
_NEVER = (1 << 64) - 1
_NO_CONTEXT: Any = None  # numbers and vectors need none


class Event:
    """Why an execution has stopped.

    kind: "call": the host function `host` was called with `args`, and has returned SUSPEND, or is
    async. "stdin"
    and "stdout": there is nothing to read, or no room to write, yet. "sleep": the program sleeps
    until `until`. "slice": the slice is over.
    Attributes `host`, a Func, or None for other kinds; `args`, a tuple; `until`, a time of
    time.monotonic() at which the program wants to go on in any case, or None (on Windows before
    Python 3.13 a time of time.perf_counter()); `awaitable`: what an `async def` host function has
    returned, whose result is to be sent, or None.

    >>> import wamr
    >>> inst = wamr.load('(module (import "env" "ask" (func $ask (param i32) (result i32)))'
    ...                  ' (func (export "f") (result i32) (call $ask (i32.const 7))))',
    ...                  {"env": {"ask": lambda number: wamr.SUSPEND}})
    >>> next(inst.exports.f.execution())
    <wamr.Event call env.ask(7)>
    """

    __slots__ = ("_descriptors", "_host", "args", "awaitable", "kind", "until")
    kind: Kind
    args: tuple[Any, ...]
    until: float | None
    awaitable: Any

    def __init__(
        self,
        kind: Kind,
        host: HostFunction | None = None,
        args: tuple[Any, ...] = (),
        until: float | None = None,
        descriptors: tuple[tuple[int, bool], ...] = (),
        awaitable: Any = None,
    ) -> None:
        self.kind = kind
        self._host = host
        self.args = args
        self.until = until
        self.awaitable = awaitable
        self._descriptors = descriptors  # to wait for; each with whether it is for writing

    @property
    def host(self) -> Func | None:
        """The host function that was called, or None."""
        if self._host is None:
            return None
        func: Any = find_func(lib.wpy_func_ref(self._host.fn))
        return func  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        if self._host is not None:
            return f"<wamr.Event call {self._host.name}({', '.join(map(repr, self.args))})>"
        return f"<wamr.Event {self.kind}>"


def event_of(stop: Any, lifetime: InstanceState, awaitable: Any, bare: bool) -> Event:
    """Return the event of a stop, a wpy_stop *.

    lifetime: of the function that was called. awaitable: what the host function has returned.
    bare: without the arguments, which needn't be converted then.
    """
    kind = _KINDS[stop.reason]
    if kind == "call":
        host = find_host_function(stop.host_id)
        assert host is not None
        if bare:
            return Event(kind, host, awaitable=awaitable)
        codec = host._codec
        buffer = ffi.buffer(stop.args, codec.argument_bytes)
        if not codec.needs_context and not codec.refs:
            args = codec.unpack_arguments(buffer, _NO_CONTEXT)
            return Event(kind, host, args, awaitable=awaitable)
        context = HeldResults(stopped_in(stop) or lifetime)
        with lifetime.store._passing_refs():
            args = codec.unpack_arguments(buffer, context)
        return Event(kind, host, args, awaitable=awaitable)
    until = None if stop.until in (0, _NEVER) else stop.until / 1e9
    found = [stop.descriptors[i] for i in range(stop.descriptor_count)]
    return Event(kind, None, (), until, tuple([(item.fd, item.output) for item in found]))


def stopped_in(stop: Any) -> InstanceState | None:
    """Return the state of the instance whose code was suspended; None: the instance is gone."""
    return find_instance_state(stop.instance_id)
