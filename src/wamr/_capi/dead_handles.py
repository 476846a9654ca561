"""Dead handles: those of C objects that have ended, so that using one raises an error.

A dead handle is kept as long as anybody else refers to it. Keeping it also keeps its id from being
reused, so a lookup by id can't find another object.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from .._backend.binding import ffi
from .._base.locks import SoleUse, renewed_in_children

_MIN_LIMIT = 1024

dead: dict[int, Any] = {}  # by id
limit = _MIN_LIMIT  # the number of dead handles that a sweep is worth
# Why they have ended, by id; without an entry: by the delete function of their type.
_reasons: dict[int, str] = {}
_getrefcount = getattr(sys, "getrefcount", None)
_sweeping = renewed_in_children(SoleUse())


def add(handle: Any, reason: str) -> None:
    """Record that the handle is dead."""
    dead[id(handle)] = handle
    _reasons[id(handle)] = reason


def reason_of(handle: Any) -> str:
    """Return why a handle in `dead` has ended, as the end of a sentence."""
    reason = _reasons.get(id(handle))
    if reason is not None:
        return reason
    name = ffi.typeof(handle).cname.removeprefix("struct ").removesuffix("_t *")
    return f"was deleted by {name}_delete"


def sweep() -> None:
    """Drop the dead handles that nobody else refers to."""
    with suppress(_IsSweeping):
        _sweeping.run(_IsSweeping, _sweep)


class _IsSweeping(Exception):
    """Another thread is sweeping."""


def _sweep() -> None:
    global limit  # noqa: PLW0603
    gone = unreferenced(dead)
    if _getrefcount is None:
        # There are no reference counts: drop the older half. `find` recognizes these handles
        # by their addresses, with a less precise message.
        gone = list(dead)[: len(dead) // 2]
    for key in gone:
        # The reason first: once the handle has gone, a new one may get the same id.
        if _reasons:
            _reasons.pop(key, None)
        del dead[key]
    limit = max(_MIN_LIMIT, 2 * len(dead))


def unreferenced(handles: dict[int, Any], base: int = 0) -> list[int]:
    """Return the keys of the values that only this dictionary refers to."""
    base = base or _COUNT_OF_ONE
    count = _getrefcount
    if count is None:
        return []
    # A copy, which is made atomically: other threads add to the dictionary meanwhile.
    return [key for key, handle in handles.copy().items() if count(handle) <= base]


# The reference count that `unreferenced` sees of an object that only the dictionary refers to.
_COUNT_OF_ONE = next(
    base for base in range(1, 10) if _getrefcount is None or unreferenced({0: object()}, base)
)
