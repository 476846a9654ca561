"""The key of a user, with which files of snapshots are authenticated.

A file with a suspended call is code. The key tells files that this user has saved from others: it
is in the user's cache directory, and nobody else can read it.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEY_BYTES = 32


def _cache_directory() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base) / "wamr" if base else Path.home() / "AppData" / "Local" / "wamr"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wamr"
    base = os.environ.get("XDG_CACHE_HOME")
    if base and os.path.isabs(base):  # noqa: PTH117 - XDG: relative paths are ignored
        return Path(base) / "wamr"
    return Path.home() / ".cache" / "wamr"


def is_private(status: os.stat_result, mask: int) -> bool:
    """Tell whether a file is this user's, and others have none of the rights in `mask`."""
    if not hasattr(os, "getuid"):  # Windows: the profile of a user is the user's own
        return True
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & mask


def user_key(*, make: bool) -> bytes | None:
    """Return the user's key; None: there is none, or others have access to it.

    make: whether to make one if there is none.
    """
    try:
        directory = _cache_directory()
        if make:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(directory.stat(), 0o022):
            return None
        path = directory / "snapshot-key"
        if make and not path.exists():
            _make_key(path)
        return _read_key(path)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return None


def _make_key(path: Path) -> None:
    """Make the file; the first of several processes wins."""
    draft = path.with_name(f"{path.name}-{os.getpid()}-{os.urandom(6).hex()}")
    with _open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
        file.write(os.urandom(KEY_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except (OSError, AttributeError):  # a file system without hard links
        if not path.exists():
            draft.replace(path)
            return
    draft.unlink()


def _read_key(path: Path) -> bytes | None:
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # Windows
        return None
    with _open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)) as file:
        if not is_private(os.fstat(file.fileno()), 0o077):
            return None
        key: bytes = file.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _open(path: Path, flags: int) -> Any:
    descriptor = os.open(
        path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o600
    )
    return os.fdopen(descriptor, "rb" if flags & os.O_WRONLY == 0 else "wb")
