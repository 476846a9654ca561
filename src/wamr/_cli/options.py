"""The command-line parser, and conversion of arguments to values.

The message for a wrong argument is one line that names the option.
"""

from __future__ import annotations

import argparse
import math
import re
import sys

from .._base.printable import printable
from .output import USAGE, complain, fail, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from wamr import Dir

_SIZE = re.compile(r"(\d[\d_]*)(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE)
_LIMIT_OPTIONS = {
    "stack_bytes": "--stack",
    "memory_bytes": "--memory",
    "output_bytes": "--output-bytes",
    "file_bytes": "--file-bytes",
    "fuel": "--fuel",
}
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with errors of one line, and epilogs that aren't wrapped."""

    def __init__(self, **named: Any) -> None:
        named["formatter_class"] = argparse.RawDescriptionHelpFormatter
        named["allow_abbrev"] = False
        super().__init__(**named)

    def error(self, message: str) -> NoReturn:
        complain(f"{self.prog}: {printable(message)} (see {self.prog} --help)")
        sys.exit(USAGE)


# ------------------------------------------------------------------ values
def size(text: str) -> int:
    """Parse a number of bytes: 65536, 64K, 16MiB, 1g."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"must be a size such as 65536, 64K, 16M or 1G, not {text!r}"
        )
    return int(found[1]) * _UNITS[(found[2] or "").upper()]


def whole(text: str) -> int:
    """Parse a non-negative integer."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 0, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Parse a time in seconds."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (0 <= number < math.inf):
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds such as 5 or 0.5, not {text!r}"
        )
    return number


def directory(text: str) -> tuple[str, Dir]:
    """Parse HOST::GUEST[:rw]; return the guest path and the directory."""
    from wamr import Dir

    host, colons, guest = text.partition("::")
    writable = guest.endswith(":rw")
    guest = guest.removesuffix(":rw").removesuffix(":ro")
    if not (host and colons and guest):
        raise argparse.ArgumentTypeError(
            f"must look like HOST::GUEST or HOST::GUEST:rw, not {text!r}"
        )
    return guest, Dir(host, writable=writable)


def variable(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE; return both sides."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must look like NAME=VALUE, not {text!r}")
    return name, value


# ------------------------------------------------------------------ options of several commands
def add_module(parser: argparse.ArgumentParser) -> None:
    """Add the argument MODULE."""
    parser.add_argument(
        "module", metavar="MODULE", help='a file, binary or text (extra "wat"), or - for stdin'
    )


def add_surroundings(parser: argparse.ArgumentParser, *, fuel: bool = True) -> None:
    """Add the options for a program's access to the host, and for its limits."""
    access = parser.add_argument_group("what the program sees; nothing else")
    access.add_argument(
        "--dir",
        metavar="HOST::GUEST[:rw]",
        type=directory,
        action="append",
        default=[],
        dest="dirs",
        help="the directory HOST, as GUEST; read-only without :rw",
    )
    access.add_argument(
        "--env",
        metavar="NAME=VALUE",
        type=variable,
        action="append",
        default=[],
        help="an environment variable",
    )
    limits = parser.add_argument_group("what it may use")
    limits.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        help="time that it may run; compiling does not count",
    )
    limits.add_argument(
        "--memory", metavar="SIZE", type=size, help="size of its linear memory: 64M, 1G"
    )
    if fuel:
        limits.add_argument(
            "--fuel", metavar="N", type=whole, help="branches and calls that it may execute"
        )
    else:
        parser.set_defaults(fuel=None)
    limits.add_argument(
        "--output-bytes",
        metavar="SIZE",
        type=size,
        help="what it may write to stdout and stderr together: 64K, 10M",
    )
    limits.add_argument(
        "--file-bytes",
        metavar="SIZE",
        type=size,
        help="what it may add to the files of its directories: 64K, 10M",
    )
    limits.add_argument(
        "--stack", metavar="SIZE", type=size, help="size of the stack of WebAssembly, 1M by default"
    )


def surroundings(given: argparse.Namespace, args: list[str], **stdio: Any) -> dict[str, Any]:
    """Return keyword arguments for an Instance from these options."""
    import wamr

    guests = [guest for guest, _ in given.dirs]
    for guest in guests:
        if guests.count(guest) > 1:
            fail(f"--dir: {guest!r} is given twice")
    try:
        wasi = wamr.WasiConfig(args=args, env=dict(given.env), dirs=dict(given.dirs), **stdio)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"--dir: {os_error(error)}")
    except wamr.UnavailableError as error:
        fail(f"--dir: {error}")
    try:
        limits = wamr.ResourceLimits(
            timeout=given.timeout,
            memory_bytes=given.memory,
            fuel=given.fuel,
            stack_bytes=given.stack,
            output_bytes=given.output_bytes,
            file_bytes=given.file_bytes,
        )
    except (ValueError, wamr.UnavailableError) as error:
        message = str(error)
        for name, option in _LIMIT_OPTIONS.items():
            message = message.replace(name, option)
        fail(message)
    return {"wasi": wasi, "limits": limits}


def split(argv: list[str], valued: set[str]) -> tuple[list[str], list[str]]:
    """Split arguments into those of the command, to MODULE, and those of the program, after it.

    argparse would interpret options and "--" of the program. valued: options that take a value.
    """
    at = 0
    while at < len(argv):
        word = argv[at]
        if word == "--":
            at += 1
            break
        if not word.startswith("-") or word == "-":
            break
        at += 2 if word in valued else 1
    return argv[: at + 1], argv[at + 1 :]
