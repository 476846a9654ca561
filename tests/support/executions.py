"""Modules and helpers for tests of executions."""

from __future__ import annotations

from typing import Any

import wamr
from wamr import SUSPEND

# Each way to call an import, and results of all sizes.
CALLS = """(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (import "env" "many" (func $many (param i64 f64 v128 f32) (result i64 f64 v128 i32)))
  (import "env" "none" (func $none))
  (type $t (func (param i32) (result i32)))
  (table (export "table") 4 funcref) (elem (i32.const 0) $ask $more)
  (func $more (param i32) (result i32) (i32.add (i32.const 1) (call $ask (local.get 0))))
  (func (export "direct") (param i32) (result i32)
    (i32.add (call $ask (local.get 0)) (i32.mul (i32.const 10) (call $ask (i32.const 5)))))
  (func (export "indirect") (param i32) (result i32) (local i64 v128)
    (local.set 1 (i64.const 77)) (local.set 2 (v128.const i32x4 1 2 3 4))
    (i32.add (call_indirect (type $t) (i32.const 9) (local.get 0))
      (i32.add (i32.wrap_i64 (local.get 1)) (i32x4.extract_lane 3 (local.get 2)))))
  (func $tail (export "tail") (param i32) (result i32) (return_call $ask (local.get 0)))
  (func (export "tail_indirect") (param i32) (result i32)
    (return_call_indirect (type $t) (i32.const 9) (local.get 0)))
  (func (export "tail_within") (param i32) (result i32)
    (i32.add (i32.const 5) (call $tail (local.get 0))))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $ask (i32.const 0)))))
  (func (export "many") (result i64 f64 v128 i32)
    (call $many (i64.const -3) (f64.const 2.5) (v128.const i32x4 1 2 3 4) (f32.const 0.5)))
  (func (export "none") (call $none) (call $none))
  (export "ask" (func $ask))
  (func (export "after") (param i32) (result i32) (drop (call $ask (local.get 0))) unreachable)
  (func (export "spin") (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.add (local.get 1) (i32.const 3)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""


def suspending() -> dict[str, Any]:
    """Return the imports of CALLS: they all suspend."""
    return {"env": {name: (lambda *_: SUSPEND) for name in ("ask", "many", "none")}}


def instance(store: wamr.Store | None = None, **rest: Any) -> wamr.Instance:
    """Return a new instance of CALLS whose imports suspend."""
    store = store or wamr.Store()
    return wamr.Instance(store, wamr.Module(store, CALLS), suspending(), **rest)


def finish(execution: wamr.Execution, *answers: Any) -> Any:
    """Send each answer, then None until the end; return the result."""
    try:
        for answer in answers:
            execution.send(answer)
        while True:
            next(execution)
    except StopIteration as end:
        return end.value


def events(execution: wamr.Execution, *answers: Any) -> tuple[Any, list[wamr.Event]]:
    """Start an execution, send each answer, then None; return its result and its events."""
    found: list[wamr.Event] = []
    try:
        found.append(next(execution))
        for answer in answers:
            found.append(execution.send(answer))  # noqa: PERF401 - keeps those before the end
        while True:
            found.append(next(execution))
    except StopIteration as end:
        return end.value, found


def calls_of(found: list[wamr.Event]) -> list[tuple[Any, ...]]:
    return [event.args for event in found]


def suspended(func: wamr.Func, *args: Any, **rest: Any) -> wamr.Execution:
    """Return an execution that a host function has suspended."""
    execution = func.execution(*args, **rest)
    assert next(execution).kind == "call"
    return execution


def in_the_middle(func: wamr.Func, *args: Any, **rest: Any) -> wamr.Execution:
    """Return an execution suspended in the middle of its code, by default of a long loop."""
    execution = func.execution(*(args or (100_000_000,)), slice=0, **rest)
    assert next(execution).kind == "slice"
    return execution
