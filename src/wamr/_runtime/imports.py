"""Imports: matching the items that a user passes with the imports of a module.

`Resolved` finds an item for every import, by name in a mapping or by position in a sequence, checks
its type by the rules of the specification (sections 3.4.6 and 4.5.4), and holds the arguments for
C. Mismatches are LinkErrors that name the imports and show both types (`_diagnosis.unmet`). C
checks again only what memory safety depends on. This module knows that a WasiConfig provides the
imports of WASI, but not how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._backend.binding import ffi, lib
from .._base.printable import printable_import, quoted_name
from .._base.wasi import WASI, foreign_wasi_abi
from ..errors import ClosedError, LinkError
from ..types import FuncType, GlobalType, ImportType, MemoryType, TableType, TagType, described
from .exports import Exports
from .extern import Extern
from .func import Func, host_func
from .memory import Memory
from .table import Table
from .tag import Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..types import ExternType, Limits
    from .import_aliases import Imports
    from .module import Module
    from .store import Store

_ABSENT = object()


class Resolved:
    """The resolved imports of one instance: a `wpy_imports *` and the externs in it."""

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
            type_ = wanted.type
            if isinstance(type_, FuncType):
                if item is _ABSENT and is_wasi(module, wanted, len(funcs)):
                    if not wasi:
                        raise LinkError(_needs_wasi(wanted))
                    funcs.append(ffi.NULL)
                    continue
                if not isinstance(item, Extern) and callable(item):
                    item = host_func(store, type_, item, f"{wanted.module}.{wanted.name}")
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
        self._arrays: Any = ()
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

    def copy(self) -> Resolved:
        """Return the same imports for another instance."""
        other = _new(Resolved)
        other.externs = self.externs
        other.c = ffi.new("wpy_imports *", self.c[0])
        other._arrays = self._arrays
        return other


_new = object.__new__


def check_shape(imports: object, module: Module) -> None:
    """Raise TypeError if `imports` has a wrong type, LinkError if a sequence has a wrong length."""
    if imports is None or isinstance(imports, Mapping):
        return
    if isinstance(imports, (str, bytes)) or not isinstance(imports, Sequence):
        raise TypeError(
            f"imports must be a mapping of mappings or a sequence, not {type(imports).__name__}"
        )
    if len(imports) != len(module.imports):
        names = [_name(wanted) for wanted in module.imports[:10]]
        more = ", …" if len(module.imports) > len(names) else ""
        raise LinkError(
            f"the module has {len(module.imports)} imports, not {len(imports)}"
            f"{': ' if names else ''}{', '.join(names)}{more}"
        )


def _name(wanted: ImportType) -> str:
    return printable_import(wanted.module, wanted.name)


def is_wasi(module: Module, wanted: ImportType, function: int) -> bool:
    """Tell whether WAMR implements this import; function: its index among imported functions."""
    return wanted.module in WASI and lib.wpy_module_import_is_wasi(module._c, function)


def _needs_wasi(wanted: ImportType) -> str:
    return f"{_name(wanted)} is WASI's: give the instance a `wasi=WasiConfig(…)`"


def _all_unmet(
    store: Store, module: Module, imports: Imports | None, wasi: bool
) -> LinkError | None:
    """Return one error for all imports that don't match.

    Return None if all of them match now, since another thread has changed `imports`, and if the
    explanations can't be imported: there are no more open files, for example.
    """
    try:
        from .._diagnosis.unmet import link_error, wasi_mismatch
    except (ImportError, OSError, MemoryError):
        return None

    def mismatch(wanted: ImportType) -> str | None:
        signature = lib.wpy_wasi_signature(wanted.name.encode())
        return wasi_mismatch(wanted, ffi.string(signature).decode() if signature else None)

    problems: list[tuple[ImportType, str, bool]] = []
    without_wasi: list[ImportType] = []
    functions = 0
    for position, wanted in enumerate(module.imports):
        function = isinstance(wanted.type, FuncType)
        functions += function
        try:
            item = _find(imports, position, wanted, module)
        except TypeError:  # reported once the LinkErrors are fixed
            continue
        absent = item is _ABSENT
        if absent and function and is_wasi(module, wanted, functions - 1):
            without_wasi.append(wanted)
        elif absent and wanted.module in WASI and (text := mismatch(wanted)):
            problems.append((wanted, text, False))
        elif absent or isinstance(item, Extern) or not (function and callable(item)):
            try:
                _checked(store, item, wanted)
            except LinkError as error:
                problems.append((wanted, str(error), absent))
            except (TypeError, ValueError):  # as above
                pass
    if without_wasi and not wasi:
        more = len(without_wasi) - 1
        others = f", as are {more} others" if more > 1 else ", as is one other" if more else ""
        text = _needs_wasi(without_wasi[0]).replace(" is WASI's", f" is WASI's{others}")
        problems.append((without_wasi[0], text, False))
    return link_error(problems, imports, module) if problems else None


def _find(imports: Any, position: int, wanted: ImportType, module: Module) -> Any:
    """Return the item that `imports` has for an import, or _ABSENT."""
    if imports is None:
        return _ABSENT
    if not isinstance(imports, Mapping):
        return imports[position]
    items = imports.get(wanted.module, _ABSENT)
    if items is _ABSENT:
        return _ABSENT
    if not isinstance(items, Mapping):
        exports = getattr(items, "exports", None)
        if isinstance(exports, Exports):  # an Instance
            return exports.get(wanted.name, _ABSENT)
        raise TypeError(
            f"imports[{quoted_name(wanted.module)}] must be a mapping or an Instance, not "
            f"{type(items).__name__}"
        )
    return items.get(wanted.name, _ABSENT)


def _checked(store: Store, item: Any, wanted: ImportType) -> Extern:
    """Return the item if it is an extern that matches the import.

    Raises LinkError, TypeError, ValueError, ClosedError.
    """
    label = f"import {_name(wanted)}"
    if item is _ABSENT:
        _refuse_foreign_abi(wanted)
        raise LinkError(f"{label} is missing: it is {_a(wanted.type)}")
    if not isinstance(item, Extern):
        if callable(item):
            raise LinkError(f"{label} must be {_a(wanted.type)}, not a function")
        raise TypeError(
            f"{label} must be a Func, Global, Table, Memory, Tag or callable, not "
            f"{type(item).__name__}"
        )
    if item.store is not store:
        raise ValueError(f"{label}: {item!r} is of another store")
    if item._lifetime.closed:
        raise ClosedError(f"{label}: {item!r}")
    if not _matches(item.type, wanted.type):
        raise LinkError(f"{label} must be {_a(wanted.type)}, not {_a(item.type)}")
    return item


def _refuse_foreign_abi(wanted: ImportType) -> None:
    """Raise LinkError if the import's module belongs to an ABI that WAMR doesn't implement."""
    abi = foreign_wasi_abi(wanted.module)
    if abi:
        raise LinkError(f"import {_name(wanted)} is missing: {quoted_name(wanted.module)} is {abi}")


def _matches(given: ExternType, wanted: ExternType) -> bool:
    """Tell whether an extern of type `given` matches an import. Spec: section 3.4.6."""
    if isinstance(wanted, (FuncType, TagType)):
        return given == wanted
    if isinstance(wanted, GlobalType):  # also of a subclass, which `==` tells apart
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
