"""Limits: what an instance may use before it is stopped.

Pure values, checked when made. They are carried out in C: at the checkpoint that running code
passes (src/wamr/_native/checkpoint.c) and at the entry of each call.
"""

from __future__ import annotations

from .engine import checked_stack

NO_FUEL_LIMIT = -1
MOST_SECONDS = 1e9


def checked_timeout(timeout: object) -> int:
    """Return a timeout in ns, 0 for None; TypeError, ValueError."""
    if timeout is None:
        return 0
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise TypeError(
            f"timeout must be a number of seconds or None, not {type(timeout).__name__}"
        )
    if not timeout >= 0:  # nor NaN
        raise ValueError(f"timeout must not be negative: {timeout}")
    return max(1, int(min(timeout, MOST_SECONDS) * 1e9))


def checked_fuel(fuel: object) -> int:
    """Return an amount of fuel, -1 for None; TypeError, ValueError."""
    if fuel is None:
        return NO_FUEL_LIMIT
    if not isinstance(fuel, int) or isinstance(fuel, bool):
        raise TypeError(f"fuel must be an int or None, not {type(fuel).__name__}")
    if not 0 <= fuel < 1 << 62:
        raise ValueError(f"fuel must be from 0 to 2**62 - 1, not {fuel}")
    return fuel


class ResourceLimits:
    """What an instance may use.

    timeout: seconds that each call from Python, and the start function, may take; None: no limit.
    stack_bytes: size of the wasm stack; None: the engine's.
    fuel: branches and calls that wasm code may execute over the instance's whole life; the same
    program uses the same fuel on every machine; None: no limit.
    Raises TypeError, ValueError.

    >>> from wamr import ResourceLimits
    >>> ResourceLimits(timeout=0.5, fuel=10_000)
    ResourceLimits(timeout=0.5, fuel=10000)
    """

    __slots__ = ("_timeout_ns", "fuel", "stack_bytes", "timeout")
    timeout: float | None
    stack_bytes: int | None
    fuel: int | None

    def __init__(
        self,
        *,
        timeout: float | None = None,
        stack_bytes: int | None = None,
        fuel: int | None = None,
    ) -> None:
        self._timeout_ns = checked_timeout(timeout)
        checked_fuel(fuel)
        if stack_bytes is not None:
            checked_stack("stack_bytes", stack_bytes)
        self.timeout = timeout
        self.stack_bytes = stack_bytes
        self.fuel = fuel

    def __repr__(self) -> str:
        given = {"timeout": self.timeout, "stack_bytes": self.stack_bytes, "fuel": self.fuel}
        text = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
        return f"ResourceLimits({text})"
