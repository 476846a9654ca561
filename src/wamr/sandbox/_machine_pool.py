"""The machines of a sandbox that nobody uses: each is reset after its lease, for the next one.

To reset a machine takes a third of the time that making and closing one takes.
"""

from __future__ import annotations

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

    def take(self, limits: RunLimits, files: Mapping[str, bytes]) -> Machine:
        """Return a machine in the state of the snapshot. Raises OSError, ValueError."""
        while True:
            try:
                machine = self._kept.pop()
            except IndexError:
                machine = Machine(self._snapshot, limits, files)
                machine.resettable = True
                return machine
            if machine.reuse(limits, files):
                return machine
            machine.close()

    def give_back(self, machine: Machine) -> None:
        """Take back a machine that `take` has returned, or close it."""
        if len(self._kept) < _MOST_KEPT and machine.reset():
            self._kept.append(machine)
        else:
            machine.close()
