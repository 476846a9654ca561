"""The files of a machine: a mapping in, a mapping of what has changed out."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from .. import WasiConfig
from ._folder import DEEPEST, MOST_ENTRIES, Folder, TooManyFiles
from ._results import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Contents: TypeAlias = Mapping[str, bytes | str]

FOLDER = "/work"


def checked_files(files: object) -> dict[str, bytes]:
    """Return a copy of a mapping of files. Raises TypeError, ValueError."""
    if files is None:
        return {}
    if not isinstance(files, Mapping):
        raise TypeError(f"files must be a mapping or None, not {type(files).__name__}")
    copy: dict[str, bytes] = {}
    for name, data in files.items():
        if not isinstance(data, (bytes, bytearray, memoryview, str)):
            raise TypeError(f"files[{name!r}] must be bytes or a str, not {type(data).__name__}")
        try:
            copy[name] = data.encode() if isinstance(data, str) else bytes(data)
        except UnicodeEncodeError:
            raise ValueError(f"files[{name!r}] contains a lone surrogate") from None
    if copy:
        try:
            WasiConfig(dirs={FOLDER: copy})  # checks names
        except (TypeError, ValueError) as error:  # whose text names the argument of WasiConfig
            raise type(error)(str(error).replace(f"dirs[{FOLDER!r}]", "files")) from None
    return copy


def check_amount(files: Mapping[str, bytes], most: int) -> None:
    """Raise ValueError if files have more than `most` bytes, or are too many, or too deep."""
    size = sum(len(data) for data in files.values())
    if size > most:
        raise ValueError(f"files have {size} bytes, more than file_bytes={most}")
    folders: set[str] = set()
    for name in files:
        depth = name.count("/")
        if depth > DEEPEST:
            raise ValueError(
                f"a name in files has {depth} folders in one another, more than {DEEPEST}: "
                f"{name[:40]!r}…"
            )
        while depth and (name := name.rpartition("/")[0]) not in folders:
            folders.add(name)
            depth -= 1
    count = len(files) + len(folders)
    if count > MOST_ENTRIES:
        raise ValueError(f"there are {count} files and folders in files, more than {MOST_ENTRIES}")


class Files:
    """The files in the folder of a machine, which stands still."""

    def __init__(
        self, folder: Folder, files: Mapping[str, bytes], folders: Iterable[str] = ()
    ) -> None:
        self._folder = folder
        self._seen: dict[str, bytes] = {}
        for name in folders:
            folder.make(name)
        self.put(files)

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files, in place of what is there.

        Raises OSError, and ValueError if two names are one on this file system.
        """
        for name in files:  # all before the first is written, so that a file that is there is new
            self._folder.remove(name)
        for name, data in files.items():
            try:
                self._folder.write(name, data)
            except FileExistsError:
                text = f"files: {name!r} and another name are one on this file system"
                raise ValueError(text) from None
            self._seen[name] = _digest(data)

    def all(self, most: int) -> dict[str, bytes]:
        """Return all files. Raises TooManyFiles."""
        return dict(sorted(self._folder.read(most).items()))

    def all_with_folders(self, most: int) -> tuple[dict[str, bytes], list[str]]:
        """Return all files, and the names of all folders. Raises SandboxError."""
        try:
            return self.all(most), self._folder.folders(most)
        except TooManyFiles:
            raise SandboxError(
                f"the files of the session have more than file_bytes={most}, or are more than "
                f"{MOST_ENTRIES}, or more than {DEEPEST} folders deep"
            ) from None

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
