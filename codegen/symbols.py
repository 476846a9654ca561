"""Reads which symbols a static library defines, from the index at the beginning of the archive.

On Linux and macOS a missing function would be noticed only when the extension is imported. The
index has three forms: GNU and MSVC (`/`), GNU for large archives (`/SYM64/`), and BSD
(`__.SYMDEF`). Neither a compiler nor `nm` is needed, so this works for cross builds, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path


class LinkError(SystemExit):
    """Declared functions are not defined; printed without a traceback."""


def check(libraries: Iterable[Path], names: Iterable[str]) -> None:
    """Stop the build where one of `names` is in none of `libraries`."""
    libraries = list(dict.fromkeys(libraries))
    defined: set[str] = set()
    for library in libraries:
        defined |= defined_symbols(library)
    missing = sorted(name for name in names if name not in defined)
    if missing:
        listed = ", ".join(path.name for path in libraries)
        raise LinkError(
            f"These functions are declared to cffi and defined in none of {listed}:\n  "
            + "\n  ".join(missing)
        )


def defined_symbols(library: Path) -> set[str]:
    """Return the names in the archive's index, without the leading underscore of macOS."""
    data = library.read_bytes()
    if data[:8] != b"!<arch>\n":
        raise LinkError(f"{library} is not a static library")
    name = data[8:24].rstrip()
    size = int(data[56:66])
    body = data[68 : 68 + size]
    if name.startswith(b"#1/"):
        length = int(name[3:])
        name, body = body[:length].rstrip(b"\0"), body[length:]
    if name == b"/":
        return _names(body, 4, struct.unpack_from(">I", body)[0])
    if name == b"/SYM64/":
        return _names(body, 8, struct.unpack_from(">Q", body)[0])
    if name.startswith(b"__.SYMDEF"):
        word = 8 if b"_64" in name else 4
        ranlib = int.from_bytes(body[:word], "little")
        table = body[word + ranlib + word :]
        return {text.decode().removeprefix("_") for text in table.split(b"\0") if text}
    raise LinkError(f"{library} has no index of its symbols; make one with ranlib")


def _names(body: bytes, word: int, count: int) -> set[str]:
    texts = body[word + word * count :].split(b"\0")
    return {text.decode() for text in texts[:count]}
