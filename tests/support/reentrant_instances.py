"""Two instances that call into each other again; `a` calls functions by a table, also its own."""

from __future__ import annotations

from typing import Any

from wamr import Instance, Module, ResourceLimits, Store, Trap

# `t` is shared: 0 is `b`'s own import of `a`'s $h (b calls a by import, a calls itself through b).
A = """(module $a (import "e" "f" (func $f (param i32) (result i32)))
    (table (export "t") 8 funcref) (type $u (func (param i32) (result i32)))
    (func $h (export "h") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))
    (func $go (export "go") (param i32 i32) (result i32)
        (i32.add (i32.const 10) (call_indirect (type $u) (local.get 1) (local.get 0))))
    (func (export "tail") (param i32 i32) (result i32)
        (return_call_indirect (type $u) (local.get 1) (local.get 0)))
    (func (export "twice") (param i32 i32) (result i32)
        (i32.add (call $go (local.get 0) (local.get 1)) (call $go (local.get 0) (local.get 1))))
    (func (export "spin") (loop (br 0)))
    (func (export "bounded") (param i32) (result i32)
        (i32.mul (call $f (local.get 0)) (i32.const 2)))
    (func (export "trap") unreachable)
    (func (export "ok") (result i32) (i32.const 7)))"""
B = """(module $b (import "a" "h" (func $h (param i32) (result i32)))
    (import "a" "t" (table 8 funcref))
    (func $through (export "through") (param i32) (result i32)
        (i32.add (call $h (local.get 0)) (i32.const 100)))
    (func (export "ok") (result i32) (i32.const 8))
    (elem (i32.const 0) $h $through))"""


class World:
    """`a`, and `b` that imports from it; `action` is what `a`'s import does."""

    def __init__(self, store: Store, **limits: Any) -> None:
        self.store = store
        self.action: Any = lambda value: value
        both = ResourceLimits(**limits)
        module = Module(store, A)
        self.a = Instance(store, module, [lambda value: self.action(value)], limits=both)
        self.b = Instance(store, Module(store, B), {"a": self.a}, limits=both)

    def works(self) -> None:
        self.action = lambda value: value
        assert self.a.exports.go(0, 5) == 16
        assert self.a.exports.go(1, 5) == 116
        assert self.a.exports.tail(1, 5) == 106
        assert self.b.exports.through(5) == 106
        assert (self.a.exports.ok(), self.b.exports.ok()) == (7, 8)


def frames_of(trap: BaseException) -> list[str | None]:
    assert isinstance(trap, Trap)
    return [frame.func_name for frame in trap.frames]
