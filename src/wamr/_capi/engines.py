"""Engines and stores, which everything else ends with.

WAMR has one engine for the process, with a reference count. In C, deleting a store frees its
modules and instances only, and leaves other objects of the caller with dangling pointers. Here the
store ends all of its objects, whose handles are dead afterwards.
"""

from __future__ import annotations

import threading
from typing import Any

from .._backend.binding import lib
from . import handles
from .handles import TrackedHandle, again, find, kind, own_in

# WAMR can't allocate without a runtime. C programs make types before they make an engine, and
# delete them after it, so the runtime is started here and never stopped.
if not lib.wpy_runtime_start():
    raise ImportError("wamr.ffi: the runtime can't be started")

ENGINE, CONFIG, STORE = kind("engine"), kind("config"), kind("store")


class Store:
    """The Python state of a store: its running calls, its lock, its callbacks."""

    __slots__ = ("active", "gate", "hosts", "turn", "waiting")

    def __init__(self) -> None:
        # The running calls, a linked list: (function, arguments, results, outer call, thread).
        self.active: tuple[Any, ...] | None = None
        # A lock: the thread that has popped the only item may use the store. `pop` and `append` are
        # atomic, and take a quarter of the time of a threading.Lock.
        self.turn: list[None] = [None]
        self.waiting = 0
        self.gate: threading.Condition | None = None
        # The callbacks, which C may call as long as the store exists.
        self.hosts: list[Any] = []

    def enter(self) -> list[None]:
        """Acquire the lock; return the argument for `leave`. Raises RuntimeError for a deadlock."""
        turn = self.turn
        try:
            turn.pop()
        except IndexError:
            return self.wait()
        return turn

    def wait(self) -> list[None]:
        """Acquire the lock if it is taken; the slow path of `enter`."""
        active = self.active
        if active is not None and active[4] == threading.get_ident():
            return []  # a nested call
        with _gates:
            gate = self.gate = self.gate or threading.Condition()
        me = threading.get_ident()
        _waits[me] = self
        try:
            if self._waits_for(me):
                raise RuntimeError(
                    "this would wait for ever: the store is in use by a thread that waits for a "
                    "store which this thread is in"
                )
            with gate:
                self.waiting += 1
                try:
                    while True:
                        try:
                            self.turn.pop()
                        except IndexError:
                            gate.wait()
                        else:
                            return self.turn
                finally:
                    self.waiting -= 1
        finally:
            del _waits[me]

    def _waits_for(self, thread: int) -> bool:
        """Tell whether the thread in this store waits for `thread`, maybe through other threads."""
        state: Store | None = self
        for _ in range(len(_waits) + 1):
            active = state.active if state is not None else None
            if active is None:
                return False
            if active[4] == thread:
                return True
            state = _waits.get(active[4])
        return False

    def leave(self, turn: list[None]) -> None:
        """Release the lock; turn: the result of `enter`."""
        turn.append(None)
        if self.waiting:
            self.wake()

    def wake(self) -> None:
        """Wake a waiting thread."""
        assert self.gate is not None
        with self.gate:
            self.gate.notify()


_gates = threading.Lock()
# Waiting thread -> the store that it waits for.
_waits: dict[int, Store] = {}


def wasm_engine_new() -> Any:
    return again(None, ENGINE, lib.wasm_engine_new())


def wasm_engine_new_with_config(config: Any) -> Any:
    function = "wasm_engine_new_with_config"
    return again(
        None,
        ENGINE,
        lib.wasm_engine_new_with_config(handles.use(CONFIG, config, function, "config")),
    )


def wasm_engine_delete(engine: Any) -> None:
    pointer, tracked = find(ENGINE, engine, "wasm_engine_delete", "engine")
    if tracked is not None and not tracked.has_other_owners():
        # a copy, made atomically: other threads make stores
        stores = [child for child in list(tracked.children or ()) if child.kind is STORE]
        for store in stores:
            refuse_while_running(store, "wasm_engine_delete", "engine")
        for store in stores:
            if store in (tracked.children or ()):
                _close(store, "went with its engine, which was deleted by wasm_engine_delete")
        _free_children(tracked)
        tracked.bury("was deleted by wasm_engine_delete")
    lib.wasm_engine_delete(pointer)


def wasm_store_new(engine: Any) -> Any:
    pointer, parent = find(ENGINE, engine, "wasm_store_new", "engine")
    store = own_in(None, STORE, lib.wasm_store_new(pointer))
    if store:
        tracked = STORE.live[id(store)]
        tracked.extra = Store()
        tracked.children = set()
        assert parent is not None
        tracked.belong(parent)
    return store


def wasm_store_delete(store: Any) -> None:
    pointer, tracked = find(STORE, store, "wasm_store_delete", "store")
    if tracked is None:
        lib.wasm_store_delete(pointer)
        return
    refuse_while_running(tracked, "wasm_store_delete", "store")
    _close(tracked, "was deleted by wasm_store_delete")


def refuse_while_running(store: TrackedHandle, function: str, parameter: str) -> None:
    """Raise ValueError if a call is running in the store."""
    if store.extra.active is not None:
        raise ValueError(f"{function}: {parameter} is running a function")


def _free_children(tracked: TrackedHandle) -> None:
    # One at a time: a finalizer may delete children or make new ones.
    while tracked.children:
        next(iter(tracked.children)).free()


def _close(store: TrackedHandle, reason: str) -> None:
    state: Store = store.extra
    turn = state.enter()
    outer = state.active
    # Finalizers are Python functions that run in the store, and may call functions of it.
    state.active = (None, None, None, outer, threading.get_ident())
    try:
        pointer = store.pointer()
        store.retire(reason)
        _free_children(store)
        store.bury(reason)
        lib.wasm_store_delete(pointer)
        hosts, state.hosts = state.hosts, []
        for host in hosts:
            host.finish()
    finally:
        state.active = outer
        state.leave(turn)
