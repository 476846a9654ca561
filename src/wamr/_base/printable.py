"""Names made safe for messages: modules choose them, and terminals obey control characters."""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

# A module may have names of megabytes, and millions of names: a text with all of them is of no use.
_LONGEST = 200  # characters of a name
_MOST = 20  # names


def printable(text: str) -> str:
    """Return a text with line breaks, control characters and the like escaped.

    A name with a line break could look like a line of ours, as of a traceback.
    """
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])


def printable_name(name: str, longest: int = _LONGEST) -> str:
    """Return the name as `printable` does, without its end if it has more characters."""
    return printable(_shortened(name, longest))


def printable_import(module: str, name: str) -> str:
    """Return the name of an import, with that of its module."""
    return f"{printable_name(module)}.{printable_name(name)}"


def quoted_name(name: str) -> str:
    """Return the name as `repr` does, without its end if it is long."""
    return repr(_shortened(name, _LONGEST))


def printable_names(names: Collection[str], none: str) -> str:
    """Return the first names, with commas between them, and the number of the others; or `none`."""
    shown = [printable_name(name) for name in islice(names, _MOST)]
    if len(names) > _MOST:
        shown.append(f"… ({len(names) - _MOST} more)")
    return ", ".join(shown) or none


def _shortened(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[:longest]}…"
