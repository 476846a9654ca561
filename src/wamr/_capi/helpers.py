"""The functions of `wamr.ffi` beyond the header: values, vectors, names, files, callbacks.

They use the wrapped functions, so they are as safe as those. Programs ported from C don't need
them; they make new programs shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from .._base.opening import opened
from . import _generated as c
from . import arrays, lists, modules, vectors
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

# ------------------------------------------------------------------ values, as the macros of C


def _val(kind_: int, field: str, value: Any) -> Any:
    val = ffi.new("wasm_val_t *")
    val.kind = kind_
    setattr(val.of, field, value)
    return val


def WASM_I32_VAL(i: int) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind i32. Raises TypeError, OverflowError."""
    return _val(lib.WASM_I32, "i32", integer(i, "WASM_I32_VAL", "i"))


def WASM_I64_VAL(i: int) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind i64. Raises TypeError, OverflowError."""
    return _val(lib.WASM_I64, "i64", integer(i, "WASM_I64_VAL", "i"))


def WASM_F32_VAL(z: float) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind f32. Raises TypeError, OverflowError."""
    return _val(lib.WASM_F32, "f32", _real(z, "WASM_F32_VAL"))


def WASM_F64_VAL(z: float) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind f64. Raises TypeError, OverflowError."""
    return _val(lib.WASM_F64, "f64", _real(z, "WASM_F64_VAL"))


def WASM_REF_VAL(r: Any) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind externref; r: a reference, or None for null."""
    return _val(lib.WASM_EXTERNREF, "ref", _as_ref(r, "WASM_REF_VAL"))


def WASM_FUNCREF_VAL(r: Any) -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind funcref; r: from wasm_func_as_ref, or None for null."""
    return _val(lib.WASM_FUNCREF, "ref", _as_ref(r, "WASM_FUNCREF_VAL"))


def WASM_INIT_VAL() -> Any:  # noqa: N802
    """Return a new `wasm_val_t *` of kind externref that is null."""
    return WASM_REF_VAL(None)


def _as_ref(value: Any, function: str) -> Any:
    return ffi.cast("wasm_ref_t *", address(value, function, "r"))


def _real(value: Any, function: str) -> float:
    try:
        return float(value) if isinstance(value, int) else value.__float__()
    except AttributeError:
        raise TypeError(f"{function}: z must be a number, not {type(value).__name__}") from None


def wasm_val_value(val: Any) -> Any:
    """Return the value of a `wasm_val_t` as an int, a float, a reference's pointer or None."""
    val = given(struct(_VAL_POINTER, val, "wasm_val_value", "val"), "wasm_val_value", "val")
    name = _NUMBERS.get(val.kind)
    if name is not None:
        return getattr(val.of, name)
    if val.kind in (lib.WASM_EXTERNREF, lib.WASM_FUNCREF):
        return val.of.ref or None
    if val.kind == lib.WASM_V128:
        raise ValueError("wasm_val_value: val is a v128, for which a wasm_val_t has no room")
    raise ValueError(f"wasm_val_value: no kind has the number {val.kind}")


# ------------------------------------------------------------------ vectors, names and lists
def wasm_byte_vec_from_bytes(data: bytes) -> Any:
    """Return a new `wasm_byte_vec_t *` with a copy of the bytes, which the caller deletes."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"wasm_byte_vec_from_bytes: data must be bytes, not {type(data).__name__}")
    return lists.from_list(vectors.vec("byte"), data)


def wasm_byte_vec_to_bytes(vec: Any) -> bytes:
    """Return the bytes of a vector; b"" for NULL."""
    return bytes_of(vec, "wasm_byte_vec_to_bytes", "vec")


def bytes_of(vec: Any, function: str, parameter: str) -> bytes:
    """Return the bytes of a vector; function, parameter: for messages."""
    vec = vectors.read(vectors.vec("byte"), vec, function, parameter)
    return bytes(ffi.buffer(vec.data, vec.size)) if vec and vec.data else b""


def wasm_name_from_str(text: str) -> Any:
    """Return a new `wasm_name_t *` with the text in UTF-8, without a NUL; the caller deletes it."""
    if not isinstance(text, str):
        raise TypeError(f"wasm_name_from_str: text must be a str, not {type(text).__name__}")
    return lists.from_list(vectors.vec("byte"), text.encode())


def wasm_name_to_str(name: Any) -> str:
    """Return the text of a name or message, without the NUL that WAMR appends to some."""
    return bytes_of(name, "wasm_name_to_str", "name").removesuffix(b"\0").decode(errors="replace")


def wasm_val_vec_from_values(vals: Iterable[Any]) -> Any:
    """Return a `wasm_val_vec_t *` of values, as from WASM_I32_VAL. Python owns it: no delete."""
    return _array_vec(vectors.vec("val"), vals, "wasm_val_vec_from_values", "vals")


def wasm_val_vec_to_values(vec: Any) -> list[Any]:
    """Return the values of a vector, each as wasm_val_value does."""
    vals = vectors.read(vectors.vec("val"), vec, "wasm_val_vec_to_values", "vec")
    return [wasm_val_value(vals.data[index]) for index in range(vals.num_elems if vals else 0)]


def WASM_ARRAY_VEC(name: str, items: Iterable[Any] = ()) -> Any:  # noqa: N802
    """Return a `wasm_<name>_vec_t *` that Python owns and that doesn't own its items: no delete.

    For arguments that C only reads or fills: imports, arguments and results.
    """
    return _array_vec(_vec_type(name, "WASM_ARRAY_VEC"), items, "WASM_ARRAY_VEC", "items")


def _array_vec(type_: vectors.Vec, items: Iterable[Any], function: str, parameter: str) -> Any:
    return arrays.vec_of(type_, arrays.new_array(type_, items, function, parameter))


def WASM_EMPTY_VEC(name: str) -> Any:  # noqa: N802
    """Return an empty `wasm_<name>_vec_t *`, for an `out` parameter or for no imports."""
    return ffi.new(_vec_type(name, "WASM_EMPTY_VEC").ctype)


def _vec_type(name: str, function: str) -> vectors.Vec:
    found = vectors.VECS.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(sorted(vectors.VECS))
        raise ValueError(f"{function}: name must be one of {known}, not {name!r}")
    return found


# ------------------------------------------------------------------ files
def load_module_file(store: Any, path: str | os.PathLike[str]) -> Any:
    """Load the module in a file; return NULL as wasm_module_new does. Raises OSError."""
    with opened(path) as file:
        data = file.read()
    return c.wasm_module_new(store, WASM_ARRAY_VEC("byte", data))


def wasm_module_load_error(binary: Any) -> str:
    """Return why wasm_module_new returns NULL for these bytes, or "" if it doesn't."""
    function, bytes_ = "wasm_module_load_error", vectors.vec("byte")
    if isinstance(binary, (bytes, bytearray, memoryview)):
        binary = _array_vec(bytes_, binary, function, "binary")
    vec = vectors.read(bytes_, binary, function, "binary")
    if vec and not modules.loadable(vec):
        return "AOT code is refused: wasm_trust_aot has not allowed it"
    text = ffi.new("char[256]")
    lib.wpy_api_load_error(vec, text, len(text))
    return str(ffi.string(text).decode(errors="replace"))


# ------------------------------------------------------------------ callbacks
def wasm_func_callback(function: Callable[[Any, Any], Any]) -> Callback:
    """Decorate a function of (args, results) for wasm_func_new.

    The function returns a trap or None. `results` has the right kinds already. The function may
    change both vectors until it returns, and keep them; its next call overwrites them. An exception
    becomes a trap. The function is kept alive as long as the store, since C may call it.
    """
    return Callback(function)


def wasm_func_callback_with_env(function: Callable[[Any, Any, Any], Any]) -> CallbackWithEnv:
    """Decorate a function of (env, args, results) for wasm_func_new_with_env; env: any object."""
    return CallbackWithEnv(function)


def wasm_finalizer(function: Callable[[Any], Any]) -> Finalizer:
    """Decorate a function of (info) that finalizes host information, or a callback's env."""
    return Finalizer(function)


def wasm_trap_exception(trap: Any) -> BaseException | None:
    """Return the exception of a callback that became this trap, or None."""
    tracked = find(kind("trap"), trap, "wasm_trap_exception", "trap")[1]
    return tracked.extra if tracked is not None else None


def wasm_trap_to_str(trap: Any) -> str:
    """Return the message of a trap."""
    message = ffi.new("wasm_byte_vec_t *")
    c.wasm_trap_message(trap, message)
    text = wasm_name_to_str(message)
    c.wasm_byte_vec_delete(message)
    return text


def wasm_memory_buffer(memory: Any) -> Any:
    """Return the memory's bytes, writable. Don't use it after the memory has grown or ended."""
    data = c.wasm_memory_data(memory)
    return (
        ffi.buffer(data, c.wasm_memory_data_size(memory))
        if data
        else ffi.buffer(ffi.new("char[]", 0))
    )
