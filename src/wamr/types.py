"""The types of WebAssembly as Python objects: immutable, hashable, comparable, readable.

A value type is a member of `ValType`, whose `code` is its byte in the binary format. The types of
externs are `FuncType`, `GlobalType`, `TableType`, `MemoryType` and `TagType`; sizes are `Limits`.
`ImportType` and `ExportType` are such types with names. `functype_from_annotations` makes a
`FuncType` from the signature of a Python callable. This module uses no C and knows no stores or
instances; other modules pass it codes (`FuncType._from_kinds`). `typing` and `inspect` are imported
at the first use, since they take long to import.
"""

# ruff: noqa: A002 - min, max and type are the public names

import enum
from collections.abc import Callable, Iterable, Sequence
from operator import index

from ._base.arguments import checked_bool, shown_number, shown_value
from ._base.binary_format import EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128
from ._base.immutable import Immutable
from ._base.shared import Shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Annotated, Any, TypeAlias

MAX_PAGES = 65_536  # 4 GiB, all that 32-bit addresses reach
MAX_TABLE = 2**32 - 1
_set = object.__setattr__


class ValType(enum.Enum):
    """A value type. `ValType("i32")` is `ValType.I32`. C: `wasm_valtype_t`. Spec: section 2.3.4.

    >>> from wamr import ValType
    >>> ValType("i32"), str(ValType.FUNCREF)
    (ValType.I32, 'funcref')
    """

    _code: int

    I32 = "i32"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    V128 = "v128"
    EXTERNREF = "externref"
    FUNCREF = "funcref"
    EXNREF = "exnref"

    @property
    def code(self) -> int:
        """The type's byte in the binary format. Spec: section 5.3.1."""
        return self._code

    def __repr__(self) -> str:
        return f"ValType.{self.name}"

    def __str__(self) -> str:
        return str(self.value)


_BY_CODE = dict(zip((I32, I64, F32, F64, V128, EXTERNREF, FUNCREF, EXNREF), ValType, strict=True))
for _code, _kind in _BY_CODE.items():
    _kind._code = _code
_BY_NAME = {str(kind): kind for kind in ValType}
_REFERENCES = (ValType.FUNCREF, ValType.EXTERNREF, ValType.EXNREF)


# ------------------------------------------------------------------ checks of arguments
def _count(name: str, value: object) -> int:
    """Return a non-negative number. Objects with `__index__` are accepted, except bools."""
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if number < 0:
        raise ValueError(f"{name} must not be negative: {shown_number(number)}")
    return number


def _valtype(name: str, value: object) -> ValType:
    if not isinstance(value, ValType):
        raise TypeError(f"{name} must be a ValType, not {shown_value(value)}")
    return value


def _kinds(name: str, values: "Iterable[ValType]") -> bytes:
    """Return the codes of a sequence of ValTypes."""
    if isinstance(values, str):
        hint = f"; FuncType.parse reads a signature like {values!r}" if "(" in values else ""
        raise TypeError(f"{name} must be a sequence of ValType, not str{hint}")
    try:
        items = list(values)
    except TypeError:
        raise TypeError(
            f"{name} must be a sequence of ValType, not {type(values).__name__}"
        ) from None
    return bytes([_valtype(f"{name}[{i}]", kind)._code for i, kind in enumerate(items)])


def _limits(name: str, limits: object, most: int, unit: str) -> "Limits":
    if not isinstance(limits, Limits):
        raise TypeError(f"{name} must be a Limits, not {type(limits).__name__}")
    for bound in (limits.min, limits.max):
        if bound is not None and bound > most:
            raise ValueError(
                f"{name}: {shown_number(bound)} is more than the maximum, {most} {unit}"
            )
    return limits


def _name(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


# ------------------------------------------------------------------ the types
class Limits(Immutable):
    """The minimum and maximum size of a memory, in pages of 65 536 bytes, or a table, in elements.

    min: 0 or more; the initial size. max: at least min; None: no maximum.
    Immutable, comparable, picklable. Raises TypeError, ValueError; MemoryType and TableType raise
    ValueError for sizes that the specification doesn't allow.
    C: `wasm_limits_t`. Spec: section 2.3.7.

    >>> from wamr import Limits
    >>> Limits(1, 4).max
    4
    """

    __slots__ = ("min", "max")  # noqa: RUF023 - in the order of __init__
    min: int
    max: "int | None"

    def __init__(self, min: int, max: "int | None" = None) -> None:
        minimum = _count("min", min)
        maximum = None if max is None else _count("max", max)
        if maximum is not None and minimum > maximum:
            shown = f"{shown_number(minimum)} > {shown_number(maximum)}"
            raise ValueError(f"min must not be greater than max: {shown}")
        self._fill(minimum, maximum)

    def __repr__(self) -> str:
        bounds = (self.min,) if self.max is None else (self.min, self.max)
        return f"Limits({', '.join(map(shown_number, bounds))})"

    def _text(self, unit: str) -> str:
        number = f"at least {self.min}" if self.max is None else f"{self.min} to {self.max}"
        if self.max == self.min:
            number = f"exactly {self.min}"
        last = self.min if self.max is None else self.max
        return f"{number} {unit}{'' if last == 1 else 's'}"


class FuncType(Immutable):
    """The type of a function: the types of its parameters and of its results.

    params, results: sequences of ValType. Immutable, comparable, picklable. Raises TypeError.
    C: `wasm_functype_t`. Spec: section 2.3.6.

    >>> from wamr import FuncType, ValType
    >>> FuncType([ValType.I32, ValType.I32], [ValType.I32])
    FuncType("(i32, i32) -> i32")
    >>> FuncType.parse("() -> (i32, f64)").results
    (ValType.I32, ValType.F64)
    """

    _fields = ("_param_kinds", "_result_kinds", "params", "results")
    __slots__ = (*_fields, "_codec")
    _codec: object  # a cache: the _values.codec.Codec of this type
    params: tuple[ValType, ...]
    results: tuple[ValType, ...]
    _param_kinds: bytes  # one code per parameter
    _result_kinds: bytes

    def __init__(self, params: Sequence[ValType], results: Sequence[ValType] = ()) -> None:
        self._from_codes(_kinds("params", params), _kinds("results", results))

    def _from_codes(self, params: bytes, results: bytes) -> None:
        self._fill(
            params,
            results,
            tuple([_BY_CODE[code] for code in params]),
            tuple([_BY_CODE[code] for code in results]),
        )

    @classmethod
    def _from_kinds(cls, params: bytes, results: bytes) -> "FuncType":
        """Return the type with these codes. Equal types are one object, as long as it is cached."""
        key = (params, results)
        found = _shared.get(key)
        if found is None:
            found = FuncType.__new__(FuncType)
            found._from_codes(params, results)
            found = _shared.share(key, found)
        return found

    @classmethod
    def parse(cls, text: str) -> "FuncType":
        """Return the type for a text like "(i32, i64) -> f32", the result of `str`.

        Several results are written "(i32, f64)"; without results, the arrow may be omitted.
        Raises TypeError, ValueError.

        >>> from wamr import FuncType
        >>> FuncType.parse("(i32, i64) -> f32").params
        (ValType.I32, ValType.I64)
        """
        _name("text", text)
        params, arrow, results = text.partition("->")
        if not params.strip().startswith("("):
            raise ValueError(f'a signature looks like "(i32, i64) -> f32", not {text!r}')
        if arrow and not results.strip():
            raise ValueError(f"nothing after the arrow: {text!r}")
        return cls._from_kinds(_parse_kinds(params, text), _parse_kinds(results, text))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FuncType):
            return NotImplemented
        return self is other or (
            self._param_kinds == other._param_kinds and self._result_kinds == other._result_kinds
        )

    def __hash__(self) -> int:
        return hash((self._param_kinds, self._result_kinds))

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (self.params, self.results)

    def __str__(self) -> str:
        results = ", ".join(map(str, self.results))
        if len(self.results) != 1:
            results = f"({results})"
        return f"({', '.join(map(str, self.params))}) -> {results}"

    def __repr__(self) -> str:
        return f'FuncType("{self}")'


_shared: Shared[tuple[bytes, bytes], FuncType] = Shared()


def _parse_kinds(text: str, whole: str) -> bytes:
    """Return the codes of "i32", "(i32, f64)", "()" or "". whole: the signature, for messages."""
    text = text.strip()
    if text.startswith("("):
        if not text.endswith(")"):
            raise ValueError(f"a parenthesis is not closed: {whole!r}")
        text = text[1:-1].strip()
        names = [name.strip() for name in text.split(",")] if text else []
    else:
        names = [text] if text else []
    for name in names:
        if name not in _BY_NAME:
            raise ValueError(f"{name!r} is not a value type: {whole!r}")
    return bytes([_BY_NAME[name]._code for name in names])


class GlobalType(Immutable):
    """The type of a global: the type of its value, and whether it may change.

    content: a ValType. mutable: whether the value may change. Immutable, comparable, picklable.
    Raises TypeError. C: `wasm_globaltype_t`. Spec: section 2.3.10.

    >>> from wamr import GlobalType, ValType
    >>> str(GlobalType(ValType.I32, mutable=True))
    'mutable i32'
    """

    __slots__ = ("content", "mutable")
    content: ValType
    mutable: bool

    def __init__(self, content: ValType, mutable: bool = False) -> None:
        self._fill(_valtype("content", content), checked_bool("mutable", mutable))

    def __repr__(self) -> str:
        return f"GlobalType({self.content!r}{', mutable=True' if self.mutable else ''})"

    def __str__(self) -> str:
        return f"{'mutable' if self.mutable else 'constant'} {self.content}"


class TableType(Immutable):
    """The type of a table: the type of its elements, and its size.

    element: ValType.FUNCREF, EXTERNREF or EXNREF. limits: in elements, up to 2**32 - 1. Immutable,
    comparable, picklable. Raises TypeError, ValueError. C: `wasm_tabletype_t`. Spec: section 2.3.9.

    >>> from wamr import Limits, TableType, ValType
    >>> str(TableType(ValType.FUNCREF, Limits(2)))
    'at least 2 funcrefs'
    """

    __slots__ = ("element", "limits")
    element: ValType
    limits: Limits

    def __init__(self, element: ValType, limits: Limits) -> None:
        if _valtype("element", element) not in _REFERENCES:
            raise ValueError(f"element must be funcref, externref or exnref, not {element}")
        self._fill(element, _limits("limits", limits, MAX_TABLE, "elements"))

    def __str__(self) -> str:
        return self.limits._text(str(self.element))


class MemoryType(Immutable):
    """The type of a memory: its size.

    limits: in pages of 65 536 bytes, up to 65 536. Immutable, comparable, picklable. Raises
    TypeError, ValueError. C: `wasm_memorytype_t`. Spec: section 2.3.8.

    >>> from wamr import Limits, MemoryType
    >>> str(MemoryType(Limits(1, 4)))
    '1 to 4 pages'
    """

    __slots__ = ("limits",)
    limits: Limits

    def __init__(self, limits: Limits) -> None:
        self._fill(_limits("limits", limits, MAX_PAGES, "pages"))

    def __str__(self) -> str:
        return self.limits._text("page")


class TagType(Immutable):
    """The type of a tag: the types of the values that its exceptions have.

    params: a sequence of ValType. Immutable, comparable, picklable. Raises TypeError.
    Spec: section 2.3.11.

    >>> from wamr import TagType, ValType
    >>> str(TagType([ValType.I32, ValType.EXTERNREF]))
    '(i32, externref)'
    """

    __slots__ = ("params",)
    params: tuple[ValType, ...]

    def __init__(self, params: Sequence[ValType] = ()) -> None:
        self._fill(tuple([_BY_CODE[code] for code in _kinds("params", params)]))

    @classmethod
    def _from_codes(cls, codes: bytes) -> "TagType":
        """Return the type with these codes. Equal types are one object, as long as it is cached."""
        found = _shared_tags.get(codes)
        if found is None:
            found = _shared_tags.share(codes, cls([_BY_CODE[code] for code in codes]))
        return found

    @property
    def _func_type(self) -> FuncType:
        """The type of a function that takes the values and returns nothing."""
        return FuncType._from_kinds(bytes([kind._code for kind in self.params]), b"")

    def __repr__(self) -> str:
        return f"TagType({list(self.params)!r})"

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.params))})"


_shared_tags: Shared[bytes, TagType] = Shared()
_EXTERN_TYPES = (FuncType, GlobalType, TableType, MemoryType, TagType)
if TYPE_CHECKING:
    ExternType: TypeAlias = FuncType | GlobalType | TableType | MemoryType | TagType


def _extern_type(value: object) -> "ExternType":
    if not isinstance(value, _EXTERN_TYPES):
        raise TypeError(
            "type must be a FuncType, GlobalType, TableType, MemoryType or TagType, "
            f"not {type(value).__name__}"
        )
    return value


def described(type: "ExternType") -> str:
    """Return a type with a noun: "function (i32) -> ()", "memory of at least 1 page"."""
    if isinstance(type, FuncType):
        return f"function {type}"
    if isinstance(type, GlobalType):
        return f"global {type}"
    if isinstance(type, TagType):
        return f"tag {type}"
    return f"{'table' if isinstance(type, TableType) else 'memory'} of {type}"


class ImportType(Immutable):
    """An import of a module: its two names and its type.

    type: a FuncType, GlobalType, TableType, MemoryType or TagType. Immutable, comparable,
    picklable. Raises TypeError. C: `wasm_importtype_t`. Spec: section 2.5.11.

    >>> from wamr import FuncType, ImportType
    >>> str(ImportType("env", "log", FuncType.parse("(i32)")))
    "import 'env' 'log': function (i32) -> ()"
    """

    __slots__ = ("module", "name", "type")
    module: str
    name: str
    type: "ExternType"

    def __init__(self, module: str, name: str, type: "ExternType") -> None:
        self._fill(_name("module", module), _name("name", name), _extern_type(type))

    @classmethod
    def _of(cls, module: str, name: str, type: "ExternType") -> "ImportType":
        """Return an object without checks of the arguments."""
        self = object.__new__(cls)
        _set(self, "module", module)
        _set(self, "name", name)
        _set(self, "type", type)
        return self

    def __str__(self) -> str:
        return f"import {self.module!r} {self.name!r}: {described(self.type)}"


class ExportType(Immutable):
    """An export of a module: its name and its type.

    type: a FuncType, GlobalType, TableType, MemoryType or TagType. Immutable, comparable,
    picklable. Raises TypeError. C: `wasm_exporttype_t`. Spec: section 2.5.10.

    >>> from wamr import ExportType, FuncType
    >>> str(ExportType("run", FuncType([])))
    "export 'run': function () -> ()"
    """

    __slots__ = ("name", "type")
    name: str
    type: "ExternType"

    def __init__(self, name: str, type: "ExternType") -> None:
        self._fill(_name("name", name), _extern_type(type))

    @classmethod
    def _of(cls, name: str, type: "ExternType") -> "ExportType":
        """Return an object without checks of the arguments."""
        self = object.__new__(cls)
        _set(self, "name", name)
        _set(self, "type", type)
        return self

    def __str__(self) -> str:
        return f"export {self.name!r}: {described(self.type)}"


# ------------------------------------------------------------------ from Python signatures
# Annotations of host functions, in addition to int (i32) and float (f64).
if TYPE_CHECKING:
    i32: TypeAlias = Annotated[int, "i32"]  # noqa: PYI042
    i64: TypeAlias = Annotated[int, "i64"]  # noqa: PYI042
    f32: TypeAlias = Annotated[float, "f32"]  # noqa: PYI042
    f64: TypeAlias = Annotated[float, "f64"]  # noqa: PYI042
    v128: TypeAlias = Annotated[bytes, "v128"]  # noqa: PYI042
    funcref: TypeAlias = Annotated[Any, "funcref"]  # noqa: PYI042
    externref: TypeAlias = Annotated[Any, "externref"]  # noqa: PYI042
    exnref: TypeAlias = Annotated[Any, "exnref"]  # noqa: PYI042


def _alias(name: str) -> object:
    import typing

    python = {"i": int, "f": float, "v": bytes}.get(name.rstrip("0123456789"), typing.Any)
    annotated: Any = typing.Annotated
    return annotated[python, name]


if not TYPE_CHECKING:  # for a type checker, every name would exist

    def __getattr__(name: str) -> "Any":
        """Make an alias or `ExternType` at the first access, since that needs `typing`."""
        made: object
        if name == "ExternType":
            made = FuncType | GlobalType | TableType | MemoryType | TagType
        elif name in _BY_NAME:
            made = _alias(name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = made
        return made


def functype_from_annotations(
    function: "Callable[..., object]", *, access_caller: bool = False
) -> FuncType:
    """Return the function type for the annotations of a callable.

    All positional parameters count, also those with a default; access_caller: except the first. The
    result must be annotated; None means no result. Raises TypeError.

    >>> from wamr.types import functype_from_annotations
    >>> def add(x: int, y: int) -> float: ...
    >>> functype_from_annotations(add)
    FuncType("(i32, i32) -> f64")
    """
    from ._base.annotations import read_signature

    checked_bool("access_caller", access_caller)
    kinds = read_signature(function, access_caller, ValType, _alias)
    params, results = [bytes([kind._code for kind in part]) for part in kinds]
    return FuncType._from_kinds(params, results)
