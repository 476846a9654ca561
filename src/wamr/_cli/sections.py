"""What is in a module, section by section, read without WAMR: valid, unsupported or broken.

`Contents` has what could be read; where the bytes make no sense, `problem` says so, and the walk
goes on with the next section. Spec: section 5.5.
"""

from __future__ import annotations

from ..abis import WASI
from .binary import Malformed, Reader
from .features import constant, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NAMES = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
]
_KINDS = ("function", "table", "memory", "global", "tag")


class Contents:
    """A module's contents; types as text."""

    def __init__(self, data: bytes) -> None:
        self.sections: list[dict[str, Any]] = []
        self.imports: list[dict[str, str]] = []
        self.exports: list[dict[str, str]] = []
        self.features: set[str] = set()
        self.name: str | None = None
        self.start: int | None = None
        self.problem: str | None = None
        self._types: list[str] = []
        self._indices: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        self._walk(data)
        self._resolve()

    @property
    def kind(self) -> str:
        """Return "command", "reactor" or, for neither, "library"."""
        functions = {e["name"] for e in self.exports if e["kind"] == "function"}
        if "_start" in functions:
            return "command"
        return "reactor" if "_initialize" in functions else "library"

    def memories(self) -> list[str]:
        return self._indices["memory"]

    # ---- the walk
    def _walk(self, data: bytes) -> None:
        reader = Reader(data, 8, len(data), self.features)
        if len(data) < 8 or data[4:8] != b"\1\0\0\0":
            self.problem = "the header is not that of version 1"
            return
        while reader.at < reader.end:
            try:
                self._section(reader)
            except Malformed as error:  # even its size can't be read
                self._note("", error)
                return

    def _section(self, reader: Reader) -> None:
        begin = reader.at
        code, size = reader.byte(), reader.number()
        offset = reader.at
        end = min(offset + size, reader.end)
        name = _NAMES[code] if code < len(_NAMES) else f"unknown ({code})"
        section: dict[str, Any] = {"name": name, "offset": offset, "size": size, "items": None}
        self.sections.append(section)
        inside = Reader(reader.data, offset, end, self.features)
        reader.at = end
        try:
            if offset + size > reader.end:
                raise Malformed(begin, f"the section goes on for {offset + size - end} bytes more")
            if code >= len(_NAMES):
                raise Malformed(begin, "the section is unknown")
            if code == 0:
                self._custom(inside, section)
            else:
                section["items"] = self._items(name, inside)
        except Malformed as error:
            self._note(name, error)

    def _note(self, section: str, error: Malformed) -> None:
        if self.problem is None:
            self.problem = f"{section} section: {error}" if section else str(error)

    def _items(self, name: str, reader: Reader) -> int | None:
        """Read a section; return how many items it has."""
        if name == "start":
            self.start = reader.number()
            return None
        if name == "data count":
            self.features.add("bulk-memory")
            return reader.number()
        readers: dict[str, Callable[[Reader], None]] = {
            "type": self._type,
            "import": self._import,
            "function": self._function,
            "table": self._own_table,
            "memory": self._memory,
            "global": self._own_global,
            "export": self._export,
            "element": _element,
            "code": _code,
            "data": _data,
            "tag": self._tag,
        }
        item = readers[name]
        count = len(reader.vector(lambda: item(reader)))
        if reader.at != reader.end:
            raise Malformed(reader.at, f"{reader.end - reader.at} bytes are left over")
        return count

    def _custom(self, reader: Reader, section: dict[str, Any]) -> None:
        name = reader.text()
        section["name"] = f'custom "{name}"'
        if name == "name" and reader.at < reader.end and reader.byte() == 0:
            reader.number()
            self.name = reader.text()

    # ---- items
    def _type(self, reader: Reader) -> None:
        begin, form = reader.at, reader.byte()
        if form != 0x60:
            self.features.add("gc")
            raise Malformed(begin, f"a type that is no function (0x{form:02x})")
        self._types.append(reader.functype())

    def _import(self, reader: Reader) -> None:
        module, name = reader.text(), reader.text()
        begin, code = reader.at, reader.byte()
        if code >= len(_KINDS):
            raise Malformed(begin, f"an import of an unknown kind ({code})")
        kind = _KINDS[code]
        (self._function, self._table, self._memory, self._global, self._tag)[code](reader)
        type_ = self._indices[kind][-1]
        self.imports.append({"module": module, "name": name, "kind": kind, "type": type_})
        if kind == "global" and type_.startswith("mutable"):
            self.features.add("mutable-globals")
        if module in WASI:
            self.features.add("wasi")

    def _function(self, reader: Reader) -> None:
        index = reader.number()
        known = index < len(self._types)
        self._indices["function"].append(self._types[index] if known else f"type {index}")

    def _table(self, reader: Reader) -> None:
        self._indices["table"].append(reader.tabletype())
        if len(self._indices["table"]) > 1:
            self.features.add("reference-types")

    def _own_table(self, reader: Reader) -> None:
        initial = reader.data[reader.at : reader.at + 2] == b"\x40\0"  # an initial value follows
        if initial:
            self.features.add("function-references")
            reader.at += 2
        self._table(reader)
        if initial:
            constant(reader)

    def _memory(self, reader: Reader) -> None:
        self._indices["memory"].append(reader.limits("page"))
        if len(self._indices["memory"]) > 1:
            self.features.add("multi-memory")

    def _global(self, reader: Reader) -> None:
        self._indices["global"].append(reader.globaltype())

    def _own_global(self, reader: Reader) -> None:
        self._global(reader)
        constant(reader)

    def _tag(self, reader: Reader) -> None:
        self.features.add("exceptions")
        reader.byte()
        index = reader.number()
        self._indices["tag"].append(f"type {index}")

    def _export(self, reader: Reader) -> None:
        name = reader.text()
        begin, code, index = reader.at, reader.byte(), reader.number()
        if code >= len(_KINDS):
            raise Malformed(begin, f"an export of an unknown kind ({code})")
        self.exports.append({"name": name, "kind": _KINDS[code], "type": f"{index}"})

    def _resolve(self) -> None:
        """Give exports their types, now that everything is known."""
        for export in self.exports:
            known, index = self._indices[export["kind"]], int(export["type"])
            export["type"] = known[index] if index < len(known) else f"unknown (index {index})"
            if export["kind"] == "global" and export["type"].startswith("mutable"):
                self.features.add("mutable-globals")


# ------------------------------------------------------------------ items that only use features
def _element(reader: Reader) -> None:
    begin, flags = reader.at, reader.number()
    if flags > 7:
        raise Malformed(begin, f"an element segment of an unknown kind ({flags})")
    if flags & 4 or flags == 3:  # of expressions, or declared only
        reader.features.add("reference-types")
    if flags in (1, 2, 5):
        reader.features.add("bulk-memory")
    if not flags & 1:
        if flags & 2:
            reader.number()
        constant(reader)
    if flags & 3:
        reader.valtype() if flags & 4 else reader.byte()
    reader.vector((lambda: constant(reader)) if flags & 4 else lambda: _index(reader))


def _index(reader: Reader) -> None:
    reader.number()


def _data(reader: Reader) -> None:
    begin, flags = reader.at, reader.number()
    if flags > 2:
        raise Malformed(begin, f"a data segment of an unknown kind ({flags})")
    if flags == 1:
        reader.features.add("bulk-memory")
    else:
        if flags == 2:
            reader.number()
        constant(reader)
    reader.skip(reader.number())


def _code(reader: Reader) -> None:
    size = reader.number()
    end = reader.at + size
    if end > reader.end:
        raise Malformed(reader.at, "a function goes on beyond the section")
    body = Reader(reader.data, reader.at, end, reader.features)
    for _ in range(body.number()):
        body.number()
        body.valtype()
    scan(body)
    reader.at = end
