"""Vectors: a struct of the caller, data that C has allocated, and elements that the data owns.

The struct of a vector may be copied (WAMR copies it when it takes a vector over), so the data is
tracked in its place: one `Block` for each allocation, by address. C frees blocks that C has
allocated. The elements of a vector of pointers are `TrackedHandle`s, which the block owns. The
caller may write to the data, so its contents are checked when the vector is passed (`read`).
"""

from __future__ import annotations

from typing import Any

from .._backend.binding import ffi, lib
from . import handles, stale
from .dead_handles import dead, reason_of
from .handles import NULL, CData, HandleType, TrackedHandle, by_address, kind, typeof

# By the address of the data: a Block, or only the size if the caller owns a vector of plain values.
blocks: dict[Any, Block | int] = {}


class Vec:
    """One vector type."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ctype = typeof(f"wasm_{name}_vec_t *")
        self.item = typeof(f"wasm_{name}_t{'' if name in ('byte', 'val') else ' *'}[]")
        self.element: HandleType | None = None if name in ("byte", "val") else kind(name)
        self.size = ffi.sizeof(self.item.item)
        self.empty = ffi.new(self.ctype)[0]

    def __repr__(self) -> str:
        return f"wasm_{self.name}_vec_t *"


class Block(TrackedHandle):
    """The data of one vector, as a tracked object."""

    vec: Vec
    data: Any
    capacity: int
    struct: Any
    lock: Any
    # The caller's struct, if C leaves it unchanged when the data is freed.
    given_by: Any = None

    def describe(self) -> str:
        if self.owner is not None:
            return self.owner.describe()
        return f"a wasm_{self.vec.name}_vec_t"

    def retire(self, reason: str) -> None:
        pass  # a block has no handle

    def bury(self, reason: str) -> None:
        if blocks.get(self.data) is self:
            del blocks[self.data]
        if self.given_by is not None:
            stale.note(self.given_by, self.data, reason)
        self.leave()
        self.bury_children(reason)

    def free(self) -> None:
        count = len(self.children or ())
        struct, owner = self.struct, self.owner
        self.bury("went with its store")
        if owner is None:
            struct.num_elems = count
            getattr(lib, f"wasm_{self.vec.name}_vec_delete")(struct)


VECS: dict[str, Vec] = {}


def vec(name: str) -> Vec:
    """Return the Vec of `wasm_<name>_vec_t *`."""
    found = VECS.get(name)
    if found is None:
        found = VECS[name] = Vec(name)
    return found


def struct(type_: Vec, value: Any, function: str, parameter: str) -> Any:
    """Return a pointer to the struct that an argument is or points to; None is NULL.

    function, parameter: for messages, here and below. Raises TypeError, ReferenceError.
    """
    if isinstance(value, CData) and typeof(value) is type_.ctype and id(value) not in dead:
        return value
    if value is None:
        return NULL
    if not isinstance(value, CData):
        raise TypeError(
            f"{function}: {parameter} must be a {type_!r} or None, not {type(value).__name__}"
        )
    found = typeof(value)
    if found != type_.ctype:
        if found == type_.ctype.item:
            return ffi.addressof(value)
        if found.kind == "array" and found.item == type_.ctype.item and len(value):
            return ffi.addressof(value, 0)
        if value == NULL:
            return NULL
        raise TypeError(f"{function}: {parameter} must be a {type_!r}, not {found.cname}")
    if id(value) in dead:
        raise ReferenceError(f"{function}: {parameter} {reason_of(value)}")
    return value


def read(type_: Vec, value: Any, function: str, parameter: str) -> Any:
    """Return a pointer to a vector that C reads, whose data must exist and whose elements live.

    Raises TypeError, ReferenceError, ValueError.
    """
    pointer = struct(type_, value, function, parameter)
    if not pointer:
        return pointer
    data = pointer.data
    size = pointer.size
    if stale.structs:
        stale.refuse(pointer, data, function, parameter)
    if type_.element is None and data:
        capacity = blocks.get(data)
        if capacity.__class__ is int and size <= capacity:
            return pointer
    if not data:
        if size or pointer.num_elems:
            raise ValueError(f"{function}: {parameter} has a size of {size} and no data")
        return pointer
    block = blocks.get(data)
    if block is not None:
        capacity = block if isinstance(block, int) else block.capacity
        if max(size, pointer.num_elems) > capacity:
            raise ValueError(f"{function}: {parameter} says {size} where there are {capacity}")
    if type_.element is not None:
        for index in range(pointer.num_elems):
            handles.find(type_.element, data[index], function, f"{parameter}.data[{index}]")
    return pointer


def clear(type_: Vec, pointer: Any, source: Any = NULL) -> None:
    """Empty a struct before C writes a vector to it.

    If C fails, it may leave the struct unchanged, and `fill` would track the old contents.
    """
    if pointer and pointer != source:
        pointer[0] = type_.empty


def fill(
    type_: Vec, pointer: Any, store: TrackedHandle | None = None, owner: TrackedHandle | None = None
) -> Any:
    """Track the data and the elements of a vector that C has written.

    store: of the elements. owner: of the vector, if that is a part of another object.
    """
    if pointer:
        stale.forget(pointer)
        data = pointer.data
        if data and data not in blocks:
            if type_.element is None and owner is None:
                blocks[data] = pointer.size
                return pointer
            block = new_block(type_, pointer, store, owner)
            if type_.element is not None:
                for index in range(pointer.num_elems):
                    address = data[index]
                    if address:
                        _element(block, type_.element, address)
    return pointer


def new_block(
    type_: Vec, pointer: Any, store: TrackedHandle | None, owner: TrackedHandle | None
) -> Block:
    """Track the data of a vector."""
    block = Block()
    block.vec = type_
    block.data = pointer.data
    block.capacity = pointer.size
    block.lock = pointer.lock
    block.owner = owner
    blocks[block.data] = block
    if owner is None:
        block.given_by = pointer
    else:
        block.store = owner.store
        block.belong(owner)
    if owner is None and store is not None:
        bind_to_store(block, pointer, store)
    return block


def bind_to_store(block: Block, pointer: Any, store: TrackedHandle) -> None:
    """Make a vector of a store's objects end with the store, which needs a copy of the struct."""
    block.store = store
    block.struct = ffi.new(block.vec.ctype, pointer[0])
    block.belong(store)


def _element(block: Block, element: HandleType, address: Any) -> None:
    old = by_address.get(address)
    if old is not None:
        old.bury("is gone")
    tracked = TrackedHandle()
    tracked.kind = element
    tracked.address = address
    tracked.owner = block
    tracked.store = block.store
    tracked.belong(block)
    by_address[address] = tracked


def borrowed(type_: Vec, pointer: Any, owner: TrackedHandle | None) -> Any:
    """Track a vector that is part of `owner`; the struct belongs to C, too."""
    if not pointer or owner is None:
        return pointer
    known = by_address.get(pointer)
    if known is not None and known.owner is owner:
        return known.handle
    _track_part(type_, pointer, owner)
    fill(type_, pointer, owner=owner)
    return pointer


_struct_kinds: dict[Any, HandleType] = {}


def kind_of_struct(type_: Any) -> HandleType:
    """Return a HandleType for structs that C owns, which are tracked only until they end."""
    found = _struct_kinds.get(type_)
    if found is None:
        found = HandleType.__new__(HandleType)
        found.name = f"{type_.name}_vec" if isinstance(type_, Vec) else str(type_)
        found.ctype = None
        found.live = {}
        found.addressed = True
        found.delete = ""
        found.calls = {}
        _struct_kinds[type_] = found
    return found


def borrowed_struct(name: str, pointer: Any, owner: TrackedHandle | None) -> Any:
    """Track a struct that is part of `owner`, such as limits."""
    if not pointer or owner is None:
        return pointer
    known = by_address.get(pointer)
    if known is not None and known.owner is owner:
        return known.handle
    _track_part(name, pointer, owner)
    return pointer


def _track_part(type_: Vec | str, pointer: Any, owner: TrackedHandle) -> None:
    tracked = TrackedHandle()
    tracked.kind = kind_of_struct(type_)
    tracked.handle = pointer
    tracked.owner = owner
    tracked.belong(owner)
    by_address[pointer] = tracked
