"""The state of an instance: what the instance, its exports and its functions share.

An `InstanceState` holds the handle in C, the module, and the memories to hide when the instance
closes. It is the `Lifetime` of everything that the instance exports, and the context in which its
references are converted. C knows an InstanceState by a number, its `instance_id`: frames of a trap,
callers and function references come back with it (`find_instance_state`). Nothing here makes
instances, functions or other externs: that is left to the class that instance.py derives.
"""

from __future__ import annotations

from .._backend.binding import lib
from .._base.registry import instance_states, new_key
from .extern import Lifetime, taken_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from weakref import ref

    from .._backend.binding import CallableBase
    from .memory import Memory
    from .module import Module
    from .store import Store


def find_instance_state(instance_id: int) -> InstanceState | None:
    """Return the state that C knows by this number, if it is alive."""
    state: InstanceState | None = instance_states.get(instance_id)
    return state


class InstanceState(Lifetime):
    """What an instance and everything from it share."""

    __slots__ = ("_instance", "_memories", "c", "instance_id", "made", "module", "timeout_ns")
    c: Any
    module: Module

    def __init__(self, store: Store, module: Module) -> None:
        self.store = store  # as Lifetime does, in a step less
        self.grouped = True
        self.closed = False
        self._keep = {}
        self.module = module
        self.instance_id = new_key()
        self.c = None
        self.made = False  # its start function has run
        self.timeout_ns = 0
        self._memories: list[ref[Memory]] | None = None
        self._instance: ref[Any] | None = None  # set by the Instance
        instance_states.add(self.instance_id, self)

    @property
    def _c(self) -> Any:
        return self.c

    def instance(self) -> object | None:
        """Return the Instance, made anew if only its exports are left; None while it is made."""
        raise NotImplementedError

    # ---- where references go to and come from
    def _ref_of_func(self, func: CallableBase) -> int:
        """Return the number of a function that is about to come in here."""
        return taken_in(self.c, self, func)

    def _ref_of_exception(self, value: object, where: object) -> int:
        """Return the number of an exception that is about to come in here."""
        raise NotImplementedError

    def _exception_of_ref(self, number: int) -> BaseException | None:
        """Return the exception of a number that came out."""
        raise NotImplementedError

    def _func_of_ref(self, number: int) -> CallableBase | None:
        """Return the function of a number that came out."""
        raise NotImplementedError

    # ---- the end
    def close(self) -> None:
        """Close the instance; what is from it raises ClosedError afterwards."""
        if self.closed:
            return
        self.closed = True
        for reference in self._memories or ():
            memory = reference()
            if memory is not None:
                memory._closed_below()
        lib.wpy_instance_close(self.c)

    def interrupt(self) -> None:
        """End what runs in it."""
        lib.wpy_instance_interrupt(self.c)
