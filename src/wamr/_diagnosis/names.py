"""Names of functions in a module that did not load, from its name section or its exports."""

from __future__ import annotations

from .._base.binary_format import (
    CUSTOM_SECTION,
    EXPORT_SECTION,
    FUNCTION,
    FUNCTION_NAMES,
    HEADER_BYTES,
)
from .._base.binary_reader import BinaryReader, Malformed
from .._base.printable import printable_name
from .reader import MOST_STEPS


def shown_function(data: bytes, index: int) -> str:
    """Return `function 3 "div"`, or `function 3` if the function has no name."""
    try:
        name = _name_of(data, index)
    except Malformed:
        name = None
    return f"function {index}" if name is None else f'function {index} "{printable_name(name, 60)}"'


def _name_of(data: bytes, index: int) -> str | None:
    """Return the name in the name section, else that of an export, else None."""
    reader = BinaryReader(data, HEADER_BYTES, len(data))
    exported = None
    for _ in range(MOST_STEPS):
        if reader.at >= reader.end:
            break
        code, size = reader.byte(), reader.number()
        inside = BinaryReader(data, reader.at, min(reader.at + size, reader.end))
        reader.at = inside.end
        if code == EXPORT_SECTION:
            exported = _exported(inside, index)
        elif code == CUSTOM_SECTION and inside.text() == "name":
            found = _named(inside, index)
            if found is not None:
                return found
    return exported


def _exported(reader: BinaryReader, index: int) -> str | None:
    for _ in range(min(reader.number(), MOST_STEPS)):
        name, kind, at = reader.text(), reader.byte(), reader.number()
        if kind == FUNCTION and at == index:
            return name
    return None


def _named(reader: BinaryReader, index: int) -> str | None:
    while reader.at < reader.end:
        kind, size = reader.byte(), reader.number()
        if kind != FUNCTION_NAMES:
            reader.skip(size)
            continue
        for _ in range(min(reader.number(), MOST_STEPS)):
            at, name = reader.number(), reader.text()
            if at == index:
                return name
        return None
    return None
