"""Events: why an execution has stopped."""

from __future__ import annotations

from .._backend.binding import lib
from .._values.references import find_func

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from .callbacks import HostFunction
    from .func import Func

    Kind = Literal["call", "stdin", "stdout", "sleep", "slice"]


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
