"""The commands' common entry: which one, and what becomes of what goes wrong.

Errors are one line on stderr and exit code 2. A program that is stopped ends as a native one would:
124 for a timeout (as `timeout` says it), 130 for Ctrl-C, 134 for a trap (as after abort()).
"""

from __future__ import annotations

import os
import signal
import sys

from .bench import add_bench
from .execute import add_run
from .inspect import add_inspect
from .options import Parser, split
from .output import INTERRUPTED, OK, USAGE, Failure, complain, harmless, os_error
from .validate import add_validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABOUT = "Run WebAssembly programs, within limits, and look into modules."
_EXAMPLES = """examples:
  wamr run python.wasm -c 'print(1 + 1)'
  wamr run --dir .::/work --timeout 10 tool.wasm /work/input.txt
  wamr run --invoke add add.wasm 2 3
  wamr inspect module.wasm
  wamr COMMAND --help
"""


def prepare_process() -> None:
    """Set what holds for the whole process, which must be the command line's own."""
    if hasattr(signal, "SIGPIPE"):  # whoever reads us has enough: end quietly, as programs do
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main(argv: list[str]) -> int:
    """Run the command that `argv`, without the program's name, asks for; its exit code."""
    prog = "wamr"
    try:
        given = _parsed(argv)
        prog = f"wamr {given.command}"
        code = int(given.execute(given))
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as end:  # argparse's
        return end.code if isinstance(end.code, int) else OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except Failure as failure:
        complain(f"{prog}: {failure}")
        return failure.code
    except BrokenPipeError:  # where there is no SIGPIPE
        _forget_output()
        return USAGE
    except OSError as error:
        _forget_output()
        complain(f"{prog}: {harmless(os_error(error))}")
        return USAGE
    except MemoryError as error:
        complain(f"{prog}: out of memory{f': {error}' if str(error) else ''}")
        return USAGE
    return code


def _parsed(argv: list[str]) -> Any:
    import wamr

    parser = Parser(prog="wamr", description=_ABOUT, epilog=_EXAMPLES)
    version = f"wamr {wamr.__version__} (WAMR {wamr.WAMR_VERSION}, {wamr.WAMR_COMMIT[:12]})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    valued = {}
    for add in (add_run, add_inspect, add_validate, add_bench):
        name, options = add(commands)
        if options is not None:
            valued[name] = options
    rest: list[str] = []
    if argv and argv[0] in valued:
        own, rest = split(argv[1:], valued[argv[0]])
        argv = [argv[0], *own]
    given = parser.parse_args(argv)
    given.args = rest
    return given


def _forget_output() -> None:
    """Have what can't be written any more go nowhere, or Python would try again at its end."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
