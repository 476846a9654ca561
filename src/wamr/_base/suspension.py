"""SUSPEND: what a host function returns to suspend the call that it is in."""

from __future__ import annotations


class _Suspend:
    """The type of SUSPEND."""

    __slots__ = ()
    __module__ = "wamr"

    def __repr__(self) -> str:
        return "wamr.SUSPEND"

    def __reduce__(self) -> str:
        return "SUSPEND"  # the name in `wamr`: pickling and copying give the same object


SUSPEND: object = _Suspend()
