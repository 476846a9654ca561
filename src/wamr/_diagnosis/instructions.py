"""The features that code uses, found by reading its instructions. Spec: section 5.4.

Tables have the immediates of each opcode. Most instructions are of WebAssembly 1.0 and use no
feature: a regular expression, made from these tables, skips them.
"""

from __future__ import annotations

import re

from .._base.binary_reader import Malformed
from .reader import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Letters for immediates: i a LEB128 number; 1, 4 and 8 so many bytes; m a memory argument; b a
# block type; t the targets of br_table; v a vector of value types; h a heap type; c catch clauses;
# r the handlers of a resumption; T the index of a tag; F, K, S and A the index of the type of a
# function, a continuation, a struct or an array.
_PLAIN: dict[int, str] = dict.fromkeys([0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B], "")
_PLAIN |= dict.fromkeys(range(0x45, 0xC0), "")
_PLAIN |= dict.fromkeys([0x0C, 0x0D, 0x10, *range(0x20, 0x25), 0x3F, 0x40, 0x41, 0x42], "i")
_PLAIN |= dict.fromkeys(range(0x28, 0x3F), "m") | dict.fromkeys((0x02, 0x03, 0x04), "b")
_PLAIN |= {0x0E: "t", 0x11: "ii", 0x43: "4", 0x44: "8"}

_NEW: dict[int, tuple[str, str, str]] = {  # immediates, feature, name
    0x12: ("i", "tail-call", "return_call"),
    0x13: ("ii", "tail-call", "return_call_indirect"),
    0x14: ("F", "function-references", "call_ref"),
    0x15: ("F", "function-references", "return_call_ref"),
    0x1C: ("v", "reference-types", "select with a type"),
    0x25: ("i", "reference-types", "table.get"),
    0x26: ("i", "reference-types", "table.set"),
    0xD0: ("h", "reference-types", "ref.null"),
    0xD1: ("", "reference-types", "ref.is_null"),
    0xD2: ("i", "reference-types", "ref.func"),
    0xD3: ("", "gc", "ref.eq"),
    0xD4: ("", "function-references", "ref.as_non_null"),
    0xD5: ("i", "function-references", "br_on_null"),
    0xD6: ("i", "function-references", "br_on_non_null"),
    0x06: ("b", "legacy-exceptions", "try"),
    0x07: ("T", "legacy-exceptions", "catch"),
    0x08: ("T", "exceptions", "throw"),
    0x09: ("i", "legacy-exceptions", "rethrow"),
    0x0A: ("", "exceptions", "throw_ref"),
    0x18: ("i", "legacy-exceptions", "delegate"),
    0x19: ("", "legacy-exceptions", "catch_all"),
    0x1F: ("bc", "exceptions", "try_table"),
    0xE0: ("K", "stack-switching", "cont.new"),
    0xE1: ("KK", "stack-switching", "cont.bind"),
    0xE2: ("T", "stack-switching", "suspend"),
    0xE3: ("Kr", "stack-switching", "resume"),
    0xE4: ("KTr", "stack-switching", "resume_throw"),
    0xE5: ("Kr", "stack-switching", "resume_throw_ref"),
    0xE6: ("KT", "stack-switching", "switch"),
    **dict.fromkeys(range(0xC0, 0xC5), ("", "sign-extension", "extend")),
}
_OPENS = (0x02, 0x03, 0x04, 0x06, 0x1F)
_WITHIN = {0x05: 0x04, 0x07: 0x06, 0x18: 0x06, 0x19: 0x06}  # else, catch, delegate, catch_all
_CLOSES = (0x0B, 0x18)  # end, delegate
_CONSTANT = {*range(0x41, 0x45), 0x23, 0xD0, 0xD2, 0xFB, 0xFD, 0x0B}
_ARITHMETIC = (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E)

_LEB, _LAST = rb"[\x80-\xff]*[\x00-\x7f]", rb"[\x00-\x7f]"
_PATTERNS = {"": b"", "i": _LEB, "ii": _LEB + _LEB, "4": b".{4}", "8": b".{8}"}
_PATTERNS["b"] = rb"[\x40\x7c-\x7f]"  # a type index uses multi-value: not skipped
_PATTERNS["m"] = rb"[\x00-\x05]" + _LEB  # an alignment; with bit 6 it uses multi-memory


def _mvp_pattern() -> re.Pattern[bytes]:
    kinds: dict[str, bytes] = {}
    for code, immediates in _PLAIN.items():
        if immediates in _PATTERNS:
            kinds[immediates] = kinds.get(immediates, b"") + re.escape(bytes([code]))
    order = sorted(kinds, key=len, reverse=True)
    parts = [b"[" + kinds[kind] + b"]" + _PATTERNS[kind] for kind in order]
    return re.compile(
        b"(?s:" + b"|".join(parts) + b"){1,2000}"
    )  # bounded, since re keeps state for backtracking


_MVP = _mvp_pattern()


def scan(reader: Reader) -> None:
    """Read a function's instructions, to the reader's end, and record the features they use."""
    data, end = reader.data, reader.end
    match = _MVP.match
    while reader.at < end:
        found = match(data, reader.at, end)
        if found:
            reader.at = found.end()
        else:
            instruction(reader)


def skip_to(reader: Reader, offset: int) -> int:
    """Read up to the instruction that has the byte before `offset`; return where it begins.

    The instruction may be unknown.
    """
    begin = reader.at
    while reader.at < offset:
        begin = reader.at
        found = _MVP.match(reader.data, begin, offset)
        if found and found.end() < offset:
            reader.at = found.end()
            continue
        try:
            instruction(reader)
        except Malformed:
            break
    return begin


def balanced(reader: Reader) -> bool:
    """Tell whether all blocks of a function are closed, and its last byte is its own `end`."""
    open_ = [0]  # the opcodes that have opened the blocks; 0: the function
    while reader.at < reader.end and open_:
        code = instruction(reader)
        if code in _WITHIN and open_[-1] != _WITHIN[code]:
            return False
        if code == 0x09 and 0x06 not in open_:  # rethrow
            return False
        if code in _OPENS:
            open_.append(code)
        elif code in _CLOSES:
            open_.pop()
    return reader.at == reader.end and not open_


def constant(reader: Reader) -> None:
    """Read a constant expression with its `end`."""
    while True:
        begin = reader.at
        code = instruction(reader)
        if code == 0x0B:
            return
        if code not in _CONSTANT and code not in _ARITHMETIC:
            raise Malformed(begin, f"0x{code:02x} is not a constant instruction")
        if code in _ARITHMETIC:
            reader.uses.note("extended-const", "arithmetic in a constant expression", begin)
        if code == 0x23:
            named = Reader(reader.data, begin + 1, reader.end, reader.uses).number()
            if named in reader.uses.own_constants:
                what = "a global of its own in a constant expression"
                reader.uses.note("gc", what, begin)


def instruction(reader: Reader) -> int:
    """Read one instruction; return its first byte. Raises Malformed, TooMuchToRead."""
    reader.uses.count()
    begin, code = reader.at, reader.byte()
    if code in _PLAIN:
        immediates = _PLAIN[code]
    elif code in _NEW:
        immediates, feature, name = _NEW[code]
        reader.uses.note(feature, f"the instruction {name}", begin)
    elif code in (0xFB, 0xFC, 0xFD, 0xFE):
        immediates = _prefixed(reader, begin, code, reader.number())
    else:
        raise Malformed(begin, f"0x{code:02x} is not a known instruction")
    for kind in immediates:
        _IMMEDIATES[kind](reader)
    return code


# ------------------------------------------------------------------ opcodes with a prefix
_BULK = {8: "ii", 9: "i", 10: "ii", 11: "i", 12: "ii", 13: "i", 14: "ii"}
_GC_NAMES = [
    "struct.new",
    "struct.new_default",
    "struct.get",
    "struct.get_s",
    "struct.get_u",
    "struct.set",
    "array.new",
    "array.new_default",
    "array.new_fixed",
    "array.new_data",
    "array.new_elem",
    "array.get",
    "array.get_s",
    "array.get_u",
    "array.set",
    "array.len",
    "array.fill",
    "array.copy",
    "array.init_data",
    "array.init_elem",
    "ref.test",
    "ref.test",
    "ref.cast",
    "ref.cast",
    "br_on_cast",
    "br_on_cast_fail",
    "any.convert_extern",
    "extern.convert_any",
    "ref.i31",
    "i31.get_s",
    "i31.get_u",
]
_GC = {0: "S", 1: "S"} | dict.fromkeys((2, 3, 4, 5), "Si") | dict.fromkeys((8, 9, 10, 18, 19), "Ai")
_GC |= dict.fromkeys((6, 7, 11, 12, 13, 14, 16), "A") | {15: "", 17: "AA"}
_GC |= dict.fromkeys((20, 21, 22, 23), "h") | {24: "1ihh", 25: "1ihh"}
_GC |= dict.fromkeys(range(26, 31), "")
_NATURAL = (2, 3, 0, 1, 0, 1, 2)  # alignments of atomic instructions, of each operation in turn
_WIDE = ("i64.add128", "i64.sub128", "i64.mul_wide_s", "i64.mul_wide_u")


def _prefixed(reader: Reader, begin: int, prefix: int, number: int) -> str:
    """Record the feature of an instruction with a prefix, and return its immediates."""
    note = reader.uses.note
    shown = f"the instruction 0x{prefix:02x} {number}"
    if prefix == 0xFC and number <= 17:
        if number < 8:
            note("nontrapping-float-to-int", shown, begin)
            return ""
        note("bulk-memory" if number < 15 else "reference-types", shown, begin)
        return _BULK.get(number, "i")
    if prefix == 0xFC and 19 <= number <= 22:
        note("wide-arithmetic", f"the instruction {_WIDE[number - 19]}", begin)
        return ""
    if prefix == 0xFD and number < 0x114:
        if number < 0x100:
            note("simd", shown, begin)
        else:
            note("relaxed-simd", f"the instruction 0xfd 0x{number:x}", begin)
        if number <= 11 or number in (92, 93):
            return "m"
        if number in (12, 13):
            return "88"
        if 21 <= number <= 34:
            return "1"
        return "m1" if 84 <= number <= 91 else ""
    if prefix == 0xFE and (number <= 3 or 0x10 <= number <= 0x4E):
        name = "atomic.fence" if number == 3 else f"0xfe 0x{number:02x}, an atomic one"
        natural = _NATURAL[(number - 0x10) % 7] if number >= 0x10 else (2, 2, 3, 0)[number]
        if number != 3 and (reader.peek() & 0x3F != natural or not reader.uses.memories):
            raise Malformed(begin, "an atomic instruction needs a memory and its natural alignment")
        note("atomics", f"the instruction {name}", begin)
        return "1" if number == 3 else "m"
    if prefix == 0xFB and number in _GC:
        note("gc", f"the instruction {_GC_NAMES[number]}", begin)
        return _GC[number]
    raise Malformed(begin, f"0x{prefix:02x} {number} is not a known instruction")


# ------------------------------------------------------------------ immediates
def _memory_argument(reader: Reader) -> None:
    begin, align = reader.at, reader.number()
    if align & ~0x40 > 4 or (align & 0x40 and reader.uses.memories < 2):
        raise Malformed(begin, f"0x{align:x} is not an alignment")
    if align & 0x40:
        reader.uses.note("multi-memory", "an instruction on another memory", begin)
        reader.index(reader.uses.memories, "memory")
    reader.number()


def _block_type(reader: Reader) -> None:
    begin, code = reader.at, reader.peek()
    if code == 0x40:
        reader.at += 1
    elif 0x40 < code < 0x80:
        reader.valtype()
    else:
        type_ = reader.signed()
        if not 0 <= type_ < len(reader.uses.types):
            raise Malformed(begin, f"{type_} is not a block type")
        reader.uses.note("multi-value", "a block with a type of its own", begin)


def _catch(reader: Reader) -> None:
    begin, kind = reader.at, reader.byte()
    if kind > 3:
        raise Malformed(begin, f"0x{kind:02x} is not a kind of catch clause")
    if kind < 2:
        _tag(reader)
    reader.number()


def _handler(reader: Reader) -> None:
    switches = reader.flag("kind of handler")
    _tag(reader)
    if not switches:
        reader.number()


def _tag(reader: Reader) -> None:
    reader.index(reader.uses.tags, "tag")


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
    "r": lambda reader: reader.vector(lambda: _handler(reader)),
    "F": lambda reader: reader.type_index("("),
    "K": lambda reader: reader.type_index("cont"),
    "S": lambda reader: reader.type_index("struct"),
    "A": lambda reader: reader.type_index("array"),
    "T": _tag,
}
