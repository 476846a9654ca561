"""Engines and stores, which everything else ends with.

WAMR has one engine for the process, with a reference count. In C, deleting a store frees its
modules and instances only, and leaves other objects of the caller with dangling pointers. Here the
store ends all of its objects, whose handles are dead afterwards.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from contextlib import suppress
from typing import Any

from .._backend.binding import lib
from .._base.locks import ByThread, renewed_in_children
from . import handles
from .handles import TrackedHandle, again, find, kind, own_in

# WAMR can't allocate without a runtime. C programs make types before they make an engine, and
# delete them after it, so the runtime is started here and never stopped.
if not lib.wpy_runtime_start():
    raise ImportError("wamr.ffi: the runtime can't be started")

ENGINE, CONFIG, STORE = kind("engine"), kind("config"), kind("store")


class Store:
    """The Python state of a store: its running calls, its lock, its callbacks."""

    __slots__ = ("__weakref__", "active", "hosts", "turn", "waiting")

    def __init__(self) -> None:
        # The running calls, a linked list: (function, arguments, results, outer call, thread).
        self.active: tuple[Any, ...] | None = None
        # A lock: item 0, a list, is of the call that may use the store, and has its thread.
        # `setdefault` is atomic. As in _base/locks.py, no exception leaves the item there.
        self.turn: dict[int, list[int]] = {}
        self.waiting: list[Any] = []  # a taken lock for each thread that waits
        # The callbacks, which C may call as long as the store exists.
        self.hosts: list[Any] = []
        renewed_in_children(self)

    def renew(self) -> None:
        """Refuse calls if a thread that this child of a fork doesn't have is in the store."""
        self.waiting.clear()
        if self.turn and self.turn[0][0] != get_ident():
            self.turn[0] = [_NO_THREAD]

    def run(self, function: Any, *args: Any) -> Any:
        """Call a function that uses the store. Raises RuntimeError for a deadlock."""
        thread, turn, nested = get_ident(), self.turn, False
        me, outer = [thread], None
        try:
            try:
                if turn.setdefault(0, me) is not me and (nested := self.wait(me)):
                    outer = self.active
                self.active = (None, None, None, outer, thread)
                return function(*args)
            finally:
                try:
                    if turn[0] is me:  # CPython 3.10 runs handlers where an `if` jumps: not here
                        self.active = None
                        del turn[0]
                    elif nested:
                        self.active = outer
                except KeyError:
                    pass
                if self.waiting:
                    self.wake()
        finally:
            if turn and turn.get(0) is me:
                self.active = None
                del turn[0]
            elif nested:
                self.active = outer

    def wait(self, me: list[int]) -> bool:
        """Acquire the lock, which is taken; return whether a call of this thread has it already.

        Raises RuntimeError for a deadlock, and if the thread that has it doesn't exist.
        """
        thread, holder = me[0], self.turn.get(0)
        if holder is not None and holder[0] == thread:
            return True
        if holder is not None and holder[0] == _NO_THREAD:
            raise RuntimeError(
                "another thread was in this store when this process was forked; make a new one"
            )
        try:
            _waits[thread] = self
            self._wait(me)
        finally:
            _waits.pop(thread, None)
        return False

    def _wait(self, me: list[int]) -> None:
        if self._waits_for(me[0]):
            raise RuntimeError(
                "this would wait for ever: the store is in use by a thread that waits for a "
                "store which this thread is in"
            )
        woken = allocate_lock()
        woken.acquire()
        while self.turn.setdefault(0, me) is not me:
            self.waiting.append(woken)
            if self.turn:  # else the lock was released before anybody knew of this thread
                woken.acquire(timeout=_LOOK_AGAIN)
            with suppress(ValueError):
                self.waiting.remove(woken)

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

    def wake(self) -> None:
        """Wake a waiting thread."""
        with suppress(IndexError):  # another thread has woken it
            self.waiting.pop(0).release()


_LOOK_AGAIN = 0.05  # seconds, after which a thread finds that an exception has prevented `wake`
# Waiting thread -> the store that it waits for.
_waits = ByThread()
_NO_THREAD = 0


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
    state.run(_close_alone, store, state, reason)


def _close_alone(store: TrackedHandle, state: Store, reason: str) -> None:
    # Finalizers are Python functions that run in the store, and may call functions of it.
    pointer = store.pointer()
    store.retire(reason)
    _free_children(store)
    store.bury(reason)
    lib.wasm_store_delete(pointer)
    hosts, state.hosts = state.hosts, []
    for host in hosts:
        host.finish()
