"""Python objects that stand for objects in C, by address: one for each, in all threads.

The references are weak. An address is used again only after its object in C has gone, and that
lives as long as the Python object that stands for it.
"""

from __future__ import annotations

from _thread import RLock
from weakref import WeakValueDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SharedObjects:
    """A WeakValueDictionary whose `setdefault` is atomic."""

    __slots__ = ("_lock", "_objects")

    def __init__(self) -> None:
        self._objects: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._lock = RLock()  # reentrant: the collector may run any code in the middle

    def get(self, address: int) -> Any:
        """Return the object, or None."""
        return self._objects.get(address)

    def setdefault(self, address: int, value: Any) -> Any:
        """Return the object of this address, which is `value` if there was none."""
        with self._lock:
            return self._objects.setdefault(address, value)
