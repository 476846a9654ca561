"""Python functions that C calls: imports of a module, and finalizers.

One C function, wpy_api_callback, serves all callbacks; its `env` is a handle of a `HostFunction`.
The vectors that a callback gets are copies, which Python owns: a callback may keep them after the
call, until the next call of the callback overwrites them. An exception becomes a trap and is
stored; the wasm_func_call that returns the trap attaches the exception to it
(`wasm_trap_exception`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from .._base.callables import checked_plain, refuse_unrun
from .._base.locks import ByThread
from . import arguments
from .arrays import vec_of
from .handles import NULL, CData, TrackedHandle, find, kind, typeof
from .ownership import consumed
from .vectors import vec

if TYPE_CHECKING:
    from collections.abc import Callable

TRAP = kind("trap")
_FINALIZER = typeof("void(*)(void *)")
# The exception of a callback while C unwinds, by thread.
_raised = ByThread()


class Callback:
    """A Python function for wasm_func_new. Calling it calls the function."""

    with_env = False

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"a callback must be callable, not {type(function).__name__}")
        checked_plain("the callback", function)
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", "callback")

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__}>"


class CallbackWithEnv(Callback):
    """A Python function for wasm_func_new_with_env."""

    with_env = True


class Finalizer(Callback):
    """A Python function that finalizes host information or a callback's env."""


class HostFunction:
    """A callback as C calls it; C's `env` is `handle`."""

    def __init__(
        self, callback: Callback, env: Any, kinds: tuple[bytes, bytes], store: Any
    ) -> None:
        parameters, results = kinds
        self.function = callback.function
        self.with_env = callback.with_env
        self.env = env
        self.store = store
        self.handle = ffi.new_handle(self)
        self.busy = False
        self.kinds = results
        self.arguments = _values(parameters)
        self.results = _values(results)
        # What they are before each call: the callback may change the structs, too.
        self.arguments_struct = _copy_of(self.arguments[0])
        self.results_struct = _copy_of(self.results[0])
        self.results_data = bytes(ffi.buffer(self.results[1]))

    def call(self, args: Any, results: Any) -> Any:
        """Call the function and write the results; return NULL or a trap."""
        if self.busy:  # a nested call can't use the same buffers
            mine, out = _values(bytes(len(self.arguments[1]))), _values(self.kinds)
        else:
            mine, out = self.arguments, self.results
            mine[0][0], out[0][0] = self.arguments_struct, self.results_struct
            ffi.memmove(out[1], self.results_data, len(self.results_data))
        (mine_vec, mine_data), (out_vec, out_data) = mine, out
        busy, self.busy = self.busy, True
        try:
            ffi.memmove(mine_data, args.data, len(ffi.buffer(mine_data)))
            if self.with_env:
                trap = self.function(self.env, mine_vec, out_vec)
            else:
                trap = self.function(mine_vec, out_vec)
        finally:
            self.busy = busy
        if trap is not None:
            refuse_unrun("the callback", trap)
            pointer, tracked = find(TRAP, trap, "callback", "the result")
            if tracked is not None:
                return _released_trap(pointer, tracked)
        for index, wanted in enumerate(self.kinds):
            if out_data[index].kind != wanted:
                raise TypeError(f"result {index} has the kind {out_data[index].kind}, not {wanted}")
        if self.kinds:
            ffi.memmove(results.data, out_data, len(self.results_data))
        return NULL


def _values(kinds: bytes) -> tuple[Any, Any]:
    """Return a vector of zeros of these kinds, and its data."""
    data = ffi.new("wasm_val_t[]", len(kinds))
    for index, wanted in enumerate(kinds):
        data[index].kind = wanted
    return vec_of(vec("val"), data), data


def _copy_of(struct: Any) -> Any:
    return ffi.new("wasm_val_vec_t *", struct[0])[0]


def _released_trap(pointer: Any, tracked: TrackedHandle) -> Any:
    """Return the pointer of a trap that a callback returns, which the runtime deletes."""
    if tracked.owner is not None:
        raise ReferenceError(f"callback: the trap belongs to {tracked.owner.describe()}")
    if tracked.extra is not None:
        _raised[threading.get_ident()] = tracked.extra
    if not tracked.has_other_owners():
        consumed(tracked, "the runtime by a callback")
    return pointer


CALLED_BY_C = ffi.addressof(lib, "wpy_api_callback")  # it calls the next function
_LOST: int = lib.WPY_EXCEPTION_LOST


def _lost(kind: type[BaseException], error: BaseException | None, _traceback: object) -> int:
    """Keep an exception that there was no room to make a trap of; C makes one."""
    _raised[threading.get_ident()] = kind() if error is None else error
    return _LOST


@ffi.def_extern(error=_LOST, onerror=_lost)  # type: ignore[untyped-decorator, unused-ignore]
def wpy_py_api_callback(env: Any, args: Any, results: Any, trap: Any) -> int:
    """Call a host function; write the trap that it returns, or of its exception, to `trap`."""
    host: HostFunction = ffi.from_handle(env)
    try:
        made = host.call(args, results)
        if made is not NULL:
            trap[0] = made
    except BaseException as error:  # noqa: BLE001 - wasm_func_call raises it
        _raised[threading.get_ident()] = error
        trap[0] = lib.wpy_api_trap(host.store, describe(error).encode(errors="replace"))
    return 0


def describe(error: BaseException) -> str:
    """Return the type and message of an exception."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001
        text = ""
    name = type(error).__name__
    return (f"{name}: {text}" if text else name).replace("\0", " ")


def take_raised() -> BaseException | None:
    """Take the exception behind the trap that a call in this thread has returned, or None."""
    return _raised.pop(threading.get_ident(), None) if _raised else None


def checked_finalizer(value: Any, function: str) -> Any:
    """Check a finalizer: a callable, a function pointer or None."""
    if isinstance(value, CData):
        return arguments.pointer(_FINALIZER, value, function, "finalizer")
    if value is not None and not callable(value):
        raise TypeError(
            f"{function}: finalizer must be made with @wasm_finalizer, be a function pointer or "
            f"None, not {type(value).__name__}"
        )
    return value


def finalizer(value: Any, argument: Any) -> tuple[Any, Callable[[], object] | None]:
    """Return a finalizer for C, or NULL, and a function that calls one in Python, or None."""
    if arguments.is_null(value):
        return NULL, None
    if isinstance(value, CData):
        return value, None
    function = value.function if isinstance(value, Callback) else value
    checked_plain("the finalizer", function)
    return NULL, lambda: _finalize(function, argument)


def _finalize(function: Callable[[Any], object], argument: Any) -> None:
    import sys

    try:
        function(NULL if argument is None else argument)
    except Exception:  # noqa: BLE001 - C has no way to report it to the caller
        sys.excepthook(*sys.exc_info())
