"""The types of WebAssembly as values: immutable, hashable, comparable, with a readable repr.

A kind of value is a member of `ValType`, whose `code` is its byte in the binary format. Everything
else is built from these: `FuncType`, `GlobalType`, `TableType`, `MemoryType` and the `Limits` of
the last two, and `ImportType` and `ExportType`, which give one of the four a name.
`functype_from_annotations` reads a Python callable's signature as a `FuncType`. This module knows
nothing about C, stores or instances; the ones that do speak to it in codes
(`FuncType._from_kinds`). `typing` and `inspect` are imported when first needed: the import of the
package should stay cheap.
"""

# ruff: noqa: A002 - min, max and type are the public names

import enum
from collections.abc import Callable, Iterable, Sequence
from operator import index

from ._base.immutable import Immutable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Annotated, Any, TypeAlias

MAX_PAGES = 65_536  # 4 GiB, all that 32-bit addresses reach
MAX_TABLE = 2**32 - 1
_set = object.__setattr__


class ValType(enum.Enum):
    """A kind of value; `ValType("i32")` is `ValType.I32`."""

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
        """The byte that stands for it in the binary format."""
        return self._code

    def __repr__(self) -> str:
        return f"ValType.{self.name}"

    def __str__(self) -> str:
        return str(self.value)


_BY_CODE = dict(zip((0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x6F, 0x70, 0x69), ValType, strict=True))
for _code, _kind in _BY_CODE.items():
    _kind._code = _code
_BY_NAME = {str(kind): kind for kind in ValType}


_REFERENCES = (ValType.FUNCREF, ValType.EXTERNREF, ValType.EXNREF)


# ------------------------------------------------------------------ checks of arguments
def _count(name: str, value: object) -> int:
    """`value` as a number of things; what has `__index__` counts, but a bool is a slip."""
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if number < 0:
        raise ValueError(f"{name} must not be negative: {number}")
    return number


def _valtype(name: str, value: object) -> ValType:
    if not isinstance(value, ValType):
        raise TypeError(f"{name} must be a ValType, not {type(value).__name__} {value!r}")
    return value


def _kinds(name: str, values: "Iterable[ValType]") -> bytes:
    """Return the codes of a sequence of types."""
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
            raise ValueError(f"{name}: {bound} is beyond the most possible, {most} {unit}")
    return limits


def _name(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


# ------------------------------------------------------------------ the types
class Limits(Immutable):
    """How much there is at first and how much there may be; `max` None: as much as can be."""

    __slots__ = ("min", "max")  # noqa: RUF023 - in the order of __init__
    min: int
    max: "int | None"

    def __init__(self, min: int, max: "int | None" = None) -> None:
        least = _count("min", min)
        most = None if max is None else _count("max", max)
        if most is not None and least > most:
            raise ValueError(f"min must not be greater than max: {least} > {most}")
        self._fill(least, most)

    def __repr__(self) -> str:
        return f"Limits({self.min})" if self.max is None else f"Limits({self.min}, {self.max})"

    def _text(self, unit: str) -> str:
        number = f"at least {self.min}" if self.max is None else f"{self.min} to {self.max}"
        if self.max == self.min:
            number = f"exactly {self.min}"
        last = self.min if self.max is None else self.max
        return f"{number} {unit}{'' if last == 1 else 's'}"


class FuncType(Immutable):
    """The kinds of what a function takes and gives.

    >>> FuncType([ValType.I32, ValType.I32], [ValType.I32])
    FuncType("(i32, i32) -> i32")
    >>> FuncType.parse("() -> (i32, f64)").results
    (ValType.I32, ValType.F64)
    """

    _fields = ("_param_kinds", "_result_kinds", "params", "results")
    __slots__ = (*_fields, "_codec")
    _codec: object  # for who passes values of this type: `values` keeps here what does
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
        """Return the type of these codes; the same codes, the same object."""
        key = (params, results)
        found = _shared.get(key)
        if found is None:
            if len(_shared) >= _MOST_SHARED:
                _shared.clear()
            found = FuncType.__new__(FuncType)
            found._from_codes(params, results)
            found = _shared.setdefault(key, found)
        return found

    @classmethod
    def parse(cls, text: str) -> "FuncType":
        """Read text as `str` gives it: "(i32, i64) -> f32", "() -> (i32, f64)", "(externref)"."""
        given = _name("text", text)
        params, arrow, results = given.partition("->")
        if not params.strip().startswith("("):
            raise ValueError(f'a signature looks like "(i32, i64) -> f32", not {text!r}')
        if arrow and not results.strip():
            raise ValueError(f"nothing after the arrow: {text!r}")
        return cls._from_kinds(_parse_kinds(params, given), _parse_kinds(results, given))

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


_shared: dict[tuple[bytes, bytes], FuncType] = {}
_MOST_SHARED = 4096  # signatures; then the table starts anew, and equal types may be two objects


def _parse_kinds(text: str, whole: str) -> bytes:
    """Return the codes of "i32", "(i32, f64)", "()" or nothing."""
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
            raise ValueError(f"{name!r} is no type of a value: {whole!r}")
    return bytes([_BY_NAME[name]._code for name in names])


class GlobalType(Immutable):
    """The kind of value that a global holds, and whether it may change."""

    __slots__ = ("content", "mutable")
    content: ValType
    mutable: bool

    def __init__(self, content: ValType, mutable: bool = False) -> None:
        if not isinstance(mutable, bool):
            raise TypeError(f"mutable must be a bool, not {type(mutable).__name__}")
        self._fill(_valtype("content", content), mutable)

    def __repr__(self) -> str:
        return f"GlobalType({self.content!r}{', mutable=True' if self.mutable else ''})"

    def __str__(self) -> str:
        return f"{'mutable' if self.mutable else 'constant'} {self.content}"


class TableType(Immutable):
    """The kind of reference that a table holds, and how many."""

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
    """The size of a memory, in pages of 65 536 bytes."""

    __slots__ = ("limits",)
    limits: Limits

    def __init__(self, limits: Limits) -> None:
        self._fill(_limits("limits", limits, MAX_PAGES, "pages"))

    def __str__(self) -> str:
        return self.limits._text("page")


class TagType(Immutable):
    """The kinds of the values that exceptions of a tag carry.

    >>> TagType([ValType.I32, ValType.EXTERNREF])
    TagType([ValType.I32, ValType.EXTERNREF])
    """

    __slots__ = ("params",)
    params: "tuple[ValType, ...]"

    def __init__(self, params: "Iterable[ValType]" = ()) -> None:
        codes = _kinds("params", params)
        self._fill(tuple([_BY_CODE[code] for code in codes]))

    @classmethod
    def _from_codes(cls, codes: bytes) -> "TagType":
        return cls([_BY_CODE[code] for code in codes])

    @property
    def _codes(self) -> bytes:
        return bytes([kind._code for kind in self.params])

    @property
    def _function(self) -> FuncType:
        """The type of a function that takes the values."""
        return FuncType(self.params, [])

    def __repr__(self) -> str:
        return f"TagType({list(self.params)!r})"

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.params))})"


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
    """Return the type with its noun: "function (i32) -> ()", "memory of at least 1 page"."""
    if isinstance(type, FuncType):
        return f"function {type}"
    if isinstance(type, GlobalType):
        return f"global {type}"
    if isinstance(type, TagType):
        return f"tag {type}"
    return f"{'table' if isinstance(type, TableType) else 'memory'} of {type}"


class ImportType(Immutable):
    """What a module wants, and under which names."""

    __slots__ = ("module", "name", "type")
    module: str
    name: str
    type: "ExternType"

    def __init__(self, module: str, name: str, type: "ExternType") -> None:
        self._fill(_name("module", module), _name("name", name), _extern_type(type))

    @classmethod
    def _of(cls, module: str, name: str, type: "ExternType") -> "ImportType":
        """Return one of parts that need no check."""
        made = object.__new__(cls)
        _set(made, "module", module)
        _set(made, "name", name)
        _set(made, "type", type)
        return made

    def __str__(self) -> str:
        return f"import {self.module!r} {self.name!r}: {described(self.type)}"


class ExportType(Immutable):
    """What a module gives, and under which name."""

    __slots__ = ("name", "type")
    name: str
    type: "ExternType"

    def __init__(self, name: str, type: "ExternType") -> None:
        self._fill(_name("name", name), _extern_type(type))

    @classmethod
    def _of(cls, name: str, type: "ExternType") -> "ExportType":
        """Return one of parts that need no check."""
        made = object.__new__(cls)
        _set(made, "name", name)
        _set(made, "type", type)
        return made

    def __str__(self) -> str:
        return f"export {self.name!r}: {described(self.type)}"


# ------------------------------------------------------------------ from Python signatures
# Annotations of host functions: int means i32, float f64, and these the rest.
if TYPE_CHECKING:
    i32: TypeAlias = Annotated[int, "i32"]  # noqa: PYI042
    i64: TypeAlias = Annotated[int, "i64"]  # noqa: PYI042
    f32: TypeAlias = Annotated[float, "f32"]  # noqa: PYI042
    f64: TypeAlias = Annotated[float, "f64"]  # noqa: PYI042
    v128: TypeAlias = Annotated[bytes, "v128"]  # noqa: PYI042
    funcref: TypeAlias = Annotated[Any, "funcref"]  # noqa: PYI042
    externref: TypeAlias = Annotated[Any, "externref"]  # noqa: PYI042


def _alias(name: str) -> object:
    import typing

    python = {"i": int, "f": float, "v": bytes}.get(name.rstrip("0123456789"), typing.Any)
    annotated: Any = typing.Annotated
    return annotated[python, name]


if not TYPE_CHECKING:  # a type checker would think that there are all names

    def __getattr__(name: str) -> "Any":
        """Make the aliases and `ExternType` when first asked for: they need `typing`."""
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
    """Return the signature that annotations tell; access_caller: less the first parameter.

    Every positional parameter counts, also one with a default. A result must be annotated, with
    None where there is none.
    """
    from ._base.annotations import read_signature

    kinds = read_signature(function, access_caller, ValType, _alias)
    params, results = [bytes([kind._code for kind in part]) for part in kinds]
    return FuncType._from_kinds(params, results)
