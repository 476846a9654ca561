"""Instances: a module linked and alive.

What an instance, its exports and its functions share is its `InstanceState` (state.py). The
`Instance` is only a door to it, and is made anew when it is asked for after it has gone.
"""

from __future__ import annotations

from weakref import ref as weak

from .._backend.binding import ffi, lib
from .._backend.handles import handle
from .._base.immutable import made_already
from .._values.externrefs import NULL_REF
from ..errors import ClosedError, MemoryLimitError, link_error_from_text, out_of_memory
from .calls import raise_status, take_error
from .exceptions import WasmException, exception_of, exnref_of
from .exports import Exports, exports_of
from .extern import check_ending, waited
from .func import Func, func_of
from .imports import Resolved, WasiBase, check_shape
from .limits import NO_FUEL_LIMIT, ResourceLimits, checked_fuel, no_room
from .module import Module
from .state import InstanceState
from .store import Store, checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from typing_extensions import Self

    from .import_aliases import Imports

_NO_LIMITS = ResourceLimits()


class _State(InstanceState):
    """What only an instance's module can do for those below: make instances and functions."""

    __slots__ = ()

    def instance(self) -> Instance | None:
        """Return the Instance, made anew if only its exports are left; None while it is made."""
        if self._instance is None:
            return None
        instance: Instance | None = self._instance()
        if instance is None:
            instance = object.__new__(Instance)
            instance._fill(self)
        return instance

    def _func_of_ref(self, number: int) -> Func | None:
        """Return the function of a number that came out."""
        return func_of(number)

    def _ref_of_exception(self, value: object, where: object) -> int:
        """Return the number of an exception that is about to come in here."""
        return exnref_of(value, self, self.c, where)

    def _exception_of_ref(self, number: int) -> WasmException | None:
        """Return the exception of a number that a host function was given."""
        if number == NULL_REF:
            return None
        c = lib.wpy_exnref_hold(self.c, number)
        if not c:
            raise ReferenceError("the exception is gone")
        return exception_of(c, self)


class Instance:
    """A module, linked and initialised; its start function has run, and a reactor's `_initialize`.

    store, module: where and what. imports: a mapping {"module": {"name": item}}, where an Instance
    or its exports may stand for the inner one, or a sequence in the order of `module.imports`. An
    item is a Func, Global, Table, Memory, or a callable, which takes its type from the import.
    wasi: a WasiConfig, which WASI's imports are met with. limits: None for the store's.
    A call of the export `_initialize` does nothing afterwards: it has run.
    Raises LinkError (an import is missing or does not match), Trap (a segment was out of bounds, or
    the start function trapped), what a host function raised, TypeError, ValueError, ClosedError.
    C: `wasm_instance_new`. Spec: section 4.5.4.

    >>> from wamr import Instance, Module, Store
    >>> store = Store()
    >>> module = Module(store, '(module (import "m" "log" (func (param i32))) (start 0)'
    ...                        ' (func (export "add") (param i32 i32) (result i32)'
    ...                        '  (i32.add (local.get 0) (local.get 1))))')
    Traceback (most recent call last):
    ...
    wamr.errors.CompileError: invalid start function: it must take nothing and return nothing
    >>> module = Module(store, '(module (import "m" "hello" (func)) (start 0)'
    ...                        ' (func (export "add") (param i32 i32) (result i32)'
    ...                        '  (i32.add (local.get 0) (local.get 1))))')
    >>> instance = Instance(store, module, {"m": {"hello": lambda: print("hello")}})
    hello
    >>> instance.exports.add(2, 3)
    5
    """

    __slots__ = ("__weakref__", "_state", "exports")
    exports: Exports

    def __init__(
        self,
        store: Store,
        module: Module,
        imports: Imports | None = None,
        *,
        wasi: WasiBase | None = None,
        limits: ResourceLimits | None = None,
    ) -> None:
        if hasattr(self, "_state"):
            raise made_already(self)
        checked_store("store", store)
        if not isinstance(module, Module):
            raise TypeError(
                f"module must be a Module, not {type(module).__name__}; Module(store, source) "
                "makes one of a path, bytes or text"
            )
        if module._engine is not store._engine:
            raise ValueError(
                "module is of another engine than store: make both with the same one, as in "
                "Store(engine) and Module(engine, …), or the module with the store"
            )
        budget = store._budget
        if limits is None:
            limits = store._limits or _NO_LIMITS
        elif not isinstance(limits, ResourceLimits):
            raise TypeError(f"limits must be ResourceLimits or None, not {type(limits).__name__}")
        else:
            budget = limits._budget(budget)
        if wasi is not None and not isinstance(wasi, WasiBase):
            raise TypeError(f"wasi must be a WasiConfig or None, not {type(wasi).__name__}")
        if imports is not None:
            check_shape(imports, module)
        timeout_ns = 0 if limits.timeout is None else limits._timeout_ns()
        fuel = NO_FUEL_LIMIT if limits.fuel is None else limits.fuel
        stack = limits.stack_bytes or store._engine._config.stack_bytes
        if wasi is None and not module.imports:
            state = _State(store, module)
            state.timeout_ns = timeout_ns
            c = lib.wpy_instance_alone(
                module._c, state.instance_id, budget, stack, timeout_ns, fuel
            )
            if not c:
                _raise_failed(module, store)
            state.c = handle(c)
            store._closables.add(state.instance_id, state)
        else:
            resolved = Resolved(store, module, imports, wasi is not None)
            state = _State(store, module)
            state.timeout_ns = timeout_ns
            c = resolved.c
            c.instance_id = state.instance_id
            c.budget = budget
            c.stack_bytes = stack
            c.timeout_ns = timeout_ns
            c.fuel = fuel
            _link(state, resolved, wasi)
        self._fill(state)
        if module._starts():
            self._start()
        state.made = True

    def _fill(self, state: InstanceState) -> None:
        self._state = state
        self.exports = exports_of(state)
        state._instance = weak(self)

    def _start(self) -> None:
        c = self._state.c
        status = lib.wpy_instance_start(c)
        while status:
            error = take_error(c)
            if error is None or error.status != lib.WPY_BUSY:
                raise_status(error, c, "the start function", self._state)
            check_ending("the start function")
            status = lib.wpy_instance_start(c)

    @property
    def module(self) -> Module:
        """What it is an instance of."""
        return self._state.module

    @property
    def store(self) -> Store:
        """Where it lives."""
        return self._state.store

    @property
    def fuel(self) -> int | None:
        """What is left of its fuel; None: not limited. Settable. Raises ClosedError, TypeError."""
        self._open()
        left = lib.wpy_instance_fuel(self._state.c)
        return None if left < 0 else int(left)

    @fuel.setter
    def fuel(self, fuel: int | None) -> None:
        self._open()
        lib.wpy_instance_set_fuel(self._state.c, checked_fuel(fuel))

    def _open(self) -> None:
        if self._state.closed:
            raise ClosedError("this Instance is closed")

    def interrupt(self) -> None:
        """End what runs in it with a Trap (INTERRUPTED); from any thread, or its host functions."""
        self._state.interrupt()

    def close(self) -> None:
        """Give everything back; what is from it raises ClosedError afterwards. Twice is fine.

        While it runs, in a callback of its own or in another thread, that call goes on to its end.
        """
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = f" of {self.module.name!r}" if self.module.name else ""
        closed = ", closed" if self._state.closed else ""
        return f"<wamr.Instance{name}, exports {', '.join(self.exports) or 'nothing'}{closed}>"

    def __reduce__(self) -> str:
        raise TypeError("an Instance cannot be copied or pickled: it holds running code")


def _link(state: InstanceState, resolved: Resolved, wasi: WasiBase | None) -> None:
    """Make the instance in C, not started yet.

    One whose segments failed is there, too: its functions may be in tables that others have.
    """
    module, store, c = state.module, state.store, resolved.c
    _opened = None if wasi is None else wasi._apply(c, state)  # lives until the end of this
    out = ffi.new("wpy_instance **")
    failed = lib.wpy_instance_new(module._c, c, out)
    if failed:
        failed = waited(lambda: lib.wpy_instance_new(module._c, c, out), "linking", failed)
    if out[0]:
        state.c = handle(out[0])
        for extern in resolved.externs:
            state.link(extern._lifetime)
        store._closables.add(state.instance_id, state)
    if failed:
        _raise_failed(module, store)


def _raise_failed(module: Module, store: Store) -> NoReturn:
    error = take_error(module._c)
    status, text = error.status, ffi.string(error.text).decode("utf-8", "replace")
    if status == lib.WPY_NO_MEMORY:
        raise MemoryError(text)
    if status == lib.WPY_LINK:
        if "allocate linear memory failed" in text:
            raise MemoryLimitError(
                f"there is no room for the module's memory: {no_room(store._budget)}"
            )
        if "too many table elements" in text:
            why = no_room(store._budget, elements=True)
            raise MemoryLimitError(f"there is no room for the module's tables: {why}")
        raise out_of_memory(text) or link_error_from_text(text)
    raise_status(error, module._c, "the module's segments")
