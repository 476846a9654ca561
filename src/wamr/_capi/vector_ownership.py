"""Vectors that change their owner: made from elements, handed over to C, or deleted.

C owns a vector that it has taken over, and a vector owns its elements. What a caller has written
into the data by hand is settled when the vector is handed over (`_settle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import handles, ownership, stale
from .handles import HandleType, TrackedHandle, by_address
from .vectors import Block, Vec, bind_to_store, blocks, new_block, struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def made(type_: Vec, pointer: Any, claimed: list[TrackedHandle], function: str) -> None:
    """Track a vector that wasm_…_vec_new has made; it owns the elements `claimed`."""
    stale.forget(pointer)
    data = pointer.data if pointer else None
    if not data:
        return
    if type_.element is None:
        blocks[data] = pointer.size
        return
    block = new_block(type_, pointer, common_store(claimed, function), None)
    for tracked in claimed:
        ownership.given(tracked, block, function)


def common_store(elements: Iterable[TrackedHandle], function: str) -> TrackedHandle | None:
    """Return the store of a vector's elements, or None; ValueError if there are several."""
    stores = {tracked.store for tracked in elements}
    if len(stores) > 1:
        raise ValueError(f"{function}: the elements of a vector must be of one store")
    return next(iter(stores), None)


def store_of(type_: Vec, pointer: Any, function: str) -> TrackedHandle | None:
    """Return the store of a vector's elements, or None; for a copy of the vector."""
    data = [pointer.data[index] for index in range(pointer.num_elems)] if pointer else ()
    return common_store([by_address[item] for item in data if item], function)


def take(type_: Vec, value: Any, function: str, parameter: str) -> tuple[Any, Block | None]:
    """Return the struct and the data of a vector that C takes over or deletes.

    The caller must own the vector, and the vector its elements. Raises TypeError, ReferenceError,
    ValueError.
    """
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
        block = new_block(type_, pointer, None, None)
    if block.owner is not None:
        raise ReferenceError(
            f"{function}: {parameter} belongs to {block.owner.describe()}, which deletes it"
        )
    if pointer.num_elems > block.capacity:
        raise ValueError(
            f"{function}: {parameter} says {pointer.num_elems} where there are {block.capacity}"
        )
    if pointer.lock != block.lock:
        # A copy of the struct of an older vector with data at this address: its lock is freed.
        raise ReferenceError(f"{function}: {parameter} is no copy of the vector that has the data")
    if type_.element is not None:
        _settle(block, pointer, type_.element, function, parameter)
    return pointer, block


def _settle(block: Block, pointer: Any, element: HandleType, function: str, parameter: str) -> None:
    """Make the block own the elements that are in the data now.

    The caller owns an element that was replaced.
    """
    found: set[TrackedHandle] = set()
    for index in range(pointer.num_elems):
        address = pointer.data[index]
        if not address:
            continue
        where = f"{parameter}.data[{index}]"
        tracked = handles.find(element, address, function, where)[1]
        assert tracked is not None
        if tracked.owner is not block and tracked.owner is not None:
            raise ReferenceError(f"{function}: {where} belongs to {tracked.owner.describe()}")
        if tracked in found:
            raise ReferenceError(f"{function}: {where} is in the vector twice")
        found.add(tracked)
    store = common_store(found, function)
    if block.store is None and store is not None:
        bind_to_store(block, pointer, store)
    for tracked in found:
        if tracked.owner is None:
            ownership.given(tracked, block, f"a wasm_{block.vec.name}_vec_t")
    for tracked in list(block.children or ()):
        if tracked not in found:
            tracked.leave()
            tracked.owner = None
            if tracked.store is not None:
                tracked.belong(tracked.store)


def end(type_: Vec, value: Any, function: str) -> Any:
    """Record that wasm_…_vec_delete ends a vector; return the pointer for C."""
    if type_.element is None:
        pointer = struct(type_, value, function, "vec")
        data = pointer.data if pointer else None
        if stale.structs:
            stale.refuse(pointer, data, function, "vec")
        if data and blocks.get(data).__class__ is int:
            if type_.name == "val":
                _refuse_running(data, function)
            if blocks.pop(data, None) is not None:  # otherwise another thread was faster
                return pointer
    pointer = struct(type_, value, function, "vec")
    known, mine = blocks.get(pointer.data) if pointer and pointer.data else None, object()
    if isinstance(known, Block) and known.__dict__.setdefault("ending", mine) is not mine:
        # The elements may end while they are checked.
        raise ReferenceError(f"{function}: vec is being deleted by another thread")
    try:
        pointer, block = take(type_, pointer, function, "vec")
        if block is not None:
            ownership.refuse_running(block, function, "vec")
            if block.given_by == pointer:
                block.given_by = None  # C empties the struct
            block.bury(f"was deleted by {function}")
    except BaseException:
        if isinstance(known, Block):
            known.__dict__.pop("ending", None)
        raise
    return pointer


def _refuse_running(data: Any, function: str) -> None:
    """Raise ValueError if the data is that of the arguments or results of a running call."""
    for store in handles.kind("store").live.values():
        call = store.extra.active
        while call is not None:
            _, args, results, call, _ = call
            if (args and args.data == data) or (results and results.data == data):
                raise ValueError(f"{function}: vec is in use by a running call")


def give(block: Block | None, owner: TrackedHandle) -> None:
    """Record that C has made the vector a part of `owner`."""
    if block is not None:
        block.leave()
        block.owner = owner
        block.belong(owner)


def lend(type_: Vec, pointer: Any, tracked: TrackedHandle) -> Callable[[], None] | None:
    """Refuse to delete the vector's data until the returned function is called."""
    block = blocks.get(pointer.data)
    if block is None:
        return None
    if isinstance(block, int):
        block = new_block(type_, pointer, None, None)
    block.owner = tracked

    def give_back() -> None:
        block.owner = None

    return give_back
