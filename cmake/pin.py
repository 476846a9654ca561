"""The version of WAMR that is built, read from upstream.json, the only file that names it."""

from __future__ import annotations

import json
import os
import re
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


def read_tree(commit: str, tree: Path) -> dict[str, Any]:
    """Return the content of upstream.json for `commit`, whose tree is in the folder `tree`."""
    import sources

    core = tree / "core"
    files = [path for path in core.rglob("*") if path.is_file() and not path.is_symlink()]
    executables = sorted(p.relative_to(core).as_posix() for p in files if os.access(p, os.X_OK))
    header = (core / "version.h").read_text(encoding="utf-8")
    parts = ("MAJOR", "MINOR", "PATCH")
    numbers = [re.search(rf"WAMR_VERSION_{part}\s+(\d+)", header) for part in parts]
    crate = tree.parent.name if tree.parent.name.startswith("wamrx-sys-") else ""
    return {
        "version": ".".join(number[1] if number else "0" for number in numbers),
        "commit": commit,
        "core_tree": sources.tree_id(core, executables=frozenset(executables)),
        "crate": "=".join(crate.rsplit("-", 1)) if crate else "",
        "executables": executables,
    }


def write(pinned: dict[str, Any]) -> None:
    """Pin another version."""
    FILE.write_text(json.dumps(pinned, indent=2) + "\n", encoding="utf-8")
