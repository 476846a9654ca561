"""References in snapshots: to an instance's own functions they are kept, others are refused."""

from __future__ import annotations

import pytest
from snapshots import reason_of

from wamr import (
    SUSPEND,
    Func,
    FuncType,
    Instance,
    Module,
    Snapshot,
    Store,
)

pytestmark = pytest.mark.usefixtures("wat")


def made(text, imports=None, store=None):
    store = store or Store()
    return Instance(store, Module(store, text), imports)


def refers(text, **imports):
    return made(f"(module {text})", {"e": imports} if imports else None)


def test_externrefs_are_refused_in_tables_and_globals():
    instance = refers(
        '(table (export "t") 2 externref) (global (export "g") (mut externref) (ref.null extern))'
    )
    instance.snapshot()
    instance.exports.t[1] = "object"
    assert reason_of(instance.snapshot) == ("references", "element 1 of table 0 is an externref")
    instance.exports.t[1] = None
    instance.snapshot()
    instance.exports.g.value = object()
    assert reason_of(instance.snapshot) == ("references", "global 0 is an externref")


def test_functions_of_the_host_and_of_others_are_refused_in_tables_and_globals():
    instance = refers(
        '(table (export "t") 2 funcref) (global (export "g") (mut funcref) (ref.null func))'
        ' (func (export "f"))'
    )
    instance.exports.t[0] = instance.exports.f
    instance.exports.g.value = instance.exports.f
    instance.snapshot()
    for func in (
        Func(instance.store, FuncType([], []), lambda: None),
        made('(module (func (export "f")))', store=instance.store).exports.f,
    ):
        instance.exports.t[1] = func
        assert reason_of(instance.snapshot) == (
            "references",
            "element 1 of table 0 is a function of the host or of another instance",
        )
        instance.exports.t[1] = None
        instance.exports.g.value = func
        assert reason_of(instance.snapshot)[0] == "references"
        instance.exports.g.value = None
    instance.snapshot()


def test_exnrefs_are_refused():
    instance = refers(
        '(tag $t) (global $g (mut exnref) (ref.null exn)) (func (export "keep")'
        " (block $b (result exnref) (try_table (catch_all_ref $b) (throw $t)) unreachable)"
        " (global.set $g))"
    )
    instance.snapshot()
    instance.exports.keep()
    assert reason_of(instance.snapshot) == ("references", "global 0 is an exnref")


@pytest.mark.parametrize(
    "body",
    [
        '(func $f (export "f") (local externref) (call $ask))',
        '(func $f (export "f") (param externref) (call $ask))',
        '(func $f (export "f") (result externref) (call $ask) (ref.null extern))',
        '(func $f (export "f") (ref.null func) (call $ask) (drop))',
        (
            '(func $f (export "f") (ref.func $g) (call $ask) (call $use))'
            " (func $use (param funcref)) (func $g) (elem declare func $g)"
        ),
        '(table 1 externref) (func $f (export "f") (table.get 0 (i32.const 0)) (call $ask) (drop))',
        (
            "(global $n externref (ref.null extern))"
            ' (func $f (export "f") (global.get $n) (call $ask) (drop))'
        ),
    ],
)
def test_a_suspended_function_with_references_is_refused(body):
    instance = refers(f'(import "e" "ask" (func $ask)) {body}', ask=lambda: SUSPEND)
    args = [None] * len(instance.exports.f.type.params)
    execution = instance.exports.f.execution(*args)
    next(execution)
    reason, text = reason_of(Snapshot, instance, execution)
    assert reason == "references"
    assert "has references" in text or "have references" in text


def test_functions_with_references_that_are_not_suspended_do_not_matter():
    instance = refers(
        '(import "e" "ask" (func $ask)) (func $refs (param externref) (result externref)'
        ' (local.get 0)) (func (export "f") (call $ask)) (export "r" (func $refs))',
        ask=lambda: SUSPEND,
    )
    execution = instance.exports.f.execution()
    next(execution)
    Snapshot(instance, execution)


def test_a_suspended_host_function_with_references_is_refused():
    instance = refers(
        '(import "e" "ask" (func $ask (param externref))) (func (export "f")'
        " (call $ask (ref.null extern)))",
        ask=lambda _: SUSPEND,
    )
    execution = instance.exports.f.execution()
    next(execution)
    assert reason_of(Snapshot, instance, execution)[0] == "references"
