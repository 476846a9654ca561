"""Functions and instances: where C calls Python and wasm runs.

Written by hand since they need more than their arguments: callbacks, the lock of the store, the
vectors of a running call, traps with exceptions behind them, imports that belong together.
"""

from __future__ import annotations

from contextlib import nullcontext
from threading import get_ident
from typing import Any

from .._binding import ffi, lib
from . import arguments, callbacks, handles, vectors
from .callbacks import Callback, Host
from .engines import STORE, Store
from .handles import NULL, CData, Thing, find, kind, null, own_in, typeof
from .modules import links

FUNC, FUNCTYPE, REF, TRAP = kind("func"), kind("functype"), kind("ref"), kind("trap")
EXTERN, INSTANCE, MODULE = kind("extern"), kind("instance"), kind("module")
VALS, EXTERNS = vectors.vec("val"), vectors.vec("extern")

_VALS = VALS.ctype
_live_func = FUNC.live.get
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

    def share(self, thing: Thing) -> None:
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
        return lambda: code(arguments.address(env, function, "env"))
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


def _copy(kind: handles.Kind, value: Any, function: str, parameter: str, copy: Any) -> Any:
    pointer, thing = find(kind, value, function, parameter)
    result = own_in(thing and thing.store, kind, copy(pointer))
    if result and thing is not None and isinstance(thing.extra, Signature):
        other = kind.live[id(result)]
        other.extra = thing.extra
        if thing.extra.host is not None:
            thing.extra.host.share(other)
    return result


def wasm_func_call(func: Any, args: Any, results: Any) -> Any:
    thing = _live_func(id(func))
    if thing is None:
        func, thing = handles.need(FUNC, func, "wasm_func_call", "func")
    try:
        plain = typeof(args) is _VALS and typeof(results) is _VALS
    except (TypeError, ffi.error):
        plain = False
    if not plain:
        args = vectors.struct(VALS, args, "wasm_func_call", "args")
        results = vectors.struct(VALS, results, "wasm_func_call", "results")
    signature = thing.extra
    if signature is None:
        signature = thing.extra = Signature(func)
    store = thing.store
    if store is None:
        return own_in(None, TRAP, lib.wasm_func_call(func, args, results))
    state = store.extra
    turn = state.turn
    try:
        turn.pop()
    except IndexError:
        turn = _wait(state, thing, func)
    outer = state.active
    state.active = (thing, args, results, outer, get_ident())
    try:
        if signature.refs:
            _check_refs(signature, args)
        trap = lib.wasm_func_call(func, args, results)
    finally:
        state.active = outer
        turn.append(None)
        if state.waiting:
            state.wake()
    if trap:
        return new_trap(trap, store)
    if signature.refs:
        for index in signature.refs_out:
            own_in(store, REF, results.data[index].of.ref)
    return trap


def _wait(state: Store, thing: Thing, func: Any) -> list[None]:
    """Another thread may be in the store; when it is out, the function may be gone."""
    turn = state.wait()
    if _live_func(id(func)) is not thing:
        state.leave(turn)
        find(FUNC, func, "wasm_func_call", "func")
    return turn


def _check_refs(signature: Signature, args: Any) -> None:
    for index in signature.refs_in if args else ():
        if args.data and index < args.size:
            handles.use(
                REF, args.data[index].of.ref, "wasm_func_call", f"args.data[{index}].of.ref"
            )


def new_trap(trap: Any, store: Thing | None) -> Any:
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


def _of_another_store(store: Thing, module: Thing, imports: Any) -> str | None:
    if module.store is not store:
        return "the module is of another store"
    for index in range(imports.num_elems if imports else 0):
        address = imports.data[index]
        thing = handles.by_address.get(address) if address else None
        if thing is not None and thing.store is not store:
            return f"import {index} is of another store"
    return None


def _with_forwarders(store: Thing, place: Any, imports: Any) -> tuple[Any, Any]:
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


def _forwarder(store: Thing, place: Any, func: Any) -> Any:
    target = own_in(store, FUNC, lib.wasm_func_copy(func))
    type_ = lib.wasm_func_type(func)
    code = ffi.addressof(lib, "wpy_api_forward")
    forwarder = lib.wasm_func_new_with_env(place, type_, code, target, NULL)
    lib.wasm_functype_delete(type_)
    return own_in(store, FUNC, forwarder)
