"""Opening files to read, with the same errors everywhere: Windows refuses to open a directory.

Named pipes and devices are refused, since opening or reading them may block forever. A pipe that
this process has open, as in /dev/stdin and /dev/fd, is read to its end.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISFIFO, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader


def opened(path: str | bytes | os.PathLike[str]) -> BufferedReader:
    """Open a file to read bytes. Raises OSError, which is IsADirectoryError for a directory."""
    try:
        return open(path, "rb", opener=_descriptor)  # pathlib takes long to import
    except PermissionError:
        if os.path.isdir(path):  # noqa: PTH112
            raise directory_error(path) from None
        raise


def _descriptor(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if not S_ISREG(mode) and not S_ISDIR(mode):  # `open` refuses a directory
            if not (S_ISFIFO(mode) and _is_open_here(path)):
                import errno

                problem = "not a file, but a named pipe or a device"
                raise OSError(errno.EINVAL, problem, os.fsdecode(path))
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_open_here(path: str) -> bool:
    """Tell whether a path names an open descriptor of this process, not an entry of a folder."""
    name = os.fsdecode(path)
    if name.startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/")):
        return True
    return not os.path.lexists(os.path.realpath(name))  # the link in /proc leads to no path


def directory_error(path: str | bytes | os.PathLike[str]) -> IsADirectoryError:
    """Return the error for a directory where a file is needed."""
    import errno

    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fsdecode(path))
