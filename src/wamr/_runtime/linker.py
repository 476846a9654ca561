"""The linker: definitions made once, for many instances.

A dictionary of what imports are met with, by module and name, with a few conveniences; matching
and linking are `linking`'s. With an engine instead of a store it may hold only what belongs to no
store: callables, which become functions of the store that is instantiated in.
"""

from __future__ import annotations

from .._base.callables import checked_plain
from .._base.immutable import made_already
from ..errors import Trap
from ..types import FuncType
from .extern import Extern
from .imports import WasiBase, is_wasi
from .instance import Instance
from .module import Module
from .store import Store, checked_store, engine_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .engine import Engine
    from .import_aliases import ImportItem
    from .limits import ResourceLimits

    Function = TypeVar("Function", bound=Callable[..., Any])


class Linker:
    """Definitions by module and name, for many instances.

    store: the Store that its items are of; with an Engine it serves many stores, and holds
    callables only. Raises TypeError.

    >>> from wamr import Linker, Module, Store
    >>> store = Store()
    >>> linker = Linker(store)
    >>> @linker.func("env", "twice")
    ... def twice(x: int) -> int:
    ...     return 2 * x
    >>> module = Module(store, '(module (import "env" "twice" (func $f (param i32) (result i32)))'
    ...                        ' (func (export "run") (result i32) (call $f (i32.const 21))))')
    >>> linker.instantiate(module).exports.run()
    42
    """

    __slots__ = ("__weakref__", "_engine", "_items", "_store", "_wasi")
    _engine: Engine
    _store: Store | None

    def __init__(self, store: Store | Engine) -> None:
        if hasattr(self, "_items"):
            raise made_already(self)
        self._engine = engine_of("store", store)
        self._store = store if isinstance(store, Store) else None
        self._items: dict[str, dict[str, ImportItem]] = {}
        self._wasi: WasiBase | None = None

    @property
    def engine(self) -> Engine:
        """The engine of its modules."""
        return self._engine

    @property
    def store(self) -> Store | None:
        """The store of its items; None: it serves many."""
        return self._store

    def define(self, module: str, name: str, item: ImportItem, *, replace: bool = False) -> None:
        """Meet the import `module`.`name` with `item`.

        Raises ValueError when it is defined already, unless `replace`, or when `item` is of another
        store; TypeError.
        """
        for what, value in (("module", module), ("name", name)):
            if not isinstance(value, str):
                raise TypeError(f"{what} must be a str, not {type(value).__name__}")
        if isinstance(item, Extern):
            if item.store is not self._store:
                raise ValueError(
                    f"{module}.{name}: {item!r} is of another store"
                    if self._store
                    else f"{module}.{name}: {item!r} is of one store, this Linker serves many"
                )
        elif not callable(item):
            raise TypeError(
                f"item must be a Func, Global, Table, Memory or callable, not {type(item).__name__}"
            )
        else:  # of what type it will be, the import says
            checked_plain(f"{module}.{name}", item, generators=True)
        names = self._items.setdefault(module, {})
        if name in names and not replace:
            raise ValueError(f"{module}.{name} is defined already; replace=True replaces it")
        names[name] = item

    def get(self, module: str, name: str) -> ImportItem:
        """Return what `module`.`name` is defined as; KeyError."""
        try:
            return self._items[module][name]
        except KeyError:
            raise KeyError(f"{module}.{name} is not defined") from None

    def func(self, module: str, name: str | None = None) -> Callable[[Function], Function]:
        """Define the decorated function; name: None for its own."""

        def decorate(function: Function) -> Function:
            self.define(module, name if name is not None else function.__name__, function)
            return function

        return decorate

    def define_instance(self, module: str, instance: Instance) -> None:
        """Define everything that an instance exports. Raises as `define`."""
        if not isinstance(instance, Instance):
            raise TypeError(f"instance must be an Instance, not {type(instance).__name__}")
        item: Any
        for name, item in instance.exports.items():
            self.define(module, name, item)

    def define_wasi(self, wasi: WasiBase) -> None:
        """Meet WASI's imports with a WasiConfig, where an instance is given none of its own."""
        if not isinstance(wasi, WasiBase):
            raise TypeError(f"wasi must be a WasiConfig, not {type(wasi).__name__}")
        self._wasi = wasi

    def trap_missing(self, module: Module) -> None:
        """Define each function that `module` imports and nobody defined as one that traps."""
        if not isinstance(module, Module):
            raise TypeError(
                f"module must be a Module, not {type(module).__name__}; Module(store, source) "
                "makes one of a path, bytes or text"
            )
        function = 0
        for wanted in module.imports:
            if isinstance(wanted.type, FuncType):
                theirs = is_wasi(module, wanted, function) and self._wasi is not None
                function += 1
                if not theirs and wanted.name not in self._items.get(wanted.module, {}):
                    self.define(wanted.module, wanted.name, _missing(wanted.module, wanted.name))

    def instantiate(
        self,
        module: Module,
        *,
        store: Store | None = None,
        wasi: WasiBase | None = None,
        limits: ResourceLimits | None = None,
    ) -> Instance:
        """Return an instance of `module`, linked with what is defined here.

        store: needed, and allowed, only if the Linker was made with an engine. wasi, limits: as for
        `Instance`, whose errors this raises; TypeError, ValueError.
        """
        if store is None:
            if self._store is None:
                raise TypeError("this Linker was made with an engine: give instantiate a store")
            store = self._store
        elif self._store is not None and checked_store("store", store) is not self._store:
            raise ValueError("this Linker belongs to another store")
        return Instance(store, module, self._items, wasi=wasi or self._wasi, limits=limits)

    def __repr__(self) -> str:
        names = [f"{module}.{name}" for module, names in self._items.items() for name in names]
        return f"<wamr.Linker {', '.join(names) or 'of nothing'}>"

    def __reduce__(self) -> str:
        raise TypeError("a Linker cannot be copied or pickled: what it links lives in stores")


def _missing(module: str, name: str) -> Callable[..., Any]:
    def missing(*args: object) -> Any:
        raise Trap(f"{module}.{name} is not defined")

    return missing
