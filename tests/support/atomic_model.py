"""A model of the atomic instructions on a memory that isn't shared.

ACCESSES has the instructions from opcode 0xFE 0x10 on: for each operation, the seven widths in
turn. `of(name)` returns one of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

_WIDTHS = [("i32", 32), ("i64", 64), ("i32", 8), ("i32", 16), ("i64", 8), ("i64", 16), ("i64", 32)]
_OPERATIONS = ("load", "store", "add", "sub", "and", "or", "xor", "xchg", "cmpxchg")
_WRITES: dict[str, Callable[[int, int], int]] = {
    "store": lambda old, operand: operand,
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "xchg": lambda old, operand: operand,
}
FIRST = 0x10
# name -> parameters after the address, and the size in bytes
WAITS = {
    "memory.atomic.notify": (("i32",), 4),
    "memory.atomic.wait32": (("i32", "i64"), 4),
    "memory.atomic.wait64": (("i64", "i64"), 8),
}


@dataclass(frozen=True)
class Access:
    """An atomic instruction that reads or writes memory."""

    name: str
    operation: str
    type: str
    size: int  # bytes

    @property
    def params(self) -> tuple[str, ...]:
        """Return the types of the operands after the address."""
        return (self.type,) * {"load": 0, "cmpxchg": 2}.get(self.operation, 1)

    @property
    def result(self) -> str:
        return "" if self.operation == "store" else self.type

    @property
    def edges(self) -> list[int]:
        """Return values of the operands' type that differ in and above the accessed bytes."""
        whole, part = 64 if self.type == "i64" else 32, 8 * self.size
        near = [0, 1, 2, 0x55, (1 << part - 1) - 1, 1 << part - 1, (1 << part) - 2, (1 << part) - 1]
        above = [1 << part, (1 << part) + 1, 3 << part | 0x55] if part < whole else []
        return near + above + [(1 << whole) - 1, 1 << whole - 1, 0x123456789ABCDEF0 % (1 << whole)]

    def run(self, old: int, *operands: int) -> tuple[int | None, int]:
        """Return the result, and the value that is in memory then."""
        limit = 1 << 8 * self.size
        if self.operation == "load":
            return old, old
        if self.operation == "cmpxchg":
            expected, replacement = operands
            return old, replacement % limit if expected % limit == old else old
        new = _WRITES[self.operation](old, *operands) % limit
        return (None if self.operation == "store" else old), new


def _access(operation: str, type_: str, width: int) -> Access:
    narrow = str(width) if int(type_[1:]) != width else ""
    unsigned = "_u" if narrow and operation != "store" else ""
    if operation in ("load", "store"):
        name = f"{type_}.atomic.{operation}{narrow}{unsigned}"
    else:
        name = f"{type_}.atomic.rmw{narrow}.{operation}{unsigned}"
    return Access(name, operation, type_, width // 8)


_ALL = [_access(operation, *width) for operation in _OPERATIONS for width in _WIDTHS]
ACCESSES = [access.name for access in _ALL]


def of(name: str) -> Access:
    """Return an instruction by its name."""
    return _ALL[ACCESSES.index(name)]
