"""The slow path of calls from Python into wasm, and the translation of call errors to exceptions.

The fast path is in C (src/native/cpython/function.c): a plain function that converts numbers and
vectors and calls. A `SlowCall` does the rest: references, arguments that are no plain int, float or
bytes, wrong arguments, and waiting for another thread. On the slow path values travel as packed
cells (`_values.codec`). Errors of both paths go through `raise_call_error` or `raise_status`. The C
side of a call is src/native/runtime/call.c.
"""

from __future__ import annotations

from functools import partial

from .._backend.binding import ffi, lib, set_call
from .._backend.waiting import checks_of_waits, retry_while_busy, waiting_error
from .._base.clock import monotonic_ns
from .._base.printable import printable_name
from .._base.wamr_texts import trap_message
from .._values.codec import Codec, codec_of
from .._values.exnrefs import exception_from_handle
from .._values.externrefs import NULL_REF
from .._values.references import ReferenceContext
from ..errors import ClosedError, ExitTrap, _TracedError, trap_from_text
from .backtrace import frames_of, take_raw_frames
from .callbacks import take_pending
from .limits import NO_FUEL_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from ..types import FuncType
    from .state import InstanceState

NO_TIMEOUT = 1 << 63
_cast, _FUNC, _UINTPTR = ffi.cast, ffi.typeof("wpy_func *"), ffi.typeof("uintptr_t")
_TEXTS = {  # for trap_from_text
    lib.WPY_TIMEOUT: "timed out",
    lib.WPY_INTERRUPTED: "interrupted",
    lib.WPY_FUEL: "out of fuel",
}
_TRAP, _HOST, _EXIT, _BUSY = lib.WPY_TRAP, lib.WPY_HOST, lib.WPY_EXIT, lib.WPY_BUSY
_EXCEPTION = lib.WPY_EXCEPTION
_STOPPED = {_TRAP, _HOST, _EXIT, _EXCEPTION, *_TEXTS}  # statuses of calls that began


# ------------------------------------------------------------------ errors
def take_error(origin: Any) -> Any:
    """Take this thread's newest error record of `origin`; return a wpy_error *, or None.

    origin: the pointer that the failed operation was called with: a function, instance or module.
    """
    error = ffi.new("wpy_error *")
    return error if lib.wpy_take_error(origin, error) else None


def raise_status(
    error: Any, origin: Any, label: object, state: InstanceState | None = None
) -> NoReturn:
    """Raise the exception for a wpy_error of `origin`; label: how messages name the operation.

    state: of the instance that code ran in; None: no code ran.
    """
    raw_frames = take_raw_frames(origin, error.frames)
    text = ffi.string(error.text).decode("utf-8", "replace")
    code = int(_cast(_UINTPTR, error.exception)) if error.exception else error.code
    raise error_of(error.status, code, text, raw_frames, label, state)


def error_of(
    status: int,
    code: int,
    text: str,
    raw_frames: bytes,
    label: object,
    state: InstanceState | None,
) -> BaseException:
    """Return the exception for a status.

    code: for WPY_EXCEPTION the address of a handle, which is taken over. state: of the function
    that was called.
    """
    if status == _TRAP:
        trap = trap_from_text(text)
    elif status == _EXCEPTION:
        assert state is not None
        exception = exception_from_handle(code, state)
        if raw_frames:
            exception._frames = frames_of(raw_frames, state)  # type: ignore[attr-defined]
        return exception
    elif status == _HOST:
        raised = take_pending(code)
        if raw_frames and isinstance(raised, _TracedError):
            raised._add_frames(frames_of(raw_frames))
        return raised
    elif status == _EXIT:
        trap = ExitTrap(code & 0xFFFFFFFF)
    elif status in _TEXTS:
        trap = trap_from_text(_TEXTS[status])
    else:
        return _not_begun(status, text, label)
    if raw_frames:
        trap._frames = frames_of(raw_frames, state)
    return trap


def _not_begun(status: int, text: str, label: object) -> Exception:
    """Return the exception for a call that could not begin."""
    if status == lib.WPY_CLOSED:
        return ClosedError(f"{label}: {trap_message(text)[0] or 'its instance is closed'}")
    if status == lib.WPY_OUT_OF_ORDER:
        return RuntimeError(
            f"{label}: its host function returned while a call that began later in the same "
            "instance had not ended: end or close the executions that it has begun there, and "
            "give each greenlet an instance of its own"
        )
    return waiting_error(status, label) or trap_from_text(text)


# ------------------------------------------------------------------ one call
class SlowCall:
    """A call of a function of an instance on the slow path.

    address: of the function in C, which `func`, or else the caller, keeps alive. `str()` is how
    messages name the function.
    """

    __slots__ = ("codec", "fn", "func", "name", "state")

    def __init__(
        self,
        state: InstanceState,
        address: int,
        type: FuncType,  # noqa: A002
        name: str,
        func: object = None,
    ) -> None:
        self.state = state
        self.fn = _cast(_FUNC, address)
        self.codec = codec_of(type)
        self.name = name
        self.func = func

    def __str__(self) -> str:
        return f"{printable_name(self.name)}{self.codec.type}"

    def call(
        self,
        args: tuple[object, ...],
        timeout_ns: int = 0,
        fuel: int = NO_FUEL_LIMIT,
        stop: Any = ffi.NULL,
    ) -> Any:
        """Call with any arguments.

        timeout_ns, fuel: limits of this call. stop: a uint32_t *; when it is set, no call begins
        (see executor.py). Raises what `Func.call` raises.
        """
        if self.codec.refs:
            with self.state.store._passing_refs():
                return self._call(args, timeout_ns, fuel, stop)
        return self._call(args, timeout_ns, fuel, stop)

    def _call(self, args: tuple[object, ...], timeout_ns: int, fuel: int, stop: Any) -> Any:
        codec: Codec = self.codec
        memory = ffi.new("char[]", codec.bytes)
        buffer = ffi.buffer(memory)
        limit = min(timeout_ns or NO_TIMEOUT, self.state.timeout_ns or NO_TIMEOUT)
        begin = monotonic_ns() if limit != NO_TIMEOUT else 0
        if codec.needs_context and (begin or stop):  # passing a reference may wait, too
            check = partial(timeout_left, limit, begin, stop)
            checks_of_waits.during(check, codec.pack_arguments, buffer, args, self.state, self)
            if begin:
                timeout_ns = timeout_left(limit, begin, stop)
        else:
            codec.pack_arguments(buffer, args, self.state, self)
        cells = ffi.cast("uint32_t *", memory)
        run = lib.wpy_call_cells_held if codec.exnref_results else lib.wpy_call_cells
        status = run(self.fn, cells, timeout_ns, fuel, stop)
        if status == _BUSY:
            retry = partial(self._retry, run, cells, timeout_ns, limit, begin, fuel, stop)
            status = retry_while_busy(retry, self, status)
        if status:
            raise_status(take_error(self.fn), self.fn, self, self.state)
        if codec.exnref_results:
            return codec.unpack_results(buffer, HeldResults(self.state))
        return codec.unpack_results(buffer, self.state)

    def _retry(
        self,
        run: Callable[..., int],
        cells: Any,
        timeout_ns: int,
        limit: int,
        begin: int,
        fuel: int,
        stop: Any,
    ) -> int:
        """Call again after another thread was in the instance; the timeout includes the waiting."""
        take_error(self.fn)
        if limit != NO_TIMEOUT:
            timeout_ns = timeout_left(limit, begin, ffi.NULL)
        return run(self.fn, cells, timeout_ns, fuel, stop)


def timeout_left(limit: int, begin: int, stop: Any) -> int:
    """Return how much of a timeout is left; raise a Trap if the call must not begin any more."""
    if stop and stop[0]:
        raise trap_from_text("interrupted")
    left = limit - (monotonic_ns() - begin)
    if left <= 0:
        raise trap_from_text("timed out")
    return left


class HeldResults(ReferenceContext):
    """The context of results of which each exnref has a handle."""

    __slots__ = ("_state", "store")

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self.store = state.store

    def _exception_of_number(self, number: int) -> BaseException | None:
        if number == NULL_REF:
            return None
        return exception_from_handle(lib.wpy_exception_held(number), self._state)


def raise_call_error(
    state: InstanceState,
    address: int,
    type: FuncType,  # noqa: A002
    name: str,
    args: tuple[object, ...],
    status: int,
    code: int,
    text: str,
    raw_frames: bytes,
) -> Any:
    """Raise the exception for a call that failed on the fast path.

    If another thread runs in the instance, make the call again on the slow path, which waits.
    """
    if status in _STOPPED:
        raise error_of(status, code, text, raw_frames, None, state)
    call = SlowCall(state, address, type, name)
    if status == _BUSY:
        return call.call(args)
    raise error_of(status, code, text, raw_frames, call, state)


set_call(SlowCall, raise_call_error, _TracedError)
