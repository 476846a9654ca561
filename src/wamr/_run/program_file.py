"""Files of Programs: a snapshot, and behind it what a Program has besides, as JSON.

Directories of the host and limits are not in the file: they are the business of whoever loads it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

from .._runtime import snapshot_file
from .._runtime.snapshot import Snapshot
from .._runtime.snapshot_file import EXTRA
from ..errors import SnapshotError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from .._runtime.module import Module
    from .prelude import Prelude

_VERSION = 1
_KEEP = 16  # memories of ended runs for the next ones, as by default in Snapshot
_CALLABLE = {"callable": True}  # a hook that can't be saved


class Saved:
    """What a file has besides the snapshot.

    argv, env: as the program has read them. unread: as in Started. hook: the name of an export,
    None, or a callable, in which case the file only says that there was one.
    """

    __slots__ = ("argv", "env", "first_input", "hook", "needs_hook", "prelude", "unread")

    def __init__(
        self,
        argv: list[str],
        env: dict[str, str] | None,
        prelude: Prelude,
        unread: bytes,
        first_input: bytes,
        hook: Any,
    ) -> None:
        self.argv, self.env, self.prelude = argv, env, prelude
        self.unread, self.first_input, self.hook = unread, first_input, hook
        self.needs_hook = False

    def as_bytes(self) -> bytes:
        """Return what `read` reads."""
        fields = {
            "version": _VERSION,
            "argv": self.argv,
            "env": self.env,
            "prelude": [[fd, b64encode(data).decode()] for fd, data in self.prelude],
            "unread": b64encode(self.unread).decode(),
            "first_input": b64encode(self.first_input).decode(),
            "hook": _CALLABLE if callable(self.hook) else self.hook,
        }
        return EXTRA + json.dumps(fields).encode()


def read(extra: bytes) -> Saved:
    """Return what `Saved.as_bytes` gave; b"": a file of Snapshot.save. Raises SnapshotError."""
    if not extra:
        return Saved([], None, (), b"", b"", None)
    try:
        fields = json.loads(extra.removeprefix(EXTRA))
        if fields["version"] != _VERSION:
            raise ValueError(fields["version"])
        env, hook = fields["env"], fields["hook"]
        saved = Saved(
            [str(argument) for argument in fields["argv"]],
            None if env is None else {str(name): str(value) for name, value in env.items()},
            tuple([(2 if fd == 2 else 1, b64decode(data)) for fd, data in fields["prelude"]]),
            b64decode(fields["unread"]),
            b64decode(fields["first_input"]),
            hook if isinstance(hook, str) else None,
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise SnapshotError("damaged", "the file is no whole Program") from error
    saved.needs_hook = hook == _CALLABLE
    return saved


def save_snapshot(snapshot: Snapshot, path: str | os.PathLike[str], saved: Saved) -> None:
    """Write a file. Raises OSError, SnapshotError."""
    snapshot._save(path, saved.as_bytes())


def load_snapshot(
    path: str | os.PathLike[str], module: Module, trusted: bool
) -> tuple[Snapshot, Saved]:
    """Return what a file has, the snapshot without a hook. Raises OSError, SnapshotError."""
    c, slice_ns, extra = snapshot_file.load(path, module, trusted, _KEEP)
    snapshot = object.__new__(Snapshot)
    snapshot._slice_ns = slice_ns
    snapshot._init(c, module, None)
    return snapshot, read(extra)
