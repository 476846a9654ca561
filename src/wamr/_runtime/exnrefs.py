"""Exceptions of wasm code on their way between C and Python, by number or by handle.

exceptions.py knows the classes, and functions, which need what is here: it names itself with
`set_exceptions`.
"""

from __future__ import annotations

from .._backend.binding import ffi, lib
from .._values.externrefs import NULL_REF
from .extern import waited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .extern import Lifetime

    Maker = Callable[[Any, Lifetime, Any], BaseException]

_class: Any = type(None)
_make: Any = None


def set_exceptions(class_: type, make: Maker) -> None:
    """Name the class of exceptions, and what makes one of a handle in C, its origin and frames."""
    global _class, _make  # noqa: PLW0603
    _class, _make = class_, make


def exception_of(c: Any, owner: Lifetime, frames: Any = ()) -> BaseException:
    """Return the exception of a handle in C, which is taken over; owner: where it comes from."""
    exception: BaseException = _make(c, owner, frames)
    return exception


def checked_exception(value: object, where: object) -> Any:
    """Return what must be a WasmException; TypeError."""
    if not isinstance(value, _class):
        raise TypeError(
            f"{where} must be a WasmException or None (exnref), not {type(value).__name__}"
        )
    return value


def exnref_of(value: object, c: Any, where: object) -> int:
    """Return the number of None or a WasmException, for an exnref in the group of `c`."""
    if value is None:
        return NULL_REF
    exception = checked_exception(value, where)._thrown()
    ref = ffi.new("uint32_t *")
    if waited(lambda: lib.wpy_exception_ref(exception, c, ref), "passing an exception"):
        raise MemoryError("no memory for a reference to an exception")
    return int(ref[0])


def exception_at(c: Any, ref: int, owner: Lifetime) -> BaseException | None:
    """Return the exception of a number that came out of `c`; LookupError: it was dropped since."""
    if ref == NULL_REF:
        return None
    exception = lib.wpy_exnref_hold(c, ref)
    if not exception:
        raise LookupError("the exception is gone")
    return exception_of(exception, owner)
