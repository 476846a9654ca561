"""The store: keeps things that belong together apart from the rest.

A store remembers weakly what was made in it, so that `close` can close all of it, and holds the
objects that wasm code knows as externrefs. It never keeps an instance alive, and what lives in it
keeps the store alive. It knows of instances and host-made things only that they can be closed.
"""

from __future__ import annotations

import weakref

from .engine import Engine, default_engine
from .errors import ClosedError
from .limits import ResourceLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Self

    class Closable(Protocol):
        def close(self) -> None: ...
        def interrupt(self) -> None: ...


NULL_REF = 0xFFFFFFFF


class Store:
    """Where instances live; things of two stores do not mix (ValueError), modules excepted.

    engine: None for the process's default one. limits: the default of the store's instances.
    Raises TypeError. Spec: section 4.2.3, stores.

    >>> from wamr import Store
    >>> with Store() as store:
    ...     pass
    >>> store
    <wamr.Store, closed>
    """

    __slots__ = ("__weakref__", "_closed", "_indices", "_objects", "_things", "engine", "limits")
    engine: Engine
    limits: ResourceLimits | None

    def __init__(
        self, engine: Engine | None = None, *, limits: ResourceLimits | None = None
    ) -> None:
        if engine is None:
            engine = default_engine()
        elif not isinstance(engine, Engine):
            raise TypeError(f"engine must be an Engine or None, not {type(engine).__name__}")
        if limits is not None and not isinstance(limits, ResourceLimits):
            raise TypeError(f"limits must be ResourceLimits or None, not {type(limits).__name__}")
        self.engine = engine
        self.limits = limits
        self._closed = False
        self._things: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._objects: list[object] = []  # behind externrefs, by their number
        self._indices: dict[int, int] = {}  # id(object) -> number

    def close(self) -> None:
        """Close everything that was made in this store. Twice is fine.

        Afterwards all of it raises ClosedError. Instances that run are closed when they return.
        """
        self._closed = True
        for thing in list(self._things):
            thing.close()

    def interrupt(self) -> None:
        """End whatever runs in this store with a Trap (INTERRUPTED); from any thread."""
        for thing in list(self._things):
            thing.interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<wamr.Store, closed>" if self._closed else "<wamr.Store>"

    def __reduce__(self) -> str:
        raise TypeError("a Store cannot be copied or pickled: it holds running code")

    def _open(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed")

    # An externref is a number in wasm; the same object always has the same one.
    def _ref_of(self, value: object) -> int:
        if value is None:
            return NULL_REF
        index = self._indices.get(id(value))
        if index is None:
            index = len(self._objects)
            self._objects.append(value)
            self._indices[id(value)] = index
        return index

    def _object_of(self, ref: int) -> object:
        return None if ref == NULL_REF else self._objects[ref]


def checked_store(name: str, value: object) -> Store:
    """Return an open store that a user gave as `name`."""
    if not isinstance(value, Store):
        raise TypeError(f"{name} must be a Store, not {type(value).__name__}")
    value._open()
    return value
