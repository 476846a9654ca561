"""A value for each thread, set while a function runs."""

from __future__ import annotations

from _thread import get_ident

from .locks import ByThread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class PerThread:
    """A value for each thread, which is set while a function runs. Such functions may be nested.

    Unlike a context variable, it is the same in callbacks that C makes in the thread.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values = ByThread()

    def get(self) -> Any:
        """Return the value of this thread, or None outside of such functions."""
        return self._values.get(get_ident())

    def during(self, value: object, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function while this thread has the value; return what the function returns."""
        values, thread = self._values, get_ident()
        outer = values.get(thread)
        try:
            values[thread] = value
            return function(*args)
        finally:  # as in locks.py, without a call
            values[thread] = outer
            if outer is None:  # CPython 3.10 runs handlers where an `if` jumps
                del values[thread]
            del args  # no cycle through the traceback
