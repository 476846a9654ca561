"""Arguments that are no objects: numbers, text, untyped pointers, structs of the caller.

cffi converts generously (a list to a temporary array, a Decimal to an integer), C then crashes
or computes with something else. Each function here takes the value, the function's name and the
parameter's, and returns what cffi gets or raises an error that says what was expected.
"""

from __future__ import annotations

import operator
from typing import Any

from .._backend.binding import ffi
from .handles import NULL, CData, dead, how_ended, typeof

_CHARS = typeof("char *")


def integer(value: Any, function: str, parameter: str) -> int:
    """An int, or what is as good as one (`__index__`)."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{function}: {parameter} must be an integer, not {type(value).__name__}"
        ) from None


def boolean(value: Any, function: str, parameter: str) -> bool:
    if isinstance(value, int):
        return bool(value)
    raise TypeError(f"{function}: {parameter} must be a bool, not {type(value).__name__}")


def address(value: Any, function: str, parameter: str) -> Any:
    """A `void *`: any pointer; None is NULL."""
    if value is None:
        return NULL
    if isinstance(value, CData) and typeof(value).kind in ("pointer", "array"):
        return value
    shown = typeof(value).cname if isinstance(value, CData) else type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a pointer or None, not {shown}")


def text(value: Any, function: str, parameter: str) -> Any:
    """A `const char *`: str, bytes or a char pointer; None is NULL."""
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
    """A pointer to a struct of the caller; the struct itself and an array of it will do. None is
    NULL.
    """
    if isinstance(value, CData) and typeof(value) is ctype and id(value) not in dead:
        return value
    if value is None:
        return NULL
    if isinstance(value, CData):
        found = typeof(value)
        if found == ctype:
            if id(value) in dead:
                raise ReferenceError(f"{function}: {parameter} {how_ended(value)}")
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
    """A function pointer of this type; None is NULL."""
    if value is None:
        return NULL
    if isinstance(value, CData) and (typeof(value) == ctype or value == NULL):
        return value
    shown = typeof(value).cname if isinstance(value, CData) else type(value).__name__
    raise TypeError(f"{function}: {parameter} must be a {ctype.cname} or None, not {shown}")


def present(value: Any, function: str, parameter: str) -> Any:
    """For functions that have no answer for NULL."""
    if is_null(value):
        raise ValueError(f"{function}: {parameter} must not be NULL")
    return value


def is_null(value: Any) -> bool:
    """None, or a pointer that is NULL."""
    return value is None or (isinstance(value, CData) and not value)
