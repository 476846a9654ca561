"""The version of WAMR that is built, read from upstream.json, the only file that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("upstream.json")

_pinned: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

VERSION: str = _pinned["version"]
COMMIT: str = _pinned["commit"]
CORE_TREE: str = _pinned["core_tree"]  # the id that git gives to the tree core/
CRATE: str = _pinned["crate"]  # "name=version" of a crate that contains the tree, or ""

# File modes are part of a tree id, but zip files, Windows and some file systems lose them.
EXECUTABLES = frozenset[str](_pinned["executables"])


def write(pinned: dict[str, Any]) -> None:
    """Pin another version."""
    FILE.write_text(json.dumps(pinned, indent=2) + "\n", encoding="utf-8")
