"""The files of a machine: a private directory, which is the code's working directory.

The code may put anything there while it runs, so nothing is read before it is known how much there
is, and links are never followed. `Files` is used while the machine stands still.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, cast

from .. import WasiConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from .. import Instance

    Contents: TypeAlias = Mapping[str, bytes | str]

FOLDER = "/work"
_MOST = 10_000  # files and folders; more are too many for file_bytes, too


class TooManyFiles(Exception):
    """The files are more than file_bytes allows."""


def checked_files(files: object) -> dict[str, bytes | str]:
    """Return a copy of a mapping of files. Raises TypeError, ValueError."""
    if files is None:
        return {}
    if not isinstance(files, Mapping):
        raise TypeError(f"files must be a mapping or None, not {type(files).__name__}")
    copy: dict[str, bytes | str] = {}
    for name, data in files.items():
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        if not isinstance(data, (bytes, str)):
            raise TypeError(f"files[{name!r}] must be bytes or a str, not {type(data).__name__}")
        copy[name] = data
    WasiConfig(dirs={FOLDER: copy})  # checks names and texts
    return copy


class Files:
    """The files in the private directory of an instance."""

    def __init__(self, instance: Instance, files: Contents) -> None:
        self._files: MutableMapping[str, bytes] = instance.files[FOLDER]
        self._path: str = cast("Any", self._files).path
        self._seen = {name: _digest(_encoded(data)) for name, data in files.items()}

    def put(self, files: Contents) -> None:
        """Write files. Raises TypeError, ValueError, OSError."""
        for name, data in files.items():
            self._files[name] = _encoded(data)
            self._seen[name] = _digest(_encoded(data))

    def all(self, most: int) -> dict[str, bytes]:
        """Return all files. Raises TooManyFiles."""
        contents = {}
        for name in sorted(self.check(most)):
            with suppress(KeyError, OSError, UnicodeEncodeError):  # a name that can't be named
                name.encode()
                contents[name] = self._files[name]
        return contents

    def check(self, most: int) -> list[str]:
        """Return the names of all files; raise TooManyFiles if they have more than `most` bytes."""
        names, folders, size, count = [], [""], 0, 0
        while folders:
            folder = folders.pop()
            with suppress(OSError), os.scandir(os.path.join(self._path, folder)) as entries:  # noqa: PTH118
                for entry in entries:
                    count += 1
                    name = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{name}/")
                    elif entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
                        names.append(name)
                    if size > most or count > _MOST:
                        raise TooManyFiles
        return names

    def changes(self, most: int) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """Return the files that have changed since the last call, and the names of removed ones.

        Raises TooManyFiles.
        """
        contents = self.all(most)
        before = self._seen
        self._seen = {name: _digest(data) for name, data in contents.items()}
        changed = {
            name: data for name, data in contents.items() if before.get(name) != self._seen[name]
        }
        return changed, tuple(sorted(before.keys() - contents.keys()))


def _encoded(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
