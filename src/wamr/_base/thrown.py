"""The arguments of `throw`, a method of generators and of objects with the same protocol."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any


def thrown_exception(typ: Any, val: Any, tb: TracebackType | None) -> BaseException:
    """Return the exception that the arguments of `throw` stand for; TypeError."""
    if isinstance(typ, BaseException):
        if val is not None:
            raise TypeError("instance exception may not have a separate value")
        error = typ
    elif isinstance(typ, type) and issubclass(typ, BaseException):
        if isinstance(val, typ):
            error = val
        elif val is None:
            error = typ()
        else:
            error = typ(*val) if isinstance(val, tuple) else typ(val)
    else:
        raise TypeError(
            "exceptions must be classes or instances deriving from BaseException, not "
            f"{type(typ).__name__}"
        )
    return error if tb is None else error.with_traceback(tb)
