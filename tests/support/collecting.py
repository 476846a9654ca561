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


def collect_until(done: Callable[[], bool]) -> bool:
    """Collect until `done` returns True; return what it returns in the end.

    On CPython without a collection first: what has no reference is gone already.
    """
    for _ in range(ROUNDS):
        if done():
            return True
        gc.collect()
    return done()
