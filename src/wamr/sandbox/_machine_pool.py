"""The idle machines of a sandbox: each was reset after its lease, and waits for the next one.

To reset a machine takes a third of the time that making and closing one takes.
"""

from __future__ import annotations

from weakref import WeakSet

from .._base.locks import locked, new_lock
from ._machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .. import Snapshot
    from ._limits import RunLimits

_MOST_KEPT = 16  # as many as there are memories that a Snapshot keeps


class MachinePool:
    """Machines of one snapshot, for any threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._kept: list[Machine] = []
        locked(_lock, _pools.add, self)

    def take(self, limits: RunLimits, files: Mapping[str, bytes]) -> Machine:
        """Return a machine in the state of the snapshot. Raises OSError, ValueError."""
        while (machine := self._pop()) is not None:
            if machine.reuse(limits, files):
                return machine
            machine.close()
        return self._made(limits, files)

    def _pop(self) -> Machine | None:
        try:
            return self._kept.pop()
        except IndexError:  # there is none, or another thread has taken it
            return None

    def _made(self, limits: RunLimits, files: Mapping[str, bytes]) -> Machine:
        try:
            machine = Machine(self._snapshot, limits, files)
        except (OSError, MemoryError):  # no more descriptors or memory, which others may keep
            if not close_unused():
                raise
            machine = Machine(self._snapshot, limits, files)
        machine.resettable = True
        return machine

    def give_back(self, machine: Machine) -> None:
        """Take back a machine that `take` has returned, or close it."""
        kept = False
        try:
            if len(self._kept) < _MOST_KEPT and machine.reset():
                self._kept.append(machine)
                kept = True
        finally:
            if not kept:
                machine.close()

    def close_unused(self) -> int:
        """Close the machines that are kept; return how many they were."""
        count = 0
        while (machine := self._pop()) is not None:
            machine.close()
            count += 1
        return count


_lock = new_lock()
_pools: WeakSet[MachinePool] = WeakSet()  # of all sandboxes


def close_unused() -> int:
    """Close the machines that all sandboxes keep; return how many they were."""
    pools: list[MachinePool] = locked(_lock, list, _pools)
    return sum(pool.close_unused() for pool in pools)
