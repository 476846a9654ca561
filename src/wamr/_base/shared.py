"""Values that are made once for a key and found again, until there are too many of them."""

from __future__ import annotations

MOST = 4096  # values; then the mapping is emptied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _K = TypeVar("_K")
    _V = TypeVar("_V")

    class Shared(dict[_K, _V]):
        """A mapping of shared values; see below."""

        def share(self, key: _K, value: _V) -> _V:
            """Return the shared value of a key."""
            raise NotImplementedError

else:  # without type variables, since `typing` takes long to import

    class Shared(dict):
        """A mapping of shared values, which `share` adds.

        It is emptied when it is full, and then filled again: finding the values that are needed
        least would take longer than making them again.
        """

        __slots__ = ()

        def share(self, key, value):
            """Return the shared value of a key, which is `value` if there was none."""
            if len(self) >= MOST:
                self.clear()
            return self.setdefault(key, value)
