"""Names in texts for people: a module chooses them, and a terminal obeys what it prints."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with line breaks, control characters and the like escaped.

    A name with a line break could look like a line of ours, as of a traceback.
    """
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])
