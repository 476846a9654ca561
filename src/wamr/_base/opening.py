"""Opening files to read, with the same errors everywhere: Windows denies to open a directory."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader


def opened(path: str | bytes | os.PathLike[str]) -> BufferedReader:
    """Open a file to read bytes. Raises OSError, which is IsADirectoryError for a directory."""
    try:
        return open(path, "rb")  # noqa: PTH123 - pathlib takes long to import
    except PermissionError:
        if os.path.isdir(path):  # noqa: PTH112
            raise directory_error(path) from None
        raise


def directory_error(path: str | bytes | os.PathLike[str]) -> IsADirectoryError:
    """Return the error for a directory where a file is needed."""
    import errno

    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fsdecode(path))
