"""Private directories: `dirs={"/w": {"a.csv": b"…"}}`, a directory for each instance.

`PrivateFiles` is the argument, checked: the files that each instance begins with. `PrivateDir` is
the directory of one instance, and a mapping of names to contents with which Python reads and writes
its files. The directory lies in a temporary one that only this user can enter.

private_trees.py reads and writes them, on Windows private_paths.py. This module knows neither
configurations nor instances.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from weakref import finalize

from .._base.printable import printable_names
from ..errors import ClosedError

if sys.platform == "win32":
    from . import private_paths as trees
else:
    from . import private_trees as trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MAX_NAME = 255  # bytes, in the file systems that matter


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
        longest = max(len(trees.encoded(part)) for part in parts)
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains a lone surrogate: {name!r}") from None
    if longest > _MAX_NAME:
        raise ValueError(f"{what} has a part of {longest} bytes: {_MAX_NAME} are possible")
    if len(trees.encoded(name)) > trees.MAX_PATH:
        raise ValueError(f"{what} has more than {trees.MAX_PATH} bytes")
    for part in parts:
        if trees.refuses(part):
            raise ValueError(f"{what} has a part that is no name on this system: {part!r}")
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
        same = trees.two_spellings((*self._files, *self._folders))
        if same:
            raise ValueError(f"{where}: {same[0]!r} and {same[1]!r} are one name on this system")

    def _add(self, where: str, above: tuple[str, ...], files: Mapping[Any, Any]) -> None:
        for name, data in files.items():
            path = (*above, *_parts(f"a name in {where}", name))
            inner = f"{where}[{name!r}]"
            if path in self._files or (path in self._folders and not isinstance(data, Mapping)):
                raise ValueError(f"{where}: {'/'.join(path)!r} is there twice")
            if not isinstance(data, Mapping):
                self._files[path] = _contents(inner, data)
            elif len(path) > trees.MAX_DEPTH:
                raise ValueError(
                    f"{where} has more than {trees.MAX_DEPTH} directories in each other"
                )
            else:
                self._folders[path] = None
                self._add(inner, path, data)

    def __repr__(self) -> str:
        return f"<private directory, {len(self._files)} files>"

    def make(self) -> PrivateDir:
        """Return a new directory with these files. Raises OSError, ValueError."""
        made = PrivateDir()
        try:
            for path in self._folders:
                trees.make_folder(made.path, path)
            for path, data in self._files.items():
                trees.write(made.path, path, data, replace=False)
        except FileExistsError:
            made.close()
            name = "/".join(path)
            raise ValueError(f"{name!r} and another name are one on this file system") from None
        except BaseException:
            made.close()
            raise
        return made


# ------------------------------------------------------------------ the directory of an instance
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

        base = trees.literal(os.path.abspath(mkdtemp(prefix="wamr-")))  # noqa: PTH100
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

    def _names(self) -> list[str]:
        self._open()
        return sorted(trees.entries(self.path)[0])

    def tree(self) -> dict[str, Any]:
        """Return the files and the empty folders, as the argument of another PrivateFiles."""
        self._open()
        files, empty = trees.entries(self.path)
        tree: dict[str, Any] = {name: {} for name in empty}
        for name in files:
            with suppress(KeyError):  # it was just removed
                tree[name] = self[name]
        return tree

    # ---- the mapping
    def __getitem__(self, name: str) -> bytes:
        self._open()
        try:
            data = trees.read(self.path, _parts("a name", name))
        except (TypeError, ValueError):
            data = None
        if data is None:
            raise KeyError(name)
        return data

    def __setitem__(self, name: str, data: bytes | str) -> None:
        self._open()
        parts = _parts("the name of a file", name)
        trees.write(self.path, parts, _contents(f"the contents of {name!r}", data))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        trees.unlink(self.path, _parts("a name", name))

    def __contains__(self, name: object) -> bool:
        self._open()
        try:
            return trees.is_file(self.path, _parts("a name", name))
        except (TypeError, ValueError, OSError):
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        if self.closed:
            return "<wamr private directory, removed>"
        return f"<wamr private directory: {printable_names(self._names(), 'no files')}>"

    def __reduce__(self) -> tuple[Any, ...]:  # a copy in another process has the files
        return dict, (dict(self),)


def _remove(base: str, pid: int) -> None:
    """Remove the temporary directory `base`, if this is the process that has made it."""
    if os.getpid() == pid:
        trees.remove(base)
