"""The trees of private directories: files and folders below a directory of this process's own.

The program may put anything there, also symbolic links, and trees so deep that neither recursion
nor a path reaches their ends. So no link is followed here, and each folder is opened in the one
above. Names are tuples of components, which private.py has checked. This module knows neither
programs nor mappings. Windows has private_paths.py instead.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_ISDIR, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_PATH = 4095  # bytes of a name, with all folders
MAX_DEPTH = 100  # of folders in the argument, which may contain itself, and of empty ones
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def refuses(part: str) -> bool:
    """Tell whether the system has no files of that name; part: neither empty nor dots."""
    return False


def two_spellings(paths: Iterable[tuple[str, ...]]) -> tuple[str, str] | None:
    """Return two names of the same file or folder; None: there are none."""
    return None


def encoded(name: str) -> bytes:
    """Return the bytes of a name. Raises UnicodeEncodeError."""
    return os.fsencode(name)


def literal(path: str) -> str:
    """Return the absolute path in the form that the other functions take."""
    return path


class _Folder:
    """An open folder: a descriptor, closed at the end of a `with` block."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _folder(root: str, parts: tuple[str, ...], *, make: bool = False) -> _Folder:
    """Open the folder; make: create those that are missing. Raises OSError."""
    fd = os.open(root, _FOLDER)
    for part in parts:
        outer = fd
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=outer)
            fd = os.open(part, _FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return _Folder(fd)


def make_folder(root: str, parts: tuple[str, ...]) -> None:
    """Create the folder, and those above that are missing. Raises OSError."""
    with _folder(root, parts, make=True):
        pass


def write(root: str, parts: tuple[str, ...], data: bytes, *, replace: bool = True) -> None:
    """Write a new file in place of what has the name. Raises OSError.

    replace: False: nothing may have the name. In some file systems another name is the same.
    """
    with _folder(root, parts[:-1], make=True) as folder:
        if replace:
            with suppress(FileNotFoundError):  # it may be a link, or have other names
                os.unlink(parts[-1], dir_fd=folder)
        fd = os.open(parts[-1], _CREATE, 0o600, dir_fd=folder)
        with open(fd, "wb", buffering=0) as file:  # noqa: PTH123
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]


def read(root: str, parts: tuple[str, ...]) -> bytes | None:
    """Return the contents of a file; None: it is none. Raises OSError."""
    try:
        with _folder(root, parts[:-1]) as folder:
            fd = os.open(parts[-1], _READ, dir_fd=folder)
        with open(fd, "rb", buffering=0) as file:  # noqa: PTH123
            return file.readall() if S_ISREG(os.fstat(fd).st_mode) else None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        from errno import ELOOP

        if error.errno == ELOOP:  # a symbolic link
            return None
        raise


def unlink(root: str, parts: tuple[str, ...]) -> None:
    """Remove a file. Raises OSError."""
    with _folder(root, parts[:-1]) as folder:
        os.unlink(parts[-1], dir_fd=folder)


def is_file(root: str, parts: tuple[str, ...]) -> bool:
    """Tell whether there is a regular file of that name. Raises OSError."""
    with _folder(root, parts[:-1]) as folder:
        return S_ISREG(os.lstat(parts[-1], dir_fd=folder).st_mode)


def entries(root: str) -> tuple[list[str], list[str]]:
    """Return the names of the files in the tree, and of the empty folders. Raises OSError."""
    with _folder(root, ()) as fd:
        return _entries_below(fd)


# ------------------------------------------------------------------ the whole tree
def _walk(
    fd: int, enter: Callable[[int, list[str]], list[str]], leave: Callable[[int, str], None]
) -> None:
    """Visit a folder and those below it; fd: of the folder, stays open.

    enter: called in each folder, with its descriptor and its path; returns the names of the folders
    to visit. leave: called in the folder above, with the name, when all of a folder was visited.
    Goes by one step at a time, with one descriptor. A running program may move folders meanwhile,
    so that ".." is another folder than before: then the rest is left out.
    """
    here = os.dup(fd)
    path: list[str] = []
    above = [(_identity(here), enter(here, path))]
    try:
        while above:
            _, folders = above[-1]
            if folders:
                with suppress(OSError):  # it was just removed
                    there = os.open(folders[-1], _FOLDER, dir_fd=here)
                    os.close(here)
                    here = there
                    path.append(folders[-1])
                    above.append((_identity(here), enter(here, path)))
                folders.pop()
                continue
            above.pop()
            if above:
                there = os.open("..", _FOLDER, dir_fd=here)
                os.close(here)
                here = there
                if _identity(here) != above[-1][0]:
                    break
                leave(here, path.pop())
    finally:
        os.close(here)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _entries_below(fd: int) -> tuple[list[str], list[str]]:
    """Return the names of the files in a folder and those below it, and of the empty folders."""
    files: list[str] = []
    empty: list[str] = []

    def enter(here: int, path: list[str]) -> list[str]:
        if 2 * len(path) > MAX_PATH:
            return []
        prefix = "".join([f"{part}/" for part in path])
        room = MAX_PATH - len(os.fsencode(prefix))
        folders = []
        before = len(files)
        with suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                if len(os.fsencode(entry.name)) > room:
                    continue  # longer than a path can be
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.append(prefix + entry.name)
        if path and not folders and len(files) == before and len(path) <= MAX_DEPTH:
            empty.append(prefix[:-1])
        return folders

    _walk(fd, enter, lambda *_: None)
    return files, empty


def remove(base: str) -> None:
    """Remove the directory and everything in it, as far as the system lets it."""

    def enter(here: int, _: list[str]) -> list[str]:
        folders = []
        with suppress(OSError):
            for name in os.listdir(here):
                with suppress(OSError):
                    if S_ISDIR(os.lstat(name, dir_fd=here).st_mode):
                        folders.append(name)
                    else:
                        os.unlink(name, dir_fd=here)
        return folders

    def leave(here: int, name: str) -> None:
        with suppress(OSError):
            os.rmdir(name, dir_fd=here)

    with suppress(OSError):
        with _Folder(os.open(base, _FOLDER)) as fd:
            _walk(fd, enter, leave)
        os.rmdir(base)  # noqa: PTH106
