"""The contents of a module, read without WAMR, whether it is valid, unsupported or malformed.

`Contents` has everything that could be read. After malformed bytes, which `problem` reports,
reading goes on with the next section. All proposals with a defined binary format are known, whether
or not WAMR implements them. Spec: section 5.5.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from .._base.binary_format import CUSTOM_SECTION, FUNCTION, HEADER_BYTES, MODULE_NAME, VERSION
from .._base.binary_reader import Malformed
from .._base.wasi import WASI
from .instructions import balanced, constant, scan
from .reader import Reader, TooMuchToRead, Uses
from .segments import read_data, read_element

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NAMES = [  # by section id
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
_ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)  # section ids, each at most once
_KINDS = ("function", "table", "memory", "global", "tag")


class Body:
    """A function's body: its index, its offsets, and its locals as pairs (count, type)."""

    __slots__ = ("begin", "code", "end", "index", "locals")

    def __init__(self, index: int, begin: int, end: int) -> None:
        self.index = index
        self.begin = begin
        self.end = end
        self.code = begin  # the first instruction, after the locals
        self.locals: list[tuple[int, str]] = []


class Contents:
    """The contents of a module, with types as text. `uses` has the features that it uses.

    most: how many items and instructions to read one by one; what comes after them is left out.
    Attribute `problem`: the first malformed part, or None.
    """

    def __init__(self, data: bytes, most: int = sys.maxsize) -> None:
        self.data = data
        self.sections: list[dict[str, Any]] = []
        self.imports: list[dict[str, str]] = []
        self.exports: list[dict[str, str]] = []
        self.uses = Uses(most)
        self.name: str | None = None
        self.start: int | None = None
        self.problem: str | None = None
        self.bodies: list[Body] = []
        self.custom: set[str] = set()
        self._imported_functions = 0
        self._functions = 0  # without imported ones
        self._last = -1  # the position of the last section in _ORDER
        self._indices: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        with suppress(TooMuchToRead):
            self._read_module(data)
        self._resolve()

    @property
    def kind(self) -> str:
        """The kind of WASI module: "command", "reactor" or, if neither, "library"."""
        functions = {e["name"] for e in self.exports if e["kind"] == "function"}
        if "_start" in functions:
            return "command"
        return "reactor" if "_initialize" in functions else "library"

    def memories(self) -> list[str]:
        """Return the types of the memories, imported ones first."""
        return self._indices["memory"]

    def tags(self) -> list[str]:
        """Return the types of the tags, imported ones first."""
        return self._indices["tag"]

    def function_types(self) -> list[str]:
        """Return the types of the functions, imported ones first."""
        return self._indices["function"]

    # ---- sections
    def _read_module(self, data: bytes) -> None:
        reader = self._reader(data, HEADER_BYTES, len(data))
        if data[4:HEADER_BYTES] != VERSION:
            cut = len(data) < HEADER_BYTES
            self.problem = f"the header is {'cut short' if cut else 'not that of version 1'}"
            return
        while reader.at < reader.end:
            try:
                self._section(reader)
            except Malformed as error:  # the size of a section can't be read
                self._note("", error)
                return
        if len(self.bodies) != self._functions:
            what = f"functions: {self._functions}, function bodies: {len(self.bodies)}"
            self._note("", Malformed(reader.at, what))
        if self.uses.max_type >= len(self.uses.types):
            self._note("", Malformed(reader.at, f"there is no type {self.uses.max_type}"))

    def _section(self, reader: Reader) -> None:
        self.uses.count()
        begin = reader.at
        code, size = reader.byte(), reader.number()
        offset = reader.at
        end = min(offset + size, reader.end)
        name = _NAMES[code] if code < len(_NAMES) else f"unknown ({code})"
        section: dict[str, Any] = {"name": name, "offset": offset, "size": size, "items": None}
        self.sections.append(section)
        inside = self._reader(reader.data, offset, end)
        reader.at = end
        try:
            if offset + size > reader.end:
                missing = offset + size - end
                raise Malformed(begin, f"the last {_bytes(missing)} of the section are missing")
            if code >= len(_NAMES):
                raise Malformed(begin, "the section is unknown")
            self.uses.section = name
            if code == CUSTOM_SECTION:
                self._custom(inside, section)
            else:
                section["items"] = self._items(name, inside)
                position = _ORDER.index(code)
                if position <= self._last:
                    raise Malformed(begin, "the section is not in its place")
                self._last = position
        except Malformed as error:
            self._note(name, error)

    def _reader(self, data: bytes, at: int, end: int) -> Reader:
        return Reader(data, at, end, self.uses)

    def _note(self, section: str, error: Malformed) -> None:
        if self.problem is None:
            self.problem = f"{section} section: {error}" if section else str(error)

    def _items(self, name: str, reader: Reader) -> int | None:
        """Read a section; return the number of its items, or None if it has none by definition."""
        if name == "start":
            self.start = reader.number()
            return None
        if name == "data count":
            self.uses.note("bulk-memory", "a data count section", reader.at)
            return reader.number()
        readers: dict[str, Callable[[Reader], None]] = {
            "type": self._type,
            "import": self._import,
            "function": self._function,
            "table": self._own_table,
            "memory": self._memory,
            "global": self._own_global,
            "export": self._export,
            "element": read_element,
            "code": self._code,
            "data": read_data,
            "tag": self._tag,
        }
        item = readers[name]
        count = len(reader.vector(lambda: item(reader)))
        if reader.at != reader.end:
            raise Malformed(reader.at, f"{_bytes(reader.end - reader.at)} too many")
        return count

    def _custom(self, reader: Reader, section: dict[str, Any]) -> None:
        name = reader.text()
        section["name"] = f'custom "{name}"'
        self.custom.add(name)
        if name == "name" and reader.at < reader.end and reader.byte() == MODULE_NAME:
            reader.number()
            self.name = reader.text()

    def _code(self, reader: Reader) -> None:
        size = reader.number()
        begin, end = reader.at, reader.at + size
        if end > reader.end:
            raise Malformed(begin, "a function goes on beyond the section")
        index = self._imported_functions + len(self.bodies)
        body = self._reader(reader.data, begin, end)
        self.bodies.append(Body(index, begin, end))
        self.uses.function = index
        known = len(self.uses)
        self.uses.section = "locals"
        self.bodies[-1].locals = _locals(body)
        self.uses.section = "code"
        code = self.bodies[-1].code = body.at
        try:
            scan(body)
            if len(self.uses) > known:  # trust the new uses only if the bytes are well-formed code
                body.at = code
                if not balanced(body):
                    raise Malformed(end, "a function's blocks do not end where it ends")
        except TooMuchToRead:
            for feature in list(self.uses)[known:]:
                del self.uses[feature]
            raise
        self.uses.function = None
        reader.at = end

    # ---- items
    def _type(self, reader: Reader) -> None:
        if reader.peek() == 0x4E:
            self.uses.note("gc", "a group of recursive types", reader.at)
            reader.at += 1
            reader.vector(lambda: self._subtype(reader))
        else:
            self._subtype(reader)

    def _subtype(self, reader: Reader) -> None:
        if reader.peek() in (0x4F, 0x50):
            self.uses.note("gc", "a type with subtypes", reader.at)
            reader.at += 1
            reader.vector(reader.number)
        while reader.peek() in (0x4C, 0x4D, 0x65):
            shared = reader.peek() == 0x65
            feature = "shared-everything-threads" if shared else "custom-descriptors"
            what = "a shared type" if shared else "a type with a descriptor"
            self.uses.note(feature, what, reader.at)
            reader.at += 1
            if not shared:
                reader.number()
        begin, form = reader.at, reader.byte()
        if form == 0x60:
            self.uses.types.append(reader.functype())
        elif form == 0x5D:
            self.uses.note("stack-switching", "the type of a continuation", begin)
            self.uses.types.append(f"cont {reader.index(len(self.uses.types), 'type')}")
        elif form in (0x5E, 0x5F):
            struct = form == 0x5F
            self.uses.note("gc", f"the type of {'a struct' if struct else 'an array'}", begin)
            if struct:
                reader.vector(reader.fieldtype)
            else:
                reader.fieldtype()
            self.uses.types.append("struct" if struct else "array")
        else:
            raise Malformed(begin, f"0x{form:02x} is not the form of a type")

    def _import(self, reader: Reader) -> None:
        module, name = reader.text(), reader.text()
        begin, form = reader.at, reader.peek()
        if not name and form in (0x7E, 0x7F):
            self.uses.note("compact-imports", "several imports in one item", begin)
            reader.at += 1
            if form == 0x7F:
                reader.vector(lambda: self._imported(reader, module, reader.text()))
            else:
                self._imported(reader, module, "")
                kind, type_ = self.imports[-1]["kind"], self._indices[self.imports[-1]["kind"]][-1]
                names = reader.vector(reader.text)
                self.imports[-1:] = [
                    {"module": module, "name": name, "kind": kind, "type": type_} for name in names
                ]
                self._indices[kind][-1:] = [type_] * len(names)
                self._count(kind, len(names) - 1)
        else:
            self._imported(reader, module, name)

    def _imported(self, reader: Reader, module: str, name: str) -> None:
        begin, code = reader.at, reader.byte()
        if code >= len(_KINDS):
            raise Malformed(begin, f"an import of an unknown kind ({code})")
        kind = _KINDS[code]
        if code == FUNCTION:
            self._index(reader)
        else:
            (self._table, self._memory, self._global, self._tag)[code - 1](reader)
        if kind == "function":
            self._count(kind, 1)
        type_ = self._indices[kind][-1]
        self.imports.append({"module": module, "name": name, "kind": kind, "type": type_})
        if kind == "global" and type_.startswith("mutable"):
            self.uses.note("mutable-globals", "an imported global that can change", begin)
        if module in WASI:
            self.uses.note("wasi", "an import of WASI's", begin)

    def _count(self, kind: str, more: int) -> None:
        """Count imports for what reads their indices."""
        if kind == "function":
            self._imported_functions += more
        elif kind == "memory":
            self.uses.memories += more
        elif kind == "tag":
            self.uses.tags += more

    def _index(self, reader: Reader) -> None:
        """Read the type index of a function."""
        index = reader.number()
        known = index < len(self.uses.types)
        self._indices["function"].append(self.uses.types[index] if known else f"type {index}")

    def _function(self, reader: Reader) -> None:
        self._index(reader)
        self._functions += 1

    def _table(self, reader: Reader) -> None:
        begin = reader.at
        self._indices["table"].append(reader.tabletype())
        if len(self._indices["table"]) > 1:
            self.uses.note("reference-types", "a second table", begin)

    def _own_table(self, reader: Reader) -> None:
        initial = reader.data[reader.at : reader.at + 2] == b"\x40\0"  # an initial value follows
        if initial:
            what = "a table with an initial value"
            self.uses.note("function-references", what, reader.at)
            reader.at += 2
        self._table(reader)
        if initial:
            constant(reader)

    def _memory(self, reader: Reader) -> None:
        begin = reader.at
        self._indices["memory"].append(reader.limits("page"))
        self.uses.memories += 1
        if len(self._indices["memory"]) > 1:
            self.uses.note("multi-memory", "a second memory", begin)

    def _global(self, reader: Reader) -> None:
        self._indices["global"].append(reader.globaltype())

    def _own_global(self, reader: Reader) -> None:
        self._global(reader)
        constant(reader)
        globals_ = self._indices["global"]
        if globals_[-1].startswith("constant"):
            self.uses.own_constants.add(len(globals_) - 1)

    def _tag(self, reader: Reader) -> None:
        self.uses.note("exceptions", "a tag", reader.at)
        begin, attribute = reader.at, reader.byte()
        if attribute:
            raise Malformed(begin, f"0x{attribute:02x} is not a tag attribute")
        self.uses.tags += 1
        type_ = self.uses.types[reader.index(len(self.uses.types), "type")]
        # A tag has no results; those of an invalid module are shown.
        self._indices["tag"].append(type_.removesuffix(" -> ()"))

    def _export(self, reader: Reader) -> None:
        name = reader.text()
        begin, code, index = reader.at, reader.byte(), reader.number()
        if code >= len(_KINDS):
            raise Malformed(begin, f"an export of an unknown kind ({code})")
        self.exports.append({"name": name, "kind": _KINDS[code], "type": f"{index}"})

    def _resolve(self) -> None:
        """Replace the indices of exports by types, when everything has been read."""
        for export in self.exports:
            known, index = self._indices[export["kind"]], int(export["type"])
            export["type"] = known[index] if index < len(known) else f"unknown (index {index})"
            if export["kind"] == "global" and export["type"].startswith("mutable"):
                self.uses.note("mutable-globals", "an exported global that can change", 0)


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


def _locals(body: Reader) -> list[tuple[int, str]]:
    """Return a function's locals as pairs (count, type)."""
    return body.vector(lambda: (body.number(), body.valtype()))
