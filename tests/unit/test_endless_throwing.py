"""Timeouts, interruptions and fuel end code that throws for ever."""

from __future__ import annotations

from typing import Any

import pytest
from thread_helpers import repeatedly

from wamr import (
    Instance,
    Module,
    ResourceLimits,
    Store,
    Tag,
    TagType,
    Trap,
    TrapCode,
    WasmException,
)

ENDLESS = """(module (import "m" "h" (func $h)) (tag $t) (tag $u (param i32))
    (func (export "catch") (loop $l (try_table (catch $t $l) (throw $t))))
    (func (export "ref") (local $e exnref)
        (loop $l
            (local.set $e (block $b (result exnref)
                (try_table (catch_all_ref $b) (throw $t)) (unreachable)))
            (try_table (catch_all $l) (throw_ref (local.get $e)))))
    (func $throw (throw $t))
    (func (export "callee") (loop $l (try_table (catch_all $l) (call $throw))))
    (func $deep (param i32)
        (if (local.get 0)
            (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (throw $t))))
    (func (export "deep") (loop $l (try_table (catch_all $l) (call $deep (i32.const 50)))))
    (func (export "host") (loop $l (try_table (catch_all $l) (call $h))))
    (func (export "legacy") loop $l try throw $t catch_all br $l end end)
    (func (export "rethrow") loop $l try try throw $t catch_all rethrow 0 end
        catch $t br $l end end)
    (func (export "recursive") (call $again))
    (func $again (block $b (try_table (catch_all $b) (throw $t))) (return_call $again)))"""
WAYS = ["catch", "ref", "callee", "deep", "host", "legacy", "rethrow", "recursive"]


class Endless:
    def __init__(self, store: Store, **options: Any) -> None:
        tag = Tag(store, TagType())
        self.calls = 0

        def fail() -> None:
            self.calls += 1
            raise WasmException(tag)

        self.instance = Instance(store, Module(store, ENDLESS), [fail], **options)


@pytest.mark.parametrize("way", WAYS)
def test_endless_throwing_ends(store, way):
    instance = Endless(store).instance
    call = instance.exports[way]
    with pytest.raises(Trap) as caught:
        call.call(timeout=0.02)
    assert caught.value.code is TrapCode.TIMEOUT
    with pytest.raises(Trap) as caught, repeatedly(instance.interrupt):
        call()
    assert caught.value.code is TrapCode.INTERRUPTED
    with pytest.raises(Trap) as caught:
        call.call(fuel=1000)
    assert caught.value.code is TrapCode.OUT_OF_FUEL


@pytest.mark.parametrize("way", WAYS)
def test_the_same_fuel_each_time(way):
    """A budget of fuel is used up after the same number of throws in each instance."""
    left = set()
    for _ in range(3):
        with Store() as store:
            endless = Endless(store, limits=ResourceLimits(fuel=20_000))
            with pytest.raises(Trap) as caught:
                endless.instance.exports[way].call(fuel=5000)
            assert caught.value.code is TrapCode.OUT_OF_FUEL
            left.add((endless.instance.fuel, endless.calls))
    assert len(left) == 1
    assert left.pop()[0] < 20_000
