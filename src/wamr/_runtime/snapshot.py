"""Snapshots: the whole state of an instance, of which other instances are made.

A `Snapshot` holds a `wpy_snapshot` (src/native/runtime/snapshot.c), which is immutable. An instance
that is made of it is an instance as any other; nothing is initialized in it, and no code runs.
"""

from __future__ import annotations

from contextlib import suppress

from .._backend.binding import ffi, lib
from .._backend.handles import deferrable, handle
from .._backend.waiting import wait_for
from .._base.arguments import already_initialized, type_name
from .._base.callables import refuse_unrun
from .._base.printable import quoted_name
from .._base.wasi import WasiBase
from .._values.references import find_func
from ..errors import LinkError, SnapshotError
from .execution import Execution, copied_execution
from .failure import apply_again, may_try_again, raise_failed
from .imports import Resolved, check_shape
from .limits import NO_FUEL_LIMIT, ResourceLimits
from .module import Module
from .snapshot_taking import (
    check_hook,
    check_keep,
    check_wasi,
    preopens,
    refusal,
    take,
    take_suspended,
    used,
    waiting,
)
from .state import SNAPSHOT, InstanceState, new_state
from .store import Store, checked_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    from typing_extensions import Self

    from .._base.aliases import OnRestore
    from .import_aliases import Imports
    from .instance import Instance

_NO_LIMITS = ResourceLimits()
_REFUSED: int = lib.WPY_REFUSED
_KEEP = 16  # the default of `keep`
_MADE, _STOP = ffi.typeof("wpy_made *"), ffi.typeof("wpy_stop *")


class Snapshot:
    """The whole state of an instance, of which any number of instances are made.

    instance: an Instance in which no code runs. execution: the one suspended call of it that
    belongs to the snapshot, or None; then no call of the instance may be suspended. on_restore: the
    name of an export without parameters, or a callable that gets the new Instance; called for each
    instance that is made or reset, before anybody has it. It is where a program draws new random
    numbers: without it, all instances have the same ones. keep: the most memories of closed
    instances that are kept for the next ones, 0 to 10 000; each may hold 4 MiB of memory.
    A snapshot is immutable, and may be used in any thread. It keeps nothing of the instance alive.
    Attributes `memory_bytes`: the size of the linear memory. `image_bytes`: what the snapshot
    itself takes: memory pages of zeros take nothing.
    Raises SnapshotError, RuntimeError, TypeError, MemoryError.

    >>> import wamr
    >>> inst = wamr.load('(module (memory (export "m") 1) (func (export "put") (param i32)'
    ...                  ' (i32.store (i32.const 0) (local.get 0))))')
    >>> inst.exports.put(7)
    >>> snapshot = wamr.Snapshot(inst)
    >>> inst.exports.put(8)
    >>> copy, execution = snapshot.instantiate()
    >>> copy.exports.m[0], inst.exports.m[0], execution
    (7, 8, None)
    """

    __slots__ = (
        "__weakref__",
        "_alone",
        "_c",
        "_closer",
        "_module",
        "_on_restore",
        "_only_wasi",
        "_preopens",
        "_slice_ns",
        "_suspended",
        "image_bytes",
        "memory_bytes",
    )
    _alone: bool  # without imports and a suspended call
    _c: Any  # the handle
    _closer: list[Any]  # closes the snapshot when it is released; empty: that was done
    _only_wasi: Resolved | None  # the imports, if all of them are WASI's
    memory_bytes: int
    image_bytes: int

    def __init__(
        self,
        instance: Instance,
        execution: Execution | None = None,
        *,
        on_restore: OnRestore = None,
        keep: int = _KEEP,
    ) -> None:
        if hasattr(self, "_module"):
            raise already_initialized(self)
        state = getattr(instance, "_state", None)
        if not isinstance(state, InstanceState):
            raise TypeError(f"instance must be an Instance, not {type_name(instance)}")
        if execution is not None and not isinstance(execution, Execution):
            raise TypeError(f"execution must be an Execution or None, not {type_name(execution)}")
        check_hook(on_restore, state.module)
        check_keep(keep)
        self._slice_ns = 0
        if execution is None:
            c = take(state, ffi.NULL, keep)
        else:
            self._slice_ns, c = take_suspended(state, execution, keep)
        self._init(c, state.module, on_restore)
        state._keep[SNAPSHOT] = self

    def _init(self, c: Any, module: Module, on_restore: OnRestore) -> None:
        self._c = ffi.gc(c, _release)
        self._closer = [ffi.gc(c, _close)]  # released first, see `close`
        self._module = module
        self._on_restore = on_restore
        self._only_wasi = None
        self._preopens = preopens(c)
        self._suspended = bool(lib.wpy_snapshot_suspended(c))
        self._alone = not (self._suspended or module.imports)
        self.memory_bytes = lib.wpy_snapshot_memory_bytes(c)
        self.image_bytes = lib.wpy_snapshot_image_bytes(c)

    @property
    def module(self) -> Module:
        """The module of the instances."""
        return self._module

    @property
    def alive(self) -> int:
        """How many instances of the snapshot are open."""
        return int(lib.wpy_snapshot_alive(self._c))

    def instantiate(
        self,
        store: Store | None = None,
        imports: Imports | None = None,
        *,
        wasi: WasiBase | None = None,
        limits: ResourceLimits | None = None,
    ) -> tuple[Instance, Execution | None]:
        """Return a new instance in the state of the snapshot, and its suspended call or None.

        store: the Store to make it in; None: a new one. imports, wasi, limits: as for Instance.
        Host functions and WASI are the new instance's own; directories must have the same guest
        paths in the same order. The whole size of the memory counts in the limits.
        Raises SnapshotError, MemoryLimitError, OSError (of `wasi`), what `on_restore` raises, and
        TypeError, ValueError, ClosedError.
        """
        c = self._c
        self._check_open()
        if store is None:
            store = Store(self._module._engine)
        else:
            self._check_store(store)
        budget = store._budget
        if limits is None:
            limits = store._limits or _NO_LIMITS
        elif not isinstance(limits, ResourceLimits):
            raise TypeError(f"limits must be ResourceLimits or None, not {type_name(limits)}")
        else:
            budget = limits._budget(budget)
        state = new_state(store, self._module)
        state.timeout_ns = 0 if limits.timeout is None else limits._timeout_ns()
        fuel = NO_FUEL_LIMIT if limits.fuel is None else limits.fuel
        execution = None
        if self._alone and wasi is None and imports is None:
            stack, timeout_ns = limits.stack_bytes or 0, state.timeout_ns
            alone = c, state.instance_id, budget, stack, timeout_ns, fuel
            made, error = lib.wpy_snapshot_instance_alone(*alone), None
            if not made:
                again, error = may_try_again(self._module._c)
                made = lib.wpy_snapshot_instance_alone(*alone) if again else made
            if not made:
                self._check_open()
                raise_failed(state, error)
            self._made(state, made)
        else:
            resolved = self._resolved(store, imports, wasi)
            given = resolved.c
            given.instance_id = state.instance_id
            given.budget = budget
            given.stack_bytes = limits.stack_bytes or 0
            given.timeout_ns = state.timeout_ns
            given.fuel = fuel
            limits._set_bytes(given)
            execution = self._make(c, state, resolved, wasi)
        instance: Any = state.instance()
        if self._on_restore is not None:
            self._restored(instance)
        return instance, execution

    def _check_store(self, store: Store) -> None:
        checked_store("store", store)
        if self._module._engine is not store._engine:
            raise ValueError(
                "the snapshot is of another engine than store: make the store with the engine of "
                "its module, or with none"
            )

    def _resolved(self, store: Store, imports: Imports | None, wasi: WasiBase | None) -> Resolved:
        """Return the imports of a new instance, checked."""
        if wasi is not None:
            check_wasi(wasi, self._preopens)
            if imports is None and self._only_wasi is not None:
                return self._only_wasi.copy()
        try:
            if imports is not None:
                check_shape(imports, self._module)
            resolved = Resolved(store, self._module, imports, wasi is not None)
        except LinkError as error:
            raise SnapshotError("imports-differ", str(error)) from error
        if wasi is not None and imports is None:
            self._only_wasi = resolved
        return resolved

    def _make(
        self, c: Any, state: InstanceState, resolved: Resolved, wasi: WasiBase | None
    ) -> Execution | None:
        given, made, error = resolved.c, ffi.new(_MADE), None
        opened = None if wasi is None else wasi._apply(given, state)
        stop = ffi.new(_STOP) if self._suspended else ffi.NULL

        def attempt() -> int:
            return int(lib.wpy_snapshot_instance(c, given, made, stop))

        try:
            status = wait_for(attempt, "making an instance of a snapshot")
            if status and status != _REFUSED:
                again, error = may_try_again(self._module._c)
                if again:
                    opened = apply_again(wasi, opened, given, state)
                    status = wait_for(attempt, "making an instance of a snapshot")
        finally:
            if opened is not None:
                opened.release()  # the instance has a handle of its own
        if status == _REFUSED:
            raise refusal(made.why)
        if status:
            self._check_open()
            raise_failed(state, error)
        self._made(state, made.instance)
        for extern in resolved.externs:
            state.link(extern._lifetime)
        return self._copied(made.execution, stop)

    def _made(self, state: InstanceState, c: Any) -> None:
        """Complete the state of a new instance; c: its handle in C, taken over."""
        state.c = handle(c)
        state.store._closables.add(state.instance_id, state)
        state.started = True
        state._keep[SNAPSHOT] = self
        state._instance = _NOTHING
        if state.store._closed:
            state.store._close_late(state)

    def _copied(self, execution: Any, stop: Any) -> Execution | None:
        if not execution:
            return None
        func: Any = find_func(lib.wpy_func_ref(lib.wpy_execution_func(execution)))
        return copied_execution(func, execution, stop, self._slice_ns)

    def _reset(self, instance: Instance) -> Execution | None:
        """Do what `Instance.reset` does."""
        c, state = self._c, instance._state
        if state.closed:
            raise SnapshotError("closed", "the instance is closed")
        self._check_open()
        for reference in state.memories():
            memory = reference()
            if memory is not None:
                memory._detach()  # its own view, which it makes again
        made = ffi.new(_MADE)
        stop = ffi.new(_STOP) if self._suspended else ffi.NULL
        status = waiting(
            lambda: lib.wpy_instance_reset(state.c, c, made, stop), "resetting an instance"
        )
        if status == _REFUSED:
            error = refusal(made.why)
            if error.reason == "view":
                raise BufferError(f"{error.args[1]}: release it before")
            raise error
        if status == lib.WPY_CLOSED:
            self._check_open()
        if status:
            raise MemoryError("no memory to reset the instance")
        copied = self._copied(made.execution, stop)
        if self._on_restore is not None:
            self._restored(instance)
        return copied

    def _restored(self, instance: Instance) -> None:
        """Call the hook; close the instance if that fails."""
        hook = self._on_restore
        try:
            if isinstance(hook, str):
                instance.exports[hook]()
            elif hook is not None:
                refuse_unrun("on_restore", hook(instance))
        except BaseException:
            instance.close()
            raise

    def save(self, path: str | PathLike[str]) -> None:
        """Write the snapshot to a file, which only this user may read; replace an existing one.

        The file contains the memory of the instance, secrets included. Raises OSError,
        SnapshotError.
        """
        self._save(path)

    def _save(self, path: str | PathLike[str], extra: bytes = b"") -> None:
        from .snapshot_file import save

        self._check_open()
        use = used(self._c)  # `path`, or another thread, may close the snapshot
        try:
            save(self._c, self._module, self._slice_ns, path, extra)
        finally:
            ffi.release(use)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        module: Module,
        *,
        trusted: bool = False,
        on_restore: OnRestore = None,
        keep: int = _KEEP,
    ) -> Snapshot:
        """Return the snapshot of a file, which may have been saved by another process.

        module: of the bytes that the snapshot's module had; any engine. The build of this package
        must be the same, too.
        A file with a suspended call is code that runs outside of the sandbox. It is loaded only if
        this user has saved it, on this machine, or if it is trusted. Never trust a file that
        others could have written. A file without a suspended call is harmless: all sizes and
        references in it are checked.
        trusted: whether the file is known to be one that `save` has written. on_restore, keep: as
        in Snapshot; the file has neither.
        Raises SnapshotError, OSError, TypeError, MemoryError.
        """
        from .snapshot_file import load

        if not isinstance(module, Module):
            raise TypeError(f"module must be a Module, not {type_name(module)}")
        check_hook(on_restore, module)
        check_keep(keep)
        self = object.__new__(cls)
        c, self._slice_ns, _ = load(path, module, trusted, keep)
        self._init(c, module, on_restore)
        return self

    def close(self) -> None:
        """Let go of the state, and of the memories that are kept. A second call does nothing.

        Instances of the snapshot stay as they are.
        """
        with suppress(IndexError):  # another call has taken it
            ffi.release(self._closer.pop())

    def _check_open(self) -> None:
        if not self._closer:
            raise SnapshotError("closed", "this Snapshot is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = f" of {quoted_name(self._module.name)}" if self._module.name else ""
        if not self._closer:
            return f"<wamr.Snapshot{name}, closed>"
        return f"<wamr.Snapshot{name}, {self.image_bytes} bytes, {self.alive} alive>"

    def __reduce__(self) -> str:
        raise TypeError("a Snapshot cannot be copied or pickled; Snapshot.save writes a file")


# Called as a dead weak reference, it returns None: the Instance is made when it is asked for.
_NOTHING: Any = type(None)
_close, _release = deferrable(lib.wpy_snapshot_close), deferrable(lib.wpy_snapshot_release)
