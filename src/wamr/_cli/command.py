"""The entry point of the commands: parsing, and exit codes of errors.

A command that fails has exit code 2, and a message of one line on stderr; for imports that are
missing, of several. The exit codes of a program that was stopped are those of a native one: 124 for
a timeout (as with `timeout`), 130 for Ctrl-C, 134 for a trap or an uncaught exception (as after
abort()).
"""

from __future__ import annotations

import os
import signal
import sys

from .bench import add_bench
from .execute import add_run
from .inspect import add_inspect
from .options import Parser, split
from .output import INTERRUPTED, OK, USAGE, Failure, complain, os_error
from .validate import add_validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABOUT = "Run WebAssembly programs, within limits, and look into modules."
_EXAMPLES = """examples:
  wamr run python.wasm -c "print(1 + 1)"
  wamr run --dir .::/work --timeout 10 tool.wasm /work/input.txt
  wamr run --invoke add add.wasm 2 3
  wamr inspect module.wasm
  wamr COMMAND --help
"""


def prepare_process() -> None:
    """Change settings of the process, which must have been started for the command line."""
    if hasattr(signal, "SIGPIPE"):  # end without a message when the reader of stdout ends
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main(argv: list[str]) -> int:
    """Run a command; argv: without the program's name. Return the exit code."""
    prog = "wamr"
    try:
        given = _parsed(argv)
        prog = f"wamr {given.command}"
        code = int(given.execute(given))
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as end:  # raised by argparse
        return end.code if isinstance(end.code, int) else OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except Failure as failure:
        complain(f"{prog}: {failure}")
        return failure.code
    except BrokenPipeError:  # on systems without SIGPIPE
        _discard_output()
        return USAGE
    except OSError as error:
        _discard_output()
        complain(f"{prog}: {os_error(error)}")
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
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    valued = {}
    for add in (add_run, add_inspect, add_validate, add_bench):
        name, options = add(commands)
        if options is not None:
            valued[name] = options
    rest: list[str] = []
    if argv and argv[0] in valued:
        own, rest = split(argv[1:], valued[argv[0]])
        argv = [argv[0], *own]
    given, unknown = parser.parse_known_args(argv)
    if unknown:  # `parse_args` would refer to the help of `wamr`, not of the command
        speaker = commands.choices.get(given.command, parser)
        speaker.error(f"unrecognized arguments: {' '.join(unknown)}")
    if given.command is None:
        parser.error("the following arguments are required: COMMAND")
    given.args = rest
    return given


def _discard_output() -> None:
    """Redirect stdout to the null device, since Python would try to flush it at exit."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
