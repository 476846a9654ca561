"""Conversion between vectors and lists, for every type of vector."""

from __future__ import annotations

from typing import Any

from .._backend.binding import ffi, lib
from . import handles
from .arrays import array
from .handles import HandleType, by_address
from .vector_ownership import made
from .vectors import Vec, read


def from_list(type_: Vec, items: Any) -> Any:
    """Return a new vector of the items. It owns items that are objects, as with wasm_…_vec_new."""
    function = f"wasm_{type_.name}_vec_from_list"
    if not isinstance(items, bytes):
        # a buffer's items may have several bytes, or several dimensions
        items = bytes(items) if isinstance(items, (bytearray, memoryview)) else list(items)
    data, claimed = array(type_, len(items), items, function)
    pointer = ffi.new(type_.ctype)
    getattr(lib, f"wasm_{type_.name}_vec_new")(pointer, len(items), data)
    made(type_, pointer, claimed, function)
    return pointer


def to_list(type_: Vec, vec: Any) -> list[Any]:
    """Return the items of a vector, which still owns them."""
    pointer = read(type_, vec, f"wasm_{type_.name}_vec_to_list", "vec")
    if not pointer:
        return []
    items = [pointer.data[index] for index in range(pointer.num_elems)]
    if type_.name == "val":
        # Copies: an item of the array is a view of the vector's memory.
        return [ffi.new("wasm_val_t *", item)[0] for item in items]
    if type_.element is None:
        return items
    return [_known(type_.element, item) for item in items]


def _known(element: HandleType, item: Any) -> Any:
    return handles.handle_of(element, by_address[item], item) if item else item
