"""`RunLimits`: what a run in a sandbox may use."""

from __future__ import annotations

from dataclasses import dataclass

from .._base.arguments import shown_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    LimitName: TypeAlias = Literal[
        "time", "memory", "output", "tool_calls", "fuel", "stack", "files"
    ]

_MAX = 1 << 40
_RANGES = {  # minimum, maximum, and whether None (no limit) is allowed
    "memory": (1 << 20, 1 << 32, True),
    "fuel": (0, (1 << 62) - 1, True),
    "output": (0, _MAX, False),
    "tool_calls": (0, _MAX, False),
    "stack": (1 << 16, 1 << 30, False),
    "tool_bytes": (256, 1 << 30, False),
    "file_bytes": (0, _MAX, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a run may use. Each run of a session has all of it again, except memory.

    time: seconds that the code may run or sleep, not counting the time of tools; None: no limit.
    memory: bytes of the interpreter's memory, 1 MiB to 4 GiB, interpreter included; None: 4 GiB.
    fuel: branches and calls of WebAssembly code, which are the same on every machine; None: no
    limit. output: bytes of stdout and stderr together; the value of the last expression, and the
    description of an exception, may have as many again. tool_calls: calls of tools. stack: bytes of
    the WebAssembly stack, 64 KiB to 1 GiB.
    tool_bytes: bytes of the arguments of a tool call as JSON, and of its answer; more is a
    ValueError in the code. file_bytes: bytes of all files together, which are counted
    50 times in a second; there may be 10,000 files and folders, and 64 folders in one another.
    Raises TypeError, ValueError.

    >>> from wamr.sandbox import RunLimits
    >>> RunLimits(time=2, output=10_000).time
    2
    """

    time: float | None = 10.0
    memory: int | None = 256 << 20
    fuel: int | None = None
    output: int = 1 << 20
    tool_calls: int = 1000
    stack: int = 16 << 20
    tool_bytes: int = 1 << 20
    file_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        time = self.time
        if time is not None:
            if isinstance(time, bool) or not isinstance(time, (int, float)):
                raise TypeError(f"time must be a number or None, not {type(time).__name__}")
            if not 0 < time <= 1e9:
                shown = shown_number(time)
                raise ValueError(f"time must be greater than 0 and at most 1e9, not {shown}")
        for name, (least, greatest, optional) in _RANGES.items():
            value = getattr(self, name)
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                ending = " or None" if optional else ""
                raise TypeError(f"{name} must be an int{ending}, not {type(value).__name__}")
            if not least <= value <= greatest:
                shown = shown_number(value)
                raise ValueError(f"{name} must be {least} to {greatest}, not {shown}")


def checked_limits(limits: object, default: RunLimits) -> RunLimits:
    """Return `limits`, or the default for None. Raises TypeError."""
    if limits is None:
        return default
    if not isinstance(limits, RunLimits):
        raise TypeError(
            f"limits must be a wamr.sandbox.RunLimits or None, not {type(limits).__name__}"
        )
    return limits
