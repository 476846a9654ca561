"""Instances: imports have to be of their store, and functions of other instances are forwarded.

These wrappers aren't generated, since they need the lock of the store and the exceptions behind
traps.
"""

from __future__ import annotations

from typing import Any

from .._backend.binding import ffi, lib
from .._base.locks import locked
from . import arguments, handles, vectors
from .engines import STORE, Store
from .functions import FUNC, TRAP, Signature, new_trap
from .handles import NULL, TrackedHandle, find, kind, null, own_in, typeof
from .modules import links

INSTANCE, MODULE = kind("instance"), kind("module")
EXTERNS = vectors.vec("extern")
_TRAP_OUT = typeof("wasm_trap_t **")


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
    store_pointer, parent = find(STORE, store, function, "store")
    code, loaded = find(MODULE, module, function, "module")
    given = vectors.read(EXTERNS, imports, function, "imports")
    out = arguments.struct(_TRAP_OUT, trap, function, "trap")
    if parent is None or loaded is None:
        return null(INSTANCE)
    foreign = _of_another_store(parent, loaded, given)
    if foreign:
        if out:
            out[0] = own_in(parent, TRAP, lib.wpy_api_trap(store_pointer, foreign.encode()))
        return null(INSTANCE)
    given, keep = _with_forwarders(parent, store_pointer, given)
    state: Store = parent.extra
    before = out[0] if out else NULL
    lock = links.get(code)
    if lock is None:
        instance = state.run(make, store_pointer, code, given, out, *rest)
    else:
        instance = state.run(locked, lock, make, store_pointer, code, given, out, *rest)
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
        tracked = handles.by_address.get(address) if address else None
        if tracked is not None and tracked.store is not store:
            return f"import {index} is of another store"
    return None


def _with_forwarders(store: TrackedHandle, store_pointer: Any, imports: Any) -> tuple[Any, Any]:
    """Return the imports, with functions of other instances replaced by forwarding host functions.

    WAMR would treat such a function as a host function without code, and overwrite it. The second
    item of the result has to be kept as long as the first.
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
            data[index] = lib.wasm_func_as_extern(_forwarder(store, store_pointer, func))
            continue
        tracked = handles.by_address.get(extern)
        if tracked is not None and isinstance(tracked.extra, Signature) and tracked.extra.host:
            tracked.extra.host.imported = True
    vec = ffi.new("wasm_extern_vec_t *")
    vec.data, vec.size, vec.num_elems, vec.size_of_elem = data, len(data), len(data), 8
    return vec, data


def _forwarder(store: TrackedHandle, store_pointer: Any, func: Any) -> Any:
    target = own_in(store, FUNC, lib.wasm_func_copy(func))
    type_ = lib.wasm_func_type(func)
    code = ffi.addressof(lib, "wpy_api_forward")
    forwarder = lib.wasm_func_new_with_env(store_pointer, type_, code, target, NULL)
    lib.wasm_functype_delete(type_)
    return own_in(store, FUNC, forwarder)


def wasm_instance_delete(instance: Any) -> None:
    # C frees the instance with its store; the finalizer runs when the last handle is deleted.
    pointer, tracked = find(INSTANCE, instance, "wasm_instance_delete", "instance")
    if tracked is not None and tracked.has_other_owners():
        return
    if tracked is not None:
        tracked.retire("was deleted by wasm_instance_delete")
        finalizer, tracked.finalizer = tracked.finalizer, None
        lib.wasm_instance_delete(pointer)
        if finalizer is not None:
            finalizer()
