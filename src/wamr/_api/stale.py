"""Structs of the caller whose data C has freed: vectors that were given away, or went with a store.

C leaves such a struct as it was, so it points to memory that may be anybody's by now. It is known
here by its own address and that of the data; with new data it is a good vector again.
"""

from __future__ import annotations

import weakref
from typing import Any

from .._binding import ffi

# By the address of the struct: the data that it had, why it has gone, and what ends the entry with
# the struct.
_stale: dict[int, tuple[Any, str, Any]] = {}


def note(struct: Any, data: Any, why: str) -> None:
    """The data of the vector `struct` has gone."""
    if struct.data == data:
        key = int(ffi.cast("uintptr_t", struct))
        _stale[key] = (data, why, weakref.ref(struct[0], lambda _: _stale.pop(key, None)))


def refuse(struct: Any, data: Any, function: str, parameter: str) -> None:
    """Raises where the vector's data, which is no block of C's, has been one."""
    found = _stale.get(int(ffi.cast("uintptr_t", struct))) if _stale else None
    if found is not None and found[0] == data:
        raise ReferenceError(f"{function}: {parameter}.data {found[1]}")
