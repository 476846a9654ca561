"""Modules: bytes that C keeps pointing to, and one pointer for a module that several stores share.

AOT code is machine code: whoever loads it trusts it as much as a shared library. It is refused,
as bytes that are no module are, until `wasm_trust_aot` says otherwise.
"""

from __future__ import annotations

import threading
from typing import Any

from .._backend.binding import ffi, lib
from . import arguments, handles, vectors
from .engines import STORE
from .handles import find, kind, null, own_in, typeof

MODULE, SHARED = kind("module"), kind("shared_module")
BYTES = vectors.vec("byte")
_LOAD_ARGS = typeof("LoadArgs *")
_AOT = b"\0aot"
_trusted = False


# Linking writes into the module, which threads may share: one after the other.
links: dict[Any, threading.RLock] = {}


def wasm_trust_aot(trust: bool) -> None:
    """From now on, load AOT code or (the default) refuse it. It runs outside of the sandbox."""
    global _trusted  # noqa: PLW0603
    _trusted = arguments.boolean(trust, "wasm_trust_aot", "trust")


def _loadable(binary: Any) -> bool:
    if not binary or binary.size < len(_AOT):
        return bool(binary)
    return _trusted or ffi.buffer(binary.data, len(_AOT))[:] != _AOT


def wasm_module_new(store: Any, binary: Any) -> Any:
    return _load("wasm_module_new", lib.wasm_module_new, store, binary)


def wasm_module_deserialize(store: Any, vec: Any) -> Any:
    return _load("wasm_module_deserialize", lib.wasm_module_deserialize, store, vec, "vec")


def _load(function: str, load: Any, store: Any, binary: Any, parameter: str = "binary") -> Any:
    place, parent = find(STORE, store, function, "store")
    given = vectors.read(BYTES, binary, function, parameter)
    if not _loadable(given):
        return null(MODULE)
    return own_in(parent, MODULE, _without_exceptions(load(place, given)))


def _without_exceptions(module: Any) -> Any:
    """Return the module, or NULL for one with tags or exnrefs, which wasm-c-api does not know."""
    if module and lib.wpy_api_has_exceptions(module):
        lib.wasm_module_delete(module)
        return ffi.NULL
    return module


def wasm_module_validate(store: Any, binary: Any) -> bool:
    place = handles.use(STORE, store, "wasm_module_validate", "store")
    given = vectors.read(BYTES, binary, "wasm_module_validate", "binary")
    if not _loadable(given) or not lib.wasm_module_validate(place, given):
        return False
    text = ffi.new("char[256]")
    lib.wpy_api_load_error(given, text, 256)
    return ffi.string(text) == b""


def wasm_module_new_ex(store: Any, binary: Any, args: Any) -> Any:
    function = "wasm_module_new_ex"
    place, parent = find(STORE, store, function, "store")
    given = vectors.read(BYTES, binary, function, "binary")
    options = arguments.struct(_LOAD_ARGS, args, function, "args")
    if not options or not _loadable(given):
        return null(MODULE)
    loaded = _without_exceptions(lib.wasm_module_new_ex(place, given, options))
    module = own_in(parent, MODULE, loaded)
    if module and options.name:
        # C keeps the pointer, and the caller may not keep what it leads to.
        lib.wasm_module_set_name(module, ffi.new("char[]", ffi.string(options.name)))
    if module and not options.clone_wasm_binary:
        # The module points to the vector and, maybe, into its data.
        thing = MODULE.live[id(module)]
        thing.extra = given
        if not lib.wasm_module_is_underlying_binary_freeable(module):
            thing.simple = False
            thing.ended = vectors.lend(BYTES, given, thing)
    return module


def wasm_module_delete(module: Any) -> None:
    # C keeps the module until its store goes, and so does what the module points to.
    pointer, thing = find(MODULE, module, "wasm_module_delete", "module")
    if thing is not None:
        thing.retire("was deleted by wasm_module_delete")
    lib.wasm_module_delete(pointer)


def wasm_module_share(module: Any) -> Any:
    pointer, thing = find(MODULE, module, "wasm_module_share", "module")
    if pointer:
        links.setdefault(pointer, threading.RLock())
    shared = own_in(None, SHARED, lib.wasm_module_share(pointer))
    if shared and thing is not None and thing.store is not None and thing.store.parent is not None:
        SHARED.live[id(shared)].belong(thing.store.parent)
    return shared


def wasm_module_obtain(store: Any, shared_module: Any) -> Any:
    place, parent = find(STORE, store, "wasm_module_obtain", "store")
    pointer = handles.use(SHARED, shared_module, "wasm_module_obtain", "shared_module")
    return own_in(parent, MODULE, lib.wasm_module_obtain(place, pointer))
