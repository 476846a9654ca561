"""The store: keeps things that belong together apart from the rest.

A store remembers weakly what was made in it, so that `close` can close all of it, and holds the
objects that wasm code knows as externrefs. It never keeps an instance alive, and what lives in it
keeps the store alive. It knows of instances and host-made things only that they can be closed.
"""

from __future__ import annotations

from .._backend.binding import ffi
from .._base.immutable import made_already
from .._base.registry import WeakRegistry
from .._values.externrefs import ExternrefTable
from ..errors import ClosedError
from .engine import Engine, default_engine
from .limits import ResourceLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Self


class Store:
    """Where instances live; things of two stores do not mix (ValueError), modules excepted.

    engine: None for the process's default one. limits: the defaults of its instances; memory_bytes
    and table_elements are sums over all that lives in it.
    Raises TypeError. Spec: section 4.2.3, stores.

    >>> from wamr import Store
    >>> with Store() as store:
    ...     pass
    >>> store
    <wamr.Store, closed>
    """

    __slots__ = (
        "__weakref__",
        "_budget",
        "_closables",
        "_closed",
        "_engine",
        "_limits",
        "_objects",
        "_ref_holders",
    )
    _engine: Engine
    _limits: ResourceLimits | None

    def __init__(
        self, engine: Engine | None = None, *, limits: ResourceLimits | None = None
    ) -> None:
        if hasattr(self, "_engine"):
            raise made_already(self)
        if engine is None:
            engine = default_engine()
        elif not isinstance(engine, Engine):
            raise TypeError(f"engine must be an Engine or None, not {type(engine).__name__}")
        if limits is not None and not isinstance(limits, ResourceLimits):
            raise TypeError(f"limits must be ResourceLimits or None, not {type(limits).__name__}")
        self._engine = engine
        self._limits = limits
        self._budget = ffi.NULL if limits is None else limits._budget(ffi.NULL)
        self._closed = False
        self._closables = WeakRegistry()  # can be closed and interrupted; `_c`: may hold externrefs
        self._ref_holders = WeakRegistry()  # others that have a handle `_c` and may hold externrefs
        self._objects = ExternrefTable()

    @property
    def engine(self) -> Engine:
        """The engine that it was made with."""
        return self._engine

    @property
    def limits(self) -> ResourceLimits | None:
        """The limits that it was made with."""
        return self._limits

    def close(self) -> None:
        """Close everything that was made in this store. Twice is fine.

        Afterwards all of it raises ClosedError. Instances that run are closed when they return.
        """
        self._closed = True
        for thing in self._closables.alive():
            thing.close()

    def interrupt(self) -> None:
        """End whatever runs in this store with a Trap (INTERRUPTED); from any thread."""
        for thing in self._closables.alive():
            thing.interrupt()

    def gc(self) -> None:
        """Let go of the objects behind externrefs that no table, global or running call holds.

        Runs by itself as they pile up. Does nothing while another thread passes references.
        """
        self._objects.collect(self._handles())

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

    def _handles(self) -> list[Any]:
        """Return one on each group, at least, that may hold externrefs."""
        things = self._closables.alive() + self._ref_holders.alive()
        return [thing._c for thing in things if thing._c is not None]

    def _enter_refs(self) -> ExternrefTable:
        """Begin to pass references; whoever does calls `leave` of what this returns."""
        objects = self._objects
        if objects.crowded and not objects.collect(self._handles()):
            objects.postpone()
        objects.enter()
        return objects


def checked_store(name: str, value: object) -> Store:
    """Return an open store that a user gave as `name`."""
    if not isinstance(value, Store):
        raise TypeError(f"{name} must be a Store, not {type(value).__name__}")
    value._open()
    return value


def engine_of(name: str, value: object) -> Engine:
    """Return the engine of the open Store, or the Engine, that a user gave as `name`."""
    if isinstance(value, Engine):
        return value
    if not isinstance(value, Store):
        raise TypeError(f"{name} must be a Store or an Engine, not {type(value).__name__}")
    value._open()
    return value._engine
