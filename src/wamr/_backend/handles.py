"""Handles: cffi pointers to C objects that release them when they are collected.

The handle of a `Func` is held by its plain function, which releases it in the same way
(src/native/cpython/function.c). Releasing has to be deferred at times: the garbage collector
finalizes the objects of a cycle in any order, so an object's `__del__` may use a handle that is
finalized already. Handles that the collecting thread finalizes are released when the collection has
ended and every `__del__` has run. Once the interpreter is exiting nothing is released any more,
since the process frees everything. This module knows no class of C objects.
"""

from __future__ import annotations

import atexit
import gc
import sys
from _thread import get_ident

from .binding import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


# Whether what nothing refers to is mostly gone at once. Free-threaded builds count, too, but their
# collector has one generation, and lets cycles wait until a quarter of all objects are new.
COUNTS_REFERENCES = (
    sys.implementation.name == "cpython" and "free-threading build" not in sys.version
)


class _Releases:
    """The releases that are deferred, and whether new ones have to be."""

    __slots__ = ("deferred", "deferring", "exited")

    def __init__(self) -> None:
        self.deferring: int | None = None  # the thread in which the collector is running
        self.exited = False
        self.deferred: list[tuple[Callable[[Any], object], Any]] = []

    def collecting(self, phase: str, _info: object) -> None:
        """Note the start or the end of a collection; a callback of `gc`."""
        self.deferring = get_ident() if phase == "start" else None
        lib.wpy_defer_releases(phase == "start")
        while self.deferred and self.deferring is None and not self.exited:
            try:
                release, pointer = self.deferred.pop()
            except IndexError:  # another thread has taken the last one
                return
            release(pointer)

    def exiting(self) -> None:
        """Note that the interpreter is exiting."""
        if hasattr(gc, "callbacks"):
            gc.callbacks.remove(self.collecting)
        self.exited = True
        lib.wpy_defer_all_releases()


_releases = _Releases()
# PyPy has no callbacks: it finalizes what refers to a handle before the handle.
if hasattr(gc, "callbacks"):
    gc.callbacks.append(_releases.collecting)
atexit.register(_releases.exiting)


def deferrable(release: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a destructor for `ffi.gc` that calls `release`, as soon as that is safe."""
    releases, ident = _releases, get_ident  # the interpreter may have cleared this module at exit

    def release_when_safe(pointer: Any) -> None:
        if releases.exited or releases.deferring == ident():
            releases.deferred.append((release, pointer))
        else:
            release(pointer)

    return release_when_safe


# What a handle weighs for PyPy's collector, in bytes. It sees the cffi pointer only, and would let
# thousands of instances wait. CPython frees a handle with its last reference.
_WEIGHT = 1 << 17


def handle(pointer: Any, size: int = _WEIGHT) -> Any:
    """Take over a reference to a C object: return a handle that releases it.

    size: about how many bytes of memory go with the handle.
    """
    return ffi.gc(pointer, lib.wpy_release_or_defer, size)


def reclaim() -> bool:
    """Free what nothing refers to any more, where that waits for the collector.

    Called where there is no room, before that is reported. Returns False where the number of
    references decides, as on CPython with a GIL: another attempt would mostly fail, too.
    """
    if COUNTS_REFERENCES:
        return False
    for _ in range(2):  # what a finalizer lets go of is found by the next collection
        gc.collect()
    return True
