"""Objects that change their owner or end: deleted, or handed over to C.

The caller must own such an object; otherwise a ReferenceError says who owns it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from . import dead_handles
from .dead_handles import dead
from .handles import HandleType, TrackedHandle, by_address, find


def end(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    """Record that `function`, a wasm_…_delete, ends an object; return the pointer for C.

    parameter: for messages, here and below. Raises TypeError, ReferenceError, ValueError.
    """
    live, key = kind.live, id(value)
    tracked = live.get(key)
    if tracked is not None and tracked.simple:
        store = tracked.parent
        tracked.over = True
        if store is not None:
            if store.extra.active is not None:
                tracked.over = False
                return _end(kind, value, function, parameter)
            store.children.discard(tracked)  # type: ignore[union-attr]
        if by_address.pop(value, None) is None:
            _too_late(function, parameter)
        live.pop(key, None)
        dead[key] = value
        if len(dead) > dead_handles.limit:
            dead_handles.sweep()
        return value
    return _end(kind, value, function, parameter)


def _end(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    value, tracked = find(kind, value, function, parameter)
    if tracked is None:
        return value
    if tracked.owner is not None:
        _not_yours(tracked, function, parameter)
    if tracked.has_other_owners():
        return value
    refuse_running(tracked, function, parameter)
    if kind.addressed and by_address.pop(tracked.pointer(), None) is None:
        _too_late(function, parameter)
    tracked.bury(f"was deleted by {function}")
    return value


def _too_late(function: str, parameter: str) -> NoReturn:
    """Raise ReferenceError in the slower one of two threads that delete the same object."""
    raise ReferenceError(f"{function}: {parameter} is being deleted by another thread")


def refuse_running(tracked: TrackedHandle, function: str, parameter: str) -> None:
    """Raise ValueError if a call of the function, or of one that `tracked` owns, is running.

    Otherwise no such call can begin any more.
    """
    family = [tracked]
    for member in family:
        member.over = True
        family += member.children or ()
    for store in {member.store for member in family if member.store is not None}:
        call = store.extra.active
        while call is not None:
            if call[0] in family:
                for member in family:
                    member.over = False
                what = "is being called" if call[0] is tracked else "holds what is being called"
                raise ValueError(f"{function}: {parameter} {what}")
            call = call[3]


def _not_yours(tracked: TrackedHandle, function: str, parameter: str) -> NoReturn:
    owner = tracked.owner
    assert owner is not None
    raise ReferenceError(f"{function}: {parameter} belongs to {owner.describe()}, which deletes it")


def claim(
    kind: HandleType, value: Any, function: str, parameter: str
) -> tuple[Any, TrackedHandle | None]:
    """Do as `find` for an `own` argument, which the caller must own."""
    pointer, tracked = find(kind, value, function, parameter)
    if tracked is not None and tracked.owner is not None:
        _not_yours(tracked, function, parameter)
    return pointer, tracked


def distinct(function: str, *claimed: TrackedHandle | None) -> None:
    """Raise ReferenceError if one object is handed over twice in a call."""
    real = [tracked for tracked in claimed if tracked is not None]
    if len(set(real)) != len(real):
        raise ReferenceError(f"{function}: one argument is given twice")


def given(tracked: TrackedHandle | None, owner: TrackedHandle, function: str) -> None:
    """Record that C has made the object a part of `owner`; its handles so far are dead."""
    if tracked is not None:
        tracked.retire(f"was given to {function}")
        tracked.leave()
        tracked.owner = owner
        tracked.belong(owner)


def consumed(tracked: TrackedHandle | None, function: str) -> None:
    """Record that C has taken over the object and ended it."""
    if tracked is not None:
        tracked.bury(f"was given to {function}")
