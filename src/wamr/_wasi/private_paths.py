"""The trees of private directories on Windows, which opens no file relative to a descriptor.

A program can make no links there (src/native/windows/paths.c), and nobody else enters the temporary
directory, so a path leads nowhere else. Reparse points that this user has made are left alone.
Paths have the prefix by which Windows takes each component as it is, and that allows for 32767
characters (`literal`). The functions are those of private_trees.py.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_ISDIR, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PATH = 4095
MAX_DEPTH = 100
_REPARSE_POINT = 0x400
_DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"))
_PORTS = frozenset(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789\u00b9\u00b2\u00b3")


# ------------------------------------------------------------------ names
def refuses(part: str) -> bool:
    """Tell whether Windows understands a component as something else than a name."""
    if any(char < " " or char in '\\/:*?"<>|' for char in part) or part[-1] in ". ":
        return True
    device = part.partition(".")[0].rstrip(" ").upper()
    return device in _DEVICES or device in _PORTS


def two_spellings(paths: Iterable[tuple[str, ...]]) -> tuple[str, str] | None:
    """Return two names of the same file or folder, which differ in case only."""
    spellings: dict[str, str] = {}
    for path in paths:
        for size in range(1, len(path) + 1):
            name = "/".join(path[:size])
            other = spellings.setdefault(name.upper(), name)
            if other != name:
                return other, name
    return None


def encoded(name: str) -> bytes:
    """Return the bytes of a name, as a program sees it. Raises UnicodeEncodeError."""
    return name.encode()


def literal(path: str) -> str:
    """Return an absolute path of which Windows takes each component as it is."""
    if os.name != "nt" or path.startswith("\\\\?\\"):
        return path
    return f"\\\\?\\UNC{path[1:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


def _path(root: str, parts: tuple[str, ...]) -> str:
    return os.path.join(root, *parts)  # noqa: PTH118


def _is_reparse_point(status: os.stat_result) -> bool:
    return bool(getattr(status, "st_file_attributes", 0) & _REPARSE_POINT)


# ------------------------------------------------------------------ files and folders
def make_folder(root: str, parts: tuple[str, ...]) -> None:
    """Create the folder, and those above that are missing. Raises OSError."""
    for size in range(1, len(parts) + 1):
        path = _path(root, parts[:size])
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102
        if not S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(20, os.strerror(20), path)


def write(root: str, parts: tuple[str, ...], data: bytes, *, replace: bool = True) -> None:
    """Write a new file in place of what has the name. Raises OSError.

    replace: False: nothing may have the name.
    """
    make_folder(root, parts[:-1])
    path = _path(root, parts)
    if replace:
        with suppress(FileNotFoundError):  # it may have other names
            if S_ISDIR(os.lstat(path).st_mode):
                raise IsADirectoryError(21, os.strerror(21), path)
            unlink(root, parts)
    with open(path, "xb", buffering=0) as file:  # noqa: PTH123
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def read(root: str, parts: tuple[str, ...]) -> bytes | None:
    """Return the contents of a file; None: it is none. Raises OSError."""
    try:
        if not is_file(root, parts):
            return None
        with open(_path(root, parts), "rb", buffering=0) as file:  # noqa: PTH123
            return file.readall()
    except (FileNotFoundError, NotADirectoryError):
        return None


def unlink(root: str, parts: tuple[str, ...]) -> None:
    """Remove a file. Raises OSError.

    Windows may keep the name of a file that the program has open, so it goes to another folder.
    """
    gone = os.path.join(os.path.dirname(root), os.urandom(8).hex())  # noqa: PTH118, PTH120
    os.rename(_path(root, parts), gone)  # noqa: PTH104
    os.unlink(gone)  # noqa: PTH108


def is_file(root: str, parts: tuple[str, ...]) -> bool:
    """Tell whether there is a regular file of that name. Raises OSError."""
    status = os.lstat(_path(root, parts))
    return S_ISREG(status.st_mode) and not _is_reparse_point(status)


# ------------------------------------------------------------------ the whole tree
def entries(root: str) -> tuple[list[str], list[str]]:
    """Return the names of the files in the tree, and of the empty folders. Raises OSError."""
    files: list[str] = []
    empty: list[str] = []
    todo: list[tuple[str, ...]] = [()]
    while todo:
        parts = todo.pop()
        prefix = "".join([f"{part}/" for part in parts])
        room = MAX_PATH - len(prefix.encode("utf-8", "surrogatepass"))
        before = len(files) + len(todo)
        with suppress(OSError):  # it was just removed
            for name, folder in _listed(_path(root, parts)):
                if len(name.encode("utf-8", "surrogatepass")) > room:
                    continue  # longer than a path can be
                if folder:
                    todo.append((*parts, name))
                else:
                    files.append(prefix + name)
        if parts and len(files) + len(todo) == before and len(parts) <= MAX_DEPTH:
            empty.append(prefix[:-1])
    return files, empty


def _listed(path: str) -> list[tuple[str, bool]]:
    """Return the names of the files and folders in a folder, each with whether it is a folder."""
    found = []
    with os.scandir(path) as listing:
        for entry in listing:
            if _is_reparse_point(entry.stat(follow_symlinks=False)):
                continue
            if entry.is_dir(follow_symlinks=False):
                found.append((entry.name, True))
            elif entry.is_file(follow_symlinks=False):
                found.append((entry.name, False))
    return found


_left: set[str] = set()  # directories that a program still had open when they were removed


def remove(base: str) -> None:
    """Remove the directory and everything in it, as far as the system lets it.

    What a program still has open is tried again when the next directory is removed.
    """
    _left.add(base)
    for each in list(_left):
        _remove_now(each)
        if not os.path.lexists(each):
            _left.discard(each)


def _remove_now(base: str) -> None:
    """Remove what can be removed. What is in folders is moved up first, so no path gets long."""
    moved_names, number = os.urandom(8).hex(), 0
    with suppress(OSError):
        moved = True
        while moved:
            moved = False
            for name in os.listdir(base):  # noqa: PTH208
                path = os.path.join(base, name)  # noqa: PTH118
                with suppress(OSError):
                    status = os.lstat(path)
                    if not S_ISDIR(status.st_mode) or _is_reparse_point(status):
                        os.unlink(path)  # noqa: PTH108
                        continue
                    for inner in os.listdir(path):  # noqa: PTH208
                        number += 1
                        to = os.path.join(base, f"{moved_names}-{number}")  # noqa: PTH118
                        os.rename(os.path.join(path, inner), to)  # noqa: PTH104, PTH118
                        moved = True
                    os.rmdir(path)  # noqa: PTH106
        os.rmdir(base)  # noqa: PTH106
