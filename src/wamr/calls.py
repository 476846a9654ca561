"""Calls from Python into wasm: the closure behind a `Func`, and everything beside its fast path.

For a signature with a C entry of its shape (codegen/shapes.py), `callable_for` makes a closure with
exactly the function's parameters; it calls the entry and compares the result with a sentinel. What
is not plain sailing goes to the function's `Call`: arguments that the entry does not take (unsigned
64-bit integers, `__index__`, wrong ones), errors, and all other signatures, which travel as cells.
The C side of it is src/wamr/_native/call.c and entry.h.
"""

from __future__ import annotations

from time import monotonic_ns

from ._binding import ffi, lib
from .errors import (
    ClosedError,
    ExitTrap,
    Frame,
    FuelTrap,
    TimeoutTrap,
    Trap,
    TrapCode,
    trap_from_text,
)
from .extern import forked
from .host import out_of_range, take_pending
from .limits import NO_FUEL_LIMIT
from .locate import Locator
from .values import Codec, codec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .instance import State
    from .module import Module
    from .types import FuncType

ERROR_I = -0x1FEDCBA9  # as in entry.h
ERROR_D = -7.3510238e-217
NO_TIMEOUT = 1 << 63
_CLASSES = {0x7F: "i", 0x7E: "i", 0x7D: "d", 0x7C: "d"}
_NAMES = "abcdef"


# ------------------------------------------------------------------ errors
def raise_status(error: Any, who: Any, what: str) -> NoReturn:
    """Raise what a wpy_error tells of, `who` failed in; `what` names it for users."""
    status = error.status
    if status == lib.WPY_HOST:
        raised = take_pending(error.code)
        if isinstance(raised, Trap):
            raised.frames += _frames(who, error.frames)
        elif error.frames:
            lib.wpy_take_frames(who, ffi.NULL, 0)
        raise raised
    frames = _frames(who, error.frames) if error.frames else ()
    if status == lib.WPY_CLOSED:
        raise ClosedError(f"{what}: its instance is closed")
    if status == lib.WPY_FORKED:
        raise forked(what)
    if status == lib.WPY_DEADLOCK:
        raise RuntimeError(
            f"{what} would wait for ever: another thread is in its instance and waits for one that "
            "this thread is in"
        )
    text = ffi.string(error.text).decode("utf-8", "replace")
    if status == lib.WPY_HOST_RANGE:
        raise out_of_range(error.code, text.rpartition(" ")[2])
    if status == lib.WPY_EXIT:
        trap: Trap = ExitTrap(error.code & 0xFFFFFFFF)
    elif status == lib.WPY_TIMEOUT:
        trap = TimeoutTrap("timed out")
        trap.code = TrapCode.TIMEOUT
    elif status == lib.WPY_FUEL:
        trap = FuelTrap("out of fuel")
        trap.code = TrapCode.OUT_OF_FUEL
    elif status == lib.WPY_INTERRUPTED:
        trap = interrupted()
    else:
        trap = trap_from_text(text)
    trap.frames = frames
    raise trap


def interrupted() -> Trap:
    """Return the trap of code that was told to stop."""
    trap = Trap("interrupted")
    trap.code = TrapCode.INTERRUPTED
    return trap


def _frames(who: Any, count: int) -> tuple[Frame, ...]:
    from .instance import state_of

    array = ffi.new("wpy_frame[]", count)
    found = []
    locators: dict[Module, Locator] = {}
    for i in range(lib.wpy_take_frames(who, array, count)):
        state, index, compiled = state_of(array[i].tag), array[i].function, array[i].compiled
        if state is None:
            found.append(Frame(index))
            continue
        module = state.module
        locator = locators.setdefault(module, Locator(module))
        found.append(
            Frame._lazy(
                index,
                module._function_name(index),
                module.name,
                state.instance() if state.made else None,
                locator.asked(index, compiled),
            )
        )
    return tuple(found)


def take_error(who: Any) -> Any:
    """Return the wpy_error of what failed last in `who`, or None if nothing did."""
    error = ffi.new("wpy_error *")
    return error if lib.wpy_take_error(who, error) else None


# ------------------------------------------------------------------ one function
class Call:
    """What calling one function of an instance takes, beside the fast path."""

    __slots__ = ("codec", "fn", "name", "state")

    def __init__(self, state: State, fn: Any, type: FuncType, name: str) -> None:  # noqa: A002
        self.state = state
        self.fn = fn
        self.codec = codec_of(type)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name}{self.codec.type}"

    def general(
        self,
        args: tuple[object, ...],
        timeout_ns: int = 0,
        fuel: int = NO_FUEL_LIMIT,
        stop: Any = ffi.NULL,
    ) -> Any:
        """Call with any arguments; stop: a uint32_t in C that, set to 1, ends the call."""
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
        status = lib.wpy_call_cells(self.fn, cells, timeout_ns, fuel, stop)
        while status:
            error = take_error(self.fn)
            if error is None or status != lib.WPY_BUSY:
                raise_status(error, self.fn, str(self))
            # Another thread is in there: what stops a call stops one that waits for its turn.
            if stop and stop[0]:
                raise interrupted()
            if limit != NO_TIMEOUT:
                timeout_ns = limit - (monotonic_ns() - began)
                if timeout_ns <= 0:
                    raise trap_from_text("timed out")
            status = lib.wpy_call_cells(self.fn, cells, timeout_ns, fuel, stop)
        return codec.unpack_results(buffer, self.state)

    def after(self, args: tuple[object, ...], result: Any) -> Any:
        """Return or raise what a sentinel means."""
        error = take_error(self.fn)
        if error is None:
            return result  # a genuine one
        if error.status in (lib.WPY_BUSY, lib.WPY_RANGE):
            return self.general(args)  # waits; or tells which argument it was
        raise_status(error, self.fn, str(self))


def callable_for(call: Call) -> Callable[..., Any]:
    """Return a plain function that calls the wasm function."""
    codec = call.codec
    if codec.way is None:
        codec.way = _way(codec)
    make, entry, signature = codec.way
    if entry is None:

        def wasm_function(*args: object) -> Any:
            return call.general(args)
    else:
        wasm_function = make(entry, call.fn, call.general, call.after)
    wasm_function.__name__ = call.name
    wasm_function.__qualname__ = call.name + signature
    return wasm_function


def _way(codec: Codec) -> tuple[Any, Any, str]:
    """Return what makes closures, the entry in C (None: there is none), and the type as text."""
    kinds, results = codec.type._param_kinds, codec.type._result_kinds
    signature = str(codec.type)
    if not codec.plain or len(results) > 1 or len(kinds) > len(_NAMES):
        return None, None, signature
    result = _CLASSES[results[0]] if results else "v"
    shape = f"{result}_{''.join([_CLASSES[kind] for kind in kinds])}"
    entry = getattr(lib, f"wpy_c_{shape}", None)
    return _factory(result, len(kinds)), entry, signature


_factories: dict[tuple[str, int], Callable[..., Callable[..., Any]]] = {}


def _factory(result: str, count: int) -> Callable[..., Callable[..., Any]]:
    """Return what makes closures for functions with this class of result and so many parameters.

    Written as text, since only exact parameters are as fast as they can be.
    """
    factory = _factories.get((result, count))
    if factory is None:
        names = ", ".join(_NAMES[:count])
        given = f"({names},)" if names else "()"
        call = f"entry(fn, {names})" if names else "entry(fn)"
        error = {"v": "0", "i": repr(ERROR_I), "d": repr(ERROR_D)}[result]
        good = f"r == {error}" if result == "v" else f"r != {error}"
        text = f"""
def make(entry, fn, general, after):
    def wasm_function({names}{", /" if names else ""}):
        try:
            r = {call}
            if {good}:
                return{"" if result == "v" else " r"}
        except (TypeError, OverflowError):
            return general({given})
        return after({given}, {"None" if result == "v" else "r"})
    return wasm_function
"""
        namespace: dict[str, Any] = {}
        exec(compile(text, f"<wamr call {result} {count}>", "exec"), namespace)
        factory = _factories[result, count] = namespace["make"]
    return factory
