"""Structs of the caller whose data C has freed: vectors that were given away, or went with a store.

C leaves such a struct as it was, so it points to memory that may be another vector's by now. It is
known here by its own address and that of the data; when C has filled it anew it is a good one.
"""

from __future__ import annotations

import weakref
from typing import Any

from .._backend.binding import ffi

# By the address of the struct: the data that it had, why it has gone, and what ends the entry with
# the struct.
structs: dict[int, tuple[Any, str, Any]] = {}


def note(struct: Any, data: Any, why: str) -> None:
    """The data of the vector `struct` has gone."""
    if struct.data == data:
        key = _key(struct)
        structs[key] = (data, why, weakref.ref(struct[0], lambda _: structs.pop(key, None)))


def forget(struct: Any) -> None:
    """The struct has been filled by C."""
    if structs and struct:
        structs.pop(_key(struct), None)


def refuse(struct: Any, data: Any, function: str, parameter: str) -> None:
    """Raises where the struct has only what was freed."""
    found = structs.get(_key(struct))
    if found is not None and found[0] == data:
        raise ReferenceError(f"{function}: {parameter}.data {found[1]}")


def _key(struct: Any) -> int:
    return int(ffi.cast("uintptr_t", struct))
