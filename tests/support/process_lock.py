"""A lock between processes, for tests that write to a folder that all processes share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is created for this purpose; wait for other processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with contextlib.suppress(ImportError):  # on Windows, only one process runs tests
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
