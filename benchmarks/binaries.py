"""Modules of any size, generated as bytes, since 30 MB of text would take long to parse.

`code` resembles the output of a compiler: many functions, each a loop with arithmetic and memory.
The others have very many items of one kind, to find superlinear costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

I32, I64 = b"\x7f", b"\x7e"
HEAD = b"\0asm\1\0\0\0"
TYPE = b"\x60\x02\x7f\x7f\x01\x7f"  # (i32, i32) -> i32
MEMORY = b"\x05\x03\x01\x00\x01"  # a section: one page
IMMUTABLE = b"\x7f\x00\x41\x07\x0b"  # an i32, 7


def number(value: int) -> bytes:
    """Return an unsigned LEB128."""
    data = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            return bytes([*data, low])
        data.append(low | 0x80)


def _name(text: str) -> bytes:
    data = text.encode()
    return number(len(data)) + data


def _section(id_: int, content: bytes) -> bytes:
    return bytes([id_]) + number(len(content)) + content


def _vector(id_: int, items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return _section(id_, number(len(listed)) + b"".join(listed))


def _body(seed: int) -> bytes:
    """Return a function of about 60 bytes; they differ in their constants."""
    constant = b"\x41" + number(seed & 0x3F) + b"\x41" + number(seed >> 6 & 0x3F) + b"\x6c"
    code = (
        b"\x01\x01\x7f"  # a local i32
        b"\x03\x40"  # loop
        b"\x20\x00\x20\x02\x6a\x41\xfc\xff\x03\x71\x22\x02"  # l = (a + l) & 0xfffc
        b"\x20\x02\x28\x02\x08\x20\x01\x73" + constant + b"\x6a\x36\x02\x04"  # a store
        b"\x20\x01\x41\x01\x6b\x22\x01\x0d\x00"  # once more while --b
        b"\x0b"
        b"\x20\x02\x0b"
    )
    return number(len(code)) + code


def _functions(count: int) -> bytes:
    return _section(1, b"\x01" + TYPE) + _vector(3, [b"\0"] * count)


@cache
def code(size: int) -> bytes:
    """Return a module of about `size` bytes, almost all of them code."""
    count = max(1, (size - 60) // (len(_body(64)) + 1))
    export = _vector(7, [_name("run") + b"\0\0"])
    bodies = _vector(10, map(_body, range(count)))
    return HEAD + _functions(count) + MEMORY + export + bodies


def exports(count: int) -> bytes:
    """Return a module that exports `count` functions."""
    names_ = _vector(7, (_name(f"function{i}") + b"\0" + number(i) for i in range(count)))
    return HEAD + _functions(count) + MEMORY + names_ + _vector(10, map(_body, range(count)))


def names(count: int) -> bytes:
    """Return a module whose name section has `count` functions."""
    each = (number(i) + _name(f"some::namespace::function{i}") for i in range(count))
    section = _section(0, _name("name") + _vector(1, each))
    bodies = _vector(10, map(_body, range(count)))
    return HEAD + _functions(count) + MEMORY + bodies + section


def imports(count: int) -> bytes:
    """Return a module that imports `count` functions."""
    each = (_name("env") + _name(f"function{i}") + b"\0\0" for i in range(count))
    return HEAD + _section(1, b"\x01" + TYPE) + _vector(2, each)


def globals_(count: int) -> bytes:
    """Return a module that has `count` globals and exports them."""
    names_ = _vector(7, (_name(f"global{i}") + b"\3" + number(i) for i in range(count)))
    return HEAD + _vector(6, [IMMUTABLE] * count) + names_


def failing(count: int) -> bytes:
    """Return a module with `count` exported globals and tags, whose segment is out of bounds."""
    memory = _vector(2, [_name("env") + _name("memory") + b"\2\0\0"])
    tags = _vector(13, [b"\0\0"] * count)
    globals_ = _vector(6, [IMMUTABLE] * count)
    names_ = _vector(7, (_name(f"global{i}") + b"\3" + number(i) for i in range(count)))
    data = _vector(11, [b"\0\x41\0\x0b" + _name("bytes")])
    return HEAD + _section(1, b"\1\x60\0\0") + memory + tags + globals_ + names_ + data


def types(count: int) -> bytes:
    """Return a module with `count` different types; the parameters encode their numbers."""
    each = []
    for i in range(count):
        params = b"".join(I64 if i >> bit & 1 else I32 for bit in range(20))
        each.append(b"\x60" + number(20) + params + b"\0")
    return HEAD + _vector(1, each)


def segments(count: int) -> bytes:
    """Return a module with `count` data segments."""
    data = (b"\0\x41" + number(i & 0x3F) + b"\x0b" + _name("bytes") for i in range(count))
    return HEAD + MEMORY + _vector(11, data)


def deep(count: int) -> bytes:
    """Return a module whose function has `count` values on the stack when it writes locals."""
    code = (
        b"\x01\x01\x7f"  # a local i32
        + b"\x20\x00" * count
        + b"\x20\x01\x20\x01\x21\x02\x21\x01\x02\x40\x0b" * count
        + b"\x6a" * (count - 1)
        + b"\x0b"
    )
    return HEAD + _functions(1) + _vector(10, [number(len(code)) + code])


SHAPES: dict[str, Callable[[int], bytes]] = {
    "exports": exports,
    "names": names,
    "imports": imports,
    "globals": globals_,
    "types": types,
    "segments": segments,
    "deep": deep,
}
MOST = {"deep": 10_000}  # a function has at most 65 535 cells
