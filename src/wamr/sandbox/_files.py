"""The files of a machine: a mapping in, a mapping of what has changed out."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from .. import WasiConfig
from ._folder import Folder, has_folders, no_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Contents: TypeAlias = Mapping[str, bytes | str]

FOLDER = "/work"


def checked_files(files: object) -> dict[str, bytes | str]:
    """Return a copy of a mapping of files. Raises TypeError, ValueError, UnavailableError."""
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
    if copy and not has_folders():
        raise no_files(next(iter(copy)))
    if copy:
        WasiConfig(dirs={FOLDER: copy})  # checks names and texts
    return copy


class Files:
    """The files in the folder of a machine, which stands still."""

    def __init__(self, folder: Folder, files: Contents, folders: Iterable[str] = ()) -> None:
        self._folder = folder
        self._seen: dict[str, bytes] = {}
        for name in folders:
            folder.make(name)
        self.put(files)

    def put(self, files: Contents) -> None:
        """Write files. Raises OSError."""
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            self._folder.write(name, data)
            self._seen[name] = _digest(data)

    def all(self, most: int) -> dict[str, bytes]:
        """Return all files. Raises TooManyFiles."""
        return dict(sorted(self._folder.read(most).items()))

    def folders(self, most: int) -> list[str]:
        """Return the names of all folders. Raises TooManyFiles."""
        return self._folder.folders(most)

    def check(self, most: int) -> None:
        """Raise TooManyFiles if the files have more than `most` bytes."""
        self._folder.check(most)

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


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
