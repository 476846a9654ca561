"""`wamr validate`: whether a module runs here, with the reason if not."""

from __future__ import annotations

from .._base.printable import printable
from .options import Parser, add_module
from .output import INVALID, OK, complain
from .source import binary, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

_ABOUT = """Tell whether a module is valid and runs here.

Exit code 0: it does. 1: it does not; the reason is on stderr. 2: it could not be read."""
_EXAMPLES = """examples:
  wamr validate module.wasm
  wamr validate module.wat
  generate | wamr validate -
"""


def add_validate(commands: Any) -> tuple[str, None]:
    """Add the command; return its name."""
    parser: Parser = commands.add_parser(
        "validate", help="tell whether a module runs here", description=_ABOUT, epilog=_EXAMPLES
    )
    add_module(parser)
    parser.set_defaults(execute=_validate)
    return "validate", None


def _validate(given: argparse.Namespace) -> int:
    from wamr import CompileError, Engine, Module

    name = shown(given.module)
    try:
        Module(Engine(), binary(given.module))
    except CompileError as error:
        complain(f"{name}: {error}")
        return INVALID
    print(f"{printable(name)}: valid")
    return OK
