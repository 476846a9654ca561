"""Host functions: Python callbacks that wasm code calls.

C knows a host function by a number, which stands for a `HostFunction`. Calls with numbers and
vectors are made by its base class in C (src/native/cpython/callbacks.c); calls with references go
through `wpy_py_cells`. An instance that imports a callback keeps it alive (`Lifetime.keep`), so the
garbage collector sees cycles that lead through wasm; C and the registry refer to it weakly.

An exception can't propagate through C. It is stored under a number, by thread, and C unwinds the
wasm code; the call from Python into wasm then raises the same object again (`take_pending`). The C
side is src/native/runtime/callbacks.c.
"""

from __future__ import annotations

from .._backend.binding import (
    HostFunctionBase,
    ffi,
    keep_raised,
    lib,
    set_suspend,
    take_raised,
    throw_raised,
)
from .._backend.handles import handle
from .._base.binary_format import CELLS, EXTERNREF
from .._base.callables import refuse_unrun
from .._base.per_thread import PerThread
from .._base.printable import printable_name
from .._base.registry import host_functions, register_host_function
from .._base.suspension import SUSPEND
from .._values.codec import codec_of
from .awaitables import awaited, awaiting, is_awaitable
from .state import InstanceState, find_instance_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..types import FuncType
    from .store import Store

checks_of_code = PerThread()  # of each thread: a function to call every 50 ms while code runs
_NOT_KEPT: int = lib.WPY_EXCEPTION_LOST
_SUSPENDS: int = lib.WPY_SUSPENDS
set_suspend(SUSPEND)
_BY_CELLS = getattr(HostFunctionBase, "by_cells", False)  # no C converts values: portable.py
_MAX_CELLS = 65_535  # of the parameters, and of the results


def _extern(function: Callable[..., int]) -> Callable[..., int]:
    """Decorate an `extern "Python"` function, which returns the number of an exception or 0."""
    decorated: Callable[..., int] = ffi.def_extern(error=_NOT_KEPT, onerror=keep_raised)(function)
    return decorated


def take_pending(number: int) -> BaseException:
    """Return the exception, stored under `number`, that wasm code was unwound for."""
    error = take_raised(number)
    if error is None:  # storing it failed, at the recursion limit
        return RecursionError("a host function failed where Python could not keep its exception")
    return error


def find_host_function(number: int) -> HostFunction | None:
    """Return the host function that C knows by this number, or None if it was collected."""
    try:
        host: HostFunction = host_functions[number]()
    except (IndexError, ReferenceError):
        return None
    return host


def _creation_error(name: str, *kinds: bytes) -> MemoryError:
    """Return the error for a host function that C could not make; kinds: parameters, results."""
    if max(sum(CELLS.get(kind, 1) for kind in part) for part in kinds) > _MAX_CELLS:
        return MemoryError(
            f"the type of {name} is too large: parameters, and results, can take {_MAX_CELLS:,} "
            "cells (one for an i32, f32 or reference, two for an i64 or f64, four for a v128)"
        )
    return MemoryError(f"no memory for the host function {name}")


class HostFunction(HostFunctionBase):
    """A callback with a function type, which C calls by its number `id`.

    fn: the handle of the C function. run: the callback, with the calling Instance as its first
    argument if `access_caller`; a coroutine function suspends the call. is_async: whether it is a
    coroutine function. Other callables may return awaitables, too.
    """

    __slots__ = (
        "__weakref__",
        "_codec",
        "access_caller",
        "callback",
        "fn",
        "id",
        "is_async",
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
        is_async: bool = False,
    ) -> None:
        kinds, results = type._param_kinds, type._result_kinds
        fn = lib.wpy_host_func_new(kinds + results, len(kinds), len(results), _BY_CELLS, id(store))
        if not fn:
            raise _creation_error(name, kinds, results)
        self.fn = handle(fn)
        self.id = lib.wpy_func_host_id(fn)
        self.store = store
        self.type = type
        self.callback = callback
        self.access_caller = access_caller
        self.name = name
        self._codec = codec_of(type)
        self.is_async = is_async
        run = _with_caller(callback) if access_caller else callback
        self.run = awaiting(run, _Refusal(name, self._codec.type)) if is_async else run
        register_host_function(self.id, self)
        self._ready(self.id, self.run)

    def __str__(self) -> str:
        return f"host function {printable_name(self.name)}{self._codec.type}"

    def cells(self, args: Any, results: Any) -> int:
        """Call with the arguments in cells, and write the results to cells.

        Returns 0, or WPY_SUSPENDS.
        """
        codec = self._codec
        if codec.refs:
            return self._call_with_refs(args, results)
        # The caller is looked up first: during the call, another greenlet may enter wasm.
        context: Any = _caller() if codec.needs_context else self
        values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), context)
        result = self.run(*values)
        if result is not SUSPEND and self.awaits(result):
            result = awaited(result, _Refusal(self.name, codec.type))
        if result is SUSPEND:
            return _SUSPENDS
        self.pack(ffi.buffer(results, codec.bytes), result, context)
        return 0

    def awaits(self, result: object) -> bool:
        """Tell whether what the callback has returned is to be awaited.

        An awaitable may be an externref, unless the callback is a coroutine function.
        """
        if self.is_async:
            return False  # `run` has done so
        return is_awaitable(result) and EXTERNREF not in self.type._result_kinds

    def pack(self, cells: Any, result: object, context: Any) -> None:
        """Write what the callback has returned to cells; TypeError, OverflowError, ValueError."""
        try:
            self._codec.pack_results(cells, result, context, self)
        except TypeError:
            refuse_unrun(self, result, may_await=True)
            raise

    def refusal(self) -> RuntimeError:
        """Return the error for a result that is to be awaited, in a call that can't be."""
        return _Refusal(self.name, self._codec.type)()

    def _not_suspendable(self) -> RuntimeError:
        """Return the error for SUSPEND in a call that can't be suspended."""
        return RuntimeError(
            f"{self} suspends: only a call that can be suspended may call it (Func.execution)"
            f"{_why_not()}"
        )

    def _call_with_refs(self, args: Any, results: Any) -> int:
        codec = self._codec
        caller = _caller()  # first, as above
        # The references that this thread has passed to wasm are on the wasm stack by now, where a
        # collection finds them.
        store = self.store
        table = store._objects
        suspended = table.suspend()
        try:
            with store._passing_refs():
                values = codec.unpack_arguments(ffi.buffer(args, codec.bytes), caller)
            result = self.run(*values)
            if result is not SUSPEND and self.awaits(result):
                result = awaited(result, _Refusal(self.name, codec.type))
            if result is SUSPEND:
                return _SUSPENDS
            with store._passing_refs():
                self.pack(ffi.buffer(results, codec.bytes), result, caller)
        finally:
            table.resume(suspended)
        return 0

    def packed(self, result: object) -> object:
        """Return the cells of a result that C doesn't convert; for types without references.

        Returns SUSPEND if the result is to be awaited. Raises TypeError, OverflowError, ValueError.
        """
        if self.awaits(result):
            result = awaited(result, _Refusal(self.name, self._codec.type))
            if result is SUSPEND:
                return result
        cells = bytearray(self._codec.bytes)
        context: Any = self  # it has a store, which is all that other values need
        self.pack(cells, result, context)
        return bytes(cells[: self._codec.result_bytes])


class _Refusal:
    """Makes the error of a host function that is to be awaited in a call that can't be suspended.

    It doesn't refer to the host function, which would be a cycle.
    """

    __slots__ = ("_name", "_type")

    def __init__(self, name: str, type: FuncType) -> None:  # noqa: A002
        self._name = name
        self._type = type

    def __call__(self) -> RuntimeError:
        return RuntimeError(
            f"host function {printable_name(self._name)}{self._type} is async: only a call that "
            f"can be suspended may call it (call_async, Execution){_why_not()}"
        )


def _why_not() -> str:
    """Return why the call that this thread is in can't be suspended, for the end of a message."""
    state = find_instance_state(lib.wpy_calling_instance_id())
    if state is not None and not state.started:
        return "; a start function can't be"
    if state is not None and lib.wpy_in_execution():
        return "; Python code stands between it and that call"
    return ""


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


# ------------------------------------------------------------------ called by C
@ffi.def_extern(error=_NOT_KEPT, onerror=throw_raised)  # type: ignore[untyped-decorator, unused-ignore]
def wpy_py_cells(host_id: int, args: Any, results: Any) -> int:
    """Call a host function whose values C doesn't convert."""
    status: int = host_functions[host_id]().cells(args, results)
    return status


@_extern
def wpy_py_cannot_suspend(host_id: int) -> int:
    """Keep the exception for a host function that suspends a call which can't be suspended."""
    raise host_functions[host_id]()._not_suspendable()


@ffi.def_extern()  # type: ignore[untyped-decorator, unused-ignore]
def wpy_py_forget(number: int) -> None:
    """Drop the exception of a host function, which wasm code has caught."""
    take_raised(number)


@_extern
def wpy_py_signals() -> int:
    """Let Python run signal handlers, and make this thread's periodic check, if it has one."""
    for _ in range(2):  # CPython runs handlers between bytecodes, at jumps backwards
        pass
    check = checks_of_code.get()
    if check is not None:
        check()
    return 0
