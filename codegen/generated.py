"""Writes generated files. An unchanged file keeps its time stamp, so nothing is built again."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write `text` to the file, unless the file has it already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
