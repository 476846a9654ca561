"""The patches in suspension/: code stops at each check and in each import, and goes on."""

from __future__ import annotations

import pytest

import wamr
from wamr import SUSPEND, Instance, Module, ResourceLimits, Store
from wamr._backend.binding import lib

pytestmark = pytest.mark.usefixtures("wat")

FUEL = 10**9

CHECKS = """(module
  (memory 1) (data $data "0123456789")
  (table 8 funcref) (elem (i32.const 0) $twice $odd $even) (elem $elem func $twice $odd)
  (type $t (func (param i32) (result i32)))
  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func $odd (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
  (func $even (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
      (else (i32.const 0))))
  (func (export "tail") (param i32) (result i32) (call $odd (local.get 0)))
  (func $pair (param i64 f64) (result i64 f64) (i64.add (local.get 0) (i64.const 1))
    (f64.mul (local.get 1) (f64.const 1.5)))
  (func (export "branches") (param i32) (result i32) (local $sum i32)
    (loop $again
      (block $two (block $one (block $zero
        (br_table $zero $one $two (i32.rem_u (local.get 0) (i32.const 4))))
        (local.set $sum (i32.add (local.get $sum) (i32.const 1))) (br $two))
        (local.set $sum (i32.add (local.get $sum) (i32.const 10))))
      (block $skip (br_if $skip (i32.and (local.get 0) (i32.const 1)))
        (local.set $sum (i32.mul (local.get $sum) (i32.const 3))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get 0) (i32.const 0)))
      (br_if $again (i32.eqz (i32.add (local.get 0) (i32.const 1)))))
    (local.get $sum))
  (func (export "with_values") (param i32) (result i32)
    (block $out (result i32)
      (loop $again (result i32)
        (drop (br_if $out (local.get 0) (i32.gt_u (local.get 0) (i32.const 50))))
        (local.set 0 (i32.add (local.get 0) (i32.const 7)))
        (br $again))))
  (func (export "calls") (param i32) (result i32) (local i64 f64 v128)
    (local.set 3 (v128.const i32x4 1 2 3 4))
    (loop $again
      (call $pair (local.get 1) (f64.const 2)) (local.set 2) (local.set 1)
      (local.set 0 (call $twice (call_indirect (type $t) (local.get 0) (i32.const 0))))
      (local.set 3 (i32x4.add (local.get 3) (local.get 3)))
      (br_if $again (i32.lt_u (local.get 0) (i32.const 1000))))
    (i32.add (local.get 0) (i32.add (i32.wrap_i64 (local.get 1))
      (i32.add (i32.trunc_f64_s (local.get 2)) (i32x4.extract_lane 1 (local.get 3))))))
  (func (export "bulk") (param i32) (result i32)
    (loop $again
      (memory.fill (i32.const 0) (local.get 0) (i32.const 300))
      (memory.copy (i32.const 400) (i32.const 0) (i32.const 300))
      (memory.init $data (i32.const 10) (i32.const 0) (i32.const 10))
      (table.fill (i32.const 3) (ref.null func) (i32.const 4))
      (table.init $elem (i32.const 4) (i32.const 0) (i32.const 2))
      (table.copy (i32.const 5) (i32.const 4) (i32.const 2))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0)))
    (i32.add (i32.load (i32.const 12)) (i32.load (i32.const 680))))
  (func (export "straight") (param i32) (result i32) (local i32) STRAIGHT (local.get 1))
  (func $large (param i32) (result i32) (local LOCALS)
    (local.set 99 (i64.extend_i32_u (local.get 0))) (i32.wrap_i64 (local.get 99)))
  (func (export "large") (param i32) (result i32)
    (i32.add (call $large (local.get 0)) (call $large (i32.const 5)))))"""
CHECKS = CHECKS.replace("LOCALS", "i64 " * 200)
CHECKS = CHECKS.replace("STRAIGHT", "(local.set 1 (i32.add (local.get 1) (local.get 0)))\n" * 400)


@pytest.fixture
def every_check():
    """Make slices one check long, so the checkpoint is visited at each check."""
    lib.wpy_debug_set_slice(1)
    yield
    lib.wpy_debug_set_slice(0)


def stopped(execution):
    """Go on to the end; return the result and the number of stops."""
    stops = 0
    try:
        while True:
            next(execution)
            stops += 1
    except StopIteration as end:
        return end.value, stops


@pytest.mark.parametrize(
    "name", ["branches", "with_values", "calls", "tail", "bulk", "straight", "large"]
)
@pytest.mark.parametrize("timeout", [None, 1000])
def test_code_goes_on_at_each_kind_of_check(every_check, name, timeout):
    module = Module(Store(), CHECKS)

    def instance():
        return Instance(Store(), module, limits=ResourceLimits(fuel=FUEL))

    plain, sliced = instance(), instance()
    expected = plain.exports[name](20)
    result, stops = stopped(sliced.exports[name].execution(20, slice=0, timeout=timeout))
    assert result == expected
    assert sliced.fuel == plain.fuel
    used = FUEL - plain.fuel
    assert stops > used // {"bulk": 80, "large": 8}.get(name, 3) // 2


def test_code_goes_on_behind_an_import():
    inst = wamr.load(
        """(module (import "" "ask" (func $ask (param i32) (result i32)))
          (func (export "f") (param i32) (result i32) (local i64 v128 f64)
            (local.set 1 (i64.const -5)) (local.set 2 (v128.const i32x4 1 2 3 4))
            (local.set 3 (f64.const 2.5))
            (i32.add (i32.mul (i32.const 7) (call $ask (local.get 0)))
              (i32.add (i32.wrap_i64 (local.get 1))
                (i32.add (i32x4.extract_lane 2 (local.get 2))
                  (i32.trunc_f64_s (f64.mul (f64.const 2) (local.get 3))))))))""",
        {"": {"ask": lambda _: SUSPEND}},
    )
    execution = inst.exports.f.execution(11)
    assert next(execution).args == (11,)
    with pytest.raises(StopIteration) as end:
        execution.send(6)
    assert end.value.value == 42 - 5 + 3 + 5


@pytest.mark.parametrize("size", range(6))
def test_code_goes_on_where_the_stack_is_full(every_check, size):
    """Behind the deepest frame there is no room for another one."""
    module = Module(
        Store(),
        f"""(module (global (export "depth") (mut i32) (i32.const 0))
          (func $f (export "f") (local {"i32 " * size})
            (global.set 0 (i32.add (global.get 0) (i32.const 1))) (br 0 (call $f))))""",
    )

    def depth(run):
        inst = Instance(Store(), module, limits=ResourceLimits(stack_bytes=4096))
        with pytest.raises(wamr.StackOverflowTrap):
            run(inst.exports.f)
        return inst.exports.depth.value

    assert depth(lambda f: f()) == depth(lambda f: stopped(f.execution(slice=0)))


def test_code_goes_on_where_an_exception_was_caught(every_check):
    module = Module(
        Store(),
        """(module (tag $tag (param i32))
          (func $throw (param i32)
            (if (local.get 0) (then (call $throw (i32.sub (local.get 0) (i32.const 1))))
              (else (throw $tag (i32.const 3)))))
          (func (export "f") (param i32) (result i32) (local i32)
            (loop $again
              (block $caught (result i32)
                (try_table (catch $tag $caught) (call $throw (i32.const 40)))
                (i32.const 0))
              (local.set 1 (i32.add (local.get 1)))
              (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))""",
    )

    def instance():
        return Instance(Store(), module, limits=ResourceLimits(fuel=FUEL))

    plain, sliced = instance(), instance()
    assert plain.exports.f(10) == 30
    result, stops = stopped(sliced.exports.f.execution(10, slice=0))
    assert result == 30
    assert sliced.fuel == plain.fuel
    assert stops > 400


def test_fuel_ends_at_the_same_place(every_check):
    module = Module(Store(), CHECKS)
    for fuel in range(1, 60):

        def instance(fuel=fuel):
            return Instance(Store(), module, limits=ResourceLimits(fuel=fuel))

        for name in ("branches", "calls", "large"):
            outcomes = []
            for run in (
                lambda inst, name=name: inst.exports[name](3),
                lambda inst, name=name: stopped(inst.exports[name].execution(3, slice=0))[0],
            ):
                inst = instance()
                try:
                    outcomes.append((run(inst), inst.fuel))
                except wamr.FuelTrap as trap:
                    frame = trap.frames[0]
                    outcomes.append((frame.func_index, frame.func_offset, inst.fuel))
            assert outcomes[0] == outcomes[1], (name, fuel)


def test_frames_with_references_are_not_copied():
    inst = wamr.load(
        '(module (import "e" "ask" (func $ask)) (table 1 externref)'
        ' (func (export "f") (table.get 0 (i32.const 0)) (call $ask) (drop)))',
        {"e": {"ask": lambda: SUSPEND}},
    )
    execution = inst.exports.f.execution()
    next(execution)
    with pytest.raises(wamr.SnapshotError) as caught:
        wamr.Snapshot(inst, execution)
    assert caught.value.reason == "references"
