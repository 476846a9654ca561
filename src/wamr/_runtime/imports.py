"""Imports: what a user gives, matched with what a module asks for.

`Resolved` finds an item for every import, by name in a mapping or by position in a sequence, checks
its type by the specification's rules (section 3.4.6 and 4.5.4) and holds what C needs. All that can
be wrong is a LinkError that names the imports and shows both types (`_diagnosis.unmet`); C checks
again only what memory safety hangs on. What WASI's imports are met with is a `WasiBase`: nothing
here knows what a program gets from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._backend.binding import ffi, lib
from .._base.wasi_names import WASI, whose
from ..errors import ClosedError, LinkError
from ..types import FuncType, GlobalType, ImportType, MemoryType, TableType, TagType, described
from .exports import Exports
from .extern import Extern
from .func import Func, host_func
from .global_ import Global
from .memory import Memory
from .table import Table
from .exceptions import Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..types import ExternType, Limits
    from .extern import Lifetime
    from .import_aliases import Imports
    from .module import Module
    from .store import Store

_KINDS = {Func: "function", Global: "global", Table: "table", Memory: "memory", Tag: "tag"}


_ABSENT = object()


class WasiBase:
    """What WASI's imports are met with: the base of WasiConfig."""

    __slots__ = ()

    def _apply(self, c: Any, owner: Lifetime) -> object:
        """Open all of it for the instance that is made from `c`, a wpy_imports.

        owner: of the instance, which keeps what has to live as long. What is returned has to live
        until the instance is made. Raises OSError, MemoryError.
        """
        raise NotImplementedError


class Resolved:
    """What goes into an instance: the C struct, and the externs that it came from."""

    __slots__ = ("_arrays", "c", "externs")

    def __init__(self, store: Store, module: Module, imports: Imports | None, wasi: bool) -> None:
        try:
            self._resolve(store, module, imports, wasi)
        except LinkError as error:
            raise _all_unmet(store, module, imports, wasi) or error from None

    def _resolve(self, store: Store, module: Module, imports: Imports | None, wasi: bool) -> None:
        self.externs: list[Extern] = []
        funcs: list[Any] = []
        tables: list[Any] = []
        globals_: list[Any] = []
        tags: list[Any] = []
        memory = ffi.NULL
        for position, wanted in enumerate(module.imports):
            item = _find(imports, position, wanted, module)
            kind = wanted.type
            if isinstance(kind, FuncType):
                if item is _ABSENT and is_wasi(module, wanted, len(funcs)):
                    if not wasi:
                        raise LinkError(_needs_wasi(wanted))
                    funcs.append(ffi.NULL)
                    continue
                if not isinstance(item, Extern) and callable(item):
                    item = host_func(store, kind, item, f"{wanted.module}.{wanted.name}")
            extern = _checked(store, item, wanted)
            self.externs.append(extern)
            if isinstance(extern, Func):
                funcs.append(extern._c)
            elif isinstance(extern, Memory):
                memory = extern._c
            elif isinstance(extern, Table):
                tables.append(extern._c)
            elif isinstance(extern, Tag):
                tags.append(extern._c)
            else:
                globals_.append(extern._c)
        self.c = c = ffi.new("wpy_imports *")
        if not self.externs and not funcs:
            return
        self._arrays = (
            ffi.new("wpy_func *[]", funcs),
            ffi.new("wpy_table *[]", tables),
            ffi.new("wpy_global *[]", globals_),
            ffi.new("wpy_tag *[]", tags),
        )
        c.funcs, c.tables, c.globals, c.tags = self._arrays
        c.memory = memory


def check_shape(imports: object, module: Module) -> None:
    """Raise TypeError or LinkError for what can't be imports at all."""
    if imports is None or isinstance(imports, Mapping):
        return
    if isinstance(imports, (str, bytes)) or not isinstance(imports, Sequence):
        raise TypeError(
            f"imports must be a mapping of mappings or a sequence, not {type(imports).__name__}"
        )
    if len(imports) != len(module.imports):
        names = [f"{wanted.module}.{wanted.name}" for wanted in module.imports[:10]]
        more = ", …" if len(module.imports) > len(names) else ""
        raise LinkError(
            f"the module has {len(module.imports)} imports, not {len(imports)}"
            f"{': ' if names else ''}{', '.join(names)}{more}"
        )


def is_wasi(module: Module, wanted: ImportType, function: int) -> bool:
    """Tell whether WAMR has this function import, the `function`th, itself."""
    return wanted.module in WASI and lib.wpy_module_import_is_wasi(module._c, function)


def _needs_wasi(wanted: ImportType) -> str:
    return f"{wanted.module}.{wanted.name} is WASI's: give the instance a `wasi=WasiConfig(…)`"


def _all_unmet(
    store: Store, module: Module, imports: Imports | None, wasi: bool
) -> LinkError | None:
    """Return the error for every import that is not met; None: another thread has met them."""
    from .._diagnosis.unmet import WASI, unmet, wrong_wasi

    problems: list[tuple[ImportType, str, bool]] = []
    theirs: list[ImportType] = []
    functions = 0
    for position, wanted in enumerate(module.imports):
        function = isinstance(wanted.type, FuncType)
        functions += function
        try:
            item = _find(imports, position, wanted, module)
        except TypeError:  # one that is told when these are mended
            continue
        absent = item is _ABSENT
        if absent and function and is_wasi(module, wanted, functions - 1):
            theirs.append(wanted)
        elif absent and wanted.module in WASI and (text := wrong_wasi(wanted)):
            problems.append((wanted, text, False))
        elif absent or isinstance(item, Extern) or not (function and callable(item)):
            try:
                _checked(store, item, wanted)
            except LinkError as error:
                problems.append((wanted, str(error), absent))
            except (TypeError, ValueError):  # the same
                pass
    if theirs and not wasi:
        others = f", as are {len(theirs) - 1} others" if len(theirs) > 1 else ""
        said = _needs_wasi(theirs[0]).replace(" is WASI's", f" is WASI's{others}")
        problems.append((theirs[0], said, False))
    return unmet(problems, imports, module) if problems else None


def _find(imports: Any, position: int, wanted: ImportType, module: Module) -> Any:
    """Return the item for an import, or _ABSENT."""
    if imports is None:
        return _ABSENT
    if not isinstance(imports, Mapping):
        return imports[position]
    space = imports.get(wanted.module, _ABSENT)
    if space is _ABSENT:
        return _ABSENT
    if not isinstance(space, Mapping):
        exports = getattr(space, "exports", None)
        if isinstance(exports, Exports):  # an Instance
            return exports.get(wanted.name, _ABSENT)
        raise TypeError(
            f"imports[{wanted.module!r}] must be a mapping or an Instance, not "
            f"{type(space).__name__}"
        )
    return space.get(wanted.name, _ABSENT)


def _checked(store: Store, item: Any, wanted: ImportType) -> Extern:
    """Return the item as an extern that matches the import."""
    where = f"import {wanted.module}.{wanted.name}"
    if item is _ABSENT:
        _refuse_foreign_abi(wanted)
        raise LinkError(f"{where} is missing: it is {_a(wanted.type)}")
    if not isinstance(item, Extern):
        if callable(item):
            raise LinkError(f"{where} must be {_a(wanted.type)}, not a function")
        raise TypeError(
            f"{where} must be a Func, Global, Table, Memory, Tag or callable, not {type(item).__name__}"
        )
    if item.store is not store:
        raise ValueError(f"{where}: {item!r} is of another store")
    if item._lifetime.closed:
        raise ClosedError(f"{where}: {item!r}")
    if not _matches(item.type, wanted.type):
        raise LinkError(f"{where} must be {_a(wanted.type)}, not {_a(item.type)}")
    return item


def _refuse_foreign_abi(wanted: ImportType) -> None:
    """Raise LinkError for what is like WASI's and is not."""
    whom = whose(wanted.module)
    if whom:
        raise LinkError(
            f"import {wanted.module}.{wanted.name} is missing: {wanted.module!r} is {whom}"
        )


def _matches(given: ExternType, wanted: ExternType) -> bool:
    if isinstance(wanted, (FuncType, TagType)):
        return given == wanted
    if isinstance(wanted, GlobalType):  # equal, or of a subclass
        return isinstance(given, GlobalType) and given._values() == wanted._values()
    if isinstance(wanted, MemoryType):
        return isinstance(given, MemoryType) and _fits(given.limits, wanted.limits)
    return (
        isinstance(given, TableType)
        and given.element is wanted.element
        and _fits(given.limits, wanted.limits)
    )


def _fits(given: Limits, wanted: Limits) -> bool:
    if given.min < wanted.min:
        return False
    return wanted.max is None or (given.max is not None and given.max <= wanted.max)


def _a(type: ExternType) -> str:  # noqa: A002
    return f"a {described(type)}"
