"""Explanations for memories and tables that could not be allocated.

C records the reason of a thread's last failure (src/native/core/budget.c, region.c).
"""

from __future__ import annotations

from .._backend.binding import ffi, lib

PAGE = 65_536


def allocation_failure(budget: object, *, elements: bool = False) -> str:
    """Return the reason of this thread's last failure.

    budget: the store's, in C; any other is an instance's. elements: whether it was a table.
    """
    found = ffi.new("wpy_refusal *")
    lib.wpy_take_refusal(found)
    counted = elements and found.reason == lib.WPY_OVER_BUDGET
    unit, limit = ("element", "table_elements") if counted else ("byte", "memory_bytes")
    wanted = f"{found.wanted:,} {unit}{'' if found.wanted == 1 else 's'}"
    if not counted and found.wanted and found.wanted % PAGE == 0:
        pages = found.wanted // PAGE
        wanted += f" ({pages:,} page{'' if pages == 1 else 's'})"
    if found.reason == lib.WPY_OVER_BUDGET:
        owner = "store" if found.budget == _address(budget) else "instance"
        return (
            f"{wanted} {'is' if found.wanted == 1 else 'are'} beyond the limits of the {owner}, "
            f"ResourceLimits({limit}={found.limit}), of which {found.used:,} are in use"
        )
    if found.reason == lib.WPY_TOO_MANY_ELEMENTS:
        most = f"the tables of an instance can have at most {found.limit:,} elements"
        return f"{most}, not {found.wanted:,}"
    if found.reason == lib.WPY_NO_MAPPINGS:
        return (
            f"the memories and tables of this process have the {found.limit:,} mappings that the "
            "system lets them have (vm.max_map_count)"
        )
    if found.reason == lib.WPY_NO_ADDRESS_SPACE:
        return f"the system has no address space for {wanted} in one piece (see ulimit -v)"
    return f"the system has no memory for {wanted if found.wanted else 'it'}"


def _address(budget: object) -> int:
    return int(ffi.cast("uintptr_t", budget))
