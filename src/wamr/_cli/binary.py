"""Reading the binary format: numbers, texts and types, from bytes that may be anything.

Spec: section 5.1 to 5.3. Whatever does not fit is `Malformed`, with its offset in the module. Types
that WAMR does not know are read, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

VALTYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
HEAPTYPES = {
    0x74: "noexn",
    0x73: "nofunc",
    0x72: "noextern",
    0x71: "none",
    0x70: "func",
    0x6F: "extern",
    0x6E: "any",
    0x6D: "eq",
    0x6C: "i31",
    0x6B: "struct",
    0x6A: "array",
    0x69: "exn",
}


class Malformed(Exception):
    """The bytes are no module, from `offset` on."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"{what} at offset 0x{offset:x}")


class Reader:
    """A place in the module's bytes, and what comes there. It adds to `features` what types use."""

    __slots__ = ("at", "data", "end", "features")

    def __init__(self, data: bytes, at: int, end: int, features: set[str]) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.features = features

    def skip(self, count: int) -> bytes:
        begin = self.at
        if count > self.end - begin:
            raise Malformed(begin, f"{count} bytes are needed, {self.end - begin} are left,")
        self.at += count
        return self.data[begin : self.at]

    def byte(self) -> int:
        return self.skip(1)[0]

    def number(self) -> int:
        """Return an unsigned LEB128 number."""
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

    def text(self) -> str:
        return self.skip(self.number()).decode("utf-8", "backslashreplace")

    def vector(self, item: Callable[[], T]) -> list[T]:
        begin, count = self.at, self.number()
        if count > self.end - self.at:  # each takes at least a byte
            raise Malformed(begin, f"{count} items are too many")
        return [item() for _ in range(count)]

    # ---- types
    def valtype(self) -> str:
        begin, code = self.at, self.byte()
        if code in VALTYPES:
            if code == 0x7B:
                self.features.add("simd")
            return VALTYPES[code]
        if code in (0x63, 0x64):
            self.features.add("function-references")
            return f"(ref {'null ' if code == 0x63 else ''}{self.heaptype()})"
        if code not in HEAPTYPES:
            raise Malformed(begin, f"0x{code:02x} is no type of a value")
        self._uses_heaptype(code)
        return f"{HEAPTYPES[code]}ref"

    def heaptype(self) -> str:
        number = self.signed()
        if number >= 0:
            return str(number)
        code = number & 0x7F
        self._uses_heaptype(code)
        return HEAPTYPES.get(code, f"0x{code:02x}")

    def _uses_heaptype(self, code: int) -> None:
        if code == 0x6F:
            self.features.add("reference-types")
        elif code in (0x69, 0x74):
            self.features.add("exceptions")
        elif code != 0x70:
            self.features.add("gc")

    def functype(self) -> str:
        params, results = self.vector(self.valtype), self.vector(self.valtype)
        if len(results) > 1:
            self.features.add("multi-value")
        given = results[0] if len(results) == 1 else f"({', '.join(results)})"
        return f"({', '.join(params)}) -> {given}"

    def limits(self, unit: str) -> str:
        flags = self.byte()
        least = self.number()
        most = self.number() if flags & 1 else None
        if flags & 2:
            self.features.add("threads")
        if flags & 4:
            self.features.add("memory64")
        if flags & 8:
            self.features.add("custom-page-sizes")
            self.number()
        number = f"at least {least}" if most is None else f"{least} to {most}"
        if least == most:
            number = f"exactly {least}"
        plural = "" if (least if most is None else most) == 1 else "s"
        extra = (", shared" if flags & 2 else "") + (", 64 bits" if flags & 4 else "")
        return f"{number} {unit}{plural}{extra}"

    def tabletype(self) -> str:
        kind = self.valtype()
        return self.limits(kind)

    def globaltype(self) -> str:
        kind, mutable = self.valtype(), self.byte()
        return f"{'mutable' if mutable & 1 else 'constant'} {kind}"
