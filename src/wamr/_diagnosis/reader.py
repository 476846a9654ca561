"""Reading types in the binary format, those of proposals included, and noting features they use.

Spec: section 5.3, and the binary formats of the proposals. Invalid bytes raise `Malformed`.
"""

from __future__ import annotations

import sys

from .._base.binary_format import NUMBERS, V128, VALUE_TYPES
from .._base.binary_reader import BinaryReader, Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

# How much of a module is read to explain an error: so many sections, items and instructions, one by
# one, take a second. A module may be made to take hours.
MOST_STEPS = 500_000

_PACKED = {0x78: "i8", 0x77: "i16"}
# Heap types: the name, and the feature that introduces it.
_HEAPTYPES = {
    0x75: ("nocont", "stack-switching"),
    0x74: ("noexn", "gc"),
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
_EXN = 0x69
_SHARED = 0x65
_EXACT = 0x62


class TooMuchToRead(Exception):
    """The module has more items and instructions than are to be read."""


class Use:
    """The first use of a feature in a module: what, at which offset, in which section, function."""

    __slots__ = ("function", "offset", "section", "what")

    def __init__(self, what: str, offset: int, section: str, function: int | None) -> None:
        self.what = what
        self.offset = offset
        self.section = section  # "locals" for those of a function, in the code section
        self.function = function


class Uses(dict[str, Use]):
    """The first uses of features in a module, by feature; and the module's indexed definitions.

    most: how many items and instructions may be read one by one.
    """

    def __init__(self, most: int = sys.maxsize) -> None:
        super().__init__()
        self.left = most
        self.section = ""  # the section that is being read
        self.function: int | None = None  # the function whose code is being read
        self.types: list[str] = []
        self.memories = 0
        self.tags = 0
        self.own_constants: set[int] = set()  # the globals that aren't imported and can't change
        self.max_type = -1  # the greatest index of a type in a type, where it may be defined later

    def count(self) -> None:
        """Count what is read next, an item or an instruction. Raises TooMuchToRead."""
        self.left -= 1
        if self.left < 0:
            raise TooMuchToRead

    def note(self, feature: str, what: str, offset: int) -> None:
        """Record a use of `feature`, if it is the first."""
        if feature not in self:
            self[feature] = Use(what, offset, self.section, self.function)


class Reader(BinaryReader):
    """A BinaryReader that reads types, and records in `uses` the features that they use."""

    __slots__ = ("uses",)

    def __init__(self, data: bytes, at: int, end: int, uses: Uses) -> None:
        super().__init__(data, at, end)
        self.uses = uses

    def vector(self, item: Callable[[], T]) -> list[T]:
        """Return the items of a vector, each of which counts. Raises TooMuchToRead."""
        count = self.uses.count

        def counted() -> T:
            count()
            return item()

        return super().vector(counted)

    # ---- indices
    def index(self, count: int, what: str) -> int:
        """Return an index below `count`; what: the noun for messages."""
        begin, number = self.at, self.number()
        if number >= count:
            raise Malformed(begin, f"there is no {what} {number}")
        return number

    def type_index(self, beginning: str) -> None:
        """Read the index of a type whose text begins with `beginning`."""
        begin = self.at
        if not self.uses.types[self.index(len(self.uses.types), "type")].startswith(beginning):
            raise Malformed(begin, "a type of the wrong form")

    # ---- types
    def valtype(self) -> str:
        """Return a value type as text."""
        begin, code = self.at, self.byte()
        if code in NUMBERS:
            return VALUE_TYPES[code]
        if code == V128:
            self.uses.note("simd", "the type v128", begin)
            return VALUE_TYPES[code]
        if code in (0x63, 0x64):
            of_exceptions = self.peek() == _EXN  # (ref exn), (ref null exn): exception handling
            shown = f"(ref {'null ' if code == 0x63 else ''}{self.heaptype()})"
            if of_exceptions:
                return shown if code == 0x64 else "exnref"
            self.uses.note("function-references", f"the type {shown}", begin)
            return shown
        if code == _SHARED or code in _HEAPTYPES:
            self.at = begin
            return f"{self.heaptype()}ref"
        raise Malformed(begin, f"0x{code:02x} is not a value type")

    def heaptype(self) -> str:
        """Return a heap type as text."""
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
            self.uses.max_type = max(self.uses.max_type, number)
            return str(number)
        code = number & 0x7F
        if number < -64 or code not in _HEAPTYPES:
            raise Malformed(begin, "an unknown reference type")
        name, feature = _HEAPTYPES[code]
        if feature:
            self.uses.note(feature, f"the type {name}ref", begin)
        return name

    def functype(self) -> str:
        """Return a function type as text, without its leading form byte."""
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
        """Return a byte that must be 0 or 1; what: the noun for messages."""
        begin, value = self.at, self.byte()
        if value > 1:
            raise Malformed(begin, f"0x{value:02x} is no {what}")
        return value == 1

    def limits(self, unit: str) -> str:
        """Return limits as text; unit: "page", or the type of a table's elements."""
        begin, flags = self.at, self.byte()
        if flags > (15 if unit == "page" else 7):  # 8: a page size
            raise Malformed(begin, f"0x{flags:02x} are no limits' flags")
        minimum = self.number()
        maximum = self.number() if flags & 1 else None
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
        number = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
        if minimum == maximum:
            number = f"exactly {minimum}"
        plural = "" if (minimum if maximum is None else maximum) == 1 else "s"
        extra = (", shared" if flags & 2 else "") + (", 64 bits" if flags & 4 else "")
        return f"{number} {unit}{plural}{extra}"

    def tabletype(self) -> str:
        """Return a table type as text."""
        kind = self.valtype()
        return self.limits(kind)

    def globaltype(self) -> str:
        """Return a global type as text."""
        kind, begin = self.valtype(), self.at
        flags = self.byte()
        if flags > 3:
            raise Malformed(begin, f"0x{flags:02x} is no mutability")
        if flags & 2:
            self.uses.note("shared-everything-threads", "a shared global", begin)
        return f"{'mutable' if flags & 1 else 'constant'} {kind}"
