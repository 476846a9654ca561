"""Writing generated files: an unchanged one keeps its time stamp, so nothing is built again."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write the file, if its text is not the same already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
