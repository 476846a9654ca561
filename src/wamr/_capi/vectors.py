"""The vectors: structs of the caller, data of C, elements owned by the data.

A vector's struct is copied around freely (WAMR itself does when it takes one over), so what is
tracked is the data it points to: one `Block` per allocation, found by address. A block that
came from C is freed by C; elements of a vector of pointers are `TrackedHandle`s whose owner is the
block. What a caller writes into the data by hand is looked at when the vector is handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend.binding import ffi, lib
from . import handles, ownership, stale
from .handles import (
    NULL,
    CData,
    HandleType,
    TrackedHandle,
    by_address,
    dead,
    how_ended,
    kind,
    typeof,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# By the address of the data. Of vectors of plain values that are the caller's, only the size needs
# to be known.
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
    """The data of one vector."""

    vec: Vec
    data: Any
    capacity: int
    struct: Any
    lock: Any
    # The caller's struct, if C does not empty it when the data goes.
    given_by: Any = None

    def describe(self) -> str:
        if self.owner is not None:
            return self.owner.describe()
        return f"a wasm_{self.vec.name}_vec_t"

    def retire(self, why: str) -> None:
        pass

    def bury(self, why: str) -> None:
        if blocks.get(self.data) is self:
            del blocks[self.data]
        if self.given_by is not None:
            stale.note(self.given_by, self.data, why)
        self.leave()
        self.bury_children(why)

    def free(self) -> None:
        count = len(self.children or ())
        struct, owner = self.struct, self.owner
        self.bury("went with its store")
        if owner is None:
            struct.num_elems = count
            getattr(lib, f"wasm_{self.vec.name}_vec_delete")(struct)


VECS: dict[str, Vec] = {}


def vec(name: str) -> Vec:
    """The `Vec` of `wasm_<name>_vec_t *`."""
    found = VECS.get(name)
    if found is None:
        found = VECS[name] = Vec(name)
    return found


def struct(type_: Vec, value: Any, function: str, parameter: str) -> Any:
    """The struct that `value` is or points to; None is NULL."""
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
        raise ReferenceError(f"{function}: {parameter} {how_ended(value)}")
    return value


def read(type_: Vec, value: Any, function: str, parameter: str) -> Any:
    """A vector that C reads: its data must be there, and its elements alive."""
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
    """Before C writes a vector: where it fails, it may leave the struct as it was, and `fill` would
    take that for what C has made.
    """
    if pointer and pointer != source:
        pointer[0] = type_.empty


def fill(
    type_: Vec, pointer: Any, store: TrackedHandle | None = None, owner: TrackedHandle | None = None
) -> Any:
    """After C has written a vector: its data is a block, its elements are alive."""
    if pointer:
        stale.forget(pointer)
        data = pointer.data
        if data and data not in blocks:
            if type_.element is None and owner is None:
                blocks[data] = pointer.size
                return pointer
            block = _block(type_, pointer, store, owner)
            if type_.element is not None:
                for index in range(pointer.num_elems):
                    address = data[index]
                    if address:
                        _element(block, type_.element, address)
    return pointer


def _block(
    type_: Vec, pointer: Any, store: TrackedHandle | None, owner: TrackedHandle | None
) -> Block:
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
        _bind(block, pointer, store)
    return block


def _bind(block: Block, pointer: Any, store: TrackedHandle) -> None:
    """A vector of a store's objects goes with the store: what to delete then must be known."""
    block.store = store
    block.struct = ffi.new(block.vec.ctype, pointer[0])
    block.belong(store)


def _element(block: Block, element: HandleType, address: Any) -> None:
    old = by_address.get(address)
    if old is not None:
        old.bury("is gone")
    thing = TrackedHandle()
    thing.kind = element
    thing.address = address
    thing.owner = block
    thing.store = block.store
    thing.belong(block)
    by_address[address] = thing


def borrowed(type_: Vec, pointer: Any, owner: TrackedHandle | None) -> Any:
    """A vector that is part of `owner`: the struct, too, is C's."""
    if not pointer or owner is None:
        return pointer
    known = by_address.get(pointer)
    if known is not None and known.owner is owner:
        return known.handle
    thing = TrackedHandle()
    thing.kind = kind_of_struct(type_)
    thing.handle = pointer
    thing.owner = owner
    thing.belong(owner)
    by_address[pointer] = thing
    fill(type_, pointer, owner=owner)
    return pointer


_struct_kinds: dict[Any, HandleType] = {}


def kind_of_struct(type_: Any) -> HandleType:
    """A kind for structs that C owns; only their end matters."""
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
    """A struct inside `owner`, limits for one."""
    if not pointer or owner is None:
        return pointer
    known = by_address.get(pointer)
    if known is not None and known.owner is owner:
        return known.handle
    thing = TrackedHandle()
    thing.kind = kind_of_struct(name)
    thing.handle = pointer
    thing.owner = owner
    thing.belong(owner)
    by_address[pointer] = thing
    return pointer


# What the caller gives


def made(type_: Vec, pointer: Any, claimed: list[TrackedHandle], function: str) -> None:
    """After wasm_…_vec_new: the vector owns the elements, if C could make it."""
    stale.forget(pointer)
    data = pointer.data if pointer else None
    if not data:
        return
    if type_.element is None:
        blocks[data] = pointer.size
        return
    block = _block(type_, pointer, common_store(claimed, function), None)
    for thing in claimed:
        ownership.given(thing, block, function)


def common_store(things: Iterable[TrackedHandle], function: str) -> TrackedHandle | None:
    """The store that a vector of these goes with: there can only be one."""
    stores = {thing.store for thing in things}
    if len(stores) > 1:
        raise ValueError(f"{function}: the elements of a vector must be of one store")
    return next(iter(stores), None)


def store_of(type_: Vec, pointer: Any, function: str) -> TrackedHandle | None:
    """The store that a copy of this vector goes with."""
    data = [pointer.data[index] for index in range(pointer.num_elems)] if pointer else ()
    return common_store([by_address[item] for item in data if item], function)


def take(type_: Vec, value: Any, function: str, parameter: str) -> tuple[Any, Block | None]:
    """A vector that C takes over or deletes: it must be the caller's, and its elements its own."""
    pointer = struct(type_, value, function, parameter)
    if not pointer or not pointer.data:
        return pointer, None
    if stale.structs:
        stale.refuse(pointer, pointer.data, function, parameter)
    block = blocks.get(pointer.data)
    if block is None:
        raise ReferenceError(
            f"{function}: {parameter}.data is not alive, or not made by wasm_{type_.name}_vec_new"
        )
    if isinstance(block, int):
        block = _block(type_, pointer, None, None)
    if block.owner is not None:
        raise ReferenceError(
            f"{function}: {parameter} belongs to {block.owner.describe()}, which deletes it"
        )
    if pointer.num_elems > block.capacity:
        raise ValueError(
            f"{function}: {parameter} says {pointer.num_elems} where there are {block.capacity}"
        )
    if pointer.lock != block.lock:
        # A copy of another vector's struct, which has gone: its lock has, too.
        raise ReferenceError(f"{function}: {parameter} is no copy of the vector that has the data")
    if type_.element is not None:
        _settle(block, pointer, type_.element, function, parameter)
    return pointer, block


def _settle(block: Block, pointer: Any, element: HandleType, function: str, parameter: str) -> None:
    """The elements that are in the vector now become the block's; one that left it is the
    caller's.
    """
    found: set[TrackedHandle] = set()
    for index in range(pointer.num_elems):
        address = pointer.data[index]
        if not address:
            continue
        where = f"{parameter}.data[{index}]"
        thing = handles.find(element, address, function, where)[1]
        assert thing is not None
        if thing.owner is not block and thing.owner is not None:
            raise ReferenceError(f"{function}: {where} belongs to {thing.owner.describe()}")
        if thing in found:
            raise ReferenceError(f"{function}: {where} is in the vector twice")
        found.add(thing)
    store = common_store(found, function)
    if block.store is None and store is not None:
        _bind(block, pointer, store)
    for thing in found:
        if thing.owner is None:
            ownership.given(thing, block, f"a wasm_{block.vec.name}_vec_t")
    for thing in list(block.children or ()):
        if thing not in found:
            thing.leave()
            thing.owner = None
            if thing.store is not None:
                thing.belong(thing.store)


def end(type_: Vec, value: Any, function: str) -> Any:
    """The argument of a wasm_…_vec_delete."""
    if type_.element is None:
        pointer = struct(type_, value, function, "vec")
        data = pointer.data if pointer else None
        if stale.structs:
            stale.refuse(pointer, data, function, "vec")
        if data and blocks.get(data).__class__ is int:
            if type_.name == "val":
                _refuse_running(data, function)
            if blocks.pop(data, None) is not None:  # else another thread was faster
                return pointer
    pointer = struct(type_, value, function, "vec")
    known, mine = blocks.get(pointer.data) if pointer and pointer.data else None, object()
    if isinstance(known, Block) and known.__dict__.setdefault("ending", mine) is not mine:
        # Its elements may go while they are looked at.
        raise ReferenceError(f"{function}: vec is being deleted by another thread")
    try:
        pointer, block = take(type_, pointer, function, "vec")
        if block is not None:
            ownership.refuse_running(block, function, "vec")
            if block.given_by == pointer:
                block.given_by = None  # C empties it
            block.bury(f"was deleted by {function}")
    except BaseException:
        if isinstance(known, Block):
            known.__dict__.pop("ending", None)
        raise
    return pointer


def _refuse_running(data: Any, function: str) -> None:
    """A running call reads its arguments and writes its results when it ends."""
    for store in handles.kind("store").live.values():
        call = store.extra.active
        while call is not None:
            _, args, results, call, _ = call
            if (args and args.data == data) or (results and results.data == data):
                raise ValueError(f"{function}: vec is in use by a running call")


def give(block: Block | None, owner: TrackedHandle) -> None:
    """C put the vector into `owner`."""
    if block is not None:
        block.leave()
        block.owner = owner
        block.belong(owner)


def lend(type_: Vec, pointer: Any, thing: TrackedHandle) -> Callable[[], None] | None:
    """Until the function that comes back is called, the vector's data can't be deleted."""
    block = blocks.get(pointer.data)
    if block is None:
        return None
    if isinstance(block, int):
        block = _block(type_, pointer, None, None)
    block.owner = thing

    def back() -> None:
        block.owner = None

    return back
