"""`wamr inspect`: the contents of a module, and the reason if it doesn't run here."""

from __future__ import annotations

from wamr._base.binary_format import MAGIC

from .._base.printable import printable
from .options import Parser, add_module
from .output import OK, Failure, table
from .source import file_name, read, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from wamr._diagnosis.sections import Contents

_ABOUT = """Show what a module imports and exports, its sections and their sizes, the features of
WebAssembly that it uses, and whether it is a WASI command (has _start), a reactor (has
_initialize) or neither. A module that does not run here is shown, too, with the reason."""
_EXAMPLES = """examples:
  wamr inspect module.wasm
  wamr inspect --json module.wasm | jq '.imports[].name'
  curl … | wamr inspect -
"""
_COMPONENT = b"\x0d\0\x01\0"
_TITLES = {
    "command": "a WASI command: wamr run",
    "reactor": "a reactor: wamr run --invoke",
    "library": "neither a WASI command nor a reactor",
    "component": "a component",
}


def add_inspect(commands: Any) -> tuple[str, None]:
    """Add the command; return its name."""
    parser: Parser = commands.add_parser(
        "inspect", help="show what is in a module", description=_ABOUT, epilog=_EXAMPLES
    )
    add_module(parser)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(execute=_inspect)
    return "inspect", None


def _inspect(given: argparse.Namespace) -> int:
    found = described(_bytes(given.module))
    if given.json:
        import json

        print(json.dumps({"file": file_name(given.module), **found}, indent=2))
    else:
        print(as_text(shown(given.module), found))
    return OK


def _bytes(path: str) -> bytes:
    from wamr import CompileError, UnavailableError
    from wamr._runtime.source import source_bytes

    data = read(path)
    if data.startswith(MAGIC):
        return data
    try:
        data = source_bytes(data)
    except (CompileError, UnavailableError) as error:
        raise Failure(f"{shown(path)}: {error}") from None
    if not data.startswith(MAGIC):
        raise Failure(f"{shown(path)}: this is AOT code, which can't be looked into")
    return data


def described(data: bytes) -> dict[str, Any]:
    """Return a description of the module, for JSON."""
    component = data[4:8] == _COMPONENT
    from wamr._diagnosis.proposals import supported
    from wamr._diagnosis.sections import Contents

    contents = Contents(data)
    reason = _reason(data)
    return {
        "size": len(data),
        "name": contents.name,
        "kind": "component" if component else contents.kind,
        "runs": reason is None,
        "reason": reason,
        "problem": None if component else contents.problem,
        "features": [
            {"name": name, "supported": supported(name)} for name in sorted(contents.uses)
        ],
        "wasi": _wasi(contents),
        "start": contents.start,
        "memories": contents.memories(),
        "tags": contents.tags(),
        "sections": contents.sections,
        "imports": contents.imports,
        "exports": contents.exports,
    }


def _wasi(contents: Contents) -> list[dict[str, Any]]:
    """Return the import modules of WASI, and those with names like WASI's."""
    from wamr._base.wasi import WASI, foreign_wasi_abi

    modules = dict.fromkeys(item["module"] for item in contents.imports)
    abis = {module: WASI.get(module) or foreign_wasi_abi(module) for module in modules}
    return [
        {"module": module, "abi": abi, "supported": module in WASI}
        for module, abi in abis.items()
        if abi
    ]


def _reason(data: bytes) -> str | None:
    """Return why WAMR rejects the module, or None."""
    from wamr import CompileError, Engine, Module

    try:
        Module(Engine(), data)
    except CompileError as error:
        return str(error)
    return None


def as_text(name: str, found: dict[str, Any]) -> str:
    """Return the description as text, with tables."""
    component = found["kind"] == "component"
    what = "" if component else f"module {found['name']!r}, " if found["name"] else "module, "
    features = [
        f["name"] if f["supported"] else f"{f['name']} (not supported here)"
        for f in found["features"]
    ]
    lines = [f"{name}: {what}{found['size']:,} bytes, {_TITLES[found['kind']]}"]
    lines.append("runs here: yes" if found["runs"] else f"runs here: no: {found['reason']}")
    if found["problem"] and not found["runs"]:
        lines.append(f"malformed: {found['problem']}")
    if found["runs"] or found["sections"]:  # otherwise nothing was read that could use a feature
        lines.append(f"features: {', '.join(features) or 'those of WebAssembly 1.0'}")
    lines += [f"WASI: {abi['module']} ({abi['abi']})" for abi in found["wasi"]]
    if found["memories"]:
        lines.append(f"memory: {'; '.join(found['memories'])} of 64 KiB")
    if found["tags"]:
        lines.append(f"tags: {'; '.join(found['tags'])}")
    if found["start"] is not None:
        lines.append(f"start function: {found['start']}")
    parts = [
        "\n".join(map(printable, lines)),
        table(
            "sections",
            ["name", "items", "offset", "size"],
            [[s["name"], s["items"], s["offset"], s["size"]] for s in found["sections"]],
        ),
        table(
            "imports",
            ["module", "name", "kind", "type"],
            [[i["module"], i["name"], i["kind"], i["type"]] for i in found["imports"]],
        ),
        table(
            "exports",
            ["name", "kind", "type"],
            [[e["name"], e["kind"], e["type"]] for e in found["exports"]],
        ),
    ]
    return "\n\n".join([part for part in parts if part])
