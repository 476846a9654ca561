"""Modules and helpers for tests of snapshots."""

from __future__ import annotations

import hashlib
from typing import Any

import wamr
from wamr import SUSPEND

# A piece of each kind of state.
STATE = """(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory (export "memory") 1 6) (data $data "0123456789")
  (table $shown (export "shown") 4 20 funcref) (table $hidden 3 20 funcref)
  (elem (table $shown) (i32.const 1) func $two)
  (elem (table $hidden) (i32.const 0) func $one $two)
  (elem $elem func $one $two)
  (global $shown (export "count") (mut i32) (i32.const 1))
  (global (export "fixed") i64 (i64.const -5))
  (global $hidden (mut f64) (f64.const 2.5))
  (global $vector (mut v128) (v128.const i64x2 1 2))
  (global $reference (mut funcref) (ref.func $two))
  (global (export "reference") funcref (ref.func $one))
  (type $t (func (result i32)))
  (func $one (export "one") (result i32) (i32.const 11))
  (func $two (export "two") (result i32) (i32.const 22))
  (func (export "call_shown") (param i32) (result i32)
    (call_indirect $shown (type $t) (local.get 0)))
  (func (export "call_hidden") (param i32) (result i32)
    (call_indirect $hidden (type $t) (local.get 0)))
  (func (export "call_global") (result i32)
    (table.set $hidden (i32.const 2) (global.get $reference))
    (call_indirect $hidden (type $t) (i32.const 2)))
  (func (export "change") (param i32)
    (global.set $shown (local.get 0)) (global.set $hidden (f64.convert_i32_s (local.get 0)))
    (global.set $vector (i64x2.splat (i64.extend_i32_s (local.get 0))))
    (global.set $reference (ref.func $one))
    (table.set $shown (i32.const 1) (ref.null func))
    (table.set $hidden (i32.const 0) (ref.func $two))
    (drop (table.grow $shown (ref.func $one) (i32.const 2)))
    (drop (table.grow $hidden (ref.func $one) (i32.const 2)))
    (i32.store (i32.const 100) (local.get 0))
    (if (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)) (then
      (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8))
        (local.get 0))))
    (data.drop $data) (elem.drop $elem))
  (func (export "sizes") (result i32 i32 i32)
    (memory.size) (table.size $shown) (table.size $hidden))
  (func (export "numbers") (result i32 f64 i64 i32)
    (global.get $shown) (global.get $hidden) (i64x2.extract_lane 1 (global.get $vector))
    (i32.load (i32.const 100)))
  (func (export "use_data") (memory.init $data (i32.const 0) (i32.const 0) (i32.const 10)))
  (func (export "use_elem") (table.init $hidden $elem (i32.const 0) (i32.const 0) (i32.const 2)))
  (func (export "write") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "read") (param i32) (result i32) (i32.load (local.get 0)))
  (func $deep (param i32 i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (local.get 1)
        (call $deep (i32.sub (local.get 0) (i32.const 1)) (i32.mul (local.get 1) (i32.const 2)))))
      (else (call $ask (local.get 1)))))
  (func (export "deep") (param i32) (result i32) (call $deep (local.get 0) (i32.const 1)))
  (func (export "spin") (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (i32.const 3)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))"""

ASKS: dict[str, Any] = {"env": {"ask": lambda number: SUSPEND}}


def state_instance(store: wamr.Store | None = None, **rest: Any) -> wamr.Instance:
    """Return a new instance of STATE, whose import suspends."""
    store = store or wamr.Store()
    return wamr.Instance(store, wamr.Module(store, STATE), ASKS, **rest)


def seen(instance: wamr.Instance) -> tuple[Any, ...]:
    """Return all of the state that can be observed; this changes a table."""
    e = instance.exports
    shown = [None if func is None else func() for func in e.shown]
    hidden = [_or_trap(e.call_hidden, i) for i in range(3)]
    return (
        e.sizes(),
        e.numbers(),
        shown,
        hidden,
        e.call_global(),
        e.count.value,
        e.fixed.value,
        e.reference.value(),
        _or_trap(e.use_data),
        _or_trap(e.use_elem),
        bytes(e.memory.view()),
    )


def _or_trap(function: Any, *args: int) -> Any:
    try:
        return function(*args)
    except wamr.Trap as trap:
        return trap.code


def copy_of(snapshot: wamr.Snapshot, **rest: Any) -> wamr.Instance:
    """Return a new instance of a snapshot of STATE without a suspended call."""
    instance, execution = snapshot.instantiate(imports=ASKS, **rest)
    assert execution is None
    return instance


def reason_of(function: Any, *args: Any, **rest: Any) -> tuple[str, str]:
    """Return the reason and the sentence of the SnapshotError that a call raises."""
    try:
        function(*args, **rest)
    except wamr.SnapshotError as error:
        return error.reason, error.args[1]
    raise AssertionError("no SnapshotError")


def suspended(depth: int = 3) -> tuple[wamr.Instance, wamr.Execution]:
    """Return an instance and a suspended call of it."""
    instance = state_instance()
    execution = instance.exports.deep.execution(depth)
    next(execution)
    return instance, execution


def finish(execution: wamr.Execution, *answers: Any) -> Any:
    try:
        for answer in answers:
            execution.send(answer)
        while True:
            next(execution)
    except StopIteration as end:
        return end.value


def with_digest(contents: bytes) -> bytes:
    """Return the contents of a file with the right digest, and without a MAC."""
    return contents + hashlib.sha256(contents).digest() + bytes(32)
