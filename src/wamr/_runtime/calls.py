"""The slow path of calls from Python into wasm, and the translation of their errors to exceptions.

The fast path is in C (src/native/cpython/function.c): a plain function that converts numbers and
vectors and calls. It leaves to a `SlowCall` what it does not do: references, arguments that are no
plain int, float or bytes, wrong arguments, and waiting for another thread. It leaves errors to
`raise_call_error`. On the slow path values travel as packed cells (`codec`). The C side of a call
is src/native/runtime/call.c.
"""

from __future__ import annotations

from time import monotonic_ns

from .._backend.binding import ffi, lib, set_call
from .._values.codec import Codec, codec_of
from .._values.externrefs import NULL_REF
from ..errors import ClosedError, ExitTrap, Trap, trap_from_text
from .backtrace import frames_of, take_raw_frames
from .callbacks import take_pending
from .exceptions import WasmException, exception_of
from .extern import check_ending, forked
from .limits import NO_FUEL_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ..types import FuncType
    from .state import InstanceState

NO_TIMEOUT = 1 << 63
_cast, _FUNC = ffi.cast, ffi.typeof("wpy_func *")
_TEXTS = {  # as trap_from_text knows them
    lib.WPY_TIMEOUT: "timed out",
    lib.WPY_INTERRUPTED: "interrupted",
    lib.WPY_FUEL: "out of fuel",
}
_TRAP, _HOST, _EXIT = lib.WPY_TRAP, lib.WPY_HOST, lib.WPY_EXIT
_EXCEPTION = lib.WPY_EXCEPTION
_ADDRESS = ffi.typeof("uintptr_t")
_BEGUN = {_TRAP, _HOST, _EXIT, _EXCEPTION, *_TEXTS}  # how calls end that did begin
_BUSY = lib.WPY_BUSY


# ------------------------------------------------------------------ errors
def take_error(who: Any) -> Any:
    """Return the wpy_error of what failed last in `who`, or None if nothing did."""
    error = ffi.new("wpy_error *")
    return error if lib.wpy_take_error(who, error) else None


def raise_status(error: Any, who: Any, what: str, state: InstanceState | None = None) -> NoReturn:
    """Raise what a wpy_error tells of, `who` failed in; `what` names it for users."""
    raw_frames = take_raw_frames(who, error.frames)
    text = ffi.string(error.text).decode("utf-8", "replace")
    code = int(_cast(_ADDRESS, error.exception)) if error.exception else error.code
    raise error_of(error.status, code, text, raw_frames, what, state)


def error_of(
    status: int,
    code: int,
    text: str,
    raw_frames: bytes,
    what: object,
    state: InstanceState | None = None,
) -> BaseException:
    """Return the exception for a status; state: of the function that was called."""
    if status == _TRAP:
        trap = trap_from_text(text)
    elif status == _HOST:
        raised = take_pending(code)
        if raw_frames and isinstance(raised, Trap):  # a WasmException of Python has none
            raised._add_frames(frames_of(raw_frames))
        return raised
    elif status == _EXCEPTION:
        assert state is not None
        return exception_of(code, state, frames_of(raw_frames, state) if raw_frames else ())
    elif status == _EXIT:
        trap = ExitTrap(code & 0xFFFFFFFF)
    elif status in _TEXTS:
        trap = trap_from_text(_TEXTS[status])
    else:
        return _refused(status, text, what)
    if raw_frames:
        trap._frames = frames_of(raw_frames, state)
    return trap


def _refused(status: int, text: str, what: object) -> Exception:
    """Return the error of a call that never began."""
    if status == lib.WPY_CLOSED:
        return ClosedError(f"{what}: {text or 'its instance is closed'}")
    if status == lib.WPY_FORKED:
        return forked(what)
    if status == lib.WPY_OUT_OF_ORDER:
        return RuntimeError(
            f"{what}: its host function returned while a call that began later in the same "
            "instance, in another greenlet, had not ended; give each greenlet an instance of its "
            "own"
        )
    if status == lib.WPY_DEADLOCK:
        return RuntimeError(
            f"{what} would wait for ever: another thread is in its instance and waits for one that "
            "this thread is in"
        )
    return trap_from_text(text)


# ------------------------------------------------------------------ one call
class SlowCall:
    """A call of a function of an instance, beside the fast path.

    address: of the function in C, which lives as long as `func`, or whoever calls.
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
        return f"{self.name}{self.codec.type}"

    def call(
        self,
        args: tuple[object, ...],
        timeout_ns: int = 0,
        fuel: int = NO_FUEL_LIMIT,
        stop: Any = ffi.NULL,
    ) -> Any:
        """Call with any arguments; stop: this thread's (see aio): once set, no call begins."""
        if self.codec.refs:
            objects = self.state.store._enter_refs()
            try:
                return self._general(args, timeout_ns, fuel, stop)
            finally:
                objects.leave()
        return self._general(args, timeout_ns, fuel, stop)

    def _general(self, args: tuple[object, ...], timeout_ns: int, fuel: int, stop: Any) -> Any:
        codec: Codec = self.codec
        memory = ffi.new("char[]", codec.bytes)
        buffer = ffi.buffer(memory)
        codec.pack_arguments(buffer, args, self.state, self)
        cells = ffi.cast("uint32_t *", memory)
        limit = min(timeout_ns or NO_TIMEOUT, self.state.timeout_ns or NO_TIMEOUT)
        began = monotonic_ns() if limit != NO_TIMEOUT else 0
        call = lib.wpy_call_cells_held if codec.exnref_results else lib.wpy_call_cells
        status = call(self.fn, cells, timeout_ns, fuel, stop)
        while status:
            error = take_error(self.fn)
            if error is None or status != _BUSY:
                raise_status(error, self.fn, str(self), self.state)
            check_ending(self)
            # Another thread is in there: what stops a call stops one that waits for its turn, too.
            if limit != NO_TIMEOUT:
                timeout_ns = limit - (monotonic_ns() - began)
                if timeout_ns <= 0:
                    raise trap_from_text("timed out")
            status = call(self.fn, cells, timeout_ns, fuel, stop)
        if codec.exnref_results:
            return codec.unpack_results(buffer, _Results(self.state))
        return codec.unpack_results(buffer, self.state)


class _Results:
    """The context of results: each exnref among them comes with a handle on its exception."""

    __slots__ = ("_state", "store")

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self.store = state.store

    def _ref_of_func(self, func: Any) -> int:
        return self._state._ref_of_func(func)

    def _func_of_ref(self, number: int) -> Any:
        return self._state._func_of_ref(number)

    def _ref_of_exception(self, value: object, where: object) -> int:
        return self._state._ref_of_exception(value, where)

    def _exception_of_ref(self, number: int) -> WasmException | None:
        return (
            None
            if number == NULL_REF
            else exception_of(lib.wpy_exception_held(number), self._state)
        )


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
    """Raise what a call on the fast path ended with, or make it again and wait."""
    if status in _BEGUN:
        raise error_of(status, code, text, raw_frames, None, state)
    call = SlowCall(state, address, type, name)
    if status == _BUSY:
        return call.call(args)
    raise error_of(status, code, text, raw_frames, call, state)


set_call(SlowCall, raise_call_error, Trap)
