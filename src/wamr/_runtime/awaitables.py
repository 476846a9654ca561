"""Awaitables that host functions return: who gets them, and what they mean without an event loop.

A host function that returns an awaitable suspends the call that it is in. The awaitable waits in
`handed`, under the address of the execution in C, until the execution has stopped and puts it into
the Event. An execution that runs in the thread of an event loop may step coroutines at once, in the
host function: it is in `stepping`.
"""

from __future__ import annotations

from types import CoroutineType, GeneratorType
from weakref import ref

from .._backend.binding import lib
from .._base.suspension import SUSPEND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Stepping(Protocol):
        """An execution that steps coroutines in host functions."""

        def begin(self, awaitable: Any) -> tuple[Any, Any]:
            """Begin to await; return what is left to be awaited, or None, and the result."""


handed: dict[int, Any] = {}  # address of an execution -> awaitable
stepping: dict[int, ref[Stepping]] = {}  # by address; weak: its loop may be dropped
_ITERABLE_COROUTINE = 0x100  # a flag of code objects


def is_awaitable(value: object) -> bool:
    """Tell whether a value can be awaited, as inspect.isawaitable does."""
    return (
        type(value) is CoroutineType
        or hasattr(type(value), "__await__")
        or (isinstance(value, GeneratorType) and value.gi_code.co_flags & _ITERABLE_COROUTINE != 0)
    )


def awaited(awaitable: Any, refusal: Callable[[], BaseException]) -> Any:
    """Let the call that a host function is in await something; return the result, or SUSPEND.

    refusal: returns the error to raise if that call can't be suspended.
    """
    address = lib.wpy_suspendable()
    if not address:
        close_unstarted(awaitable)
        raise refusal()
    return _begun(address, awaitable)


def _begun(address: int, awaitable: Any) -> Any:
    """Step the awaitable, if the execution does so, or hand it over; return a result or SUSPEND."""
    reference = stepping.get(address)
    call = None if reference is None else reference()
    if call is not None:
        awaitable, result = call.begin(awaitable)
        if awaitable is None:
            return result
    handed[address] = awaitable
    return SUSPEND


def awaiting(
    function: Callable[..., Any], refusal: Callable[[], BaseException]
) -> Callable[..., Any]:
    """Return a function that calls a coroutine function, and lets the call await the result."""

    def run(*args: Any) -> Any:
        address = lib.wpy_suspendable()
        if not address:
            raise refusal()
        awaitable = function(*args)
        if not is_awaitable(awaitable):  # the function was only marked as a coroutine function
            return awaitable
        return _begun(address, awaitable)

    return run


def close_unstarted(awaitable: Any) -> None:
    """Close a coroutine that nobody has begun to await, so that Python doesn't warn about it."""
    if isinstance(awaitable, Unawaited):
        awaitable.close()
    else:
        _close(awaitable)


def _close(
    awaitable: Any,
    # for Unawaited.__del__: global names may be gone when Python exits
    coroutine: type[CoroutineType[Any, Any, Any]] = CoroutineType,
) -> None:
    """Close a coroutine that inspect.getcoroutinestate would call CORO_CREATED."""
    if not isinstance(awaitable, coroutine) or awaitable.cr_running or awaitable.cr_frame is None:
        return
    suspended: bool | None = getattr(awaitable, "cr_suspended", None)  # since 3.11
    if awaitable.cr_frame.f_lasti < 0 if suspended is None else not suspended:
        awaitable.close()


class Begun:
    """A coroutine that was stepped once, and what it has yielded."""

    __slots__ = ("coroutine", "yielded")

    def __init__(self, coroutine: Any, yielded: Any) -> None:
        self.coroutine = coroutine
        self.yielded = yielded

    def take(self) -> tuple[Any, Any]:
        """Return the coroutine and what it has yielded, which are the caller's from now on."""
        taken = self.coroutine, self.yielded
        self.coroutine = self.yielded = None
        return taken

    def close(self) -> None:
        """End the coroutine where it waits, unless it was taken."""
        if self.coroutine is not None:
            self.take()[0].close()


class Unawaited:
    """Holds the awaitable of a suspended execution, and closes it if nobody has awaited it."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self._awaitable = awaitable

    def close(
        self, begun: type[Begun] = Begun, close_unstarted: Callable[[Any], None] = _close
    ) -> None:
        """Close the coroutine unless it was begun."""
        awaitable, self._awaitable = self._awaitable, None
        if isinstance(awaitable, (begun, type(self))):
            awaitable.close()
        else:
            close_unstarted(awaitable)

    def __del__(self) -> None:
        if hasattr(self, "_awaitable"):  # else an exception came while it was made
            self.close()


def coroutine_of(awaitable: Any) -> Any:
    """Return an object with the methods of coroutines that awaits something."""
    return awaitable if type(awaitable) is CoroutineType else _await(awaitable)


async def _await(awaitable: Any) -> Any:
    return await awaitable
