"""What C knows by number: instances and host functions, with the Python objects that these are.

C can't hold a Python object, so it gives a number back, and who gets one looks it up here. All is
held weakly: a number whose object has gone means nothing any more. What makes the objects registers
them; this module knows none of their classes, so that everybody may know it.
"""

from __future__ import annotations

from itertools import count
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ROOM = 64

new_key = count(1).__next__


class WeakRegistry:
    """Objects remembered weakly, under a key each that is used once.

    Unlike a WeakValueDictionary it can be listed while another thread adds one. Nothing happens as
    they go: what has gone is looked for when there are twice as many as there were.
    """

    __slots__ = ("_full", "_refs")

    def __init__(self) -> None:
        self._refs: dict[int, ref[Any]] = {}
        self._full = _ROOM

    def add(self, key: int, thing: object) -> None:
        """Remember `thing` as long as it lives."""
        refs = self._refs
        refs[key] = ref(thing)
        if len(refs) >= self._full:
            self._forget()

    def _forget(self) -> None:
        refs = self._refs
        for key, found in refs.copy().items():  # a copy is made in one step
            if found() is None:
                refs.pop(key, None)
        self._full = 2 * len(refs) + _ROOM

    def get(self, key: int) -> Any:
        """Return the thing of this key, or None."""
        found = self._refs.get(key)
        return None if found is None else found()

    def alive(self) -> list[Any]:
        """Return all there are."""
        return [thing for ref in list(self._refs.values()) if (thing := ref()) is not None]


instance_states = WeakRegistry()  # tag of an instance -> its InstanceState
host_functions: list[Callable[[], Any]] = []  # number in C -> weak reference to its Host


def _gone() -> Any:
    raise ReferenceError("the host function is gone: nothing keeps its callback alive")


def register_host_function(number: int, host: object) -> None:
    """Let this number of C's stand for `host`, from now on."""
    while len(host_functions) <= number:
        host_functions.append(_gone)
    host_functions[number] = ref(host)
