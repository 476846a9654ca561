"""A store that another thread closes while something is made in it."""

from __future__ import annotations

import threading

import pytest

from wamr import (
    ClosedError,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    Tag,
    TagType,
    ValType,
)
from wamr._base.registry import WeakRegistry

IMPORTS = '(module (import "m" "f" (func)) (memory (export "memory") 1))'


class ClosesFirst(WeakRegistry):
    """Registers after another thread has closed the store."""

    __slots__ = ("lifetimes", "store")

    def add(self, key, value):
        thread = threading.Thread(target=self.store.close)
        thread.start()
        thread.join()
        self.lifetimes.append(value)
        super().add(key, value)


@pytest.mark.parametrize(
    "make",
    [
        lambda store: Memory(store, MemoryType(Limits(1))),
        lambda store: Table(store, TableType(ValType.FUNCREF, Limits(1))),
        lambda store: Global(store, GlobalType(ValType.I32), 1),
        lambda store: Tag(store, TagType([])),
        lambda store: Func(store, FuncType([], []), lambda: None),
        lambda store: Instance(store, Module(store.engine, "(module (memory 1))")),
        lambda store: Instance(store, Module(store.engine, IMPORTS), [lambda: None]),
    ],
    ids=["memory", "table", "global", "tag", "func", "instance", "instance with imports"],
)
def test_what_is_made_while_the_store_is_closed_is_closed(make):
    store = Store()
    make(store)
    store._closables = registry = ClosesFirst()
    registry.store, registry.lifetimes = store, []
    with pytest.raises(ClosedError, match="the store is closed"):
        make(store)
    assert registry.lifetimes
    assert all(lifetime.closed for lifetime in registry.lifetimes)
