"""A value for each thread, set for the time of a block."""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PerThread:
    """A value for each thread, which blocks set, also one within the other.

    Unlike a context variable, it is the same in callbacks that C makes in the thread.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[int, Any] = {}

    def get(self) -> Any:
        """Return the value of this thread, or None outside of such blocks."""
        return self._values.get(get_ident())

    def set(self, value: object) -> _Block:
        """Return a context in which this thread has the value."""
        return _Block(self._values, value)


class _Block:
    __slots__ = ("_outer", "_value", "_values")

    def __init__(self, values: dict[int, Any], value: object) -> None:
        self._values, self._value = values, value

    def __enter__(self) -> None:
        thread = get_ident()
        self._outer = self._values.get(thread)
        self._values[thread] = self._value

    def __exit__(self, *args: object) -> None:
        if self._outer is None:
            del self._values[get_ident()]
        else:
            self._values[get_ident()] = self._outer
