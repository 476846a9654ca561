"""Functions: calls into wasm, and callbacks.

These wrappers aren't generated, since they deal with callbacks, the lock of the store, the vectors
of a running call, and the exceptions behind traps.
"""

from __future__ import annotations

from threading import get_ident
from typing import Any

from .._backend.binding import ffi, lib
from . import arguments, callbacks, handles, vectors
from .callbacks import CALLED_BY_C, Callback, HostFunction
from .engines import STORE, Store
from .handles import NULL, CData, TrackedHandle, find, kind, own_in, typeof

FUNC, FUNCTYPE, REF, TRAP = kind("func"), kind("functype"), kind("ref"), kind("trap")
EXTERN = kind("extern")
VALS = vectors.vec("val")

_VALS = VALS.ctype
_calls = FUNC.calls
# Stands for None as arguments or results: one object, so that Call.known recognizes it.
_NO_VALS = ffi.cast(_VALS, 0)
_NUMBERS = typeof("uintptr_t[7]")
_UNLIMITED = 2 ** (8 * ffi.sizeof("uintptr_t")) - 1
_CALLBACK = typeof("wasm_func_callback_t")
_CALLBACK_WITH_ENV = typeof("wasm_func_callback_with_env_t")


class Signature:
    """The state of a function for its calls: its callback, and the positions of references."""

    def __init__(self, func: Any, host: SharedCallback | None = None) -> None:
        self.host = host
        type_ = lib.wasm_func_type(func)
        try:
            params, results = kinds_of(type_)
        finally:
            lib.wasm_functype_delete(type_)
        self.refs_in = tuple(i for i, k in enumerate(params) if k == lib.WASM_FUNCREF)
        self.refs_out = tuple(i for i, k in enumerate(results) if k == lib.WASM_FUNCREF)
        self.refs = bool(self.refs_in or self.refs_out)


def kinds_of(type_: Any) -> tuple[bytes, bytes]:
    """Return the kinds of a function type's parameters and results."""
    if not type_:
        return b"", b""
    params, results = lib.wasm_functype_params(type_), lib.wasm_functype_results(type_)
    return _kinds_in(params), _kinds_in(results)


def _kinds_in(vec: Any) -> bytes:
    return bytes(lib.wasm_valtype_kind(vec.data[index]) for index in range(vec.num_elems))


class SharedCallback:
    """A callback's env and finalizer, which the copies of its function share.

    WAMR would run the finalizer for every copy, even while instances can call the function. Here it
    runs once: when the last copy is deleted, or with the store if an instance has imported it.
    """

    def __init__(self, keep: Any, finalize: Any) -> None:
        self.keep = keep
        self.finalize = finalize
        self.copies = 0
        self.imported = False

    def share(self, tracked: TrackedHandle) -> None:
        """Count a copy of the function."""
        self.copies += 1
        tracked.simple = False
        tracked.ended = self._copy_ended

    def _copy_ended(self) -> None:
        self.copies -= 1
        if not self.copies and not self.imported:
            self.finish()

    def finish(self) -> None:
        """Run the finalizer, if it hasn't run."""
        finalize, self.finalize = self.finalize, None
        if finalize is not None:
            finalize()


def wasm_func_new(store: Any, functype: Any, callback: Any) -> Any:
    return _func_new("wasm_func_new", store, functype, callback, None, None)


def wasm_func_new_with_env(store: Any, type: Any, callback: Any, env: Any, finalizer: Any) -> Any:  # noqa: A002
    return _func_new("wasm_func_new_with_env", store, type, callback, env, finalizer)


def _func_new(
    function: str, store: Any, type_: Any, callback: Any, env: Any, finalizer: Any
) -> Any:
    with_env = function == "wasm_func_new_with_env"
    store_pointer, parent = find(STORE, store, function, "store")
    described = handles.use(FUNCTYPE, type_, function, "type" if with_env else "functype")
    if isinstance(callback, Callback):
        if callback.with_env is not with_env:
            made = "wasm_func_callback_with_env" if with_env else "wasm_func_callback"
            raise TypeError(f"{function}: callback must be made with @{made}")
        env_or_null = NULL if env is None else env
        host: Any = HostFunction(callback, env_or_null, kinds_of(described), store_pointer)
        finalize = _env_finalizer(finalizer, env, function)
        pointer = lib.wasm_func_new_with_env(
            store_pointer, described, CALLED_BY_C, host.handle, NULL
        )
    else:
        host = _c_callback(callback, with_env, function)
        finalize = _env_finalizer(finalizer, env, function)
        if with_env:
            env_pointer = arguments.address(env, function, "env")
            pointer = lib.wasm_func_new_with_env(store_pointer, described, host, env_pointer, NULL)
        else:
            pointer = lib.wasm_func_new(store_pointer, described, host)
    pointer = own_in(parent, FUNC, pointer)
    if pointer:
        share = SharedCallback((host, env), finalize)
        tracked = FUNC.live[id(pointer)]
        tracked.extra = Signature(pointer, share)
        share.share(tracked)
        if parent is not None:
            parent.extra.hosts.append(share)
    return pointer


def _c_callback(callback: Any, with_env: bool, function: str) -> Any:
    expected = _CALLBACK_WITH_ENV if with_env else _CALLBACK
    if callback is None or isinstance(callback, CData):
        return arguments.pointer(expected, callback, function, "callback")
    made = "wasm_func_callback_with_env" if with_env else "wasm_func_callback"
    raise TypeError(
        f"{function}: callback must be made with @{made} or be a {expected.cname}, "
        f"not {type(callback).__name__}"
    )


def _env_finalizer(finalizer: Any, env: Any, function: str) -> Any:
    finalizer = callbacks.checked_finalizer(finalizer, function)
    if isinstance(finalizer, CData) and finalizer:
        env_pointer = arguments.address(env, function, "env")
        return lambda: finalizer(env_pointer)
    return callbacks.finalizer(finalizer, env)[1]


def wasm_func_copy(func: Any) -> Any:
    return _copy(FUNC, func, "wasm_func_copy", "func", lib.wasm_func_copy)


def wasm_extern_copy(extern: Any) -> Any:
    return _copy(EXTERN, extern, "wasm_extern_copy", "extern", lib.wasm_extern_copy)


def _copy(kind: handles.HandleType, value: Any, function: str, parameter: str, copy: Any) -> Any:
    pointer, tracked = find(kind, value, function, parameter)
    result = own_in(tracked and tracked.store, kind, copy(pointer))
    if result and tracked is not None and isinstance(tracked.extra, Signature):
        other = kind.live[id(result)]
        other.extra = tracked.extra
        if tracked.extra.host is not None:
            tracked.extra.host.share(other)
    return result


class Call:
    """The state of the calls of one handle, made at the first call and found by the pointer."""

    __slots__ = ("func", "known", "refs", "signature", "state", "store", "tracked", "turn")

    def __init__(self, func: Any) -> None:
        self.func, self.tracked = handles.need(FUNC, func, "wasm_func_call", "func")
        signature = self.tracked.extra
        if signature is None:
            signature = self.tracked.extra = Signature(self.func)
        self.tracked.simple = False
        self.signature: Signature = signature
        self.refs = signature.refs
        self.store = self.tracked.store
        self.state: Store = Store() if self.store is None else self.store.extra
        self.turn = self.state.turn
        # The vectors of the last call, since the next one often uses them again, and the array that
        # C gets. C compares the array with the structs, which may have changed since.
        self.known: tuple[Any, Any, Any] = (None, None, None)

    def check(self, args: Any, results: Any) -> tuple[Any, Any, Any]:
        """Check the vectors; return them and the array for C. Raises TypeError, ValueError."""
        given = vectors.struct(VALS, args, "wasm_func_call", "args")
        out = vectors.struct(VALS, results, "wasm_func_call", "results")
        numbers = [_number(self.func), _number(given), _number(out)]
        for vec, name in ((given, "args"), (out, "results")):
            data = vec.data if vec else NULL
            block = vectors.blocks.get(data) if data else None
            capacity = block.capacity if isinstance(block, vectors.Block) else block
            if capacity is not None and vec.size > capacity:
                raise ValueError(
                    f"wasm_func_call: {name} says {vec.size} where there are {capacity}"
                )
            numbers += [_number(data), _UNLIMITED if capacity is None else capacity]
        # A new array each time, since another thread may be about to use the last one.
        self.known = (given, out, ffi.new(_NUMBERS, numbers))
        return self.known

    def check_and_call(self, args: Any, results: Any) -> Any:
        """Check the vectors again, and call; until C finds that they are as they were checked."""
        while True:
            args, results, known = self.check(args, results)
            trap = lib.wpy_api_call(known)
            if trap != known:
                return trap

    def own_refs(self, results: Any) -> None:
        """Track the references that the call has returned."""
        for index in self.signature.refs_out:
            own_in(self.store, REF, results.data[index].of.ref)


def _number(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))


def _call_of(func: Any) -> Call:
    call = Call(func)
    _calls[call.func] = call
    return call


def wasm_func_call(func: Any, args: Any, results: Any) -> Any:
    try:
        call = _calls[func]
        if call.func is not func:
            call = _call_of(func)
    except (KeyError, TypeError):
        call = _call_of(func)
    if args is None:
        args = _NO_VALS
    if results is None:
        results = _NO_VALS
    state, turn = call.state, call.turn
    thread, nested = get_ident(), False
    me, outer = [thread], None
    try:  # as Store.run
        try:
            if turn.setdefault(0, me) is not me and (nested := state.wait(me)):
                outer = state.active
            known_args, known_results, known = call.known
            if args is not known_args or results is not known_results:
                args, results, known = call.check(args, results)
            state.active = (call.tracked, args, results, outer, thread)
            if call.tracked.over:
                find(FUNC, func, "wasm_func_call", "func")
                raise ReferenceError("wasm_func_call: func is being deleted by another thread")
            if call.refs:
                _check_refs(call.signature, args)
            trap = lib.wpy_api_call(known)
            if trap == known:  # C found that the structs have changed
                trap = call.check_and_call(args, results)
            if trap:
                return new_trap(trap, call.store)
            if call.refs:
                call.own_refs(results)
            return trap
        finally:
            try:
                if turn[0] is me:
                    state.active = None
                    del turn[0]
                elif nested:
                    state.active = outer
            except KeyError:
                pass
            if state.waiting:
                state.wake()
    finally:
        if turn and turn.get(0) is me:
            state.active = None
            del turn[0]
        elif nested:
            state.active = outer


def _check_refs(signature: Signature, args: Any) -> None:
    for index in signature.refs_in if args else ():
        if args.data and index < args.size:
            handles.use(
                REF, args.data[index].of.ref, "wasm_func_call", f"args.data[{index}].of.ref"
            )


def new_trap(trap: Any, store: TrackedHandle | None) -> Any:
    """Track a trap that wasm code ended with, and attach the exception of a callback, if any.

    Raises the exception if it is no Exception: KeyboardInterrupt, SystemExit.
    """
    error = callbacks.take_raised()
    if error is not None and not isinstance(error, Exception):
        lib.wasm_trap_delete(trap)
        raise error
    own_in(store, TRAP, trap)
    if error is not None:
        TRAP.live[id(trap)].extra = error
    return trap
