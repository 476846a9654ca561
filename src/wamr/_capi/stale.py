"""Stale structs: vectors of the caller whose data C has freed.

C leaves the struct of a vector unchanged when the vector was handed over or ended with its store,
so the struct points to memory that may belong to another vector by now. Such structs are recorded
here, with the address of their data, until C fills them again.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from .._backend.binding import ffi

# Address of the struct -> the data that it had, why that was freed, and a weak reference that
# removes the entry when the struct is collected.
structs: dict[int, tuple[Any, str, Any]] = {}


def note(struct: Any, data: Any, reason: str) -> None:
    """Record that the data of a struct was freed."""
    if struct.data == data:
        key = _key(struct)
        # a bound method, since global names may be gone when Python exits
        structs[key] = (data, reason, weakref.ref(struct[0], partial(structs.pop, key)))


def forget(struct: Any) -> None:
    """Record that C has filled the struct again."""
    if structs and struct:
        structs.pop(_key(struct), None)


def refuse(struct: Any, data: Any, function: str, parameter: str) -> None:
    """Raise ReferenceError if the struct is stale; data: what it points to."""
    found = structs.get(_key(struct))
    if found is not None and found[0] == data:
        raise ReferenceError(f"{function}: {parameter}.data {found[1]}")


def _key(struct: Any) -> int:
    return int(ffi.cast("uintptr_t", struct))
