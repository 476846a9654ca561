"""Snapshots in the middle of a call: the call goes on in each instance."""

from __future__ import annotations

import pytest
from snapshots import ASKS, copy_of, state_instance

import wamr
from wamr import (
    ResourceLimits,
    Snapshot,
)

pytestmark = pytest.mark.usefixtures("wat")


def finish(execution, *answers):
    try:
        for answer in answers:
            execution.send(answer)
        while True:
            next(execution)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("depth", [0, 1, 20])
def test_a_suspended_call_goes_on_in_each_copy(depth):
    instance = state_instance()
    execution = instance.exports.deep.execution(depth)
    next(execution)
    snapshot = Snapshot(instance, execution)
    for answer in (5, -5, 10**6):
        made, copied = snapshot.instantiate(imports=ASKS)
        assert copied.state == "suspended"
        assert copied.func == made.exports.deep
        assert copied._event.args == (2**depth,)
        assert finish(copied, answer) == 2**depth - 1 + answer
        assert copied.state == "done"
    assert finish(execution, 1) == 2**depth


def test_a_copied_call_goes_on_when_the_first_one_has_ended():
    instance = state_instance()
    execution = instance.exports.deep.execution(3)
    next(execution)
    snapshot = Snapshot(instance, execution)
    execution.close()
    instance.close()
    copies = [snapshot.instantiate(imports=ASKS) for _ in range(3)]
    assert [finish(copied, n) for n, (_, copied) in enumerate(copies)] == [7, 8, 9]


def test_a_copied_call_can_be_closed_thrown_into_and_dropped():
    instance = state_instance()
    execution = instance.exports.deep.execution(3)
    next(execution)
    snapshot = Snapshot(instance, execution)
    made, copied = snapshot.instantiate(imports=ASKS)
    copied.close()
    assert made.exports.one() == 11
    made, copied = snapshot.instantiate(imports=ASKS)
    with pytest.raises(KeyError, match="mine"):
        copied.throw(KeyError("mine"))
    made, copied = snapshot.instantiate(imports=ASKS)
    del copied
    assert finish(made.exports.deep.execution(0), None, 4) == 4


def test_other_calls_run_above_a_copied_call():
    instance = state_instance()
    execution = instance.exports.deep.execution(3)
    next(execution)
    made, copied = Snapshot(instance, execution).instantiate(imports=ASKS)
    made.exports.change(4)
    above = made.exports.deep.execution(1)
    next(above)
    with pytest.raises(RuntimeError, match="was suspended later"):
        copied.send(1)
    assert finish(above, 9) == 10
    assert finish(copied, 1) == 8


def test_a_call_stopped_at_the_end_of_a_slice_goes_on_in_each_copy():
    instance = state_instance()
    execution = instance.exports.spin.execution(500_000, slice=0)
    for _ in range(3):
        assert next(execution).kind == "slice"
    snapshot = Snapshot(instance, execution)
    for _ in range(3):
        made, copied = snapshot.instantiate(imports=ASKS)
        with pytest.raises(RuntimeError, match="in the middle of its instance's code"):
            made.exports.one()
        assert next(copied).kind == "slice"
        assert finish(copied) == 1_500_000
        assert made.exports.one() == 11
    assert finish(execution) == 1_500_000


def test_a_copied_call_has_what_is_left_of_the_fuel_of_its_call():
    instance = state_instance()
    execution = instance.exports.deep.execution(3, fuel=11)
    next(execution)
    _made, copied = Snapshot(instance, execution).instantiate(imports=ASKS)
    assert finish(copied, 1) == 8
    execution.close()
    execution = instance.exports.deep.execution(3, fuel=10)
    next(execution)
    _made, copied = Snapshot(instance, execution).instantiate(imports=ASKS)
    with pytest.raises(wamr.FuelTrap):
        finish(copied, 1)
    execution.close()
    execution = instance.exports.spin.execution(10**9, slice=0, fuel=200_000)
    snapshot = None
    with pytest.raises(wamr.FuelTrap):
        while True:
            next(execution)
            snapshot = snapshot or Snapshot(instance, execution)
    assert snapshot is not None
    _made, copied = snapshot.instantiate(imports=ASKS)
    with pytest.raises(wamr.FuelTrap):
        finish(copied)


def test_a_copy_has_its_own_fuel_and_timeout():
    snapshot = state_instance().snapshot()
    made = copy_of(snapshot, limits=ResourceLimits(fuel=1000, timeout=60))
    assert made.fuel == 1000
    with pytest.raises(wamr.FuelTrap):
        made.exports.spin(10**6)
    assert copy_of(snapshot).fuel is None
