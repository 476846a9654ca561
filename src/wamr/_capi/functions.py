"""Functions and instances: where C calls Python and wasm runs.

Written by hand since they need more than their arguments: callbacks, the lock of the store, the
vectors of a running call, traps with exceptions behind them, imports that belong together.
"""

from __future__ import annotations

from contextlib import nullcontext
from threading import get_ident
from typing import Any

from .._backend.binding import ffi, lib
from . import arguments, callbacks, handles, vectors
from .callbacks import Callback, Host
from .engines import STORE, Store
from .handles import NULL, CData, TrackedHandle, find, kind, null, own_in, typeof
from .modules import links

FUNC, FUNCTYPE, REF, TRAP = kind("func"), kind("functype"), kind("ref"), kind("trap")
EXTERN, INSTANCE, MODULE = kind("extern"), kind("instance"), kind("module")
VALS, EXTERNS = vectors.vec("val"), vectors.vec("extern")

_VALS = VALS.ctype
_calls = FUNC.calls
# What a call without arguments or results hands over: one object, so that the next is as fast.
_NO_VALS = ffi.cast(_VALS, 0)
_NUMBERS = typeof("uintptr_t[7]")
_MUCH = 2 ** (8 * ffi.sizeof("uintptr_t")) - 1
_CALLBACK = typeof("wasm_func_callback_t")
_CALLBACK_WITH_ENV = typeof("wasm_func_callback_with_env_t")
_FINALIZER = typeof("void(*)(void *)")
_TRAP_OUT = typeof("wasm_trap_t **")


class Signature:
    """What a call must know of a function: its host's side, and where references go in and out."""

    def __init__(self, func: Any, host: HostShare | None = None) -> None:
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
    """The kinds of a function type's parameters and results."""
    if not type_:
        return b"", b""
    params, results = lib.wasm_functype_params(type_), lib.wasm_functype_results(type_)
    return _kinds_in(params), _kinds_in(results)


def _kinds_in(vec: Any) -> bytes:
    return bytes(lib.wasm_valtype_kind(vec.data[index]) for index in range(vec.num_elems))


class HostShare:
    """A callback's env and finalizer, shared by the copies of its function.

    WAMR runs the finalizer with every copy, and while instances still call the function. Here it
    runs once: when the last copy goes, or with the store if an instance has imported it.
    """

    def __init__(self, keep: Any, finalize: Any) -> None:
        self.keep = keep
        self.finalize = finalize
        self.copies = 0
        self.imported = False

    def share(self, thing: TrackedHandle) -> None:
        self.copies += 1
        thing.simple = False
        thing.ended = self._copy_went

    def _copy_went(self) -> None:
        self.copies -= 1
        if not self.copies and not self.imported:
            self.finish()

    def finish(self) -> None:
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
    place, parent = find(STORE, store, function, "store")
    described = handles.use(FUNCTYPE, type_, function, "type" if with_env else "functype")
    if isinstance(callback, Callback):
        if callback.with_env is not with_env:
            made = "wasm_func_callback_with_env" if with_env else "wasm_func_callback"
            raise TypeError(f"{function}: callback must be made with @{made}")
        host: Any = Host(callback, NULL if env is None else env, kinds_of(described), place)
        finalize = _env_finalizer(finalizer, env, function)
        pointer = lib.wasm_func_new_with_env(
            place, described, lib.wpy_api_callback, host.handle, NULL
        )
    else:
        host = _c_callback(callback, with_env, function)
        finalize = _env_finalizer(finalizer, env, function)
        if with_env:
            place_of_env = arguments.address(env, function, "env")
            pointer = lib.wasm_func_new_with_env(place, described, host, place_of_env, NULL)
        else:
            pointer = lib.wasm_func_new(place, described, host)
    pointer = own_in(parent, FUNC, pointer)
    if pointer:
        share = HostShare((host, env), finalize)
        thing = FUNC.live[id(pointer)]
        thing.extra = Signature(pointer, share)
        share.share(thing)
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
    if isinstance(finalizer, CData):
        code = arguments.pointer(_FINALIZER, finalizer, function, "finalizer")
        if not code:
            return None
        place = arguments.address(env, function, "env")
        return lambda: code(place)
    if finalizer is not None and not callable(finalizer):
        raise TypeError(
            f"{function}: finalizer must be made with @wasm_finalizer, be a function pointer or "
            f"None, not {type(finalizer).__name__}"
        )
    return callbacks.finalizer(finalizer, env)[1]


def wasm_func_copy(func: Any) -> Any:
    return _copy(FUNC, func, "wasm_func_copy", "func", lib.wasm_func_copy)


def wasm_extern_copy(extern: Any) -> Any:
    return _copy(EXTERN, extern, "wasm_extern_copy", "extern", lib.wasm_extern_copy)


def _copy(kind: handles.HandleType, value: Any, function: str, parameter: str, copy: Any) -> Any:
    pointer, thing = find(kind, value, function, parameter)
    result = own_in(thing and thing.store, kind, copy(pointer))
    if result and thing is not None and isinstance(thing.extra, Signature):
        other = kind.live[id(result)]
        other.extra = thing.extra
        if thing.extra.host is not None:
            thing.extra.host.share(other)
    return result


class Call:
    """What the calls of one handle need, made at the first and found by its address."""

    __slots__ = ("func", "known", "refs", "signature", "state", "store", "thing", "turn")

    def __init__(self, func: Any) -> None:
        self.func, self.thing = handles.need(FUNC, func, "wasm_func_call", "func")
        signature = self.thing.extra
        if signature is None:
            signature = self.thing.extra = Signature(self.func)
        self.thing.simple = False
        self.signature: Signature = signature
        self.refs = signature.refs
        self.store = self.thing.store
        self.state: Store = Store() if self.store is None else self.store.extra
        self.turn = self.state.turn
        # The vectors of the last call, which most often are those of the next, and all that C gets
        # of them. C compares what was behind them with what is in the structs by then.
        self.known: tuple[Any, Any, Any] = (None, None, None)

    def look(self, args: Any, results: Any) -> tuple[Any, Any, Any]:
        """The vectors and what C gets of them, if they are what they should be."""
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
            numbers += [_number(data), _MUCH if capacity is None else capacity]
        # A new array each time: whoever is about to use the last one has what goes with it.
        self.known = (given, out, ffi.new(_NUMBERS, numbers))
        return self.known


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
    try:
        turn.pop()
    except IndexError:
        turn = state.wait()
    outer = state.active
    try:
        known_args, known_results, known = call.known
        if args is not known_args or results is not known_results:
            args, results, known = call.look(args, results)
        state.active = (call.thing, args, results, outer, get_ident())
        if call.thing.over:
            find(FUNC, func, "wasm_func_call", "func")
            raise ReferenceError("wasm_func_call: func is being deleted by another thread")
        if call.refs:
            _check_refs(call.signature, args)
        trap = lib.wpy_api_call(known)
        if trap:
            while trap == known:  # the structs have changed since they were looked at
                args, results, known = call.look(args, results)
                trap = lib.wpy_api_call(known)
            if trap:
                return new_trap(trap, call.store)
        if call.refs:
            for index in call.signature.refs_out:
                own_in(call.store, REF, results.data[index].of.ref)
        return trap
    finally:
        state.active = outer
        turn.append(None)
        if state.waiting:
            state.wake()


def _check_refs(signature: Signature, args: Any) -> None:
    for index in signature.refs_in if args else ():
        if args.data and index < args.size:
            handles.use(
                REF, args.data[index].of.ref, "wasm_func_call", f"args.data[{index}].of.ref"
            )


def new_trap(trap: Any, store: TrackedHandle | None) -> Any:
    """A trap from running code, with the exception behind it, if a callback raised one."""
    error = callbacks.take_raised()
    if error is not None and not isinstance(error, Exception):
        # KeyboardInterrupt, SystemExit: nobody's trap.
        lib.wasm_trap_delete(trap)
        raise error
    own_in(store, TRAP, trap)
    if error is not None:
        TRAP.live[id(trap)].extra = error
    return trap


# Instances


def wasm_instance_new(store: Any, module: Any, imports: Any, trap: Any) -> Any:
    return _instance_new(
        "wasm_instance_new", lib.wasm_instance_new, store, module, imports, trap, ()
    )


def wasm_instance_new_with_args(
    store: Any, module: Any, imports: Any, trap: Any, stack_size: Any, heap_size: Any
) -> Any:
    name = "wasm_instance_new_with_args"
    rest = (
        arguments.integer(stack_size, name, "stack_size"),
        arguments.integer(heap_size, name, "heap_size"),
    )
    return _instance_new(name, lib.wasm_instance_new_with_args, store, module, imports, trap, rest)


def wasm_instance_new_with_args_ex(
    store: Any, module: Any, imports: Any, trap: Any, inst_args: Any
) -> Any:
    name = "wasm_instance_new_with_args_ex"
    rest = (arguments.struct(typeof("InstantiationArgs *"), inst_args, name, "inst_args"),)
    return _instance_new(
        name, lib.wasm_instance_new_with_args_ex, store, module, imports, trap, rest
    )


def _instance_new(
    function: str, make: Any, store: Any, module: Any, imports: Any, trap: Any, rest: Any
) -> Any:
    place, parent = find(STORE, store, function, "store")
    code, loaded = find(MODULE, module, function, "module")
    given = vectors.read(EXTERNS, imports, function, "imports")
    out = arguments.struct(_TRAP_OUT, trap, function, "trap")
    if parent is None or loaded is None:
        return null(INSTANCE)
    foreign = _of_another_store(parent, loaded, given)
    if foreign:
        if out:
            out[0] = own_in(parent, TRAP, lib.wpy_api_trap(place, foreign.encode()))
        return null(INSTANCE)
    given, keep = _with_forwarders(parent, place, given)
    state: Store = parent.extra
    before = out[0] if out else NULL
    turn = state.enter()
    outer = state.active
    state.active = (None, None, None, outer, get_ident())
    try:
        with links.get(code) or nullcontext():
            instance = make(place, code, given, out, *rest)
    finally:
        state.active = outer
        state.leave(turn)
    del keep
    if not instance:
        if out and out[0] and out[0] != before:
            out[0] = new_trap(out[0], parent)
        return instance
    own_in(parent, INSTANCE, instance)
    return instance


def _of_another_store(store: TrackedHandle, module: TrackedHandle, imports: Any) -> str | None:
    if module.store is not store:
        return "the module is of another store"
    for index in range(imports.num_elems if imports else 0):
        address = imports.data[index]
        thing = handles.by_address.get(address) if address else None
        if thing is not None and thing.store is not store:
            return f"import {index} is of another store"
    return None


def _with_forwarders(store: TrackedHandle, place: Any, imports: Any) -> tuple[Any, Any]:
    """The imports, with each function of another instance behind a host function that calls it.

    WAMR would take such a function for a host function without code, and change it.
    """
    if not imports or not imports.num_elems:
        return imports, None
    data = ffi.new("wasm_extern_t *[]", imports.num_elems)
    for index in range(imports.num_elems):
        extern = data[index] = imports.data[index]
        func = lib.wasm_extern_as_func(extern)
        if not func:
            continue
        if lib.wpy_api_func_is_export(func):
            data[index] = lib.wasm_func_as_extern(_forwarder(store, place, func))
            continue
        thing = handles.by_address.get(extern)
        if thing is not None and isinstance(thing.extra, Signature) and thing.extra.host:
            thing.extra.host.imported = True
    vec = ffi.new("wasm_extern_vec_t *")
    vec.data, vec.size, vec.num_elems, vec.size_of_elem = data, len(data), len(data), 8
    return vec, data


def _forwarder(store: TrackedHandle, place: Any, func: Any) -> Any:
    target = own_in(store, FUNC, lib.wasm_func_copy(func))
    type_ = lib.wasm_func_type(func)
    code = ffi.addressof(lib, "wpy_api_forward")
    forwarder = lib.wasm_func_new_with_env(place, type_, code, target, NULL)
    lib.wasm_functype_delete(type_)
    return own_in(store, FUNC, forwarder)
