"""Output for people: tables, and errors of one line.

Names in a module are untrusted: control characters, which a terminal would obey, are escaped.
"""

from __future__ import annotations

import os
import sys

from .._base.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

OK, INVALID, USAGE, TIMEOUT, INTERRUPTED, TRAPPED = 0, 1, 2, 124, 130, 134


class Failure(Exception):
    """The command failed. message: one line, or several if `whole`; code: the exit code."""

    def __init__(self, message: str, code: int = USAGE, *, whole: bool = False) -> None:
        super().__init__(message if whole else in_one_line(message))
        self.code = code


def fail(message: str) -> NoReturn:
    """Raise a Failure."""
    raise Failure(message)


def in_one_line(text: str) -> str:
    """Return the first line of a message, escaped.

    The other lines are of an exception. Names in `text` must be escaped by the caller: a line break
    in a name would cut the message.
    """
    return printable(text.strip().split("\n", 1)[0])


def os_error(error: OSError) -> str:
    """Return the message of an OSError on one line, without its number."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return printable(reason)
    return printable(f"{os.fsdecode(error.filename) or repr('')}: {reason}")


def complain(text: str) -> None:
    """Write text to stderr, with each line escaped."""
    if sys.stderr is not None:
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as text, or "" if it has no rows. Columns of numbers are aligned right."""
    cells = [[printable(number_or_text(value)) for value in row] for row in rows]
    if not cells:
        return ""
    numbers = [all(c[i][:1].isdigit() or c[i] == "" for c in cells) for i in range(len(heads))]
    lines = []
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    for line in [heads, *cells]:
        columns = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numbers, strict=True)
        ]
        lines.append("  " + "  ".join(columns).rstrip())
    return "\n".join([title, *lines])


def number_or_text(value: object) -> str:
    """Return the text of a table cell."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)
