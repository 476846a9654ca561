"""Objects with habits: references in tables and globals, values, counted handles, host
information.
"""

from __future__ import annotations

from typing import Any

from .._backend.binding import ffi, lib
from . import arguments, callbacks, handles, ownership
from .handles import TrackedHandle, find, kind, own_in, typeof

TABLE, REF, GLOBAL, INSTANCE = kind("table"), kind("ref"), kind("global"), kind("instance")
TABLETYPE, STORE = kind("tabletype"), kind("store")
_VAL = typeof("wasm_val_t *")
_FINALIZER = typeof("void(*)(void *)")


def wasm_table_get(table: Any, index: Any) -> Any:
    pointer, thing = find(TABLE, table, "wasm_table_get", "table")
    ref = lib.wasm_table_get(pointer, arguments.integer(index, "wasm_table_get", "index"))
    if not ref or thing is None:
        return ref
    if _is_funcref(pointer):
        return own_in(thing.store, REF, ref)
    # What a table of externrefs holds is the very pointer that was put in, which still has its
    # owner.
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
    pointer, thing = find(TABLE, table, function, "table")
    number = arguments.integer(index, function, "index")
    place, given = ownership.claim(REF, ref, function, "ref")
    done = bool(lib.wasm_table_set(pointer, number, place))
    if done and given is not None and thing is not None and _is_funcref(pointer):
        ownership.consumed(given, function)
    return done


def wasm_global_set(global_: Any, val: Any) -> None:
    function = "wasm_global_set"
    pointer, thing = find(GLOBAL, global_, function, "global_")
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
    del thing
    return lib.wasm_global_set(pointer, value)


def wasm_global_get(global_: Any, out: Any) -> None:
    pointer, thing = find(GLOBAL, global_, "wasm_global_get", "global_")
    value = arguments.struct(_VAL, out, "wasm_global_get", "out")
    lib.wasm_global_get(pointer, value)
    if value and thing is not None and value.kind == lib.WASM_FUNCREF:
        own_in(thing.store, REF, value.of.ref)


def wasm_global_new(store: Any, globaltype: Any, val: Any) -> Any:
    function = "wasm_global_new"
    place, parent = find(STORE, store, function, "store")
    type_ = handles.use(kind("globaltype"), globaltype, function, "globaltype")
    value = arguments.struct(_VAL, val, function, "val")
    if value and value.kind == lib.WASM_FUNCREF:
        handles.use(REF, value.of.ref, function, "val.of.ref")
    return own_in(parent, GLOBAL, lib.wasm_global_new(place, type_, value))


def wasm_val_delete(v: Any) -> None:
    value = arguments.struct(_VAL, v, "wasm_val_delete", "v")
    if not value:
        return
    if value.kind == lib.WASM_FUNCREF and value.of.ref:
        # The one value that owns something: the reference that a call or wasm_global_get has made
        # for it.
        thing = handles.by_address.get(value.of.ref)
        if thing is not None and thing.kind is REF and thing.owner is None:
            ref = thing.place()
            thing.bury("was deleted by wasm_val_delete")
            lib.wasm_ref_delete(ref)
    lib.wasm_val_delete(value)


def wasm_instance_delete(instance: Any) -> None:
    # C frees it with the store, and runs the finalizer now: at the last handle only.
    pointer, thing = find(INSTANCE, instance, "wasm_instance_delete", "instance")
    if thing is not None and thing.count > 1:
        thing.count -= 1
        return
    if thing is not None:
        thing.retire("was deleted by wasm_instance_delete")
        finalizer, thing.finalizer = thing.finalizer, None
        lib.wasm_instance_delete(pointer)
        if finalizer is not None:
            finalizer()


def set_host_info(thing: TrackedHandle | None, info: Any) -> None:
    """Keeps what the pointer leads to alive as long as the object."""
    if thing is not None:
        thing.host_info = info
        thing.finalizer = None
        thing.simple = False


def set_finalizer(thing: TrackedHandle | None, info: Any, finalizer: Any, function: str) -> Any:
    """The same with a finalizer; what C gets of it."""
    if finalizer is not None and not isinstance(finalizer, ffi.CData) and not callable(finalizer):
        raise TypeError(
            f"{function}: finalizer must be made with @wasm_finalizer, be a function pointer or "
            f"None, not {type(finalizer).__name__}"
        )
    if isinstance(finalizer, ffi.CData):
        finalizer = arguments.pointer(_FINALIZER, finalizer, function, "finalizer")
    theirs, ours = callbacks.finalizer(finalizer, info)
    if thing is not None:
        thing.host_info = (info, finalizer)
        thing.simple = False
        # As in C: without host information there is nothing to finalize.
        thing.finalizer = None if arguments.is_null(info) else ours
    return theirs
