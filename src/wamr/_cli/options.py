"""Arguments of the commands: their parser, and text made values.

What is wrong with an argument is said in one line, by the option's name. Nothing here runs
anything.
"""

from __future__ import annotations

import argparse
import math
import re
import sys

from .output import USAGE, complain, fail, in_one_line, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from wamr import Dir

_SIZE = re.compile(r"(\d[\d_]*)(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as one line and its examples as they were written."""

    def __init__(self, **named: Any) -> None:
        named["formatter_class"] = argparse.RawDescriptionHelpFormatter
        named["allow_abbrev"] = False
        super().__init__(**named)

    def error(self, message: str) -> NoReturn:
        complain(f"{self.prog}: {in_one_line(message)} (see {self.prog} --help)")
        sys.exit(USAGE)


# ------------------------------------------------------------------ values
def size(text: str) -> int:
    """Return a number of bytes: 65536, 64K, 16MiB, 1g."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: 65536, 64K, 16M, 1G")
    return int(found[1]) * _UNITS[(found[2] or "").upper()]


def whole(text: str) -> int:
    """Return a number that counts something."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return number


def seconds(text: str) -> float:
    """Return a time."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (0 <= number < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds: 5, 0.5")
    return number


def directory(text: str) -> tuple[str, Dir]:
    """Return guest path and directory of HOST::GUEST[:rw]."""
    from wamr import Dir

    host, colons, guest = text.partition("::")
    writable = guest.endswith(":rw")
    guest = guest.removesuffix(":rw").removesuffix(":ro")
    if not (host and colons and guest):
        raise argparse.ArgumentTypeError(f"{text!r} must look like HOST::GUEST or HOST::GUEST:rw")
    return guest, Dir(host, writable=writable)


def variable(text: str) -> tuple[str, str]:
    """Return both sides of NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} must look like NAME=VALUE")
    return name, value


# ------------------------------------------------------------------ groups that commands share
def add_module(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "module", metavar="MODULE", help='a file, binary or text (extra "wat"), or - for stdin'
    )


def add_surroundings(parser: argparse.ArgumentParser, *, fuel: bool = True) -> None:
    """Add what a program sees of the host, and what it may use."""
    see = parser.add_argument_group("what the program sees; nothing else")
    see.add_argument(
        "--dir",
        metavar="HOST::GUEST[:rw]",
        type=directory,
        action="append",
        default=[],
        dest="dirs",
        help="the directory HOST, as GUEST; read-only without :rw",
    )
    see.add_argument(
        "--env",
        metavar="NAME=VALUE",
        type=variable,
        action="append",
        default=[],
        help="an environment variable",
    )
    use = parser.add_argument_group("what it may use")
    use.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        help="time that it may run; compiling does not count",
    )
    use.add_argument(
        "--memory", metavar="SIZE", type=size, help="size of its linear memory: 64M, 1G"
    )
    if fuel:
        use.add_argument(
            "--fuel", metavar="N", type=whole, help="branches and calls that it may execute"
        )
    else:
        parser.set_defaults(fuel=None)
    use.add_argument(
        "--stack", metavar="SIZE", type=size, help="size of the stack of WebAssembly, 1M by default"
    )


def surroundings(given: argparse.Namespace, args: list[str], **stdio: Any) -> dict[str, Any]:
    """Return the keyword arguments of an Instance that these options ask for."""
    import wamr

    guests = [guest for guest, _ in given.dirs]
    for guest in guests:
        if guests.count(guest) > 1:
            fail(f"--dir: {guest!r} is there twice")
    try:
        wasi = wamr.WasiConfig(args=args, env=dict(given.env), dirs=dict(given.dirs), **stdio)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"--dir: {os_error(error)}")
    try:
        limits = wamr.ResourceLimits(
            timeout=given.timeout,
            memory_bytes=given.memory,
            fuel=given.fuel,
            stack_bytes=given.stack,
        )
    except ValueError as error:
        fail(str(error).replace("stack_bytes", "--stack").replace("memory_bytes", "--memory"))
    return {"wasi": wasi, "limits": limits}


def split(argv: list[str], valued: set[str]) -> tuple[list[str], list[str]]:
    """Return what is the command's and what comes after its module, which is the program's.

    argparse would look for options, and for "--", in the rest, too. valued: options with a value.
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
