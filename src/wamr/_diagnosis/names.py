"""What the functions of a module are called that did not load: by its name section or exports."""

from __future__ import annotations

from .reader import Malformed, Reader, Uses


def shown_function(data: bytes, index: int) -> str:
    """Return `function 3 "div"`, or without a name that is not known."""
    try:
        name = _name_of(data, index)
    except Malformed:
        name = None
    return f"function {index}" if name is None else f'function {index} "{_printable(name)}"'


def _printable(name: str) -> str:
    short = name if len(name) <= 60 else f"{name[:60]}…"
    return short if short.isprintable() else ascii(short)[1:-1]


def _name_of(data: bytes, index: int) -> str | None:
    """Return the name from the name section, else of an export."""
    reader = Reader(data, 8, len(data), Uses())
    exported = None
    while reader.at < reader.end:
        code, size = reader.byte(), reader.number()
        inside = Reader(data, reader.at, min(reader.at + size, reader.end), reader.uses)
        reader.at = inside.end
        if code == 7:
            exported = _exported(inside, index)
        elif code == 0 and inside.text() == "name":
            found = _named(inside, index)
            if found is not None:
                return found
    return exported


def _exported(reader: Reader, index: int) -> str | None:
    for _ in range(reader.number()):
        name, kind, at = reader.text(), reader.byte(), reader.number()
        if kind == 0 and at == index:
            return name
    return None


def _named(reader: Reader, index: int) -> str | None:
    while reader.at < reader.end:
        kind, size = reader.byte(), reader.number()
        if kind != 1:
            reader.skip(size)
            continue
        for _ in range(reader.number()):
            at, name = reader.number(), reader.text()
            if at == index:
                return name
        return None
    return None
