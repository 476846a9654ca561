"""One process at a time: for what tests make in a folder that all of them share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in here with the same path, a file's that nobody else uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with contextlib.suppress(ImportError):  # Windows: there, only one process runs tests
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
