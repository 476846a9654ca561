"""Arrays of Python, which vectors are made from: lists, bytes or cffi arrays."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from .._backend.binding import ffi
from . import ownership
from .handles import NULL, CData, TrackedHandle, typeof
from .vector_ownership import common_store
from .vectors import Vec


def array(type_: Vec, size: int, value: Any, function: str) -> tuple[Any, list[TrackedHandle]]:
    """Return the `data` for a wasm_…_vec_new, and the elements that it hands over.

    size: the number of items that C reads. Raises TypeError, ValueError, ReferenceError,
    OverflowError.
    """
    if value is None:
        return NULL, []
    if value.__class__ is bytes and type_.name == "byte" and len(value) >= size:
        return value, []
    if isinstance(value, CData):
        found = typeof(value)
        fits = found.kind in ("array", "pointer") and found.item == type_.item.item
        if not fits and value != NULL:
            raise TypeError(
                f"{function}: data must be a {type_.item.item.cname} array, not {found.cname}"
            )
        if not value:
            return NULL, []
        length = len(value) if found.kind == "array" else size
    else:
        value = new_array(type_, value, function, "data")
        length = len(value)
    if length < size:
        ffi.new("size_t *", size)  # raises OverflowError for a size that C doesn't have
        raise ValueError(f"{function}: data has {length} items where size says {size}")
    if type_.element is None:
        return value, []
    claimed: list[TrackedHandle] = []
    for index in range(size):
        tracked = ownership.claim(type_.element, value[index], function, f"data[{index}]")[1]
        if tracked is not None:
            claimed.append(tracked)
    ownership.distinct(function, *claimed)
    common_store(claimed, function)
    return value, claimed


def new_array(type_: Vec, items: Any, function: str, parameter: str) -> Any:
    """Return a new array of the items, which Python owns. A wasm_val_t may be given by a pointer.

    Raises TypeError, OverflowError.
    """
    try:
        if type_.name == "val":
            items = [item[0] if _is_pointer(item) else item for item in items]
        elif type_.name == "byte":
            text = bytes(items) if _is_buffer(items) else _joined(list(items))
            data = ffi.new(type_.item, len(text))  # ffi.new(…, bytes) would append a NUL
            ffi.buffer(data)[:] = text
            return data
        else:
            items = list(items)
        return ffi.new(type_.item, items)
    except TypeError as error:
        raise TypeError(f"{function}: {parameter} must be {_items(type_)}: {error}") from None
    except ValueError as error:  # of bytes()
        raise OverflowError(f"{function}: {parameter}: {error}") from None


# Id of a struct -> a weak reference to it, and the array that it points to and keeps alive. Ids,
# since cffi pointers compare by address.
_arrays: dict[int, tuple[Any, Any]] = {}


def vec_of(type_: Vec, data: Any) -> Any:
    """Return a vector of the array `data`, which lives as long as the vector. Python owns both."""
    pointer = ffi.new(type_.ctype)
    pointer.size = pointer.num_elems = len(data)
    pointer.size_of_elem = type_.size
    if len(data):
        pointer.data = data
    struct = pointer[0]  # always the same object, and alive as long as anything refers to it
    key = id(struct)
    # a bound method, since global names may be gone when Python exits
    _arrays[key] = (weakref.ref(struct, partial(_arrays.pop, key)), data)
    return pointer


def _is_pointer(item: Any) -> bool:
    return isinstance(item, CData) and typeof(item).kind == "pointer" and bool(item)


def _joined(items: list[Any]) -> bytes:
    """Return the bytes of numbers, or of items of a vector's data, which are bytes."""
    for item in items:
        if isinstance(item, bytes) and len(item) != 1:
            raise TypeError(f"{item!r} is not one byte")
    return b"".join(item if isinstance(item, bytes) else bytes([item]) for item in items)


def _is_buffer(items: Any) -> bool:
    return isinstance(items, (bytes, bytearray, memoryview))


def _items(type_: Vec) -> str:
    return (
        "bytes or a list of numbers"
        if type_.name == "byte"
        else f"a list of {type_.item.item.cname}"
    )
