"""Python objects that stand for objects in C, by address: one for each, in all threads.

The references are weak. An address, or the number of a reference, is used again only after its
object in C has gone, and that lives as long as the Python object that stands for it.
"""

from __future__ import annotations

from _weakref import _remove_dead_weakref  # type: ignore[attr-defined]  # as weakref does
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Reference = ref[Any]
else:
    Reference = ref


class _ByAddress(Reference):
    __slots__ = ("address",)

    address: int


class SharedObjects:
    """A WeakValueDictionary whose `setdefault` is atomic.

    There is no lock: with CPython 3.14, an exception of a signal handler leaves one taken if it
    comes while `with` takes it. Each step is an atomic operation of the dictionary.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: dict[int, _ByAddress] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any object."""
        return bool(self._references)

    def get(self, address: int) -> Any:
        """Return the object, or None."""
        reference = self._references.get(address)
        return None if reference is None else reference()

    def setdefault(self, address: int, value: Any) -> Any:
        """Return the object of this address, which is `value` if there was none."""
        new = _ByAddress(value, self._remove)
        new.address = address
        while True:
            found = self._references.setdefault(address, new)()
            if found is not None:
                return found
            _remove_dead_weakref(self._references, address)  # its callback has yet to run

    # A default, because the module's names may be gone when the process ends.
    def _remove(self, reference: _ByAddress, remove_dead: Any = _remove_dead_weakref) -> None:
        """Remove a dead reference, unless a live one has taken its place."""
        remove_dead(self._references, reference.address)
