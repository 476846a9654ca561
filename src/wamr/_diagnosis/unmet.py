"""The LinkError for imports that don't match: all of them, with similar names and known ABIs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .._base.printable import printable, printable_import, quoted_name
from ..errors import LinkError
from ..types import FuncType, ValType
from .abis import recognize_abis

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..types import ImportType

    class _ModuleLike(Protocol):
        """The attributes of a Module that are needed here."""

        @property
        def imports(self) -> tuple[ImportType, ...]: ...
        def custom_section(self, name: str) -> bytes | None: ...


MAX_SHOWN = 10  # problems; the others are counted
WASI = {"wasi_snapshot_preview1": "WASI preview 1", "wasi_unstable": "WASI's snapshot 0"}
_TYPES = {"I": ValType.I64, "f": ValType.F32, "F": ValType.F64}


def link_error(
    problems: list[tuple[ImportType, str, bool]], imports: Any, module: _ModuleLike
) -> LinkError:
    """Return the error for `problems`.

    Each is an import, a sentence about it, and whether `imports` has no item for it.
    """
    sentences = [
        text + _similar(imports, wanted) if absent else text
        for wanted, text, absent in problems[:MAX_SHOWN]
    ]
    hints = [*_without_modules(problems, imports), *_foreign(problems, module)]
    if len(problems) == 1:
        return LinkError("; ".join([*sentences, *hints]))
    absent = sum(absent for _, _, absent in problems)
    wrong = len(problems) - absent
    parts = [f"{absent} {'are' if absent > 1 else 'is'} missing"] if absent else []
    parts += [f"{wrong} {'do' if wrong > 1 else 'does'} not match"] if wrong else []
    lines = [f"of {len(module.imports)} imports, {' and '.join(parts)}:"]
    lines += [f"  {printable(text)}" for text in sentences]
    if len(problems) > MAX_SHOWN:
        rest = Counter([wanted.module for wanted, _, _ in problems[MAX_SHOWN:]])
        of = ", ".join([f"{count} of {quoted_name(name)}" for name, count in rest.most_common(3)])
        lines.append(
            f"  and {len(problems) - MAX_SHOWN} more: {of}{', …' if len(rest) > 3 else ''}"
        )
    return LinkError("\n".join([*lines, *hints]))


# ------------------------------------------------------------------ similar names
def _names(given: Any) -> list[str]:
    """Return the names in a mapping, or the names of an instance's exports."""
    exports = getattr(given, "exports", given)
    return [name for name in exports if isinstance(name, str)] if _is_mapping(exports) else []


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _similar(imports: Any, wanted: ImportType) -> str:
    """Return a hint at an item that may have been meant for an import, or ""."""
    from difflib import get_close_matches

    if not _is_mapping(imports):
        return ""
    if wanted.module in imports:
        near = get_close_matches(wanted.name, _names(imports[wanted.module]), 1)
        return (
            f"; {quoted_name(near[0])} is given: did you mean {quoted_name(wanted.name)}?"
            if near
            else ""
        )
    for module in _names(imports):
        if wanted.name in _names(imports[module]):
            return f"; {quoted_name(wanted.name)} is given for {quoted_name(module)}"
    name, module = quoted_name(wanted.name), quoted_name(wanted.module)
    for key in (wanted.name, _dotted(wanted), (wanted.module, wanted.name)):
        item = imports.get(key)
        if item is not None and not _is_mapping(getattr(item, "exports", item)):
            shown = quoted_name(key) if isinstance(key, str) else f"({module}, {name})"
            nested = f"imports={{{module}: {{{name}: …}}}}"
            return f"; {shown} is given: {nested} has the item in its module"
    return ""


def _dotted(wanted: ImportType) -> str:
    return f"{wanted.module}.{wanted.name}"


def _without_modules(problems: list[tuple[ImportType, str, bool]], imports: Any) -> list[str]:
    """Return a sentence about the modules that `imports` has no items for."""
    from difflib import get_close_matches

    from .proposals import listed

    if imports is not None and not _is_mapping(imports):
        return []
    names = list(dict.fromkeys([wanted.module for wanted, _, absent in problems if absent]))
    names = [name for name in names if imports is None or name not in imports]
    if not names:
        return []
    shown = []
    dotted = {_dotted(wanted) for wanted, _, _ in problems}
    given_names = [name for name in _names(imports or {}) if name not in dotted]
    for name in names[:MAX_SHOWN]:
        near = get_close_matches(name, given_names, 1)
        hint = (
            f" ({quoted_name(near[0])} is given: did you mean {quoted_name(name)}?)" if near else ""
        )
        shown.append(f"{quoted_name(name)}{hint}")
    if len(names) > MAX_SHOWN:
        shown.append(f"{len(names) - MAX_SHOWN} others")
    return [f"nothing is given for the module{'s' if len(names) > 1 else ''} {listed(shown)}"]


# ------------------------------------------------------------------ ABIs
def _foreign(problems: list[tuple[ImportType, str, bool]], module: _ModuleLike) -> list[str]:
    custom = ["linking"] if module.custom_section("linking") is not None else []
    return recognize_abis([wanted for wanted, _, absent in problems if absent], custom)


def wasi_mismatch(wanted: ImportType, signature: str | None) -> str | None:
    """Return a sentence about an import of WASI with an unknown name or a wrong type, or None.

    signature: of WASI's function with this name, in WAMR's notation; None: there is none.
    """
    where = f"import {printable_import(wanted.module, wanted.name)}"
    if signature is None:
        return f"{where} is missing: {WASI[wanted.module]} has no such function"
    if not isinstance(wanted.type, FuncType):
        return None
    expected = _type(signature)
    if expected == wanted.type:
        return None
    text = f"{where} is WASI's, which is a function {expected}, not {wanted.type}"
    if wanted.type == _legalized(expected):
        text += (
            ": two i32 in place of an i64 are what Emscripten passes to JavaScript; "
            "link with -sWASM_BIGINT or -sSTANDALONE_WASM"
        )
    return text


def _type(text: str) -> FuncType:
    """Return the type for a signature in WAMR's notation: "(i*~I)i", where * and ~ are i32."""
    params, _, results = text[1:].partition(")")
    kinds = [[_TYPES.get(kind, ValType.I32) for kind in part] for part in (params, results)]
    return FuncType(*kinds)


def _legalized(type_: FuncType) -> FuncType:
    """Return the type with two i32 for each i64 parameter: Emscripten's without -sWASM_BIGINT."""
    params: list[ValType] = []
    for kind in type_.params:
        params += [ValType.I32, ValType.I32] if kind is ValType.I64 else [kind]
    return FuncType(params, type_.results)
