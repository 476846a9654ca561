"""Python objects by the numbers that C knows them by: instances and host functions.

C can't hold references to Python objects, so it holds numbers and passes them to callbacks, which
look the objects up here. All references are weak: the number of an object that was collected finds
nothing. Objects register themselves; this module knows none of their classes.
"""

from __future__ import annotations

from itertools import count
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MIN_SIZE = 64

new_key = count(1).__next__


class WeakRegistry:
    """Weak references by key; each key is used once.

    Unlike a WeakValueDictionary, the registry can be listed while another thread adds to it, and
    collected objects cost nothing when they go: dead references are dropped when the registry has
    twice as many entries as after the last cleanup.
    """

    __slots__ = ("__weakref__", "_cleanup_size", "_refs")

    def __init__(self) -> None:
        self._refs: dict[int, ref[Any]] = {}
        self._cleanup_size = _MIN_SIZE

    def add(self, key: int, value: object) -> None:
        """Register `value` for as long as it lives."""
        refs = self._refs
        refs[key] = ref(value)
        if len(refs) >= self._cleanup_size:
            self._clean_up()

    def _clean_up(self) -> None:
        refs = self._refs
        for key, reference in refs.copy().items():  # copied atomically
            if reference() is None:
                refs.pop(key, None)
        self._cleanup_size = 2 * len(refs) + _MIN_SIZE

    def get(self, key: int) -> Any:
        """Return the object of this key, or None."""
        reference = self._refs.get(key)
        return None if reference is None else reference()

    def alive(self) -> list[Any]:
        """Return the objects that are alive."""
        return [value for ref in list(self._refs.values()) if (value := ref()) is not None]


instance_states = WeakRegistry()  # instance id -> InstanceState
host_functions: list[Callable[[], Any]] = []  # number in C -> weak reference to a HostFunction


def _collected() -> Any:
    raise ReferenceError("the host function is gone: nothing keeps its callback alive")


def register_host_function(number: int, function: object) -> None:
    """Register `function` under a number that C has assigned to it; the last one counts."""
    while len(host_functions) <= number:
        host_functions.append(_collected)
    host_functions[number] = ref(function)
