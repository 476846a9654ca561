"""Declarations of the header to `src/wamr/_procedural.py`."""

from __future__ import annotations

from pathlib import Path

from .header import Header


def write(folder: Path, header: Header) -> None:
    (folder / "_procedural.py").write_text(f"NAMES = {[f.name for f in header.functions]!r}\n")
