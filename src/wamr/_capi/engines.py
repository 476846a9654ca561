"""Engines and stores: the roots that everything else lives and dies with.

WAMR has one engine per process and counts how often it was asked for. A store frees its modules
and instances and nothing else; what the caller still owns of it would then be a trap for the
caller, so here the store takes all of it along, and their handles say so afterwards.
"""

from __future__ import annotations

import threading
from typing import Any

from .._backend.binding import lib
from . import handles
from .handles import TrackedHandle, again, find, kind, own_in

# WAMR allocates nothing without a runtime. C programs make types before their engine, and delete
# them after it, so here the runtime stays.
if not lib.wpy_runtime_start():
    raise ImportError("wamr.ffi: the runtime can't be started")

ENGINE, CONFIG, STORE = kind("engine"), kind("config"), kind("store")


class Store:
    """What Python knows of a store."""

    __slots__ = ("active", "gate", "hosts", "turn", "waiting")

    def __init__(self) -> None:
        # The calls that are running: (function, arguments, results, the next outer call, thread).
        self.active: tuple[Any, ...] | None = None
        # One thread at a time is in a store: the one that has taken the only item of this list.
        # Taking and giving back an item are atomic, and a quarter of what a lock costs.
        self.turn: list[None] = [None]
        self.waiting = 0
        self.gate: threading.Condition | None = None
        # Callbacks: C may call them as long as the store is there.
        self.hosts: list[Any] = []

    def enter(self) -> list[None]:
        """Waits for this thread's turn; what `leave` gets."""
        turn = self.turn
        try:
            turn.pop()
        except IndexError:
            return self.wait()
        return turn

    def wait(self) -> list[None]:
        active = self.active
        if active is not None and active[4] == threading.get_ident():
            return []  # a call inside a call
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
        """Whether the thread in this store waits for `thread`, over others maybe."""
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
        turn.append(None)
        if self.waiting:
            self.wake()

    def wake(self) -> None:
        assert self.gate is not None
        with self.gate:
            self.gate.notify()


_gates = threading.Lock()
# Which store each waiting thread waits for.
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
    pointer, thing = find(ENGINE, engine, "wasm_engine_delete", "engine")
    if thing is not None:
        if thing.count > 1:
            thing.count -= 1
        else:
            stores = [child for child in thing.children or () if child.kind is STORE]
            for store in stores:
                refuse_while_running(store, "wasm_engine_delete", "engine")
            for store in stores:
                if store in (thing.children or ()):
                    _close(store, "went with its engine, which was deleted by wasm_engine_delete")
            _free_children(thing)
            thing.bury("was deleted by wasm_engine_delete")
    lib.wasm_engine_delete(pointer)


def wasm_store_new(engine: Any) -> Any:
    pointer, parent = find(ENGINE, engine, "wasm_store_new", "engine")
    store = own_in(None, STORE, lib.wasm_store_new(pointer))
    if store:
        thing = STORE.live[id(store)]
        thing.extra = Store()
        thing.children = set()
        assert parent is not None
        thing.belong(parent)
    return store


def wasm_store_delete(store: Any) -> None:
    pointer, thing = find(STORE, store, "wasm_store_delete", "store")
    if thing is None:
        lib.wasm_store_delete(pointer)
        return
    refuse_while_running(thing, "wasm_store_delete", "store")
    _close(thing, "was deleted by wasm_store_delete")


def refuse_while_running(store: TrackedHandle, function: str, parameter: str) -> None:
    if store.extra.active is not None:
        raise ValueError(f"{function}: {parameter} is running a function")


def _free_children(thing: TrackedHandle) -> None:
    # One by one: a finalizer may delete others, or make some.
    while thing.children:
        next(iter(thing.children)).free()


def _close(store: TrackedHandle, why: str) -> None:
    state: Store = store.extra
    turn = state.enter()
    outer = state.active
    # Finalizers are Python that runs in here: they may call what is still there.
    state.active = (None, None, None, outer, threading.get_ident())
    try:
        pointer = store.place()
        store.retire(why)
        _free_children(store)
        store.bury(why)
        lib.wasm_store_delete(pointer)
        hosts, state.hosts = state.hosts, []
        for host in hosts:
            host.finish()
    finally:
        state.active = outer
        state.leave(turn)
