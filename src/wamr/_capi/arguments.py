"""Checks of arguments other than handles: numbers, text, untyped pointers, structs of the caller.

cffi converts arguments silently (a list to a temporary array, a Decimal to an integer), after which
C may crash or compute with another value. Each function here takes the value and, for messages, the
names of the C function and its parameter. It returns the argument for cffi, or raises TypeError,
ValueError, OverflowError or ReferenceError.
"""

from __future__ import annotations

import operator
from typing import Any

from .._backend.binding import ffi
from .dead_handles import dead, reason_of
from .handles import NULL, CData, typeof

_CHARS = typeof("char *")


def integer(value: Any, function: str, parameter: str) -> int:
    """Check an integer: an int, or an object with `__index__`."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{function}: {parameter} must be an integer, not {type(value).__name__}"
        ) from None


def boolean(value: Any, function: str, parameter: str) -> bool:
    """Check a bool, for which any int may stand."""
    if isinstance(value, int):
        return bool(value)
    raise TypeError(f"{function}: {parameter} must be a bool, not {type(value).__name__}")


def address(value: Any, function: str, parameter: str) -> Any:
    """Check a `void *`: any pointer; None is NULL."""
    if value is None:
        return NULL
    if isinstance(value, CData) and typeof(value).kind in ("pointer", "array"):
        return value
    shown = typeof(value).cname if isinstance(value, CData) else type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a pointer or None, not {shown}")


def text(value: Any, function: str, parameter: str) -> Any:
    """Check a `const char *`: a str, bytes or a char pointer; None is NULL."""
    if value is None:
        return NULL
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        if 0 in value:
            raise ValueError(f"{function}: {parameter} has a NUL inside")
        return value
    if isinstance(value, CData):
        found = typeof(value)
        if found == _CHARS or value == NULL:
            return value
        if found.kind == "array" and found.item == _CHARS.item:
            if b"\0" not in ffi.buffer(value)[:]:
                raise ValueError(f"{function}: {parameter} does not end with a NUL")
            return value
    shown = typeof(value).cname if isinstance(value, CData) else type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a str, bytes or a char *, not {shown}")


def struct(ctype: Any, value: Any, function: str, parameter: str) -> Any:
    """Check a pointer to a struct of the caller, or the struct, or an array; None is NULL."""
    if isinstance(value, CData) and typeof(value) is ctype and id(value) not in dead:
        return value
    if value is None:
        return NULL
    if isinstance(value, CData):
        found = typeof(value)
        if found == ctype:
            if id(value) in dead:
                raise ReferenceError(f"{function}: {parameter} {reason_of(value)}")
            return value
        if found == ctype.item:
            return ffi.addressof(value)
        if found.kind == "array" and found.item == ctype.item and len(value):
            return ffi.addressof(value, 0)
        if value == NULL:
            return NULL
        shown = found.cname
    else:
        shown = type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a {ctype.cname} or None, not {shown}")


def pointer(ctype: Any, value: Any, function: str, parameter: str) -> Any:
    """Check a function pointer of type `ctype`; None is NULL."""
    if value is None:
        return NULL
    if isinstance(value, CData) and (typeof(value) == ctype or value == NULL):
        return value
    shown = typeof(value).cname if isinstance(value, CData) else type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a {ctype.cname} or None, not {shown}")


def present(value: Any, function: str, parameter: str) -> Any:
    """Raise ValueError for NULL, which the C function doesn't handle."""
    if is_null(value):
        raise ValueError(f"{function}: {parameter} must not be NULL")
    return value


def is_null(value: Any) -> bool:
    """Tell whether the value is None or a NULL pointer."""
    return value is None or (isinstance(value, CData) and not value)
