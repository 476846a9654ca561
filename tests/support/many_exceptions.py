"""An instance that throws, keeps and drops any number of exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wamr import Instance, Module, ResourceLimits, Store

TEXT = """(module
    (import "m" "h" (func $h))
    (tag $t (export "t") (param i32)) (tag $pair (export "pair") (param exnref externref))
    (tag $wide (param v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128))
    (table $kept (export "kept") 0 exnref)
    (global $g (export "g") (mut exnref) (ref.null exn))
    (func $throw (export "throw") (param i32) (throw $t (local.get 0)))
    (func (export "bare") (call $h))
    (func $ref (export "ref") (param i32) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw (local.get 0))) (unreachable)))
    (func $join (export "join") (param exnref externref) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $pair (local.get 0) (local.get 1)))
            (unreachable)))
    (func (export "catch") (param $n i32) (result i32) (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum)
                (block $h (result i32)
                    (try_table (catch $t $h) (call $throw (local.get $n))) (unreachable))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "catch_ref") (param $n i32) (result i32) (local $sum i32) (local $e exnref)
        (loop $l
            (local.set $e (call $ref (local.get $n)))
            (local.set $sum (i32.add (local.get $sum)
                (block $h (result i32)
                    (try_table (catch $t $h) (throw_ref (local.get $e))) (unreachable))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "wide") (param $n i32)
        (loop $l
            (block $h
                (try_table (catch_all $h)
                    WIDE (throw $wide))
                (unreachable))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "host") (param $n i32)
        (loop $l
            (block $h (try_table (catch_all $h) (call $h)) (unreachable))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "keep") (param $n i32) (result i32)
        (local $i i32)
        (if (i32.eq (table.grow $kept (ref.null exn) (local.get $n)) (i32.const -1))
            (then (return (i32.const -1))))
        (loop $l
            (table.set $kept (local.get $i) (call $ref (local.get $i)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                (local.get $n))))
        (local.get $i))
    (func (export "drop_all")
        (table.fill $kept (i32.const 0) (ref.null exn) (table.size $kept)))
    (func (export "chain") (param $n i32)
        (loop $l
            (global.set $g (call $join (global.get $g) (ref.null extern)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "length") (result i32) (local $n i32)
        (block $end
            (loop $l
                (br_if $end (ref.is_null (global.get $g)))
                (block $h (result exnref externref)
                    (try_table (catch $pair $h) (throw_ref (global.get $g))) (unreachable))
                (drop) (global.set $g)
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br $l)))
        (local.get $n)))""".replace("WIDE", "(v128.const i64x2 1 2)" * 15)


def instantiated(
    store: Store | None = None, host: Callable[[], Any] = lambda: None, **limits: Any
) -> Any:
    """Return the exports of an instance of TEXT."""
    store = store or Store()
    bounds = ResourceLimits(**limits) if limits else None
    return Instance(store, Module(store, TEXT), [host], limits=bounds).exports


class Referent:
    """An object that can be weakly referenced."""


def as_i32(number: int) -> int:
    """Return the signed i32 with the low 32 bits of a number."""
    return (number + 2**31) % 2**32 - 2**31
