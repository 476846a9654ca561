"""The linker: definitions of imports, for any number of instances.

A Linker is a dictionary of items by module and name, with conveniences; imports.py matches the
items with imports. A Linker of an engine may hold only items that belong to no store: callables,
which become functions of the store of each instance.
"""

from __future__ import annotations

from .._base.arguments import already_initialized, checked_bool
from .._base.callables import checked_host
from .._base.printable import printable_import, printable_names
from .._base.wasi import WasiBase
from ..errors import Trap
from ..types import FuncType
from .extern import Extern
from .imports import is_wasi
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
    """Definitions of imports by module and name, for any number of instances.

    store: the Store of the items and instances, or an Engine: then the Linker serves all stores of
    the engine, and holds callables only. Raises TypeError, ClosedError. Spec: section 4.5.4.

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
            raise already_initialized(self)
        self._engine = engine_of("store", store)
        self._store = store if isinstance(store, Store) else None
        self._items: dict[str, dict[str, ImportItem]] = {}
        self._wasi: WasiBase | None = None

    @property
    def engine(self) -> Engine:
        """The engine of the modules that can be instantiated."""
        return self._engine

    @property
    def store(self) -> Store | None:
        """The store of the items, or None if the Linker was made with an engine."""
        return self._store

    def define(self, module: str, name: str, item: ImportItem, *, replace: bool = False) -> None:
        """Define the item for imports of `module`.`name`.

        item: a Func, Global, Table, Memory or Tag of the store, or a callable. replace: whether to
        replace an earlier definition.
        Raises ValueError if the name is defined already or the item is of another store; TypeError.

        >>> from wamr import Linker, Store
        >>> linker = Linker(Store())
        >>> linker.define("env", "log", print)
        >>> linker.get("env", "log")
        <built-in function print>
        """
        checked_bool("replace", replace)
        _check_names(module, name)
        if isinstance(item, Extern):
            if item.store is not self._store:
                raise ValueError(
                    f"{_shown(module, name)}: {item!r} is of "
                    f"{'another store' if self._store else 'one store, this Linker serves many'}"
                )
        elif not callable(item):
            raise TypeError(
                "item must be a Func, Global, Table, Memory, Tag or callable, not "
                f"{type(item).__name__}"
            )
        else:  # generators are allowed, since an import may have externref results
            checked_host(f"{module}.{name}", item, generators=True)
        names = self._items.setdefault(module, {})
        if name in names and not replace:
            shown = _shown(module, name)
            raise ValueError(f"{shown} is defined already; replace=True replaces it")
        names[name] = item

    def get(self, module: str, name: str) -> ImportItem:
        """Return the item that `module`.`name` is defined as; KeyError if it isn't defined.

        >>> from wamr import Linker, Store
        >>> Linker(Store()).get("env", "log")
        Traceback (most recent call last):
        ...
        KeyError: 'env.log is not defined'
        """
        try:
            return self._items[module][name]
        except KeyError:
            raise KeyError(f"{_shown(module, name)} is not defined") from None

    def func(self, module: str, name: str | None = None) -> Callable[[Function], Function]:
        """Return a decorator that defines a function as `module`.`name`.

        name: None for the function's own. Raises TypeError; the decorator raises what `define`
        raises.

        >>> from wamr import Linker, Store
        >>> linker = Linker(Store())
        >>> @linker.func("env")
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> linker
        <wamr.Linker env.double>
        """
        _check_names(module, "" if name is None else name)

        def decorate(function: Function) -> Function:
            if name is None and not hasattr(function, "__name__"):
                kind = type(function).__name__
                raise TypeError(f"name is required: this {kind} has no __name__")
            self.define(module, function.__name__ if name is None else name, function)
            return function

        return decorate

    def define_instance(self, module: str, instance: Instance) -> None:
        """Define all exports of an instance, under `module`. Raises what `define` raises.

        >>> import wamr
        >>> inst = wamr.load('(module (func (export "f")) (memory (export "memory") 1))')
        >>> linker = wamr.Linker(inst.store)
        >>> linker.define_instance("lib", inst)
        >>> linker
        <wamr.Linker lib.f, lib.memory>
        """
        _check_names(module)
        if not isinstance(instance, Instance):
            raise TypeError(f"instance must be an Instance, not {type(instance).__name__}")
        item: Any
        for name, item in instance.exports.items():
            self.define(module, name, item)

    def define_wasi(self, wasi: WasiBase) -> None:
        """Set the WasiConfig of instances that `instantiate` gets none for. Raises TypeError.

        >>> from wamr import Linker, Store, WasiConfig
        >>> Linker(Store()).define_wasi(WasiConfig(args=["program"]))
        """
        if not isinstance(wasi, WasiBase):
            raise TypeError(f"wasi must be a WasiConfig, not {type(wasi).__name__}")
        self._wasi = wasi

    def trap_missing(self, module: Module) -> None:
        """Define each function that `module` imports and that isn't defined as one that traps.

        Raises TypeError.

        >>> from wamr import Engine, Linker, Module, Store
        >>> engine = Engine()
        >>> module = Module(engine, '(module (import "env" "f" (func)) (export "f" (func 0)))')
        >>> linker = Linker(engine)
        >>> linker.trap_missing(module)
        >>> linker.instantiate(module, store=Store(engine))
        <wamr.Instance, exports f>
        """
        if not isinstance(module, Module):
            raise TypeError(
                f"module must be a Module, not {type(module).__name__}; Module(store, source) "
                "makes one of a path, bytes or text"
            )
        function = 0
        for wanted in module.imports:
            if isinstance(wanted.type, FuncType):
                provided = self._wasi is not None and is_wasi(module, wanted, function)
                function += 1
                if not provided and wanted.name not in self._items.get(wanted.module, {}):
                    self.define(
                        wanted.module, wanted.name, _trapping_function(wanted.module, wanted.name)
                    )

    def instantiate(
        self,
        module: Module,
        *,
        store: Store | None = None,
        wasi: WasiBase | None = None,
        limits: ResourceLimits | None = None,
    ) -> Instance:
        """Return a new instance of `module`, with imports from the definitions.

        store: required if the Linker was made with an engine. wasi, limits: as in `Instance`; wasi
        None: what `define_wasi` has set. Raises what `Instance` raises. C: `wasm_instance_new`.

        >>> from wamr import Linker, Module, Store
        >>> store = Store()
        >>> Linker(store).instantiate(Module(store, '(module (func (export "f")))'))
        <wamr.Instance, exports f>
        """
        if store is None:
            if self._store is None:
                raise TypeError("this Linker was made with an engine: give instantiate a store")
            store = self._store
        elif self._store is not None and checked_store("store", store) is not self._store:
            raise ValueError("this Linker belongs to another store")
        return Instance(
            store, module, self._items, wasi=self._wasi if wasi is None else wasi, limits=limits
        )

    def __repr__(self) -> str:
        names = [f"{module}.{name}" for module, names in self._items.items() for name in names]
        return f"<wamr.Linker {printable_names(names, 'of nothing')}>"

    def __reduce__(self) -> str:
        raise TypeError("a Linker cannot be copied or pickled: what it links lives in stores")


def _check_names(module: object, name: object = "") -> None:
    for parameter, value in (("module", module), ("name", name)):
        if not isinstance(value, str):
            raise TypeError(f"{parameter} must be a str, not {type(value).__name__}")


def _shown(module: object, name: object) -> str:
    return printable_import(str(module), str(name))


def _trapping_function(module: str, name: str) -> Callable[..., Any]:
    def missing(*args: object) -> Any:
        raise Trap(f"{_shown(module, name)} is not defined")

    return missing
