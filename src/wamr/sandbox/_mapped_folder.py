"""The folder of a machine where programs may have private directories only, as on Windows.

It is the private directory of the machine's instance, which is removed with the instance. Code can
make no links there, so paths lead nowhere else.
"""

from __future__ import annotations

import os
from contextlib import suppress

from .. import FEATURES
from ._folder import DEEPEST, MOST_ENTRIES, Folder, TooManyFiles, take_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def new_folder() -> Folder:
    """Return an empty folder for a machine. Raises OSError."""
    return take_folder() if "wasi-directories" in FEATURES else MappedFolder()


class MappedFolder(Folder):
    """The private directory of an instance, which `opened` names."""

    def __init__(self) -> None:
        self.path = ""
        self._files: Any = None
        self._times = 0, 0  # at the beginning, in nanoseconds: of the last access and change

    def source(self) -> Any:
        return {}

    def opened(self, files: Any) -> None:
        self._files = files
        self.path = files.path
        status = os.stat(self.path)  # noqa: PTH116
        self._times = status.st_atime_ns, status.st_mtime_ns

    def is_untouched(self) -> bool:
        return not os.listdir(self.path)  # noqa: PTH208

    def is_clean(self) -> bool:
        """Tell whether it is empty; its times, which code can set, become those of the beginning.

        Raises OSError.
        """
        if not self.is_untouched():
            return False
        os.utime(self.path, ns=self._times)
        return True

    def remove(self, name: str) -> None:
        pass  # `write` replaces files

    def write(self, name: str, data: bytes) -> None:
        self._files[name] = data

    def make(self, name: str) -> None:
        os.makedirs(os.path.join(self.path, *name.split("/")), exist_ok=True)  # noqa: PTH103, PTH118

    def release(self) -> None:
        pass

    def _walk(
        self, most: int, found: dict[str, bytes] | None, folders: list[str] | None = None
    ) -> None:
        count = size = 0
        todo: list[tuple[str, ...]] = [()]
        while todo:
            parts = todo.pop()
            for name, is_folder, bytes_ in _listed(os.path.join(self.path, *parts)):  # noqa: PTH118
                count += 1
                path = "/".join((*parts, name))
                if is_folder:
                    if len(parts) == DEEPEST:
                        raise TooManyFiles
                    if folders is not None:
                        folders.append(path)
                    todo.append((*parts, name))
                else:
                    size += bytes_
                    if found is not None and size <= most:
                        with suppress(KeyError, OSError):  # it was just removed
                            found[path] = self._files[path]
                if size > most or count > MOST_ENTRIES or len(todo) > DEEPEST * 4:
                    raise TooManyFiles


def _listed(folder: str) -> list[tuple[str, bool, int]]:
    """Return the files and folders in a folder: name, whether it is a folder, size in bytes."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder or entry.is_file(follow_symlinks=False):
                # the size in the listing may be out of date while the file is open
                size = 0 if is_folder else os.stat(entry.path).st_size  # noqa: PTH116
                found.append((entry.name, is_folder, size))
    return found
