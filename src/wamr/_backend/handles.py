"""Handles: Python's references to C objects, and when they are given back.

A handle is a cffi pointer that gives itself back when nobody has it any more; a Func's is in its
plain function, which does the same (src/native/cpython/function.c). There is one trap:
Python's collector runs the finalizers of a cycle in any order, so an object's `__del__` may use a
handle that is finalized already. What becomes free while it runs is therefore given back when it
has ended, when every `__del__` has run; and nothing is after the interpreter's exit has begun,
since the process gives back everything then. This module knows of no object in C.
"""

from __future__ import annotations

import atexit
import gc

from .binding import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Returns:
    """What is to be given back, and whether that has to wait."""

    __slots__ = ("late", "wait")

    def __init__(self) -> None:
        self.wait = False  # the collector runs, or the interpreter ends
        self.late: list[tuple[Callable[[Any], object], Any]] = []

    def collecting(self, phase: str, _info: object) -> None:
        """Tell that the collector starts or has ended."""
        self.wait = phase == "start"
        lib.wpy_defer_releases(self.wait)
        while self.late and not self.wait:
            release, pointer = self.late.pop()
            release(pointer)

    def ending(self) -> None:
        """Tell that the interpreter ends."""
        if hasattr(gc, "callbacks"):
            gc.callbacks.remove(self.collecting)
        self.wait = True
        lib.wpy_defer_releases(True)


_returns = _Returns()
if hasattr(gc, "callbacks"):  # PyPy, which has none, finalizes what refers to a handle before it
    gc.callbacks.append(_returns.collecting)
atexit.register(_returns.ending)


def giver(release: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return what gives a pointer back with `release`, as soon as that is safe."""

    def give(pointer: Any) -> None:
        if _returns.wait:
            _returns.late.append((release, pointer))
        else:
            release(pointer)

    return give


def handle(pointer: Any) -> Any:
    """Return the C pointer as a handle that gives itself back."""
    return ffi.gc(pointer, lib.wpy_release_or_defer)
