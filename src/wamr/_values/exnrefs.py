"""Exnrefs: the numbers that wasm code refers to exceptions by, and the WasmExceptions.

A number stays valid as long as something in wasm or a handle refers to the exception
(src/native/runtime/exnrefs.c). This module knows neither the class of exceptions nor tags;
exceptions.py sets them.
"""

from __future__ import annotations

from contextlib import suppress

from .._backend.binding import ffi, lib
from .._backend.waiting import wait_for
from .externrefs import NULL_REF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._base.lifetime import Lifetime

    _Factory = Callable[[Any, Lifetime], BaseException]


class ExceptionGoneError(LookupError):
    """Another thread has removed the last reference to an exception since its number was read."""


def read_again(read: Callable[[], object], value_of: Callable[[], Any]) -> Any:
    """Call `read()`, then return `value_of()`; repeat both while that exception is gone.

    It is gone if another thread has overwritten the global or table element since `read()`.
    """
    while True:
        read()
        with suppress(ExceptionGoneError):
            return value_of()


_class: Any = type(None)
_factory: Any = None


def set_exception_class(class_: type, factory: _Factory) -> None:
    """Set WasmException, and the function that returns one for a handle, which it takes over."""
    global _class, _factory
    _class, _factory = class_, factory


def exception_from_handle(c: Any, lifetime: Lifetime) -> BaseException:
    """Return the exception of a handle, which it takes over; lifetime: of the handle's source."""
    exception: BaseException = _factory(c, lifetime)
    return exception


def checked_exception(value: object, store: object, label: object) -> Any:
    """Return `value` if it is a WasmException of the store; TypeError, ValueError."""
    if not isinstance(value, _class):
        raise TypeError(
            f"{label} must be a WasmException or None (exnref), not {type(value).__name__}"
        )
    if value.tag.store is not store:
        raise ValueError(f"{label} is an exception of another store")
    return value


def number_of_exception(value: object, store: object, c: Any, label: object) -> int:
    """Return the number of a WasmException or None that is passed to the group of `c`."""
    if value is None:
        return NULL_REF
    exception = checked_exception(value, store, label)._handle()
    ref = ffi.new("uint32_t *")
    if wait_for(lambda: lib.wpy_exception_ref(exception, c, ref), "passing an exception"):
        raise MemoryError("no memory for a reference to an exception")
    return int(ref[0])


def exception_of_number(number: int, c: Any, lifetime: Lifetime) -> BaseException | None:
    """Return the exception of a number that comes from the group of `c`.

    Raises ExceptionGoneError.
    """
    if number == NULL_REF:
        return None
    exception = lib.wpy_exnref_hold(c, number)
    if not exception:
        raise ExceptionGoneError("the exception is gone")
    return exception_from_handle(exception, lifetime)
