"""Wrappers that aren't generated: references in tables and globals, values, host information."""

from __future__ import annotations

from typing import Any

from .._backend.binding import lib
from . import arguments, callbacks, handles, ownership
from .handles import TrackedHandle, find, kind, own_in, typeof

TABLE, REF, GLOBAL = kind("table"), kind("ref"), kind("global")
TABLETYPE, STORE = kind("tabletype"), kind("store")
_VAL = typeof("wasm_val_t *")


def wasm_table_get(table: Any, index: Any) -> Any:
    pointer, tracked = find(TABLE, table, "wasm_table_get", "table")
    ref = lib.wasm_table_get(pointer, arguments.integer(index, "wasm_table_get", "index"))
    if not ref or tracked is None:
        return ref
    if _is_funcref(pointer):
        return own_in(tracked.store, REF, ref)
    # A table of externrefs holds the pointer that was put in, which has its owner still.
    known = handles.by_address.get(ref)
    return handles.handle_of(REF, known, ref) if known is not None and known.kind is REF else ref


def _is_funcref(table: Any) -> bool:
    type_ = lib.wasm_table_type(table)
    try:
        kind_ = lib.wasm_valtype_kind(lib.wasm_tabletype_element(type_))
    finally:
        lib.wasm_tabletype_delete(type_)
    return bool(kind_ == lib.WASM_FUNCREF)


def wasm_table_set(table: Any, index: Any, ref: Any) -> bool:
    function = "wasm_table_set"
    pointer, tracked = find(TABLE, table, function, "table")
    number = arguments.integer(index, function, "index")
    pointer_, given = ownership.claim(REF, ref, function, "ref")
    done = bool(lib.wasm_table_set(pointer, number, pointer_))
    if done and given is not None and tracked is not None and _is_funcref(pointer):
        ownership.consumed(given, function)
    return done


def wasm_global_set(global_: Any, val: Any) -> None:
    function = "wasm_global_set"
    pointer = handles.use(GLOBAL, global_, function, "global_")
    value = arguments.struct(_VAL, val, function, "val")
    if not pointer or not value:
        return lib.wasm_global_set(pointer, value)
    type_ = lib.wasm_global_type(pointer)
    try:
        if not type_:
            raise ValueError(f"{function}: global_ is a placeholder")
        if lib.wasm_globaltype_mutability(type_) != lib.WASM_VAR:
            raise ValueError(f"{function}: global_ is constant")
        wanted = lib.wasm_valtype_kind(lib.wasm_globaltype_content(type_))
    finally:
        lib.wasm_globaltype_delete(type_)
    if value.kind != wanted:
        raise ValueError(f"{function}: val has the kind {value.kind}, the global has {wanted}")
    if wanted == lib.WASM_FUNCREF:
        handles.use(REF, value.of.ref, function, "val.of.ref")
    return lib.wasm_global_set(pointer, value)


def wasm_global_get(global_: Any, out: Any) -> None:
    pointer, tracked = find(GLOBAL, global_, "wasm_global_get", "global_")
    value = arguments.struct(_VAL, out, "wasm_global_get", "out")
    lib.wasm_global_get(pointer, value)
    if value and tracked is not None and value.kind == lib.WASM_FUNCREF:
        own_in(tracked.store, REF, value.of.ref)


def wasm_global_new(store: Any, globaltype: Any, val: Any) -> Any:
    function = "wasm_global_new"
    store_pointer, parent = find(STORE, store, function, "store")
    type_ = handles.use(kind("globaltype"), globaltype, function, "globaltype")
    value = arguments.struct(_VAL, val, function, "val")
    if value and value.kind == lib.WASM_FUNCREF:
        handles.use(REF, value.of.ref, function, "val.of.ref")
    return own_in(parent, GLOBAL, lib.wasm_global_new(store_pointer, type_, value))


def wasm_val_delete(v: Any) -> None:
    value = arguments.struct(_VAL, v, "wasm_val_delete", "v")
    if not value:
        return
    if value.kind == lib.WASM_FUNCREF and value.of.ref:
        # A funcref is the only value that owns something: the reference that a call or
        # wasm_global_get has made for it.
        tracked = handles.by_address.get(value.of.ref)
        if tracked is not None and tracked.kind is REF and tracked.owner is None:
            ref = tracked.pointer()
            tracked.bury("was deleted by wasm_val_delete")
            lib.wasm_ref_delete(ref)
    lib.wasm_val_delete(value)


def set_host_info(tracked: TrackedHandle | None, info: Any) -> None:
    """Keep the host information alive as long as the object, without a finalizer."""
    if tracked is not None:
        tracked.host_info = info
        tracked.finalizer = None
        tracked.simple = False


def set_finalizer(tracked: TrackedHandle | None, info: Any, finalizer: Any, function: str) -> Any:
    """Keep the host information alive as long as the object; return the finalizer for C."""
    finalizer = callbacks.checked_finalizer(finalizer, function)
    for_c, in_python = callbacks.finalizer(finalizer, info)
    if tracked is not None:
        tracked.host_info = (info, finalizer)
        tracked.simple = False
        # As in C, there is nothing to finalize without host information.
        tracked.finalizer = None if arguments.is_null(info) else in_python
    return for_c
