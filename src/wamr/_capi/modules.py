"""Modules: C may keep pointers into their bytes, and a shared module has one pointer in all stores.

AOT code is machine code, which has to be trusted like a shared library. It is rejected, like bytes
that aren't a module, unless `wasm_trust_aot` allows it.
"""

from __future__ import annotations

from typing import Any

from .._backend.binding import ffi, lib
from .._base.binary_format import AOT_MAGIC
from .._base.locks import new_lock
from . import arguments, handles, vector_ownership, vectors
from .engines import STORE
from .handles import find, kind, null, own_in, typeof

MODULE, SHARED = kind("module"), kind("shared_module")
BYTES = vectors.vec("byte")
_LOAD_ARGS = typeof("LoadArgs *")
_trusted = False

# Locks of shared modules, by pointer: WAMR writes to a module when it links an instance.
links: dict[Any, Any] = {}


def wasm_trust_aot(trust: bool) -> None:
    """Accept AOT code from now on, or reject it, which is the default. It runs unsandboxed.

    trust: a bool. Raises TypeError.
    """
    global _trusted  # noqa: PLW0603
    _trusted = arguments.boolean(trust, "wasm_trust_aot", "trust")


def loadable(binary: Any) -> bool:
    """Tell whether C may read these bytes: whether they are no AOT code, or it is trusted."""
    if not binary or binary.size < len(AOT_MAGIC):
        return bool(binary)
    return _trusted or ffi.buffer(binary.data, len(AOT_MAGIC))[:] != AOT_MAGIC


def wasm_module_new(store: Any, binary: Any) -> Any:
    return _load("wasm_module_new", lib.wasm_module_new, store, binary)


def wasm_module_deserialize(store: Any, vec: Any) -> Any:
    return _load("wasm_module_deserialize", lib.wasm_module_deserialize, store, vec, "vec")


def _load(function: str, load: Any, store: Any, binary: Any, parameter: str = "binary") -> Any:
    store_pointer, parent = find(STORE, store, function, "store")
    given = vectors.read(BYTES, binary, function, parameter)
    if not loadable(given):
        return null(MODULE)
    return own_in(parent, MODULE, load(store_pointer, given))


def wasm_module_validate(store: Any, binary: Any) -> bool:
    store_pointer = handles.use(STORE, store, "wasm_module_validate", "store")
    given = vectors.read(BYTES, binary, "wasm_module_validate", "binary")
    return loadable(given) and bool(lib.wasm_module_validate(store_pointer, given))


def wasm_module_new_ex(store: Any, binary: Any, args: Any) -> Any:
    function = "wasm_module_new_ex"
    store_pointer, parent = find(STORE, store, function, "store")
    given = vectors.read(BYTES, binary, function, "binary")
    options = arguments.struct(_LOAD_ARGS, args, function, "args")
    if not options or not loadable(given):
        return null(MODULE)
    module = own_in(parent, MODULE, lib.wasm_module_new_ex(store_pointer, given, options))
    if module and options.name:
        # C keeps the pointer to the name, which the caller may free: set a copy.
        lib.wasm_module_set_name(module, ffi.new("char[]", ffi.string(options.name)))
    if module and not options.clone_wasm_binary:
        # The module points to the vector and may point into its data.
        tracked = MODULE.live[id(module)]
        tracked.extra = given
        if not lib.wasm_module_is_underlying_binary_freeable(module):
            tracked.simple = False
            tracked.ended = vector_ownership.lend(BYTES, given, tracked)
    return module


def wasm_module_delete(module: Any) -> None:
    # C frees the module with its store; until then, what the module points to is kept, too.
    pointer, tracked = find(MODULE, module, "wasm_module_delete", "module")
    if tracked is not None:
        tracked.retire("was deleted by wasm_module_delete")
    lib.wasm_module_delete(pointer)


def wasm_module_share(module: Any) -> Any:
    pointer, tracked = find(MODULE, module, "wasm_module_share", "module")
    if pointer:
        links.setdefault(pointer, new_lock())
    shared = own_in(None, SHARED, lib.wasm_module_share(pointer))
    engine = None if tracked is None or tracked.store is None else tracked.store.parent
    if shared and engine is not None:
        SHARED.live[id(shared)].belong(engine)
    return shared


def wasm_module_obtain(store: Any, shared_module: Any) -> Any:
    store_pointer, parent = find(STORE, store, "wasm_module_obtain", "store")
    pointer = handles.use(SHARED, shared_module, "wasm_module_obtain", "shared_module")
    return own_in(parent, MODULE, lib.wasm_module_obtain(store_pointer, pointer))
