"""Private directories: `dirs={"/w": {"a.csv": b"…"}}`, a directory for each instance.

`PrivateFiles` is the argument, checked: the files that each instance begins with. `PrivateDir` is
the directory of one instance, and a mapping of names to contents with which Python reads and writes
its files. The directory lies in a temporary one that only this user can enter.

The program may put anything into its directory, also symbolic links, and trees so deep that neither
recursion nor a path reaches their ends. So no link is followed here, and each folder is opened in
the one above. This module knows neither configurations nor instances.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from stat import S_ISDIR, S_ISREG
from weakref import finalize

from .._base.printable import printable
from ..errors import ClosedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_MAX_NAME = 255  # bytes, in the file systems that matter
_MAX_PATH = 4095  # bytes of a name, with all folders
_MAX_DEPTH = 100  # of folders in the argument; it may contain itself
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


# ------------------------------------------------------------------ names and contents
def _parts(what: str, name: object) -> tuple[str, ...]:
    """Return the components of the name of a file; TypeError, ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {type(name).__name__}")
    parts = tuple(name.split("/"))
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError(
            f"{what} must be a relative path without '.', '..' and empty parts, not {name!r}"
        )
    if "\0" in name:
        raise ValueError(f"{what} contains a NUL character: {name!r}")
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains a lone surrogate: {name!r}") from None
    if longest > _MAX_NAME:
        raise ValueError(f"{what} has a part of {longest} bytes: {_MAX_NAME} are possible")
    if len(os.fsencode(name)) > _MAX_PATH:
        raise ValueError(f"{what} has more than {_MAX_PATH} bytes")
    return parts


def _contents(what: str, data: object) -> bytes:
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{what} contains a lone surrogate") from None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"{what} must be bytes or a str, not {type(data).__name__}")


class PrivateFiles:
    """The files that a private directory begins with; picklable.

    where: how messages name the directory. Raises TypeError, ValueError.
    """

    __slots__ = ("_files", "_folders")

    def __init__(self, where: str, files: Mapping[Any, Any]) -> None:
        self._files: dict[tuple[str, ...], bytes] = {}
        self._folders: dict[tuple[str, ...], None] = {}
        self._add(where, (), files)
        for path in (*self._files, *self._folders):
            for size in range(1, len(path)):
                if path[:size] in self._files:
                    name = "/".join(path[:size])
                    raise ValueError(f"{where}: {name!r} is a file and a directory")

    def _add(self, where: str, above: tuple[str, ...], files: Mapping[Any, Any]) -> None:
        for name, data in files.items():
            path = (*above, *_parts(f"a name in {where}", name))
            inner = f"{where}[{name!r}]"
            if path in self._files or (path in self._folders and not isinstance(data, Mapping)):
                raise ValueError(f"{where}: {'/'.join(path)!r} is there twice")
            if not isinstance(data, Mapping):
                self._files[path] = _contents(inner, data)
            elif len(path) > _MAX_DEPTH:
                raise ValueError(f"{where} has more than {_MAX_DEPTH} directories in each other")
            else:
                self._folders[path] = None
                self._add(inner, path, data)

    def __repr__(self) -> str:
        return f"<private directory, {len(self._files)} files>"

    def make(self) -> PrivateDir:
        """Return a new directory with these files. Raises OSError."""
        made = PrivateDir()
        try:
            for path in self._folders:
                with made._folder(path, make=True):
                    pass
            for path, data in self._files.items():
                made._write(path, data)
        except BaseException:
            made.close()
            raise
        return made


# ------------------------------------------------------------------ the directory of an instance
class _Folder:
    """An open folder: a descriptor, closed at the end of a `with` block."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class PrivateDir(MutableMapping[str, bytes]):
    """The private directory of one instance, as a mapping of names to the contents of its files.

    Names are relative paths with "/", of at most 4095 bytes. Only regular files are there: no
    directories, and no links.
    The mapping reads and writes the files themselves: each access gives what is there now. Values
    that are set may be str, too. `close` removes the directory, and so does the end of the process.
    """

    __slots__ = ("__weakref__", "_remove", "path")
    path: str  # of the directory, on the host

    def __init__(self) -> None:
        from tempfile import mkdtemp

        base = mkdtemp(prefix="wamr-")
        self._remove = finalize(self, _remove, base, os.getpid())
        self.path = os.path.join(base, "files")  # noqa: PTH118
        os.mkdir(self.path, 0o700)  # noqa: PTH102

    def close(self) -> None:
        """Remove the directory and everything in it; nothing happens in the child of a fork."""
        self._remove()

    @property
    def closed(self) -> bool:
        """Whether the directory was removed."""
        return not self._remove.alive

    def _open(self) -> None:
        if self.closed:
            raise ClosedError("this private directory was removed when its instance was closed")

    # ---- folders and files
    def _folder(self, parts: tuple[str, ...], *, make: bool = False) -> _Folder:
        """Open the folder; make: create those that are missing. Raises OSError."""
        fd = os.open(self.path, _FOLDER)
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

    def _write(self, parts: tuple[str, ...], data: bytes) -> None:
        with self._folder(parts[:-1], make=True) as folder:
            with suppress(FileNotFoundError):  # it may be a link, or have other names
                os.unlink(parts[-1], dir_fd=folder)
            fd = os.open(parts[-1], _CREATE, 0o600, dir_fd=folder)
            with open(fd, "wb", buffering=0) as file:  # noqa: PTH123
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]

    def _names(self) -> list[str]:
        self._open()
        with self._folder(()) as fd:
            return sorted(_entries_below(fd)[0])

    def tree(self) -> dict[str, Any]:
        """Return the files and the empty folders, as the argument of another PrivateFiles."""
        self._open()
        with self._folder(()) as fd:
            files, empty = _entries_below(fd)
        tree: dict[str, Any] = {name: {} for name in empty}
        for name in files:
            with suppress(KeyError):  # it was just removed
                tree[name] = self[name]
        return tree

    # ---- the mapping
    def __getitem__(self, name: str) -> bytes:
        self._open()
        try:
            parts = _parts("a name", name)
            with self._folder(parts[:-1]) as folder:
                fd = os.open(parts[-1], _READ, dir_fd=folder)
            with open(fd, "rb", buffering=0) as file:  # noqa: PTH123
                if not S_ISREG(os.fstat(fd).st_mode):
                    raise KeyError(name)
                return file.readall()
        except (TypeError, ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(name) from None
        except OSError as error:
            from errno import ELOOP

            if error.errno == ELOOP:  # a symbolic link
                raise KeyError(name) from None
            raise

    def __setitem__(self, name: str, data: bytes | str) -> None:
        self._open()
        self._write(
            _parts("the name of a file", name), _contents(f"the contents of {name!r}", data)
        )

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        parts = _parts("a name", name)
        with self._folder(parts[:-1]) as folder:
            os.unlink(parts[-1], dir_fd=folder)

    def __contains__(self, name: object) -> bool:
        self._open()
        try:
            parts = _parts("a name", name)
            with self._folder(parts[:-1]) as folder:
                return S_ISREG(os.lstat(parts[-1], dir_fd=folder).st_mode)
        except (TypeError, ValueError, OSError):
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        if self.closed:
            return "<wamr private directory, removed>"
        return f"<wamr private directory: {printable(', '.join(self._names())) or 'no files'}>"

    def __reduce__(self) -> tuple[Any, ...]:  # a copy in another process has the files
        return dict, (dict(self),)


# ------------------------------------------------------------------ trees
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
        if 2 * len(path) > _MAX_PATH:
            return []
        prefix = "".join([f"{part}/" for part in path])
        room = _MAX_PATH - len(os.fsencode(prefix))
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
        if path and not folders and len(files) == before and len(path) <= _MAX_DEPTH:
            empty.append(prefix[:-1])
        return folders

    _walk(fd, enter, lambda *_: None)
    return files, empty


def _remove(base: str, pid: int) -> None:
    """Remove the temporary directory `base`, if this is the process that has made it."""
    if os.getpid() != pid:
        return

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
