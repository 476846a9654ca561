"""Snapshots as objects: sizes, closing, arguments, the hook for new instances."""

from __future__ import annotations

import copy
import functools
import gc
import pickle

import pytest
from snapshots import ASKS, copy_of, state_instance

import wamr
from wamr import (
    Instance,
    Module,
    Snapshot,
    SnapshotError,
    Store,
)

pytestmark = pytest.mark.usefixtures("wat")


def test_sizes_are_those_of_the_memory_and_of_what_is_not_zero():
    instance = wamr.load('(module (memory (export "m") 16))')
    snapshot = instance.snapshot()
    assert snapshot.memory_bytes == 16 * 65536
    before = snapshot.image_bytes
    assert before < 4096
    instance.exports.m[9] = 1
    instance.exports.m[8 * 4096] = 1
    assert instance.snapshot().image_bytes == before + 2 * 4096
    assert wamr.load("(module)").snapshot().memory_bytes == 0


def test_alive_counts_the_instances_that_are_open():
    snapshot = state_instance().snapshot()
    one, two = copy_of(snapshot), copy_of(snapshot)
    assert snapshot.alive == 2
    one.close()
    assert snapshot.alive == 1
    del two
    gc.collect()
    assert snapshot.alive == 0


def test_close_ends_a_snapshot_and_no_instance():
    instance = state_instance()
    snapshot = instance.snapshot()
    made = copy_of(snapshot)
    with snapshot:
        pass
    snapshot.close()
    with pytest.raises(SnapshotError, match="closed") as caught:
        copy_of(snapshot)
    assert caught.value.reason == "closed"
    assert made.exports.one() == 11
    assert snapshot.alive == 1
    made.close()
    assert snapshot.alive == 0
    assert repr(snapshot) == "<wamr.Snapshot, closed>"
    assert snapshot.memory_bytes == 65536


def test_a_snapshot_says_what_it_is_and_is_not_copied():
    snapshot = wamr.load("(module $name (memory 1))").snapshot()
    assert repr(snapshot).startswith("<wamr.Snapshot of 'name', ")
    assert snapshot.module.name == "name"
    for attempt in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match=r"Snapshot\.save"):
            attempt(snapshot)
    with pytest.raises((RuntimeError, TypeError), match="already"):
        snapshot.__init__(state_instance())


@pytest.mark.parametrize("instance", [None, 1, "x", object()])
def test_only_instances_have_snapshots(instance):
    with pytest.raises(TypeError, match="instance must be an Instance"):
        Snapshot(instance)


@pytest.mark.parametrize("execution", [1, "x", iter(())])
def test_only_executions_belong_to_a_snapshot(execution):
    with pytest.raises(TypeError, match="execution must be an Execution or None"):
        Snapshot(state_instance(), execution)


def test_arguments_of_instantiate_are_checked():
    snapshot = state_instance().snapshot()
    with pytest.raises(TypeError, match="store must be a Store"):
        snapshot.instantiate(1)
    with pytest.raises(ValueError, match="another engine"):
        snapshot.instantiate(Store(wamr.Engine(wamr.Config(stack_bytes=8192))), ASKS)
    with pytest.raises(TypeError, match="imports must be a mapping"):
        snapshot.instantiate(imports=1)
    with pytest.raises(TypeError, match="wasi must be a WasiConfig"):
        snapshot.instantiate(imports=ASKS, wasi=1)
    with pytest.raises(TypeError, match="limits must be ResourceLimits"):
        snapshot.instantiate(imports=ASKS, limits=1)
    store = Store(snapshot.module._engine)
    store.close()
    with pytest.raises(wamr.ClosedError):
        snapshot.instantiate(store, ASKS)
    with pytest.raises(TypeError, match="on_restore must be"):
        state_instance().snapshot(on_restore=5)


# ------------------------------------------------------------------ on_restore
RANDOM = """(module (import "env" "random" (func $random (result i32)))
  (global $seed (export "seed") (mut i32) (i32.const 1))
  (func (export "reseed") (global.set $seed (call $random)))
  (func (export "takes") (param i32)) (memory (export "m") 1))"""


def random_instance():
    store = Store()
    numbers = iter(range(100, 200))
    imports = {"env": {"random": lambda: next(numbers)}}
    return Instance(store, Module(store, RANDOM), imports), imports


def test_random_state_is_the_same_in_all_copies_unless_a_hook_changes_it():
    instance, imports = random_instance()
    plain = instance.snapshot()
    assert {plain.instantiate(imports=imports)[0].exports.seed.value for _ in range(3)} == {1}
    for hook in ("reseed", lambda made: made.exports.reseed()):
        snapshot = instance.snapshot(on_restore=hook)
        made = [snapshot.instantiate(imports=imports)[0].exports.seed.value for _ in range(3)]
        assert len(set(made)) == 3
    assert instance.exports.seed.value == 1


def test_a_hook_is_called_by_reset_too():
    instance, _ = random_instance()
    _snapshot = Snapshot(instance, on_restore="reseed")
    instance.reset()
    first = instance.exports.seed.value
    instance.reset()
    assert instance.exports.seed.value == first + 1


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        (lambda _: 1 // 0, ZeroDivisionError),
        (lambda made: unrun(made), TypeError),  # returns a coroutine, which nobody awaits
        (lambda made: (yield_ for yield_ in (made,)), TypeError),
    ],
)
def test_an_instance_whose_hook_fails_is_closed(hook, error):
    instance, imports = random_instance()
    snapshot = instance.snapshot(on_restore=hook)
    with pytest.raises(error):
        snapshot.instantiate(imports=imports)
    assert snapshot.alive == 0


@pytest.mark.parametrize("name", ["takes", "absent", "m", "seed", ""])
def test_a_hook_that_is_no_function_without_parameters(name, tmp_path):
    instance, _ = random_instance()
    with pytest.raises(ValueError, match=f"exports no function '{name}' without parameters"):
        instance.snapshot(on_restore=name)
    instance.snapshot().save(tmp_path / "file")
    with pytest.raises(ValueError, match=f"exports no function '{name}' without parameters"):
        Snapshot.load(tmp_path / "file", instance.module, on_restore=name)


async def unrun(made):
    made.exports.reseed()


def generator(made):
    yield made.exports.reseed()


@pytest.mark.parametrize("hook", [unrun, functools.partial(unrun), generator])
def test_a_hook_that_nobody_would_run(hook, tmp_path):
    instance, _ = random_instance()
    with pytest.raises(TypeError, match=r"^on_restore is a"):
        instance.snapshot(on_restore=hook)
    instance.snapshot().save(tmp_path / "file")
    with pytest.raises(TypeError, match=r"^on_restore is a"):
        Snapshot.load(tmp_path / "file", instance.module, on_restore=hook)


def test_reset_of_a_closed_instance_says_so():
    instance, _ = random_instance()
    instance.snapshot().close()
    instance.close()
    with pytest.raises(wamr.SnapshotError, match=r"^the instance is closed"):
        instance.reset()
