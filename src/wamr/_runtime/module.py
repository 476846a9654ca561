"""Modules: code that is validated and compiled once, for any number of instances and threads.

The types of imports and exports are read from C at the first access
(src/native/runtime/describe.c), and shared by all instances. A module keeps its bytes, for pickles
and for custom sections. This module knows nothing about instances.
"""

from __future__ import annotations

from struct import Struct

from .._backend.binding import described, exported, ffi, lib
from .._base.arguments import already_initialized, checked_bool
from .._base.binary_format import (
    AOT_MAGIC,
    CODE_SECTION,
    CUSTOM_SECTION,
    FUNCTION,
    GLOBAL,
    HAS_MAX,
    HEADER_BYTES,
    MEMORY,
    MODULE_NAME,
    MUTABLE,
    TABLE,
    TAG,
    VALUE_TYPES,
)
from .._base.binary_reader import BinaryReader, Malformed
from .._base.printable import quoted_name
from .._base.shared import Shared
from ..errors import CompileError, UnavailableError, compile_error_from_text, out_of_memory
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


class Module:
    """A compiled module, for any number of instances in the stores of its engine.

    store: a Store or an Engine; only the engine matters.
    source: a path, the bytes of a module, or module text (needs the `wat` extra).
    trusted: whether to accept AOT code, which WAMR runs without validating it.
    May be copied (the copy is the module itself) and pickled; unpickling uses the default engine.
    Raises CompileError (malformed, invalid or not supported), OSError for a path, TypeError,
    ClosedError, UnavailableError (AOT code, while "aot" is not in `wamr.FEATURES`).
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
        "_export_plan",
        "_exports",
        "_function_imports",
        "_function_names",
        "_has_start",
        "_imports",
        "_name",
    )
    _engine: Engine

    def __init__(self, store: Store | Engine, source: Source, *, trusted: bool = False) -> None:
        if hasattr(self, "_c"):
            raise already_initialized(self)
        engine = engine_of("store", store)
        checked_bool("trusted", trusted)
        data = source_bytes(source)
        if data[:4] == AOT_MAGIC:
            raise _aot_error(trusted)
        self._load(engine, data)

    def _load(self, engine: Engine, data: bytes) -> None:
        error = ffi.new("char[256]")
        pointer = lib.wpy_module_new(data, len(data), error, 256)
        if not pointer:
            text = ffi.string(error).decode("utf-8", "replace")
            no_memory = out_of_memory(text.partition(" (function ")[0])
            if no_memory:
                raise no_memory
            raise _refused(text, data)
        self._c = ffi.gc(pointer, lib.wpy_module_release)
        self._bytes = data
        self._engine = engine
        self._name: tuple[str | None] | None = None
        self._function_names: dict[int, str | None] = {}
        self._imports: tuple[ImportType, ...] | None = None
        self._function_imports: int | None = None
        self._has_start: bool | None = None
        self._exports: tuple[ExportType, ...] | None = None
        self._export_plan: dict[str, tuple[int, int, ExternType]] | None = None

    @property
    def engine(self) -> Engine:
        """The engine that the module was compiled for."""
        return self._engine

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """The imports, in the module's order. C: `wasm_module_imports`. Spec: section 5.5.5."""
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
        """The exports, in the module's order. C: `wasm_module_exports`. Spec: section 5.5.10."""
        if self._exports is None:
            self._exports = exported(self._address(), _export_types, _export_type)
        return self._exports

    @property
    def name(self) -> str | None:
        """The module's name in its name section, or None. Spec: appendix 7.4.1."""
        if self._name is None:
            self._name = (self._own_name(),)
        return self._name[0]

    def _own_name(self) -> str | None:
        section = self.custom_section("name")
        if section and section[0] == MODULE_NAME:
            reader = BinaryReader(section, 1, len(section))
            try:
                reader.number()
                return reader.text("replace")
            except Malformed:  # WAMR doesn't validate custom sections
                return None
        return None

    def custom_section(self, name: str) -> bytes | None:
        r"""Return the bytes of the first custom section with this name, or None.

        Raises TypeError. C: `wasm_runtime_get_custom_section`. Spec: section 5.5.3.

        >>> from wamr import Engine, Module
        >>> Module(Engine(), b"\0asm\1\0\0\0" b"\0\6\3abcde").custom_section("abc")
        b'de'
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        reader = BinaryReader(self._bytes, HEADER_BYTES, len(self._bytes))
        while reader.at < reader.end:
            section = reader.byte()
            size = reader.number()
            end = reader.at + size
            if section == CUSTOM_SECTION and reader.text("replace") == name:
                return self._bytes[reader.at : end]
            reader.at = end
        return None

    @staticmethod
    def validate(store: Store | Engine, source: Source) -> bool:
        """Tell whether `Module(store, source)` would succeed; its CompileError has the reason.

        Raises OSError for a path, TypeError, ClosedError, UnavailableError.
        C: `wasm_module_validate`.

        >>> from wamr import Engine, Module
        >>> Module.validate(Engine(), "(module (func (result i32)))")
        False
        """
        try:
            Module(store, source)
        except CompileError:
            return False
        return True

    def serialize(self) -> bytes:
        """Return bytes for `deserialize`, in any process. C: `wasm_module_serialize`.

        >>> from wamr import Engine, Module
        >>> len(Module(Engine(), "(module)").serialize())
        8
        """
        return self._bytes

    @staticmethod
    def deserialize(store: Store | Engine, data: bytes) -> Module:
        """Return a module from the bytes that `serialize` returned.

        Raises CompileError, TypeError, ClosedError. C: `wasm_module_deserialize`.

        >>> from wamr import Engine, Module
        >>> module = Module(Engine(), '(module (func (export "f")))')
        >>> Module.deserialize(Engine(), module.serialize())
        <wamr.Module, 0 imports, 1 exports>
        """
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
        name = f" {quoted_name(self.name)}" if self.name else ""
        return f"<wamr.Module{name}, {len(self.imports)} imports, {len(self.exports)} exports>"

    def _exported(self) -> dict[str, tuple[int, int, ExternType]]:
        """Return kind, index (among those of its kind) and type of each export, by name."""
        if self._export_plan is None:
            self._export_plan = {
                name: (kind, index, _types.get(type_) or _type(type_))
                for kind, index, _, name, type_ in described(self._address(), False)
            }
        return self._export_plan

    def _address(self) -> int:
        return int(_cast(_UINTPTR, self._c))

    def _starts(self) -> bool:
        """Tell whether there is a start function, or `_initialize`, to run in a new instance."""
        if self._has_start is None:
            self._has_start = bool(lib.wpy_module_starts(self._c))
        return self._has_start

    def _imported_functions(self) -> int:
        """Return how many functions are imported."""
        if self._function_imports is None:
            self._function_imports = sum(isinstance(x.type, FuncType) for x in self.imports)
        return self._function_imports

    def _bodies(self, wanted: set[int]) -> dict[int, int]:
        """Return the offsets of function bodies; wanted: their indices in the code section."""
        reader = BinaryReader(self._bytes, HEADER_BYTES, len(self._bytes))
        while reader.byte() != CODE_SECTION:
            size = reader.number()
            reader.at += size
        reader.number()
        starts = {}
        for position in range(reader.number()):
            size = reader.number()
            if position in wanted:
                starts[position] = reader.at
            reader.at += size
        return starts

    def _function_name(self, index: int) -> str | None:
        """Return a function's name in the name section, else that of an export, else None."""
        if index not in self._function_names:
            self._function_names[index] = self._find_function_name(index)
        return self._function_names[index]

    def _find_function_name(self, index: int) -> str | None:
        name = lib.wpy_module_function_name(self._c, index)
        if name:
            # the loader, which uses C strings, encodes NUL as C0 80 (cmake/patches)
            text: str = ffi.string(name).replace(b"\xc0\x80", b"\0").decode("utf-8", "replace")
            return text
        for export, (kind, at, _) in self._exported().items():
            if kind == FUNCTION and at == index:
                return export
        return None


def _refused(text: str, data: bytes) -> CompileError:
    """Return the error for bytes that WAMR refuses, with an explanation if one can be had."""
    try:
        from .._diagnosis.refused import compile_error
    except (ImportError, OSError, MemoryError):  # no more open files, for example
        return compile_error_from_text(text)
    return compile_error(text, data)


def _aot_error(trusted: bool) -> Exception:
    """Return the error for AOT code."""
    if trusted:
        return UnavailableError(
            'this build can\'t run AOT code ("aot" is not in wamr.FEATURES); give the wasm module '
            "that it was compiled from"
        )
    return CompileError(
        "this is AOT code, which can't be checked: only trusted=True takes it, in a build with "
        '"aot" in wamr.FEATURES, which this build lacks; give the wasm module that it was compiled '
        "from"
    )


def _unpickled(data: bytes) -> Module:
    return Module(default_engine(), data)


# Types by the bytes that describe them (src/native/cpython/describe.c), shared by all modules.
_types: Shared[bytes, ExternType] = Shared()
_export_types: Shared[bytes, ExportType] = Shared()  # by type and name
_PARAM_COUNT = Struct("=xI")
_PARTS = Struct("=BBBII")


def _type(description: bytes) -> ExternType:
    """Return a new type from its description, and share it."""
    if description[0] == FUNCTION:
        split = 5 + _PARAM_COUNT.unpack_from(description)[0]
        type_: ExternType = FuncType._from_kinds(description[5:split], description[split:])
    elif description[0] == TAG:
        type_ = TagType._from_codes(description[5:])
    else:
        kind, content, flags, minimum, maximum = _PARTS.unpack(description)
        if kind == GLOBAL:
            type_ = GlobalType(ValType(VALUE_TYPES[content]), bool(flags & MUTABLE))
        else:
            limits = Limits(minimum, maximum if flags & HAS_MAX else None)
            if kind == TABLE:
                type_ = TableType(ValType(VALUE_TYPES[content]), limits)
            else:
                assert kind == MEMORY
                type_ = MemoryType(limits)
    return _types.share(description, type_)


def _export_type(name: str, description: bytes, key: bytes) -> ExportType:
    """Return a new ExportType, and share it under `key`: many modules export the same."""
    export = ExportType._of(name, _types.get(description) or _type(description))
    return _export_types.share(key, export)
