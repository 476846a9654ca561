"""Modules: code, validated and compiled once, usable in any number of instances and threads.

What a module imports and exports is read from C when first asked for
(src/native/runtime/describe.c), and shared by all its instances. A module keeps its bytes: they are
what is pickled, and where custom sections are found. It knows nothing of instances.
"""

from __future__ import annotations

from struct import Struct

from .._backend.binding import described, exported, ffi, lib
from .._base.immutable import made_already
from ..errors import CompileError, UnavailableError, out_of_memory
from ..types import (
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    ValType,
)
from .engine import Engine, default_engine
from .source import source_bytes
from .store import engine_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._base.aliases import Source
    from ..types import ExternType
    from .store import Store

_cast, _UINTPTR = ffi.cast, ffi.typeof("uintptr_t")
AOT_MAGIC = b"\0aot"
_KINDS = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x6F: "externref"}
_KINDS |= {0x70: "funcref", 0x69: "exnref"}


class Module:
    """Code, compiled once.

    store: the Store or Engine it is for; its engine is what counts.
    source: a path, the bytes of a module, or module text (needs the `wat` extra).
    trusted: whether AOT code may be taken, which WAMR runs without checking it.
    Raises CompileError (malformed, invalid or not supported), OSError for a path, TypeError,
    ClosedError; UnavailableError for AOT code, while "aot" is not in `wamr.FEATURES`.
    C: `wasm_runtime_load_ex`. Spec: section 4.5.1, `module_decode` and `module_validate`.

    >>> from wamr import Engine, Module
    >>> module = Module(Engine(), '(module (func (export "f") (param i32)))')
    >>> module.exports
    (ExportType('f', FuncType("(i32) -> ()")),)
    """

    __slots__ = (
        "__weakref__",
        "_bytes",
        "_c",
        "_engine",
        "_exports",
        "_function_imports",
        "_function_names",
        "_imports",
        "_name",
        "_plan",
        "_starter",
    )
    _engine: Engine

    def __init__(self, store: Store | Engine, source: Source, *, trusted: bool = False) -> None:
        if hasattr(self, "_c"):
            raise made_already(self)
        engine = engine_of("store", store)
        if not isinstance(trusted, bool):
            raise TypeError(f"trusted must be a bool, not {type(trusted).__name__}")
        data = source_bytes(source)
        if data[:4] == AOT_MAGIC:
            raise _no_aot(trusted)
        self._load(engine, data)

    def _load(self, engine: Engine, data: bytes) -> None:
        error = ffi.new("char[256]")
        pointer = lib.wpy_module_new(data, len(data), error, 256)
        if not pointer:
            text = ffi.string(error).decode("utf-8", "replace")
            no_memory = out_of_memory(text.partition(" (function ")[0])
            if no_memory:
                raise no_memory
            from .._diagnosis.refused import refused

            raise refused(text, data)
        self._c = ffi.gc(pointer, lib.wpy_module_release)
        self._bytes = data
        self._engine = engine
        self._name: tuple[str | None] | None = None
        self._function_names: dict[int, str | None] = {}
        self._imports: tuple[ImportType, ...] | None = None
        self._function_imports: int | None = None
        self._starter: bool | None = None
        self._exports: tuple[ExportType, ...] | None = None
        self._plan: dict[str, tuple[int, int, ExternType]] | None = None

    @property
    def engine(self) -> Engine:
        """The engine that it is for."""
        return self._engine

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What the module asks for, in its order."""
        if self._imports is None:
            self._imports = tuple(
                [
                    ImportType._of(module, name, _types.get(type_) or _type(type_))
                    for _, _, module, name, type_ in described(self._address(), True)
                ]
            )
        return self._imports

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What the module offers, in its order."""
        if self._exports is None:
            self._exports = exported(self._address(), _export_types, _export_type)
        return self._exports

    @property
    def name(self) -> str | None:
        """The module's own name, from its name section."""
        if self._name is None:
            self._name = (self._own_name(),)
        return self._name[0]

    def _own_name(self) -> str | None:
        section = self.custom_section("name")
        if section and section[0] == 0:
            reader = _Reader(section, 1)
            try:
                reader.number()
                name = reader.text()
            except IndexError:  # cut short; no reason for a module to be invalid
                return None
            return name if reader.at <= len(section) else None
        return None

    def custom_section(self, name: str) -> bytes | None:
        """Return the content of the first custom section of this name, or None.

        Spec: section 5.5.3. Raises TypeError.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        reader = _Reader(self._bytes, 8)
        while reader.at < len(self._bytes):
            kind = reader.byte()
            end = reader.number()
            end += reader.at
            if kind == 0 and reader.text() == name:
                return self._bytes[reader.at : end]
            reader.at = end
        return None

    @staticmethod
    def validate(store: Store | Engine, source: Source) -> bool:
        """Tell whether `source` is a module that runs here. `Module(…)` tells the reason.

        Raises OSError for a path, TypeError.
        """
        try:
            Module(store, source)
        except CompileError:
            return False
        return True

    def serialize(self) -> bytes:
        """Return bytes for `deserialize`, here or elsewhere. C: `wasm_module_serialize`."""
        return self._bytes

    @staticmethod
    def deserialize(store: Store | Engine, data: bytes) -> Module:
        """Return the module that `serialize` wrote. Raises CompileError, TypeError."""
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        return Module(store, data)

    def __copy__(self) -> Module:
        return self

    def __deepcopy__(self, memo: object) -> Module:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickled, (self._bytes,)

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<wamr.Module{name}, {len(self.imports)} imports, {len(self.exports)} exports>"

    # name -> (kind, index in its kind, type); what instances make their exports from
    def _exported(self) -> dict[str, tuple[int, int, ExternType]]:
        if self._plan is None:
            self._plan = {
                name: (kind, index, _types.get(type_) or _type(type_))
                for kind, index, _, name, type_ in described(self._address(), False)
            }
        return self._plan

    def _address(self) -> int:
        return int(_cast(_UINTPTR, self._c))

    def _starts(self) -> bool:
        """Tell whether something runs when an instance is made."""
        if self._starter is None:
            self._starter = bool(lib.wpy_module_starts(self._c))
        return self._starter

    def _imported_functions(self) -> int:
        if self._function_imports is None:
            self._function_imports = sum(isinstance(x.type, FuncType) for x in self.imports)
        return self._function_imports

    def _bodies(self, wanted: set[int]) -> dict[int, int]:
        """Return where the bodies of these functions, by position in the code section, begin."""
        reader = _Reader(self._bytes, 8)
        kind = reader.byte()
        while kind != 10:
            size = reader.number()
            reader.at += size
            kind = reader.byte()
        reader.number()
        starts = {}
        for position in range(reader.number()):
            size = reader.number()
            if position in wanted:
                starts[position] = reader.at
            reader.at += size
        return starts

    def _function_name(self, index: int) -> str | None:
        """From the name section, else an export's name."""
        if index not in self._function_names:
            self._function_names[index] = self._find_function_name(index)
        return self._function_names[index]

    def _find_function_name(self, index: int) -> str | None:
        name = lib.wpy_module_function_name(self._c, index)
        if name:
            # the patched loader writes NUL as C0 80
            text: str = ffi.string(name).replace(b"\xc0\x80", b"\0").decode("utf-8", "replace")
            return text
        for export, (kind, at, _) in self._exported().items():
            if kind == 0 and at == index:
                return export
        return None


def _no_aot(trusted: bool) -> Exception:
    """Return the error for AOT code."""
    if trusted:
        return UnavailableError(
            'this build can\'t run AOT code ("aot" is not in wamr.FEATURES); give the wasm module '
            "that it was compiled from"
        )
    return CompileError(
        "this is AOT code, which runs without being checked: only trusted=True takes it; give the "
        "wasm module that it was compiled from"
    )


def _unpickled(data: bytes) -> Module:
    return Module(default_engine(), data)


_types: dict[bytes, ExternType] = {}  # equal types of modules are one object
_MOST_TYPES = 4096
_COUNT = Struct("=xI")
_PARTS = Struct("=BBBII")


def _type(text: bytes) -> ExternType:
    """Return the type that `described` tells of with these bytes."""
    if len(_types) >= _MOST_TYPES:
        _types.clear()
    if text[0] == 0:
        split = 5 + _COUNT.unpack_from(text)[0]
        found: ExternType = FuncType._from_kinds(text[5:split], text[split:])
    elif text[0] == 4:
        found = TagType._from_codes(text[5:])
    else:
        kind, content, flags, least, most = _PARTS.unpack(text)
        if kind == 3:
            found = GlobalType(ValType(_KINDS[content]), bool(flags & 1))
        else:
            limits = Limits(least, most if flags & 2 else None)
            element = ValType(_KINDS[content]) if kind == 1 else ValType.FUNCREF
            found = MemoryType(limits) if kind == 2 else TableType(element, limits)
    _types[text] = found
    return found


_export_types: dict[bytes, ExportType] = {}  # the same for exports, by type and name


def _export_type(name: str, text: bytes, key: bytes) -> ExportType:
    """Return what an export of this name and type is; many modules have the same."""
    if len(_export_types) >= _MOST_TYPES:
        _export_types.clear()
    found = ExportType._of(name, _types.get(text) or _type(text))
    return _export_types.setdefault(key, found)


class _Reader:
    """Reads the bytes of a valid module."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "replace")
