"""Why a memory or a table had no room: which limit, and how much of it is used; or the system.

C notes the reason where it refuses (src/native/core/budget.c, region.c), for the thread.
"""

from __future__ import annotations

from wamr._backend.binding import ffi, lib

PAGE = 65_536


def why_no_room(budget: object, *, elements: bool = False) -> str:
    """Return why this thread was refused a memory, or a table, just now.

    budget: the store's, in C; another that is used up is an instance's.
    """
    found = ffi.new("wpy_refusal *")
    lib.wpy_take_refusal(found)
    unit, limit = ("element", "table_elements") if elements else ("byte", "memory_bytes")
    wanted = f"{found.wanted:,} {unit}{'' if found.wanted == 1 else 's'}"
    if not elements and found.wanted and found.wanted % PAGE == 0:
        pages = found.wanted // PAGE
        wanted += f" ({pages:,} page{'' if pages == 1 else 's'})"
    if found.reason == lib.WPY_OVER_BUDGET:
        whose = "store" if found.budget == _address(budget) else "instance"
        return (
            f"{wanted} {'is' if found.wanted == 1 else 'are'} beyond the limits of the {whose}, "
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
