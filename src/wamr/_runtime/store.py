"""Stores: each contains instances and host-made externs that may be linked with each other.

A store refers weakly to everything that was made in it, so that `close` can close it, and holds the
objects behind externrefs. It never keeps an instance alive; what lives in a store keeps the store
alive. This module knows only that the contents can be closed and interrupted.
"""

from __future__ import annotations

from .._backend.binding import ffi
from .._base.arguments import already_initialized
from .._base.registry import WeakRegistry
from .._values.externrefs import ExternrefTable
from ..errors import ClosedError
from .engine import Engine, default_engine
from .limits import ResourceLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any, NoReturn

    from typing_extensions import Self


class Store:
    """A container of instances and host-made externs. Modules are independent of stores.

    engine: an Engine, or None for the process's default one. limits: the default ResourceLimits of
    the instances; memory_bytes and table_elements limit the sums over everything in the store.
    A store is a context manager, which closes it. Objects of two stores can't be combined
    (ValueError). Raises TypeError. C: `wasm_store_new`. Spec: section 4.2.3, stores.

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
            raise already_initialized(self)
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
        self._closables = WeakRegistry()  # Lifetimes; those with a handle `_c` may hold externrefs
        self._ref_holders = WeakRegistry()  # host-made globals and tables: may hold externrefs
        self._objects = ExternrefTable()

    @property
    def engine(self) -> Engine:
        """The engine that the store was made with."""
        return self._engine

    @property
    def limits(self) -> ResourceLimits | None:
        """The limits that the store was made with, or None."""
        return self._limits

    def close(self) -> None:
        """Close everything that was made in this store. A second call does nothing.

        The closed objects, and constructors that get the store, raise ClosedError. An instance that
        is running is closed when its call returns. C: `wasm_store_delete`.

        >>> import wamr
        >>> store = wamr.Store()
        >>> memory = wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))
        >>> store.close()
        >>> memory
        <wamr.Memory, closed>
        """
        self._closed = True
        for lifetime in self._closables.alive():
            lifetime.close()

    def interrupt(self) -> None:
        """Stop all code that runs in this store; it ends with a Trap (TrapCode.INTERRUPTED).

        May be called from any thread, and from host functions. C: `wasm_runtime_terminate`.

        >>> import wamr
        >>> store = wamr.Store()
        >>> text = '''(module (import "env" "stop" (func $stop))
        ...   (func (export "spin") (call $stop) (loop (br 0))))'''
        >>> module, imports = wamr.Module(store, text), {"env": {"stop": store.interrupt}}
        >>> inst = wamr.Instance(store, module, imports)
        >>> try:
        ...     inst.exports.spin()
        ... except wamr.Trap as trap:
        ...     trap.code
        TrapCode.INTERRUPTED
        """
        for lifetime in self._closables.alive():
            lifetime.interrupt()

    def gc(self) -> None:
        """Drop the objects behind externrefs that no table, global or running call refers to.

        This happens automatically when their number has doubled. Where other threads pass
        references, or are in a call of the store for longer than 50 ms, later calls end what this
        method has begun.

        >>> import wamr, weakref
        >>> class Resource: pass
        >>> inst = wamr.load('(module (func (export "drop") (param externref)))')
        >>> resource = Resource()
        >>> inst.exports.drop(resource)
        >>> alive = weakref.ref(resource)
        >>> del resource
        >>> alive() is None  # the store holds it
        False
        >>> inst.store.gc()
        >>> alive() is None
        True
        """
        objects = self._objects
        if objects.collecting:  # it keeps what was passed since it began
            objects.collect(self._handles)
        objects.collect(self._handles)

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

    def _register(self, key: int, lifetime: Any) -> None:
        """Let `close` close this, too; close it now if another thread has closed the store.

        `close` notes that before it lists what to close. What is added to `_closables` first, and
        looks at `_closed` then, is closed by one of the two. Raises ClosedError.
        """
        self._closables.add(key, lifetime)
        if self._closed:
            self._close_late(lifetime)

    def _close_late(self, lifetime: Any) -> NoReturn:
        """Close what was being made when another thread closed the store; raise ClosedError."""
        lifetime.close()
        raise ClosedError("the store is closed")

    def _handles(self) -> list[Any]:
        """Return handles of everything that may hold externrefs, at least one of each group."""
        holders = self._closables.alive() + self._ref_holders.alive()
        return [holder._c for holder in holders if holder._c is not None]

    def _passing_refs(self) -> AbstractContextManager[None]:
        """Return a context manager for code that passes references between Python and wasm.

        A collection waits for its block. One that is due is made before, or goes on.
        """
        objects = self._objects
        if len(objects) >= objects.limit:
            objects.collect(self._handles)
        return objects.block()


def checked_store(name: str, value: object) -> Store:
    """Return the argument `name` if it is an open Store; TypeError, ClosedError."""
    if not isinstance(value, Store):
        raise TypeError(f"{name} must be a Store, not {type(value).__name__}")
    value._open()
    return value


def engine_of(name: str, value: object) -> Engine:
    """Return the engine that the argument `name` is, or that it has if it is an open Store."""
    if isinstance(value, Engine):
        return value
    if not isinstance(value, Store):
        raise TypeError(f"{name} must be a Store or an Engine, not {type(value).__name__}")
    value._open()
    return value._engine
