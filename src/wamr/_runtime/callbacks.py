"""Host functions: Python called from wasm.

C knows a host function by a number, and calls its `HostFunction`. Its base `HostFunctionBase` in C
does that where the values are numbers or vectors (src/native/cpython/callbacks.c), `wpy_py_cells`
where there are references. The instance that imports a callback keeps it alive (`Lifetime.keep`),
so Python's collector sees a cycle through wasm; C and the registry only look on. An exception of a
callback can't pass through C: it is stored under a number, by thread, and C unwinds; whoever called
into wasm from Python then raises it again (`take_pending`), with its identity and traceback. The C
side is src/native/runtime/callbacks.c.
"""

from __future__ import annotations

from _thread import get_ident

from .._backend.binding import (
    HostFunctionBase,
    ffi,
    keep_raised,
    lib,
    take_raised,
    throw_raised,
)
from .._backend.handles import handle
from .._base.registry import host_functions, register_host_function
from .._values.codec import codec_of
from .state import InstanceState, find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..types import FuncType
    from .store import Store

looks: dict[int, Callable[[], None]] = {}  # thread -> what is done there now and then
NOT_KEPT: int = lib.WPY_EXCEPTION_LOST
_BY_CELLS = getattr(HostFunctionBase, "by_cells", False)  # where there is no C that converts values


def _extern(function: Callable[..., int]) -> Callable[..., int]:
    """Make a function what C calls by its name; it answers the number of what it raises."""
    made: Callable[..., int] = ffi.def_extern(error=NOT_KEPT, onerror=keep_raised)(function)
    return made


def take_pending(number: int) -> BaseException:
    """Return the exception that wasm was unwound for in this thread."""
    error = take_raised(number)
    if error is None:  # Python was too deep to keep it
        return RecursionError("a host function failed where Python could not keep its exception")
    return error


def find_host_function(number: int) -> HostFunction | None:
    """Return the host function that C knows by this number, if it is alive."""
    try:
        host: HostFunction = host_functions[number]()
    except (IndexError, ReferenceError):
        return None
    return host


_MOST_CELLS = 65_535
_CELLS = {0x7E: 2, 0x7C: 2, 0x7B: 4}  # i64, f64, v128


def _no_function(name: str, *kinds: bytes) -> MemoryError:
    """Return why a host function of these parameters and results could not be made in C."""
    if max(sum(_CELLS.get(kind, 1) for kind in some) for some in kinds) > _MOST_CELLS:
        return MemoryError(
            f"the type of {name} is too large: parameters, and results, can take {_MOST_CELLS:,} "
            "cells (one for an i32, f32 or reference, two for an i64 or f64, four for a v128)"
        )
    return MemoryError(f"no memory for the host function {name}")


class HostFunction(HostFunctionBase):
    """A callback with a type, as C calls it."""

    __slots__ = (
        "__weakref__",
        "_codec",
        "access_caller",
        "callback",
        "fn",
        "id",
        "name",
        "run",
        "store",
        "type",
    )

    def __init__(
        self,
        store: Store,
        type: FuncType,  # noqa: A002
        callback: Callable[..., Any],
        name: str,
        access_caller: bool = False,
    ) -> None:
        kinds, results = type._param_kinds, type._result_kinds
        fn = lib.wpy_host_func_new(kinds + results, len(kinds), len(results), _BY_CELLS)
        if not fn:
            raise _no_function(name, kinds, results)
        self.fn = handle(fn)
        self.id = lib.wpy_func_host_id(fn)
        self.store = store
        self.type = type
        self.callback = callback
        self.access_caller = access_caller
        self.name = name
        self._codec = codec_of(type)
        self.run = _with_caller(callback) if access_caller else callback
        register_host_function(self.id, self)
        self._ready(self.id, self.run)

    def __str__(self) -> str:
        return f"host function {self.name}{self._codec.type}"

    def cells(self, args: Any, results: Any) -> None:
        """Run with the arguments in cells, results into cells."""
        codec = self._codec
        if codec.refs:
            self._cells_with_refs(args, results)
            return
        place: Any = (
            _caller() if codec.funcrefs else self
        )  # now: another greenlet may call meanwhile
        values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), place)
        codec.pack_results(ffi.buffer(results, codec.bytes), self.run(*values), place, self)

    def _cells_with_refs(self, args: Any, results: Any) -> None:
        codec = self._codec
        caller = _caller()  # now: another greenlet may call meanwhile
        # What this thread was passing when it came into wasm is on the wasm stack by now.
        passing = self.store._objects
        before = passing.aside()
        try:
            objects = self.store._enter_refs()
            try:
                values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), caller)
            finally:
                objects.leave()
            result = self.run(*values)
            objects = self.store._enter_refs()
            try:
                codec.pack_results(ffi.buffer(results, codec.bytes), result, caller, self)
            finally:
                objects.leave()
        finally:
            passing.back(before)

    def packed(self, result: object) -> bytes:
        """Return the cells of a result that C does not know what to do with; TypeError, …."""
        cells = bytearray(self._codec.bytes)
        place: Any = self  # for its store: there are no references
        self._codec.pack_results(cells, result, place, self)
        return bytes(cells[: self._codec.result_bytes])


def _with_caller(callback: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        state = find_instance_state(lib.wpy_calling_instance_id())
        return callback(None if state is None else state.instance(), *args)

    return run


def _caller() -> InstanceState:
    state = find_instance_state(lib.wpy_calling_instance_id())
    if state is None:
        raise ReferenceError("the instance that calls is gone")
    return state


# ------------------------------------------------------------------ what C calls
@ffi.def_extern(error=NOT_KEPT, onerror=throw_raised)  # type: ignore[untyped-decorator, unused-ignore]
def wpy_py_cells(host_id: int, args: Any, results: Any) -> int:
    """Call a host function whose values C does not convert."""
    host_functions[host_id]().cells(args, results)
    return 0


@ffi.def_extern()  # type: ignore[untyped-decorator, unused-ignore]
def wpy_py_forget(number: int) -> None:
    """Let go of an exception that a host function raised, and wasm code caught."""
    take_raised(number)


@_extern
def wpy_py_signals() -> int:
    """Let Python run its signal handlers, which it does between bytecodes of the main thread.

    In a thread that somebody waits for: look whether that is still so.
    """
    for _ in range(2):
        pass
    look = looks.get(get_ident())
    if look is not None:
        look()
    return 0
