"""Which features of WebAssembly code uses, found by walking over its instructions.

A table has the immediates of each opcode. What WebAssembly 1.0 has is most of all code and tells
nothing, so a regular expression made from that table runs over it; only what stops it is looked at.
"""

from __future__ import annotations

import re

from .binary import Malformed, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Immediates: i LEB128, 4 and 8 bytes, m a memory argument, b a block's type, t br_table's targets,
# v types, h a heap type, c catch clauses.
_PLAIN: dict[int, str] = dict.fromkeys([0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B], "")
_PLAIN |= dict.fromkeys(range(0x45, 0xC0), "")
_PLAIN |= dict.fromkeys([0x0C, 0x0D, 0x10, *range(0x20, 0x25), 0x3F, 0x40, 0x41, 0x42], "i")
_PLAIN |= dict.fromkeys(range(0x28, 0x3F), "m") | dict.fromkeys((0x02, 0x03, 0x04), "b")
_PLAIN |= {0x0E: "t", 0x11: "ii", 0x43: "4", 0x44: "8"}

_NEW: dict[int, tuple[str, str]] = {
    0x12: ("i", "tail-call"),
    0x13: ("ii", "tail-call"),
    0x14: ("i", "function-references"),
    0x15: ("i", "function-references"),
    0x1C: ("v", "reference-types"),
    0x25: ("i", "reference-types"),
    0x26: ("i", "reference-types"),
    0xD0: ("h", "reference-types"),
    0xD1: ("", "reference-types"),
    0xD2: ("i", "reference-types"),
    0xD3: ("", "gc"),
    0xD4: ("", "function-references"),
    0xD5: ("i", "function-references"),
    0xD6: ("i", "function-references"),
    0x06: ("b", "exceptions"),
    0x07: ("i", "exceptions"),
    0x08: ("i", "exceptions"),
    0x09: ("i", "exceptions"),
    0x0A: ("", "exceptions"),
    0x18: ("i", "exceptions"),
    0x19: ("", "exceptions"),
    0x1F: ("bc", "exceptions"),
    **dict.fromkeys(range(0xC0, 0xC5), ("", "sign-extension")),
}

_LEB, _LAST = rb"[\x80-\xff]*[\x00-\x7f]", rb"[\x00-\x7f]"
_PATTERNS = {"": b"", "i": _LEB, "ii": _LEB + _LEB, "4": b".{4}", "8": b".{8}"}
_PATTERNS["b"] = rb"[\x40\x7c-\x7f]"  # a type of its own: multi-value
_PATTERNS["m"] = rb"[\x00-\x05]" + _LEB  # an alignment; bit 6 of it: multi-memory


def _run() -> re.Pattern[bytes]:
    kinds: dict[str, bytes] = {}
    for code, immediates in _PLAIN.items():
        if immediates in _PATTERNS:
            kinds[immediates] = kinds.get(immediates, b"") + re.escape(bytes([code]))
    order = sorted(kinds, key=len, reverse=True)
    parts = [b"[" + kinds[kind] + b"]" + _PATTERNS[kind] for kind in order]
    return re.compile(b"(?s:" + b"|".join(parts) + b"){1,2000}")  # bounded: it keeps its way back


_MVP = _run()


def scan(reader: Reader) -> None:
    """Walk over a function's instructions, to the reader's end, and add what they use."""
    data, end = reader.data, reader.end
    match = _MVP.match
    while reader.at < end:
        found = match(data, reader.at, end)
        if found:
            reader.at = found.end()
        else:
            _instruction(reader)


def constant(reader: Reader) -> None:
    """Walk over a constant expression and its end."""
    while True:
        code = _instruction(reader)
        if code == 0x0B:
            return
        if code in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
            reader.features.add("extended-const")


def _instruction(reader: Reader) -> int:
    begin, code = reader.at, reader.byte()
    if code in _PLAIN:
        immediates = _PLAIN[code]
    elif code in _NEW:
        immediates, feature = _NEW[code]
        reader.features.add(feature)
    elif code in (0xFB, 0xFC, 0xFD, 0xFE):
        immediates = _prefixed(reader, begin, code, reader.number())
    else:
        raise Malformed(begin, f"0x{code:02x} is no known instruction")
    for kind in immediates:
        _IMMEDIATES[kind](reader)
    return code


# ------------------------------------------------------------------ opcodes with a prefix
_BULK = {8: "ii", 9: "i", 10: "ii", 11: "i", 12: "ii", 13: "i", 14: "ii"}
_GC = {1: "", 2: "ii", 3: "ii", 4: "ii", 5: "ii", 8: "ii", 9: "ii", 10: "ii", 15: "", 17: "ii"}
_GC |= dict.fromkeys((0, 1, 6, 7, 11, 12, 13, 14, 16), "i") | {18: "ii", 19: "ii"}
_GC |= dict.fromkeys((20, 21, 22, 23), "h") | {24: "1ihh", 25: "1ihh"}
_GC |= dict.fromkeys(range(26, 31), "")


def _prefixed(reader: Reader, begin: int, prefix: int, number: int) -> str:
    """Note the feature and return the immediates."""
    if prefix == 0xFC and number <= 17:
        if number < 8:
            reader.features.add("nontrapping-float-to-int")
            return ""
        reader.features.add("bulk-memory" if number < 15 else "reference-types")
        return _BULK.get(number, "i")
    if prefix == 0xFD:
        reader.features.add("simd" if number < 0x100 else "relaxed-simd")
        if number <= 11 or number in (92, 93):
            return "m"
        if number in (12, 13):
            return "88"
        if 21 <= number <= 34:
            return "1"
        return "m1" if 84 <= number <= 91 else ""
    if prefix == 0xFE:
        reader.features.add("threads")
        return "1" if number == 3 else "m"
    if prefix == 0xFB and number in _GC:
        reader.features.add("gc")
        return _GC[number]
    raise Malformed(begin, f"0x{prefix:02x} {number} is no known instruction")


# ------------------------------------------------------------------ immediates
def _memory_argument(reader: Reader) -> None:
    if reader.number() & 0x40:
        reader.features.add("multi-memory")
        reader.number()
    reader.number()


def _block_type(reader: Reader) -> None:
    code = reader.data[reader.at] if reader.at < reader.end else 0
    if code == 0x40:
        reader.at += 1
    elif 0x40 < code < 0x80:
        reader.valtype()
    else:
        reader.signed()
        reader.features.add("multi-value")


def _catch(reader: Reader) -> None:
    if reader.byte() < 2:
        reader.number()
    reader.number()


def _targets(reader: Reader) -> None:
    reader.vector(reader.number)
    reader.number()


_IMMEDIATES: dict[str, Callable[[Reader], object]] = {
    "i": lambda reader: reader.number(),
    "1": Reader.byte,
    "4": lambda reader: reader.skip(4),
    "8": lambda reader: reader.skip(8),
    "m": _memory_argument,
    "b": _block_type,
    "t": _targets,
    "v": lambda reader: reader.vector(reader.valtype),
    "h": Reader.heaptype,
    "c": lambda reader: reader.vector(lambda: _catch(reader)),
}
