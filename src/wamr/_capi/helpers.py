"""What `wamr.ffi` offers beyond C: lists and strings for vectors and names, values, comparisons,
texts, callbacks.

Everything here is made of the wrapped functions, so it is as safe as they are; nothing here is
needed to port a C program, only to write a shorter one.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from . import _generated as c
from . import arrays, lists, vectors
from .arguments import address, integer, struct
from .arguments import present as given
from .callbacks import Callback, CallbackWithEnv, Finalizer
from .handles import find, kind, typeof

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

__all__ = [
    "WASM_ARRAY_VEC",
    "WASM_EMPTY_VEC",
    "WASM_F32_VAL",
    "WASM_F64_VAL",
    "WASM_FUNCREF_VAL",
    "WASM_I32_VAL",
    "WASM_I64_VAL",
    "WASM_INIT_VAL",
    "WASM_REF_VAL",
    "load_module_file",
    "wasm_byte_vec_from_bytes",
    "wasm_byte_vec_to_bytes",
    "wasm_finalizer",
    "wasm_func_callback",
    "wasm_func_callback_with_env",
    "wasm_memory_buffer",
    "wasm_module_load_error",
    "wasm_name_from_str",
    "wasm_name_to_str",
    "wasm_trap_exception",
    "wasm_trap_to_str",
    "wasm_val_value",
    "wasm_val_vec_from_values",
    "wasm_val_vec_to_values",
]

KIND_NAMES = {
    lib.WASM_I32: "i32",
    lib.WASM_I64: "i64",
    lib.WASM_F32: "f32",
    lib.WASM_F64: "f64",
    lib.WASM_V128: "v128",
    lib.WASM_EXTERNREF: "externref",
    lib.WASM_FUNCREF: "funcref",
}
_NUMBERS = {lib.WASM_I32: "i32", lib.WASM_I64: "i64", lib.WASM_F32: "f32", lib.WASM_F64: "f64"}
_VAL_POINTER = typeof("wasm_val_t *")

# Values: as the macros of C


def _val(kind_: int, field: str, value: Any) -> Any:
    val = ffi.new("wasm_val_t *")
    val.kind = kind_
    setattr(val.of, field, value)
    return val


def WASM_I32_VAL(i: int) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind i32."""
    return _val(lib.WASM_I32, "i32", integer(i, "WASM_I32_VAL", "i"))


def WASM_I64_VAL(i: int) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind i64."""
    return _val(lib.WASM_I64, "i64", integer(i, "WASM_I64_VAL", "i"))


def WASM_F32_VAL(z: float) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind f32."""
    return _val(lib.WASM_F32, "f32", _real(z, "WASM_F32_VAL"))


def WASM_F64_VAL(z: float) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind f64."""
    return _val(lib.WASM_F64, "f64", _real(z, "WASM_F64_VAL"))


def WASM_REF_VAL(r: Any) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind externref; None is the null reference."""
    return _val(lib.WASM_EXTERNREF, "ref", _as_ref(r, "WASM_REF_VAL"))


def WASM_FUNCREF_VAL(r: Any) -> Any:  # noqa: N802
    """A `wasm_val_t *` of kind funcref, for a reference from wasm_func_as_ref; None is null."""
    return _val(lib.WASM_FUNCREF, "ref", _as_ref(r, "WASM_FUNCREF_VAL"))


def WASM_INIT_VAL() -> Any:  # noqa: N802
    """A `wasm_val_t *` that holds the null reference."""
    return WASM_REF_VAL(None)


def _as_ref(value: Any, function: str) -> Any:
    return ffi.cast("wasm_ref_t *", address(value, function, "r"))


def _real(value: Any, function: str) -> float:
    try:
        return float(value) if isinstance(value, int) else value.__float__()
    except AttributeError:
        raise TypeError(f"{function}: z must be a number, not {type(value).__name__}") from None


def wasm_val_value(val: Any) -> Any:
    """The Python value of a `wasm_val_t`: int, float, or the pointer of a reference or None."""
    val = given(struct(_VAL_POINTER, val, "wasm_val_value", "val"), "wasm_val_value", "val")
    name = _NUMBERS.get(val.kind)
    if name is not None:
        return getattr(val.of, name)
    if val.kind in (lib.WASM_EXTERNREF, lib.WASM_FUNCREF):
        return val.of.ref or None
    raise ValueError(f"wasm_val_value: no kind has the number {val.kind}")


# Vectors, names and lists


def wasm_byte_vec_from_bytes(data: bytes) -> Any:
    """A new `wasm_byte_vec_t *` with a copy of the bytes."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"wasm_byte_vec_from_bytes: data must be bytes, not {type(data).__name__}")
    return lists.from_list(vectors.vec("byte"), data)


def wasm_byte_vec_to_bytes(vec: Any) -> bytes:
    """The bytes of a vector; NULL has none."""
    return bytes_of(vec, "wasm_byte_vec_to_bytes", "vec")


def bytes_of(vec: Any, function: str, parameter: str) -> bytes:
    """The bytes of the vector that is this function's parameter."""
    vec = vectors.read(vectors.vec("byte"), vec, function, parameter)
    return bytes(ffi.buffer(vec.data, vec.size)) if vec and vec.data else b""


def wasm_name_from_str(text: str) -> Any:
    """A new `wasm_name_t *` with the text in UTF-8, without a NUL at its end."""
    if not isinstance(text, str):
        raise TypeError(f"wasm_name_from_str: text must be a str, not {type(text).__name__}")
    return lists.from_list(vectors.vec("byte"), text.encode())


def wasm_name_to_str(name: Any) -> str:
    """The text of a name or message, without the NUL that WAMR puts at the end of some."""
    return bytes_of(name, "wasm_name_to_str", "name").removesuffix(b"\0").decode(errors="replace")


def wasm_val_vec_from_values(vals: Iterable[Any]) -> Any:
    """A `wasm_val_vec_t *` of values (from WASM_I32_VAL and its like), in memory of Python: no
    delete.
    """
    return _array_vec(vectors.vec("val"), vals, "wasm_val_vec_from_values", "vals")


def wasm_val_vec_to_values(vec: Any) -> list[Any]:
    """The Python values in a vector (see wasm_val_value)."""
    vals = vectors.read(vectors.vec("val"), vec, "wasm_val_vec_to_values", "vec")
    return [wasm_val_value(vals.data[index]) for index in range(vals.num_elems if vals else 0)]


# Arrays that a struct points to, by the struct's id (cffi pointers compare by address).
_arrays: dict[int, tuple[Any, Any]] = {}


def WASM_ARRAY_VEC(name: str, items: Iterable[Any] = ()) -> Any:  # noqa: N802
    """A `wasm_<name>_vec_t *` over an array in memory of Python that does not own its items.

    For arguments that C only reads or fills: imports, arguments and results. It needs no delete.
    """
    return _array_vec(_vec_type(name, "WASM_ARRAY_VEC"), items, "WASM_ARRAY_VEC", "items")


def _array_vec(type_: vectors.Vec, items: Iterable[Any], function: str, parameter: str) -> Any:
    data = arrays.new_array(type_, items, function, parameter)
    vec = ffi.new(type_.ctype)
    vec.size = vec.num_elems = len(data)
    vec.size_of_elem = type_.size
    if len(data):
        vec.data = data
    struct = vec[0]  # lives as long as anything that leads to it, and always is the same object
    key = id(struct)
    _arrays[key] = (weakref.ref(struct, lambda _: _arrays.pop(key, None)), data)
    return vec


def WASM_EMPTY_VEC(name: str) -> Any:  # noqa: N802
    """An empty `wasm_<name>_vec_t *`: for the `out` of a function, or no imports."""
    return ffi.new(_vec_type(name, "WASM_EMPTY_VEC").ctype)


def _vec_type(name: str, function: str) -> vectors.Vec:
    found = vectors.VECS.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(sorted(vectors.VECS))
        raise ValueError(f"{function}: name must be one of {known}, not {name!r}")
    return found


# Files


def load_module_file(store: Any, path: str | os.PathLike[str]) -> Any:
    """The module in a file, or NULL as from wasm_module_new; OSError where it can't be read."""
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read()
    return c.wasm_module_new(store, WASM_ARRAY_VEC("byte", data))


def wasm_module_load_error(binary: Any) -> str:
    """Why wasm_module_new answers NULL for these bytes; an empty text: it would not."""
    function, bytes_ = "wasm_module_load_error", vectors.vec("byte")
    if isinstance(binary, (bytes, bytearray, memoryview)):
        binary = _array_vec(bytes_, binary, function, "binary")
    vec = vectors.read(bytes_, binary, function, "binary")
    text = ffi.new("char[256]")
    lib.wpy_api_load_error(vec, text, len(text))
    return str(ffi.string(text).decode(errors="replace"))


# Callbacks


def wasm_func_callback(function: Callable[[Any, Any], Any]) -> Callback:
    """Decorates a function of (args, results) for wasm_func_new.

    It returns a trap or None. Both vectors are its own until it returns; `results` has the right
    kinds already. C may call it as long as the store lives, so that long it is kept. An
    exception becomes a trap.
    """
    return Callback(function)


def wasm_func_callback_with_env(function: Callable[[Any, Any, Any], Any]) -> CallbackWithEnv:
    """Decorates a function of (env, args, results) for wasm_func_new_with_env; env is any Python
    object.
    """
    return CallbackWithEnv(function)


def wasm_finalizer(function: Callable[[Any], Any]) -> Finalizer:
    """Decorates a function of (info) for the finalizer of host information, or of a callback's
    env.
    """
    return Finalizer(function)


def wasm_trap_exception(trap: Any) -> BaseException | None:
    """The exception of a callback that is behind this trap."""
    thing = find(kind("trap"), trap, "wasm_trap_exception", "trap")[1]
    return thing.extra if thing is not None else None


def wasm_trap_to_str(trap: Any) -> str:
    """The message of a trap."""
    message = ffi.new("wasm_byte_vec_t *")
    c.wasm_trap_message(trap, message)
    text = wasm_name_to_str(message)
    c.wasm_byte_vec_delete(message)
    return text


def wasm_memory_buffer(memory: Any) -> Any:
    """The memory's bytes, writable: not for use after a grow or the store's end."""
    data = c.wasm_memory_data(memory)
    return (
        ffi.buffer(data, c.wasm_memory_data_size(memory))
        if data
        else ffi.buffer(ffi.new("char[]", 0))
    )
