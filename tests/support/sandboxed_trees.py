"""A directory for a program, with files beside it that the program must never see or change."""

from __future__ import annotations

import os
from pathlib import Path

from wasm_fixtures import WasiFunctions

SECRET = "the host's secret"


def make_tree(place: Path) -> Path:
    """Make the program's directory `in` in `place`, and a secret beside it; return the first."""
    inside = place / "in"
    (inside / "sub" / "deep").mkdir(parents=True)
    (inside / "file").write_text("content")
    (inside / "sub" / "deep" / "file").write_text("deep content")
    (place / "secret").write_text(SECRET)
    return inside


def snapshot(tree: Path) -> dict[str, tuple[float, int, bytes]]:
    """Return all names, times, links and contents in the tree and next to it."""
    found = {}
    for folder, dirs, files in os.walk(tree.parent):
        for name in [*dirs, *files]:
            path = Path(folder, name)
            status = path.lstat()
            data = os.fsencode(path.readlink()) if path.is_symlink() else b""
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
            found[str(path)] = (status.st_mtime, status.st_nlink, data)
    return found


def content(wasi: WasiFunctions, path: str, **how: int) -> bytes | int:
    """Return what the program reads from the file, or the errno of opening it."""
    error, fd = wasi.open(path, **how)
    if error:
        return error
    data = wasi.read(fd)
    wasi.fd_close(fd)
    return data
