"""The state of an instance, which the Instance, its exports and its functions share.

An `InstanceState` holds the handle in C, the module, and the memories to detach when the instance
is closed. It is the `Lifetime` of everything that the instance exports, and the context in which
its references are converted. C knows it by a number, its `instance_id`: raw frames, callers and
function references contain the id (`find_instance_state`). This module makes no instances,
functions or other externs.
"""

from __future__ import annotations

from types import MappingProxyType

from .._backend.binding import lib
from .._base.lifetime import Lifetime
from .._base.registry import instance_states, new_key
from .._base.shared_objects import SharedObjects
from .._values.references import ReferenceContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from weakref import ref

    from .memory import Memory
    from .module import Module
    from .store import Store

_OK = lib.WPY_OK
_NO_FILES: Mapping[str, Any] = MappingProxyType({})


# instance id -> the calls that are told when the instance is closed or interrupted; they keep it
awaited_in = SharedObjects()


def find_instance_state(instance_id: int) -> InstanceState | None:
    """Return the state with this id, or None if it was collected."""
    state: InstanceState | None = instance_states.get(instance_id)
    return state


# Keys in `_keep`, which are no id(), of what few instances have: the Snapshot that the instance can
# be reset to, the private directories, and weak references to its Memory objects.
SNAPSHOT, FILES, _MEMORIES = 0, 1, 2


class InstanceState(Lifetime, ReferenceContext):
    """The state of one instance."""

    __slots__ = ("_instance", "c", "instance_id", "module", "started", "timeout_ns")
    c: Any
    module: Module
    store: Store

    def __init__(self, store: Store, module: Module) -> None:
        self.store = store  # inlined from Lifetime.__init__: one call less for each instance
        self.grouped = True
        self.closed = False
        self._keep = {}
        self.module = module
        self.instance_id = new_key()
        self.c = None
        self.started = False  # whether the start function has run
        self.timeout_ns = 0  # for each call; 0: no limit
        self._instance: ref[Any] | None = None  # set by the Instance
        instance_states.add(self.instance_id, self)

    @property
    def _c(self) -> Any:
        return self.c

    @property
    def _lifetime(self) -> Lifetime:
        return self

    @property
    def files(self) -> Mapping[str, Any]:
        """The private directories, by the paths that the program sees."""
        found: Any = self._keep.get(FILES, _NO_FILES)
        files: Mapping[str, Any] = found
        return files

    @files.setter
    def files(self, files: Mapping[str, Any]) -> None:
        self._keep[FILES] = files

    def memories(self, *, add: bool = False) -> list[ref[Memory]]:
        """Return the list of its Memory objects; add: the caller adds one."""
        found: Any = self._keep.setdefault(_MEMORIES, []) if add else self._keep.get(_MEMORIES, [])
        memories: list[ref[Memory]] = found
        return memories

    def instance(self) -> object | None:
        """Return the Instance; None while it is being made.

        If it was collected while its exports are alive, this makes another one.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the instance; its externs raise ClosedError afterwards."""
        if self.closed:
            return
        self.closed = True
        for reference in self.memories():
            memory = reference()
            if memory is not None:
                memory._detach()
        if lib.wpy_instance_close(self.c) == _OK and self.files:
            self.remove_files()  # else they go with this object: a call still runs
        if awaited_in:
            self._tell_awaited()

    def remove_files(self) -> None:
        """Remove the private directories."""
        for private in self.files.values():
            private.close()

    def interrupt(self) -> None:
        """Stop the code that runs in the instance."""
        lib.wpy_instance_interrupt(self.c)
        if awaited_in:
            self._tell_awaited()

    def _tell_awaited(self) -> None:
        calls = awaited_in.get(self.instance_id)
        if calls is not None:
            for call in calls.alive():
                call.tell()


_classes: list[type[InstanceState]] = []


def set_state_class(class_: type[InstanceState]) -> None:
    """Set the class of the states that `new_state` makes."""
    _classes.append(class_)


def new_state(store: Store, module: Module) -> InstanceState:
    """Return the state of an instance that is being made; its Instance is made when asked for."""
    return _classes[-1](store, module)
