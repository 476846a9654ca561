"""Instances: making them, running their start functions, closing them.

The state of an instance is an `InstanceState` (state.py). An `Instance` refers to the state; if the
Instance is collected while exports are alive, another one is made when it is asked for.
"""

from __future__ import annotations

from weakref import ref as weak

from .._backend.binding import ffi, lib
from .._backend.handles import handle
from .._backend.waiting import retry_while_busy, wait_for
from .._base.arguments import already_initialized
from .._base.printable import printable_names, quoted_name
from .._base.wasi import WasiBase
from ..errors import ClosedError, SnapshotError
from .calls import raise_status, take_error
from .exports import Exports, exports_of
from .failure import apply_again, may_try_again, raise_failed
from .imports import Resolved, check_shape
from .limits import (
    NO_FUEL_LIMIT,
    ResourceLimits,
    checked_extension,
    checked_fuel,
)
from .module import Module
from .state import SNAPSHOT, InstanceState, set_state_class
from .store import Store, checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any

    from typing_extensions import Self

    from .._base.aliases import OnRestore
    from .execution import Execution
    from .import_aliases import Imports
    from .snapshot import Snapshot

_NO_LIMITS = ResourceLimits()


class _State(InstanceState):
    """An InstanceState that can make its Instance, a class that state.py doesn't know."""

    __slots__ = ()

    def instance(self) -> Instance | None:
        if self._instance is None:
            return None
        instance: Instance | None = self._instance()
        if instance is None:
            instance = object.__new__(Instance)
            instance._init(self)
        return instance


set_state_class(_State)


class Instance:
    """An instance of a module: linked, initialized, and started.

    store: the Store to make it in. module: a Module of the store's engine.
    imports: a mapping {"module": {"name": item}}, in which an Instance or its exports may stand for
    an inner mapping, or a sequence of items in the order of `module.imports`. An item is a Func,
    Global, Table, Memory or Tag of the store, or a callable, whose type is the import's.
    wasi: a WasiConfig for the imports of WASI. limits: ResourceLimits; None: the store's.
    Runs the start function and, in a reactor, `_initialize`, which does nothing when it is called
    again; never runs `_start`. An instance is a context manager, which closes it.
    Raises LinkError (an import is missing or doesn't match), Trap (a segment is out of bounds, or
    the start function trapped), MemoryLimitError, OSError (of `wasi`), what a host function raised,
    TypeError, ValueError, ClosedError. C: `wasm_instance_new`. Spec: section 4.5.4.

    >>> from wamr import Instance, Module, Store
    >>> store = Store()
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
            raise already_initialized(self)
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
            given = module._c, state.instance_id, budget, stack, timeout_ns, fuel
            c = lib.wpy_instance_new_without_imports(*given)
            error = None
            if not c:
                again, error = may_try_again(module._c)
                if again:
                    c = lib.wpy_instance_new_without_imports(*given)
            if not c:
                raise_failed(state, error)
            state.c = handle(c)
            store._register(state.instance_id, state)
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
            limits._set_bytes(c)
            try:
                _link(state, resolved, wasi)
            except BaseException:
                state.remove_files()
                raise
        self._init(state)
        if module._starts():
            try:
                self._start()
            except BaseException:
                state.remove_files()
                raise
        state.started = True

    def _init(self, state: InstanceState) -> None:
        self._state = state
        self.exports = exports_of(state)
        state._instance = weak(self)

    def _start(self) -> None:
        c, label = self._state.c, "the start function"

        def retry() -> int:
            take_error(c)
            return lib.wpy_instance_start(c)

        status = retry_while_busy(retry, label, lib.wpy_instance_start(c))
        if status:
            raise_status(take_error(c), c, label, self._state)

    @property
    def module(self) -> Module:
        """The module that this is an instance of."""
        return self._state.module

    @property
    def store(self) -> Store:
        """The store that the instance lives in."""
        return self._state.store

    @property
    def fuel(self) -> int | None:
        """The fuel that is left, 0 to 2**62 - 1; None: not limited. Settable.

        One unit is a branch or call, as in `ResourceLimits`. Raises ClosedError, TypeError,
        ValueError.
        """
        self._open()
        left = lib.wpy_instance_fuel(self._state.c)
        return None if left < 0 else int(left)

    @fuel.setter
    def fuel(self, fuel: int | None) -> None:
        self._open()
        lib.wpy_instance_set_fuel(self._state.c, checked_fuel(fuel))

    @property
    def files(self) -> Mapping[str, MutableMapping[str, bytes]]:
        """The private directories of a WASI program: `dirs={"/w": {"a.csv": b"…"}}`.

        Each is a mapping of names to the contents of its files, which Python can read, write and
        delete; names are relative paths, as "sub/b.txt". They are removed when the instance is
        closed. Access raises ClosedError then, and KeyError, OSError, TypeError, ValueError.

        >>> import wamr
        >>> config = wamr.WasiConfig(dirs={"/w": {"a.csv": b"1,2"}})
        >>> with wamr.load('(module (import "wasi_snapshot_preview1" "fd_close"'
        ...                '  (func (param i32) (result i32))))', wasi=config) as inst:
        ...     inst.files["/w"]["sub/b.txt"] = "text"
        ...     dict(inst.files["/w"])
        {'a.csv': b'1,2', 'sub/b.txt': b'text'}
        """
        return self._state.files

    def _open(self) -> None:
        if self._state.closed:
            raise ClosedError("this Instance is closed")

    def interrupt(self) -> None:
        """Stop the code that runs in the instance; it ends with a Trap (TrapCode.INTERRUPTED).

        May be called from any thread, and from host functions. C: `wasm_runtime_terminate`.

        >>> import threading, wamr
        >>> inst = wamr.load('(module (func (export "spin") (loop (br 0))))')
        >>> threading.Timer(0.05, inst.interrupt).start()
        >>> try:
        ...     inst.exports.spin()
        ... except wamr.Trap as trap:
        ...     trap.code
        TrapCode.INTERRUPTED
        """
        self._state.interrupt()

    def extend_timeout(self, seconds: float) -> None:
        """Let the calls that are open in the instance take longer; seconds: 0 or more.

        Host functions call this to give the calls that have called them more time, also of
        `ResourceLimits(timeout=…)`. All calls of functions of this instance that run or are
        suspended get that time, once for each call of this method. Timeouts of other instances, and
        of later calls, stay as they are. May be called from any thread.
        Raises ClosedError, TypeError, ValueError.

        >>> import time, wamr
        >>> def work():
        ...     inst.extend_timeout(5)
        ...     time.sleep(0.02)
        >>> inst = wamr.load('(module (import "env" "work" (func $work))'
        ...                  ' (func (export "f") (call $work)))', {"env": {"work": work}})
        >>> inst.exports.f.call(timeout=0.01)
        """
        self._open()
        lib.wpy_instance_extend_timeout(self._state.c, checked_extension(seconds))

    def snapshot(self, *, on_restore: OnRestore = None) -> Snapshot:
        """Return a Snapshot of the instance as it is now; `reset` comes back to it.

        on_restore: as in Snapshot. Raises SnapshotError, RuntimeError, TypeError.

        >>> import wamr
        >>> inst = wamr.load('(module (global (export "g") (mut i32) (i32.const 1)))')
        >>> snapshot = inst.snapshot()
        >>> copy, _ = snapshot.instantiate()
        >>> copy.exports.g.value = 2
        >>> inst.exports.g.value, copy.exports.g.value
        (1, 2)
        """
        from .snapshot import Snapshot

        return Snapshot(self, on_restore=on_restore)

    def reset(self) -> Execution | None:
        """Take the instance back to what it was when its snapshot was taken.

        The snapshot is the last one that was taken of the instance, or the one that it was made of.
        Returns the suspended call that is in the snapshot, or None. Files that a WASI program has
        opened are closed; `fuel` and limits stay as they are.
        Raises SnapshotError, BufferError (a view of its memory exists), RuntimeError.

        >>> import wamr
        >>> inst = wamr.load('(module (global (export "g") (mut i32) (i32.const 1)))')
        >>> snapshot = inst.snapshot()
        >>> inst.exports.g.value = 2
        >>> inst.reset()
        >>> inst.exports.g.value
        1
        """
        snapshot: Any = self._state._keep.get(SNAPSHOT)
        if snapshot is None:
            raise SnapshotError("no-snapshot", "no snapshot of this instance was taken")
        execution: Execution | None = snapshot._reset(self)
        return execution

    def close(self) -> None:
        """Free the instance; what it exports raises ClosedError. A second call does nothing.

        If the instance is running, in another thread or in a call that this is called from, that
        call runs to its end. C: `wasm_instance_delete`.

        >>> import wamr
        >>> inst = wamr.load('(module (func (export "f")))')
        >>> inst.close()
        >>> inst
        <wamr.Instance, exports f, closed>
        """
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = f" of {quoted_name(self.module.name)}" if self.module.name else ""
        closed = ", closed" if self._state.closed else ""
        names = printable_names(self.exports, "nothing")
        return f"<wamr.Instance{name}, exports {names}{closed}>"

    def __reduce__(self) -> str:
        raise TypeError("an Instance cannot be copied or pickled: it holds running code")


def _link(state: InstanceState, resolved: Resolved, wasi: WasiBase | None) -> None:
    """Make the instance in C, not started yet.

    If a segment is out of bounds, there is an instance all the same: the segments before may have
    put its functions into imported tables.
    """
    module, store, c = state.module, state.store, resolved.c
    opened = None if wasi is None else wasi._apply(c, state)
    out = ffi.new("wpy_instance **")
    error = None
    try:
        failed = lib.wpy_instance_new(module._c, c, out)
        if failed:
            failed = wait_for(lambda: lib.wpy_instance_new(module._c, c, out), "linking", failed)
        if failed and not out[0]:
            again, error = may_try_again(module._c)
            if again:
                opened = apply_again(wasi, opened, c, state)
                failed = wait_for(lambda: lib.wpy_instance_new(module._c, c, out), "linking")
    finally:
        if opened is not None:
            opened.release()  # the instance has a handle of its own
    if out[0]:
        state.c = handle(out[0])
        for extern in resolved.externs:
            state.link(extern._lifetime)
        store._register(state.instance_id, state)
    if failed:
        raise_failed(state, error)
