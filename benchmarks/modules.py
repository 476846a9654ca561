"""Modules and instances: loading, listing exports, instantiating."""

from __future__ import annotations

from functools import cache

from .installed import peers, supported_cases, this_package
from .lines import US, WASMTIME, Goal, timed
from .peers import Wamr, Wasmtime, binary_of
from .timing import Case

# About 200 bytes.
SMALL = """(module
  (memory (export "memory") 1)
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (func $add (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "sum") (param $at i32) (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (call $add (local.get $sum) (i32.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "scale") (param f64 f64) (result f64)
    (f64.mul (local.get 0) (local.get 1)))
  (data (i32.const 16) "some text that a program has in it"))"""


@cache
def small() -> bytes:
    """Return the small module's bytes."""
    return binary_of(SMALL)


@cache
def large() -> bytes:
    """Return a module of half a megabyte with thousands of equal functions."""
    body = """(func (param $a i32) (param $b i32) (result i32) (local $c i32)
      (loop $again
        (local.set $c (i32.add (i32.mul (local.get $a) (i32.const {0})) (local.get $c)))
        (if (i32.gt_u (local.get $c) (local.get $b))
          (then (local.set $a (i32.xor (local.get $a) (i32.const {0})))))
        (br_if $again (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
      (i32.add (local.get $a) (local.get $c)))"""
    return binary_of(f"(module {''.join(body.format(i) for i in range(9_000))})")


def _instantiate() -> dict[str, Case]:
    return supported_cases(lambda peer: peer.instantiate(small()))


def _only_instantiate() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for peer in peers():
        if isinstance(peer, Wamr):
            cases[peer.name] = Case("Instance(s, m)", peer.instantiate(small()).names)
        elif isinstance(peer, Wasmtime):
            names = peer.instantiate(small()).names
            cases[peer.name] = Case("Instance(Store(e), m, [])", names)
    return cases


def _load() -> dict[str, Case]:
    import wamr

    case = Case("load(b).exports.add(2, 3)", {"load": wamr.load, "b": small(), "u": this_package()})
    return {US: case}


LINES = (
    timed(
        "modules.load",
        "load 200 bytes",
        lambda: supported_cases(lambda peer: peer.load(small())),
        Goal(times={WASMTIME: 1 / 100}),
    ),
    timed(
        "modules.describe",
        "the same, exports described",
        lambda: supported_cases(lambda peer: peer.describe(small())),
        Goal(times={WASMTIME: 1 / 100}),
    ),
    timed(
        "modules.call",
        "instantiate + exports + first call",
        _instantiate,
        Goal(times={WASMTIME: 1 / 10}),
    ),
    timed("modules.instantiate", "instantiate and destroy", _only_instantiate),
    timed("modules.wamr_load", "wamr.load(…).exports.add(2, 3)", _load),
    timed(
        "modules.large",
        "load 650 kB (pywasm3: lazily)",
        lambda: supported_cases(lambda peer: peer.load(large())),
        slow=True,
    ),
)
