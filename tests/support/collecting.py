"""Collecting garbage, on Pythons that count references and on those that don't.

CPython frees an object with its last reference. PyPy finalizes it after a collection has found it,
and what the object refers to after the next one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

COUNTED = sys.implementation.name == "cpython"
# Collections until everything is found: each frees what the finalizers before it have let go of.
ROUNDS = 1 if COUNTED else 6

needs_reference_counts = pytest.mark.skipif(
    not COUNTED, reason="this Python counts no references: the test reads their number"
)


def collect() -> None:
    """Free what nothing refers to."""
    for _ in range(ROUNDS):
        gc.collect()


def exempt_from_collection() -> None:
    """Exempt all objects that there are now from garbage collection, once garbage is gone.

    Tests collect garbage thousands of times. Each collection would visit the collected tests and
    all imported modules, and in a forked process copy their pages.
    """
    if hasattr(gc, "freeze"):  # not in PyPy
        gc.collect()
        gc.freeze()


def collect_everything() -> None:
    """Free what nothing refers to, also among the objects that are exempt."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
    collect()
    exempt_from_collection()


def collect_until(done: Callable[[], bool]) -> bool:
    """Collect until `done` returns True; return what it returns in the end.

    On CPython without a collection first: what has no reference is gone already.
    """
    for _ in range(ROUNDS):
        if done():
            return True
        gc.collect()
    return done()
