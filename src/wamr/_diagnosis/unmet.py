"""Which imports of a module are not met: all of them, with what comes close, and whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from wamr._backend.binding import ffi, lib
from wamr.errors import LinkError
from wamr.types import FuncType, ValType

from .abis import whose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from wamr.types import ImportType

    class _ModuleLike(Protocol):
        """What a Module tells of itself."""

        @property
        def imports(self) -> tuple[ImportType, ...]: ...
        def custom_section(self, name: str) -> bytes | None: ...


MOST = 10  # problems are told one by one, the rest are counted
WASI = {"wasi_snapshot_preview1": "WASI preview 1", "wasi_unstable": "WASI's snapshot 0"}
_TYPES = {"I": ValType.I64, "f": ValType.F32, "F": ValType.F64}


def unmet(
    problems: list[tuple[ImportType, str, bool]], imports: Any, module: _ModuleLike
) -> LinkError:
    """Return the error that tells of all `problems`.

    Each is an import, a sentence about it, and whether nothing at all was given for it.
    """
    said = [text + _close(imports, wanted) if absent else text for wanted, text, absent in problems]
    hints = [*_without_modules(problems, imports), *_foreign(problems, module)]
    if len(problems) == 1:
        return LinkError("; ".join([*said, *hints]))
    absent = sum(absent for _, _, absent in problems)
    wrong = len(problems) - absent
    parts = [f"{absent} {'are' if absent > 1 else 'is'} missing"] if absent else []
    parts += [f"{wrong} {'do' if wrong > 1 else 'does'} not match"] if wrong else []
    lines = [f"of {len(module.imports)} imports, {' and '.join(parts)}:"]
    lines += [f"  {_in_a_list(text)}" for text in said[:MOST]]
    if len(said) > MOST:
        rest = Counter([wanted.module for wanted, _, _ in problems[MOST:]])
        of = ", ".join([f"{count} of {name!r}" for name, count in rest.most_common(3)])
        lines.append(f"  and {len(said) - MOST} more: {of}{', …' if len(rest) > 3 else ''}")
    return LinkError("\n".join([*lines, *hints]))


def _in_a_list(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


# ------------------------------------------------------------------ what comes close
def _names(given: Any) -> list[str]:
    """Return the names in a mapping, or of what an instance exports."""
    exports = getattr(given, "exports", given)
    return [name for name in exports if isinstance(name, str)] if _is_mapping(exports) else []


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _close(imports: Any, wanted: ImportType) -> str:
    """Return what else is given that may have been meant for an import."""
    from difflib import get_close_matches

    if not _is_mapping(imports):
        return ""
    if wanted.module in imports:
        near = get_close_matches(wanted.name, _names(imports[wanted.module]), 1)
        return f"; {near[0]!r} is given: did you mean {wanted.name!r}?" if near else ""
    for module in _names(imports):
        if wanted.name in _names(imports[module]):
            return f"; {wanted.name!r} is given for {module!r}"
    return ""


def _without_modules(problems: list[tuple[ImportType, str, bool]], imports: Any) -> list[str]:
    """Return a sentence about the modules for whose imports nothing is given."""
    from difflib import get_close_matches

    from .proposals import listed

    if imports is not None and not _is_mapping(imports):
        return []
    names = list(dict.fromkeys([wanted.module for wanted, _, absent in problems if absent]))
    names = [name for name in names if imports is None or name not in imports]
    if not names:
        return []
    shown = []
    for name in names[:MOST]:
        near = get_close_matches(name, _names(imports or {}), 1)
        hint = f" ({near[0]!r} is given: did you mean {name!r}?)" if near else ""
        shown.append(f"{name!r}{hint}")
    if len(names) > MOST:
        shown.append(f"{len(names) - MOST} others")
    return [f"nothing is given for the module{'s' if len(names) > 1 else ''} {listed(shown)}"]


# ------------------------------------------------------------------ whose they are
def _foreign(problems: list[tuple[ImportType, str, bool]], module: _ModuleLike) -> list[str]:
    custom = ["linking"] if module.custom_section("linking") is not None else []
    return whose([wanted for wanted, _, absent in problems if absent], custom)


def wrong_wasi(wanted: ImportType) -> str | None:
    """Return what is wrong with an import of WASI's that WAMR has not, by name or type."""
    where = f"import {wanted.module}.{wanted.name}"
    text = lib.wpy_wasi_signature(wanted.name.encode())
    if text == ffi.NULL:
        return f"{where} is missing: {WASI[wanted.module]} has no such function"
    if not isinstance(wanted.type, FuncType):
        return None
    theirs = _type(ffi.string(text).decode())
    if theirs == wanted.type:
        return None
    said = f"{where} is WASI's, which is a function {theirs}, not {wanted.type}"
    if wanted.type == _legalized(theirs):
        said += (
            ": two i32 in place of an i64 are what Emscripten passes to JavaScript; "
            "link with -sWASM_BIGINT or -sSTANDALONE_WASM"
        )
    return said


def _type(text: str) -> FuncType:
    """Return the type for a signature as WAMR writes it: "(i*~I)i", where * and ~ are i32."""
    params, _, results = text[1:].partition(")")
    kinds = [[_TYPES.get(kind, ValType.I32) for kind in part] for part in (params, results)]
    return FuncType(*kinds)


def _legalized(type_: FuncType) -> FuncType:
    """Return the type with two i32 for each i64 of its parameters, as JavaScript once needed."""
    params: list[ValType] = []
    for kind in type_.params:
        params += [ValType.I32, ValType.I32] if kind is ValType.I64 else [kind]
    return FuncType(params, type_.results)
