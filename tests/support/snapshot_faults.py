"""Scenarios of fault_injection.py with snapshots. Each takes a World, which has a `copying`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snapshots import ASKS, STATE

from wamr import Instance, Module, Snapshot, Store, WasiConfig


class Copying:
    """Snapshots of an instance at rest, and in the middle of a call."""

    def __init__(self) -> None:
        self.store = Store()
        self.module = Module(self.store, STATE)
        instance = self.instance = Instance(self.store, self.module, ASKS)
        self.resting = Snapshot(instance)
        self.execution = instance.exports.deep.execution(3)
        next(self.execution)
        self.suspended = Snapshot(instance, self.execution)
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "snapshot")
        self.suspended.save(self.path)


def take_snapshots(world: Any) -> None:
    copying = world.copying
    Snapshot(copying.instance, copying.execution).close()
    made, _ = copying.resting.instantiate(copying.store, ASKS)
    made.snapshot()


def copy_instances(world: Any) -> None:
    copying = world.copying
    made, execution = copying.resting.instantiate(copying.store, ASKS)
    assert execution is None
    assert made.exports.sizes() == (1, 4, 3)
    assert made.exports.call_hidden(1) == 22
    made.close()


def copy_suspended_calls(world: Any) -> None:
    copying = world.copying
    made, execution = copying.suspended.instantiate(imports=ASKS)
    try:
        execution.send(5)
    except StopIteration as end:
        assert end.value == 12  # noqa: PT017 - no raise is an error, too, but not of memory
    made.close()


def copy_programs(world: Any) -> None:
    copying = world.copying
    made, _ = copying.resting.instantiate(copying.store, ASKS, wasi=WasiConfig(args=["a"]))
    made.close()


def reset_instances(world: Any) -> None:
    copying = world.copying
    made, _ = copying.resting.instantiate(copying.store, ASKS)
    made.exports.change(3)
    made.reset()
    assert made.exports.sizes() == (1, 4, 3)
    made.close()


def load_snapshots(world: Any) -> None:
    copying = world.copying
    loaded = Snapshot.load(copying.path, copying.module, trusted=True)
    loaded.instantiate(imports=ASKS)
    loaded.close()


SCENARIOS = [
    take_snapshots,
    copy_instances,
    copy_suspended_calls,
    copy_programs,
    reset_instances,
    load_snapshots,
]
