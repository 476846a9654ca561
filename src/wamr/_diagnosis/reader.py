"""Reading the binary format: numbers, texts and types, from bytes that may be anything.

Spec: section 5.1 to 5.3, and those of the proposals. Whatever does not fit is `Malformed`, with its
offset in the module. Types that WAMR does not know are read, too, and noted as what uses a feature.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

VALTYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_PACKED = {0x78: "i8", 0x77: "i16"}
# of references: what stands behind them, and the feature that has it
_HEAPTYPES = {
    0x75: ("nocont", "stack-switching"),
    0x74: ("noexn", "exceptions"),
    0x73: ("nofunc", "gc"),
    0x72: ("noextern", "gc"),
    0x71: ("none", "gc"),
    0x70: ("func", ""),
    0x6F: ("extern", "reference-types"),
    0x6E: ("any", "gc"),
    0x6D: ("eq", "gc"),
    0x6C: ("i31", "gc"),
    0x6B: ("struct", "gc"),
    0x6A: ("array", "gc"),
    0x69: ("exn", "exceptions"),
    0x68: ("cont", "stack-switching"),
}
_SHARED = 0x65
_EXACT = 0x62


class Malformed(Exception):
    """The bytes are no module, from `offset` on."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"{what} at offset 0x{offset:x}")


class Use:
    """Where a module uses a feature first: what, at which byte, in which section and function."""

    __slots__ = ("function", "offset", "section", "what")

    def __init__(self, what: str, offset: int, section: str, function: int | None) -> None:
        self.what = what
        self.offset = offset
        self.section = section  # "locals" is a part of the code section
        self.function = function


class Uses(dict[str, Use]):
    """The features that a module uses, each with its first use; and what may be named by number."""

    def __init__(self) -> None:
        super().__init__()
        self.section = ""  # what is read
        self.function: int | None = None  # whose code is read
        self.types: list[str] = []
        self.memories = 0
        self.tags = 0
        self.most_type = -1  # the greatest that a type names: it may come later

    def note(self, feature: str, what: str, offset: int) -> None:
        """Note a use of `feature`."""
        if feature not in self:
            self[feature] = Use(what, offset, self.section, self.function)


class Reader:
    """A place in the module's bytes, and what comes there. It notes in `uses` what types use."""

    __slots__ = ("at", "data", "end", "uses")

    def __init__(self, data: bytes, at: int, end: int, uses: Uses) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.uses = uses

    def skip(self, count: int) -> bytes:
        begin = self.at
        if count > self.end - begin:
            missing = count - (self.end - begin)
            raise Malformed(begin, f"{missing} byte{'' if missing == 1 else 's'} too few")
        self.at += count
        return self.data[begin : self.at]

    def byte(self) -> int:
        return self.skip(1)[0]

    def peek(self) -> int:
        """Return the byte that comes, -1 at the end."""
        return self.data[self.at] if self.at < self.end else -1

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

    # ---- what is named by its number
    def index(self, count: int, what: str) -> int:
        """Return a number below `count`."""
        begin, number = self.at, self.number()
        if number >= count:
            raise Malformed(begin, f"there is no {what} {number}")
        return number

    def type_index(self, beginning: str) -> None:
        """Read the number of a type that, as text, begins so."""
        begin = self.at
        if not self.uses.types[self.index(len(self.uses.types), "type")].startswith(beginning):
            raise Malformed(begin, "a type of the wrong form")

    # ---- types
    def valtype(self) -> str:
        begin, code = self.at, self.byte()
        if code in VALTYPES:
            if code == 0x7B:
                self.uses.note("simd", "the type v128", begin)
            return VALTYPES[code]
        if code in (0x63, 0x64):
            shown = f"(ref {'null ' if code == 0x63 else ''}{self.heaptype()})"
            self.uses.note("function-references", f"the type {shown}", begin)
            return shown
        if code == _SHARED or code in _HEAPTYPES:
            self.at = begin
            return f"{self.heaptype()}ref"
        raise Malformed(begin, f"0x{code:02x} is no type of a value")

    def heaptype(self) -> str:
        begin = self.at
        if self.peek() == _SHARED:
            self.at += 1
            self.uses.note("shared-everything-threads", "a shared reference type", begin)
            return f"shared {self.heaptype()}"
        if self.peek() == _EXACT:
            self.at += 1
            self.uses.note("custom-descriptors", "an exact reference type", begin)
            return f"exact {self.heaptype()}"
        number = self.signed()
        if number >= 0:
            self.uses.note("function-references", "a reference to a type of its own", begin)
            self.uses.most_type = max(self.uses.most_type, number)
            return str(number)
        code = number & 0x7F
        if number < -64 or code not in _HEAPTYPES:
            raise Malformed(begin, "an unknown reference type")
        name, feature = _HEAPTYPES[code]
        if feature:
            self.uses.note(feature, f"the type {name}ref", begin)
        return name

    def functype(self) -> str:
        begin = self.at
        params, results = self.vector(self.valtype), self.vector(self.valtype)
        if len(results) > 1:
            self.uses.note("multi-value", "a function with several results", begin)
        given = results[0] if len(results) == 1 else f"({', '.join(results)})"
        return f"({', '.join(params)}) -> {given}"

    def fieldtype(self) -> None:
        """Read the type of a struct's field or an array's element."""
        if self.peek() in _PACKED:
            self.at += 1
        else:
            self.valtype()
        self.flag("mutability")

    def flag(self, what: str) -> bool:
        """Return a byte that is 0 or 1."""
        begin, value = self.at, self.byte()
        if value > 1:
            raise Malformed(begin, f"0x{value:02x} is no {what}")
        return value == 1

    def limits(self, unit: str) -> str:
        begin, flags = self.at, self.byte()
        if flags > (15 if unit == "page" else 7):  # tables have no pages
            raise Malformed(begin, f"0x{flags:02x} are no limits' flags")
        least = self.number()
        most = self.number() if flags & 1 else None
        of = "memory" if unit == "page" else "table"
        if flags & 2:
            feature = "threads" if unit == "page" else "shared-everything-threads"
            self.uses.note(feature, f"a shared {of}", begin)
        if flags & 4:
            self.uses.note("memory64", f"a {of} with 64-bit addresses", begin)
        if flags & 8:
            size = self.number()
            if size > 63:
                raise Malformed(begin, f"2 to the power of {size} is no size of a page")
            self.uses.note("custom-page-sizes", f"a memory with pages of {1 << size} bytes", begin)
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
        kind, begin = self.valtype(), self.at
        flags = self.byte()
        if flags > 3:
            raise Malformed(begin, f"0x{flags:02x} is no mutability")
        if flags & 2:
            self.uses.note("shared-everything-threads", "a shared global", begin)
        return f"{'mutable' if flags & 1 else 'constant'} {kind}"
