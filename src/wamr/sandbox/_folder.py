"""Private directories, one for each machine, which are reused if nothing was done in them.

Making and removing a directory may take longer than everything else in a run, and most code writes
no files. A directory goes back to the pool only if its times say that no entry was ever made in
it: code can set the modification time, but not the change time.

Code may put anything into its directory, also links, and trees deeper than any path can be. So no
link is followed here, and each folder is opened in the one above.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import ELOOP, ENOTDIR
from itertools import count
from stat import S_ISREG
from weakref import finalize

from .. import Dir
from .._base.clock import monotonic
from .._base.locks import locked, new_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
MOST_ENTRIES = 10_000
DEEPEST = 64  # folders in one another
_MOST_KEPT = 64
_UNTOUCHED = 1  # the modification time of a new directory: nanoseconds after 1970
# Nanoseconds: more than one step of a file system's clock, unless that is a coarse one.
_TICK = 10_000_000


class TooManyFiles(Exception):
    """There are more bytes or entries than allowed."""


class Folder:
    """A private directory of one machine, empty at first.

    `release` removes the directory with its contents, or returns it to the pool if it is clean. The
    child of a fork has the machines of its parent, too, and leaves their directories alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._process = os.getpid()
        self._made = monotonic()
        self._settled = False  # whether it was seen to be empty after the tick of its creation
        os.utime(path, ns=(_UNTOUCHED, _UNTOUCHED))
        self._changed = os.stat(path).st_ctime_ns  # noqa: PTH116

    def source(self) -> Any:
        """Return what `dirs` of a WasiConfig has for it."""
        return Dir(self.path, writable=True)

    def opened(self, files: Any) -> None:
        """Take note of an instance that was made with `source`; files: its `Instance.files`."""

    def is_untouched(self) -> bool:
        """Tell whether no entry was ever made in it. Raises OSError."""
        status = os.stat(self.path)  # noqa: PTH116
        return status.st_ctime_ns == self._changed and status.st_mtime_ns == _UNTOUCHED

    def is_clean(self) -> bool:
        """As `is_untouched`, even if code has set the time in the tick of the folder's creation.

        Raises OSError.
        """
        if not self.is_untouched():
            return False
        if self._settled:
            return True
        if os.listdir(self.path):  # noqa: PTH208
            return False
        self._settled = bool(self._changed % _TICK) and monotonic() - self._made > 1
        return True

    def remove(self, name: str) -> None:
        """Remove what is in the way of `write`. Raises OSError."""
        if self.is_untouched():
            return
        *parts, last = name.split("/")
        folder = self._open(parts, make=True)
        try:
            _remove_entry(folder, last)
        finally:
            os.close(folder)

    def write(self, name: str, data: bytes) -> None:
        """Write a new file; name: a relative path that was checked. Raises OSError."""
        *parts, last = name.split("/")
        folder = self._open(parts, make=True)
        try:
            file = os.open(last, _CREATE, 0o600, dir_fd=folder)
            with open(file, "wb") as stream:  # noqa: PTH123
                stream.write(data)
        finally:
            os.close(folder)

    def read(self, most: int) -> dict[str, bytes]:
        """Return the contents of all files. Raises TooManyFiles."""
        found: dict[str, bytes] = {}
        if not self.is_untouched():
            self._walk(most, found)
        return found

    def folders(self, most: int) -> list[str]:
        """Return the names of all folders. Raises TooManyFiles."""
        names: list[str] = []
        if not self.is_untouched():
            self._walk(most, None, names)
        return names

    def make(self, name: str) -> None:
        """Make a folder; name: a relative path that `folders` has returned. Raises OSError."""
        os.close(self._open(name.split("/"), make=True))

    def check(self, most: int) -> None:
        """Raise TooManyFiles if the files have more than `most` bytes, or are too many."""
        self._walk(most, None)

    def _open(self, parts: list[str], *, make: bool = False) -> int:
        folder = os.open(self.path, _FOLDER)
        for part in parts:
            above = folder
            try:
                folder = _made_folder(part, above) if make else os.open(part, _FOLDER, dir_fd=above)
            finally:
                os.close(above)
        return folder

    def _walk(
        self, most: int, found: dict[str, bytes] | None, folders: list[str] | None = None
    ) -> None:
        """Count all files, read them into `found`, and list folders. Raises TooManyFiles."""
        count = size = 0
        path: list[tuple[int, str, list[str]]] = []  # open folders, and those to open in them
        folder, prefix = self._open([]), ""
        try:
            while True:
                below: list[str] = []
                path.append((folder, prefix, below))
                with os.scandir(folder) as entries:
                    for entry in entries:
                        count += 1
                        if entry.is_dir(follow_symlinks=False):
                            if len(path) > DEEPEST:
                                raise TooManyFiles
                            below.append(entry.name)
                            if folders is not None:
                                folders.append(prefix + entry.name)
                        elif entry.is_file(follow_symlinks=False):
                            size += entry.stat(follow_symlinks=False).st_size
                            if found is not None and size <= most:
                                _read(folder, entry.name, prefix + entry.name, found)
                        if size > most or count > MOST_ENTRIES:
                            raise TooManyFiles
                while not path[-1][2]:
                    os.close(path.pop()[0])
                    if not path:
                        return
                above, prefix, names = path[-1]
                name = names.pop()
                folder, prefix = os.open(name, _FOLDER, dir_fd=above), f"{prefix}{name}/"
        finally:
            for folder, _, _ in path:
                os.close(folder)

    def release(self) -> None:
        """Remove the directory with its contents, or put it into the pool if it is clean."""
        if self._process != os.getpid():
            return
        with suppress(OSError):
            if self.is_clean():
                _pool.put(self)
                return
            folder = self._open([])
            try:
                _clear(folder)
            finally:
                os.close(folder)
            os.rmdir(self.path)  # noqa: PTH106


def _read(folder: int, name: str, path: str, found: dict[str, bytes]) -> None:
    with suppress(OSError, UnicodeEncodeError):  # a name that isn't UTF-8
        path.encode()
        file = os.open(name, _READ, dir_fd=folder)
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123
            if S_ISREG(os.fstat(file).st_mode):
                found[path] = stream.readall()


def _made_folder(name: str, above: int) -> int:
    """Open a folder, which is made if there is none. Raises OSError."""
    for _ in range(2):
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
        try:
            return os.open(name, _FOLDER, dir_fd=above)
        except OSError as error:
            if error.errno not in (ENOTDIR, ELOOP):
                raise
        os.unlink(name, dir_fd=above)  # a file or a link
    raise AssertionError("something else uses the folder")


def _remove_entry(folder: int, name: str) -> None:
    """Remove a file, a link, or a folder with all that is in it; or nothing. Raises OSError."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:  # it is a folder
        below = os.open(name, _FOLDER, dir_fd=folder)
        try:
            _clear(below)
        finally:
            os.close(below)
        os.rmdir(name, dir_fd=folder)


def _clear(folder: int) -> None:
    """Remove everything in a folder. Contents of inner folders are moved up, so none is deep."""
    moved, number = os.urandom(8).hex(), 0
    while names := os.listdir(folder):
        for name in names:
            try:
                os.unlink(name, dir_fd=folder)
                continue
            except OSError:  # it is a folder
                pass
            with suppress(OSError):
                os.rmdir(name, dir_fd=folder)
                continue
            below = os.open(name, _FOLDER, dir_fd=folder)
            try:
                for inner in os.listdir(below):  # noqa: PTH208
                    number += 1
                    os.rename(inner, f"{moved}-{number}", src_dir_fd=below, dst_dir_fd=folder)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=folder)


class _Pool:
    """The unused directories of this process."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._forget()

    def _forget(self) -> None:
        self._process = 0
        self._base = ""
        self._numbers = count(1)
        self._kept: list[Folder] = []

    def take(self) -> Folder:
        """Return an empty directory. Raises OSError."""
        if self._process != os.getpid():
            locked(self._lock, self._begin)
        while True:
            try:
                folder = self._kept.pop()
            except IndexError:
                break
            with suppress(OSError):  # something has removed it, as cleaners of temporary files do
                if folder.is_untouched():
                    return folder
        path = os.path.join(self._base, str(next(self._numbers)))  # noqa: PTH118
        os.makedirs(path, 0o700)  # noqa: PTH103
        return Folder(path)

    def _begin(self) -> None:
        """Make the directory of this process, and forget those of its parent."""
        if self._process == os.getpid():  # another thread has done it
            return
        import tempfile

        base = tempfile.mkdtemp(prefix="wamr-sandbox-")
        finalize(self, _remove, base, os.getpid())
        self._forget()
        self._base = base
        self._process = os.getpid()

    def put(self, folder: Folder) -> None:
        """Keep a directory in which nothing was done."""
        if len(self._kept) < _MOST_KEPT:
            self._kept.append(folder)
            return
        with suppress(OSError):
            os.rmdir(folder.path)  # noqa: PTH106


def _remove(base: str, process: int) -> None:
    if os.getpid() == process:
        import shutil

        shutil.rmtree(base, ignore_errors=True)


_pool = _Pool()


def take_folder() -> Folder:
    """Return an empty private directory. Raises OSError."""
    return _pool.take()
