"""Ownership that ends: what is deleted, given away to C, or refused because it is not the caller's
to give.
"""

from __future__ import annotations

from typing import Any, NoReturn

from . import handles
from .handles import HandleType, TrackedHandle, by_address, dead, find


def end(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    """Ends the caller's ownership by `function`, a wasm_…_delete; the pointer to hand to C."""
    live, key = kind.live, id(value)
    thing = live.get(key)
    if thing is not None and thing.simple:
        store = thing.parent
        thing.over = True
        if store is not None:
            if store.extra.active is not None:
                thing.over = False
                return _end(kind, value, function, parameter)
            store.children.discard(thing)  # type: ignore[union-attr]
        if by_address.pop(value, None) is None:
            _too_late(function, parameter)
        live.pop(key, None)
        dead[key] = value
        if len(dead) > handles.dead_limit:
            handles.sweep()
        return value
    return _end(kind, value, function, parameter)


def _end(kind: HandleType, value: Any, function: str, parameter: str) -> Any:
    value, thing = find(kind, value, function, parameter)
    if thing is None:
        return value
    if thing.owner is not None:
        _not_yours(thing, function, parameter)
    if thing.count > 1:
        thing.count -= 1
        return value
    refuse_running(thing, function, parameter)
    if kind.addressed and by_address.pop(thing.place(), None) is None:
        _too_late(function, parameter)
    thing.bury(f"was deleted by {function}")
    return value


def _too_late(function: str, parameter: str) -> NoReturn:
    """Of two threads that delete the same object, one must not reach C: it finds nothing to pop."""
    raise ReferenceError(f"{function}: {parameter} is being deleted by another thread")


def refuse_running(thing: TrackedHandle, function: str, parameter: str) -> None:
    """Raises where a call is running in the very function, or in one that `thing` owns; otherwise
    no call of them can begin any more.
    """
    family = [thing]
    for member in family:
        member.over = True
        family += member.children or ()
    for store in {member.store for member in family if member.store is not None}:
        call = store.extra.active
        while call is not None:
            if call[0] in family:
                for member in family:
                    member.over = False
                what = "is being called" if call[0] is thing else "holds what is being called"
                raise ValueError(f"{function}: {parameter} {what}")
            call = call[3]


def _not_yours(thing: TrackedHandle, function: str, parameter: str) -> NoReturn:
    owner = thing.owner
    assert owner is not None
    raise ReferenceError(f"{function}: {parameter} belongs to {owner.describe()}, which deletes it")


def claim(
    kind: HandleType, value: Any, function: str, parameter: str
) -> tuple[Any, TrackedHandle | None]:
    """An `own` argument: it must be the caller's to give."""
    pointer, thing = find(kind, value, function, parameter)
    if thing is not None and thing.owner is not None:
        _not_yours(thing, function, parameter)
    return pointer, thing


def distinct(function: str, *things: TrackedHandle | None) -> None:
    """Nothing can be given away twice in one call."""
    real = [thing for thing in things if thing is not None]
    if len(set(real)) != len(real):
        raise ReferenceError(f"{function}: one argument is given twice")


def given(thing: TrackedHandle | None, owner: TrackedHandle, function: str) -> None:
    """C put the object into `owner`: its handles so far are void."""
    if thing is not None:
        thing.retire(f"was given to {function}")
        thing.leave()
        thing.owner = owner
        thing.belong(owner)


def consumed(thing: TrackedHandle | None, function: str) -> None:
    """C took the object and ended it."""
    if thing is not None:
        thing.bury(f"was given to {function}")
