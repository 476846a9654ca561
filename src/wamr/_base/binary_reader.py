"""A cursor over bytes in the WebAssembly binary format. Spec: sections 5.1 and 5.2.

The bytes may be anything: a read past the end, or an overlong number, raises `Malformed`. What the
numbers and texts mean is left to the callers: `Module`, which reads modules that WAMR has accepted,
and `_diagnosis`, which reads the ones that WAMR has rejected.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class Malformed(Exception):
    """The bytes from `offset` on don't follow the format."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem}, at offset 0x{offset:x}")


class BinaryReader:
    """A position in `data`, and reads that advance it. `end` is where reading has to stop."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def skip(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        begin = self.at
        if count > self.end - begin:
            missing = count - (self.end - begin)
            raise Malformed(begin, f"{missing} byte{'' if missing == 1 else 's'} too few")
        self.at += count
        return self.data[begin : self.at]

    def byte(self) -> int:
        """Return the next byte."""
        return self.skip(1)[0]

    def peek(self) -> int:
        """Return the next byte without advancing, or -1 at the end."""
        return self.data[self.at] if self.at < self.end else -1

    def number(self) -> int:
        """Return an unsigned LEB128 number of up to 64 bits."""
        begin, value, shift = self.at, 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise Malformed(begin, "a number is too long")

    def signed(self) -> int:
        """Return a signed LEB128 number of up to 64 bits."""
        begin = self.at
        value = self.number()
        bits = 7 * (self.at - begin)
        return value - (1 << bits) if value >> (bits - 1) else value

    def text(self, errors: str = "backslashreplace") -> str:
        """Return a name: its size in bytes, then UTF-8."""
        return self.skip(self.number()).decode("utf-8", errors)

    def vector(self, item: Callable[[], T]) -> list[T]:
        """Return the items of a vector: their number, then each as `item` reads it."""
        begin, count = self.at, self.number()
        if count > self.end - self.at:  # each takes at least a byte
            raise Malformed(begin, f"{count} items are too many")
        return [item() for _ in range(count)]
