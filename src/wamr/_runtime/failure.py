"""The exceptions for instances that could not be made."""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._backend.handles import COUNTS_REFERENCES, reclaim
from ..errors import MemoryLimitError, link_error_from_text, out_of_memory
from .calls import raise_status, take_error
from .limits import no_room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .state import InstanceState


def may_try_again(c: Any) -> tuple[bool, Any]:
    """After a failure, free what waits for the collector, if that can help.

    c: the module, for which the failure was recorded. Returns whether there may be room now, and
    otherwise the error for `raise_failed`, if it was taken.
    """
    if COUNTS_REFERENCES:
        return False, None
    error = take_error(c)
    if error is None:
        return False, None
    text = ffi.string(error.text).decode("utf-8", "replace")
    may_help = error.status == lib.WPY_NO_MEMORY or (
        error.status == lib.WPY_LINK and (_no_room(text) or out_of_memory(text) is not None)
    )
    return (True, None) if may_help and reclaim() else (False, error)


def apply_again(wasi: Any, opened: Any, c: Any, state: InstanceState) -> Any:
    """Return a new WASI state for a second attempt: the first has used `opened` up, if any."""
    if opened is None:
        return None
    opened.release()
    state.remove_files()
    return wasi._apply(c, state)


def _no_room(text: str) -> bool:
    return "allocate linear memory failed" in text or "too many table elements" in text


def raise_failed(state: InstanceState, error: Any = None) -> NoReturn:
    """Raise the exception for an instance that could not be made; error: None, or it was taken."""
    module, store = state.module, state.store
    error = error or take_error(module._c)  # C records it for the module: there is no instance
    status, text = error.status, ffi.string(error.text).decode("utf-8", "replace")
    if status == lib.WPY_NO_MEMORY:
        raise MemoryError(text)
    if status == lib.WPY_LINK:
        if "allocate linear memory failed" in text:
            raise MemoryLimitError(
                f"there is no room for the module's memory: {no_room(store._budget)}"
            )
        if "too many table elements" in text:
            reason = no_room(store._budget, elements=True)
            raise MemoryLimitError(f"there is no room for the module's tables: {reason}")
        raise out_of_memory(text) or link_error_from_text(text)
    raise_status(error, module._c, "the module's segments", state)
