"""`wamr run`: running a program as a native one, or calling one function of a module.

The program inherits stdin, stdout and stderr of this process.
"""

from __future__ import annotations

import os

from .._base.printable import printable, printable_name
from .options import Parser, add_module, add_surroundings, surroundings
from .output import OK, TIMEOUT, TRAPPED, Failure, complain, fail
from .source import compiled, name_of, shown
from .values import arguments, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from wamr import Func, Instance, Module

_ABOUT = """Run a WASI command, or one function of a module.

Everything behind MODULE is the program's own. It sees no file, no directory and no environment
variable but those named here; stdin, stdout and stderr are this process's."""
_EXAMPLES = """exit codes:
  the program's own; 124 after --timeout; 130 after Ctrl-C; 134 for a trap or an uncaught
  exception, whose message and WebAssembly traceback are on stderr; 2 if it could not be started,
  with the reason on stderr

arguments with --invoke, by the function's type:
  i32, i64: 7, -7, 0xff    f32, f64: 1.5, 1e9, 0x1.8p3, inf, nan    v128: 0x0102...    null
  results are printed one per line

examples:
  wamr run hello.wasm
  wamr run python.wasm -c "import sys; print(sys.argv)" one two
  wamr run --dir .::/work:rw --env LANG=C tool.wasm /work/input.txt
  wamr run --timeout 5 --memory 256M --fuel 1000000000 untrusted.wasm < input
  wamr run --invoke add add.wasm 2 3
"""


def add_run(commands: Any) -> tuple[str, set[str]]:
    """Add the command; return its name and its options that take a value."""
    parser: Parser = commands.add_parser(
        "run",
        help="run a program, or one function",
        description=_ABOUT,
        epilog=_EXAMPLES,
        usage="wamr run [OPTION ...] MODULE [ARGUMENT ...]",
    )
    add_module(parser)
    parser.add_argument("--invoke", metavar="NAME", help="call this function instead of _start")
    add_surroundings(parser)
    parser.set_defaults(execute=_run)
    valued = {"--invoke", "--dir", "--env", "--timeout", "--memory", "--fuel", "--stack"}
    return "run", valued | {"--output-bytes", "--file-bytes"}


def _run(given: argparse.Namespace) -> int:
    from wamr import ExitTrap, TimeoutTrap, Trap, WasmException

    try:
        _call(given)
    except ExitTrap as trap:
        return _exit_code(trap.exit_code)
    except TimeoutTrap:
        raise Failure(
            f"{shown(given.module)}: timed out after {given.timeout:g} s", TIMEOUT
        ) from None
    except Trap as trap:
        complain(f"wamr run: {shown(given.module)}: trap: {trap}")
        return TRAPPED
    except WasmException as exception:
        complain(f"wamr run: {shown(given.module)}: {exception}")
        return TRAPPED
    return OK


def _call(given: argparse.Namespace) -> None:
    from wamr import Store

    name = given.invoke
    own = [] if name is not None else given.args
    stdio = {"stdin": "inherit", "stdout": "inherit", "stderr": "inherit"}
    around = surroundings(given, [name_of(given.module), *own], **stdio)
    store = Store()
    module = compiled(store, given.module)
    check(given.module, module, name)
    instance = instantiated(store, module, given.module, around)
    if name is None:
        instance.exports["_start"]()
        return
    func: Func = instance.exports[name]
    value = func(*arguments(name, func, given.args))
    for line in results(func, value):
        print(printable(line), flush=True)


def instantiated(store: Any, module: Module, path: str, around: dict[str, Any]) -> Instance:
    """Return a new instance; raise Failure for a LinkError or MemoryLimitError."""
    from wamr import Instance, LinkError, MemoryLimitError

    try:
        return Instance(store, module, **around)
    except (LinkError, MemoryLimitError) as error:
        raise Failure(f"{shown(path)}: {error}", whole=True) from None


def check(path: str, module: Module, name: str | None) -> None:
    """Raise Failure if the function `name`, or `_start` for None, doesn't exist."""
    from wamr import FuncType

    exports = {export.name: export.type for export in module.exports}
    functions = [e for e, type_ in exports.items() if isinstance(type_, FuncType)]
    wanted = "_start" if name is None else name
    type_ = exports.get(wanted)
    if type_ is None and name is None:
        what = "a reactor" if "_initialize" in exports else "not a WASI command"
        fail(f"{shown(path)}: {what}: it has no _start; {_callable(functions)}")
    if type_ is None:
        fail(f"{shown(path)}: it has no export {name!r}; {_callable(functions)}")
    if not isinstance(type_, FuncType):
        fail(f"{shown(path)}: its export {wanted!r} is not a function")
    if name is None and type_ != FuncType(()):
        fail(f"{shown(path)}: _start must be a function () -> (), not {type_}")


def _callable(names: list[str]) -> str:
    """Return a sentence about the functions that --invoke can call, with the first names."""
    if not names:
        return "it exports no functions"
    shown_names = ", ".join(map(printable_name, names[:6]))
    return f"--invoke can call {shown_names}{', …' if len(names) > 6 else ''}"


def _exit_code(code: int) -> int:
    """Return the program's exit code, reduced to the range of the system."""
    if os.name == "posix":
        return code & 0xFF
    code &= 0xFFFFFFFF
    return code - (1 << 32) if code >= 1 << 31 else code
