"""What people read: tables, errors of one line, and text of others made harmless for a terminal.

Names in a module are anybody's: what a terminal would obey is escaped before it is shown.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

OK, INVALID, USAGE, TIMEOUT, INTERRUPTED, TRAPPED = 0, 1, 2, 124, 130, 134


class Failure(Exception):
    """The command can't be done: one line for people, or a list of them, and an exit code."""

    def __init__(self, message: str, code: int = USAGE, *, whole: bool = False) -> None:
        super().__init__(message if whole else in_one_line(message))
        self.code = code


def fail(message: str) -> NoReturn:
    raise Failure(message)


def harmless(text: str) -> str:
    """Return the text with everything escaped that is no plain character."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])


def in_one_line(text: str) -> str:
    """Return the first line of a message, which says what is wrong."""
    return harmless(text.strip().split("\n", 1)[0])


def os_error(error: OSError) -> str:
    """Return what the system says, without its numbers."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return reason
    return f"{os.fsdecode(error.filename)}: {reason}"


def complain(text: str) -> None:
    """Write to stderr, harmless, each line for itself."""
    if sys.stderr is not None:
        print("\n".join(map(harmless, text.split("\n"))), file=sys.stderr, flush=True)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; columns of numbers are set to the right."""
    cells = [[harmless(number_or_text(value)) for value in row] for row in rows]
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
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)
