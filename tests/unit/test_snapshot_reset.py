"""Instance.reset: back to the snapshot, in place."""

from __future__ import annotations

import gc

import pytest
from snapshots import ASKS, copy_of, reason_of, seen, state_instance

import wamr
from wamr import Instance, Module, ResourceLimits, Snapshot, Store

pytestmark = pytest.mark.usefixtures("wat")


@pytest.mark.parametrize("of_a_copy", [False, True])
def test_an_instance_is_again_as_it_was_at_the_snapshot(of_a_copy):
    instance = state_instance()
    instance.exports.change(2)
    if of_a_copy:
        instance = copy_of(instance.snapshot())
    else:
        snapshot = instance.snapshot()
        del snapshot
    twin = state_instance()
    twin.exports.change(2)
    expected = seen(twin)
    for number in range(4):
        instance.exports.change(90 + number)
        instance.exports.change(95)
        assert instance.reset() is None
        gc.collect()
        assert seen(instance) == expected


def test_what_was_taken_of_the_instance_stays_valid():
    instance = state_instance()
    instance.snapshot()
    e = instance.exports
    memory, table, count, one = e.memory, e.shown, e.count, e.one
    e.change(5)
    memory.write(0, b"secret")
    instance.reset()
    assert (memory.read(0, 6), memory.pages, len(table), count.value, one()) == (
        bytes(6),
        1,
        4,
        1,
        11,
    )
    assert table[1]() == 22
    memory.grow(1)
    assert memory.read(65536, 65536) == bytes(65536)


def test_the_last_snapshot_is_the_one_that_counts():
    instance = state_instance()
    first = instance.snapshot()
    instance.exports.count.value = 5
    instance.snapshot()
    instance.exports.count.value = 6
    instance.reset()
    assert instance.exports.count.value == 5
    assert copy_of(first).exports.count.value == 1


def test_a_view_of_the_memory_refuses_a_reset():
    instance = state_instance()
    instance.snapshot()
    instance.exports.change(3)
    view = instance.exports.memory.view(0, 8)
    with pytest.raises(BufferError, match="view"):
        instance.reset()
    assert instance.exports.count.value == 3
    assert instance.exports.memory.pages == 2
    view.release()
    del view
    gc.collect()
    instance.reset()
    assert instance.exports.count.value == 1


def test_without_a_snapshot_there_is_nothing_to_go_back_to():
    assert reason_of(state_instance().reset) == (
        "no-snapshot",
        "no snapshot of this instance was taken",
    )
    instance = state_instance()
    instance.snapshot().close()
    assert reason_of(instance.reset)[0] == "closed"
    instance = state_instance()
    instance.snapshot()
    instance.close()
    assert reason_of(instance.reset)[0] == "closed"


def test_code_that_runs_or_is_suspended_refuses_a_reset():
    found = []
    store = Store()
    text = '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))'
    imports = {"e": {"f": lambda: found.append(reason_of(instance.reset))}}
    instance = Instance(store, Module(store, text), imports)
    instance.snapshot()
    instance.exports.g()
    assert found == [("busy", "code of the instance runs")]
    instance = state_instance()
    instance.snapshot()
    execution = instance.exports.deep.execution(1)
    next(execution)
    reason, text = reason_of(instance.reset)  # which takes no execution
    assert (reason, text.startswith("a call is suspended in the instance; end it")) == (
        "busy",
        True,
    )
    execution.close()
    execution = instance.exports.spin.execution(10**6, slice=0)
    next(execution)
    assert reason_of(instance.reset)[0] == "busy"
    execution.close()
    instance.reset()


def test_an_instance_that_others_import_from_is_not_reset():
    store = Store()
    instance = state_instance(store)
    instance.snapshot()
    text = '(module (import "i" "memory" (memory 1)))'
    other = Instance(store, Module(store, text), {"i": instance})
    assert reason_of(instance.reset)[0] == "linked"
    other.close()
    instance.reset()


def test_references_that_came_in_meanwhile_are_gone():
    store = Store()
    instance = Instance(store, Module(store, '(module (table (export "t") 1 externref))'))
    instance.snapshot()
    instance.exports.t[0] = "object"
    instance.reset()
    assert instance.exports.t[0] is None


@pytest.mark.parametrize("slice_", [False, True])
def test_a_suspended_call_of_the_snapshot_comes_back(slice_):
    instance = state_instance()
    e = instance.exports
    first = e.spin.execution(300_000, slice=0) if slice_ else e.deep.execution(4)
    next(first)
    Snapshot(instance, first)
    for answer in (None, None):
        if slice_:
            first.close()
        else:
            with pytest.raises(StopIteration):
                first.send(7)
        first = instance.reset()
        assert first.state == "suspended"
        assert answer is None
    result = None
    while result is None:
        try:
            first.send(None if slice_ else 7)
        except StopIteration as end:
            result = end.value
    assert result == (900_000 if slice_ else 22)


def test_what_was_grown_is_given_back_to_the_limits():
    store = Store(limits=ResourceLimits(memory_bytes=2 * 65536, table_elements=11))
    instance = state_instance(store)
    instance.snapshot()
    for _ in range(3):
        instance.exports.change(1)
        assert instance.exports.sizes() == (2, 6, 5)
        with pytest.raises(wamr.MemoryLimitError):
            instance.exports.memory.grow(1)
        instance.reset()
    made = copy_of(state_instance().snapshot(), limits=ResourceLimits(memory_bytes=2 * 65536))
    for _ in range(3):
        made.exports.change(1)
        assert made.exports.sizes()[0] == 2
        made.reset()
    assert made.snapshot().instantiate(imports=ASKS)[1] is None
