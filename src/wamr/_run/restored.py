"""What a Program has: a snapshot of a started program, and how runs and sessions go on from it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._base.callables import checked_plain
from .._base.clock import monotonic_ns
from .._runtime.module import Module
from .._runtime.snapshot import Snapshot
from .._runtime.store import Store
from .._wasi.config import SingleUseConfig, WasiConfig
from ..errors import ClosedError, trap_from_text
from ..types import FuncType
from .arguments import Command, checked_limits, timeout_ns
from .prelude import opened, write_prelude
from .request import Request
from .running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._base.aliases import Stdio
    from .._runtime.execution import Execution
    from .._runtime.instance import Instance
    from .._runtime.limits import ResourceLimits
    from .captured import Captured
    from .fed_input import FedInput
    from .prelude import Prelude

_EXPORT = "wamr_restored"  # called in each run if the program exports it
_NO_ARGUMENTS = FuncType(())
_OF_RUN = frozenset(
    ("stdin", "stdout", "stderr", "capture_output", "text", "encoding", "errors", "check")
)
_OF_SESSION = frozenset(("stdout", "stderr", "text", "encoding", "errors"))


def _never_ends() -> None:
    """Let the writing of a prelude take any time."""


def kept_env(env: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return a copy of the argument `env`, which was checked."""
    return None if env is None else {**env}


def dirs_now(config: SingleUseConfig | None) -> dict[str, Any] | None:
    """Return the directories of a program, with what its private ones contain now."""
    if config is None or not config._dirs:
        return None
    files = config.files
    return {
        name: files[name].tree() if name in files else config._dirs[name] for name in config._dirs
    }


def kept_dirs(dirs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a copy of the argument `dirs`, with absolute paths; TypeError, ValueError, OSError."""
    if dirs is None:
        return None
    checked = WasiConfig(dirs=dirs)._dirs
    return {
        name: _copied(dirs[name]) if isinstance(dirs[name], Mapping) else checked[name]
        for name in checked
    }


def _copied(files: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the contents of a private directory."""
    return {
        name: _copied(data)
        if isinstance(data, Mapping)
        else (data if isinstance(data, str) else bytes(data))
        for name, data in files.items()
    }


class Started:
    """A program that has started up. The attributes are as the parameters of Program.

    prelude: what it wrote until it waited. unread: what a session was fed and its program has not
    read, which it reads first; then first_input, that of on_restore.
    """

    __slots__ = (
        "command",
        "dirs",
        "env",
        "first_input",
        "limits",
        "prelude",
        "snapshot",
        "unread",
    )

    def __init__(
        self,
        command: Command,
        snapshot: Snapshot,
        prelude: Prelude,
        env: Mapping[str, str] | None,
        dirs: Mapping[str, Any] | None,
        limits: ResourceLimits | None,
        first_input: bytes,
        unread: bytes = b"",
    ) -> None:
        self.command = command
        self.snapshot = snapshot
        self.prelude = prelude
        self.env, self.dirs, self.limits = env, dirs, limits
        self.first_input = first_input
        self.unread = unread

    @property
    def closed(self) -> bool:
        """Whether the snapshot is closed."""
        return not self.snapshot._closer

    def check_open(self) -> None:
        """Raise ClosedError if the Program is closed."""
        if self.closed:
            raise ClosedError("this Program is closed")

    @property
    def input(self) -> bytes:
        """What the program reads before the input of a run or session."""
        return self.unread + self.first_input

    @property
    def takes_time(self) -> bool:
        """Whether to restore the program may run code, or wait for those who read its output."""
        return bool(self.prelude) or self.snapshot._on_restore is not None

    def dirs_or(self, dirs: object) -> Any:
        """Return the directories of a run, in the order of those of the Program."""
        if dirs is None:
            return self.dirs
        if isinstance(dirs, Mapping) and self.dirs and dirs.keys() == self.dirs.keys():
            return {name: dirs[name] for name in self.dirs}
        return dirs

    def restore(
        self,
        config: SingleUseConfig,
        limits: ResourceLimits | None,
        captured: Captured,
        fed: FedInput | None = None,
        check: Callable[[], object] = _never_ends,
    ) -> Running:
        """Return the program as it waits, in a new store, after it has written its prelude.

        limits: with the timeout of a run; None: none. fed: as in Running. check: as in
        write_prelude.
        """
        store = Store(self.snapshot.module.engine)
        try:
            instance, execution = self._instance(store, config, limits)
            if fed is not None:
                fed.started = True
                config.streams.ready = fed.ready
            write_prelude(self.prelude, config._stdio, config.streams, check)
        except BaseException:
            store.close()
            raise
        running = Running(
            self.command.args,
            instance,
            execution,
            config.streams,
            captured,
            timeout_ns(limits),
            fed,
        )
        running.event = execution._event
        return running

    def _instance(
        self, store: Store, config: SingleUseConfig, limits: ResourceLimits | None
    ) -> tuple[Instance, Execution]:
        instance, execution = self.snapshot.instantiate(store, wasi=config, limits=limits)
        if execution is None:  # the snapshot was taken before the program began
            execution = instance.exports["_start"].execution()
        return instance, execution

    def check_names(self, rest: Mapping[str, object], known: frozenset[str], what: str) -> None:
        """Check the names of the arguments of a run or session; TypeError, ClosedError."""
        self.check_open()
        for name in rest:
            if name in ("args", "env"):
                raise TypeError(
                    f"{what}() takes no {name}: the program has read its {name} when it started; "
                    "another Program has others"
                )
            if name not in known and name not in ("dirs", "limits"):
                raise TypeError(f"{what}() got an unexpected keyword argument {name!r}")

    def session_options(self, rest: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a session, without dirs and limits; TypeError, ClosedError."""
        self.check_names(rest, _OF_SESSION, "session")
        return {name: value for name, value in rest.items() if name in _OF_SESSION}


class RestoredRequest(Request):
    """One call of Program.run. rest: its other arguments."""

    def __init__(
        self,
        started: Started,
        input: object,  # noqa: A002
        timeout: float | None,
        rest: dict[str, Any],
    ) -> None:
        started.check_names(rest, _OF_RUN, "run")
        self._started = started
        own = rest.get("limits")
        self._own_limits = started.limits if own is None else checked_limits(own)
        super().__init__(
            started.command.args,
            input,
            rest.get("stdin"),
            rest.get("stdout"),
            rest.get("stderr"),
            rest.get("capture_output", False),
            rest.get("text"),
            rest.get("encoding"),
            rest.get("errors"),
            started.env,
            started.dirs_or(rest.get("dirs")),
            timeout,
            self._own_limits,
            rest.get("check", False),
        )
        self._stdin = _after(started.input, self._stdin)

    def restore(self, begin: int, stop: Any = None) -> Running:
        """Make the instance, and return the program as it waits.

        begin: of the timeout, by monotonic_ns. stop: a uint32_t *, which is set to end this.
        """
        limit = timeout_ns(self.limits)

        def check() -> None:
            if stop is not None and stop[0]:
                raise trap_from_text("interrupted")
            if limit and monotonic_ns() >= begin + limit:
                raise trap_from_text("timed out")

        to_close: list[int] = []
        try:
            if self._started.prelude:
                out, err = self._outputs
                self._outputs = opened(out, to_close), opened(err, to_close)
            self.configure()
            running = self._started.restore(self.wasi, self.limits, self.captured, check=check)
        finally:
            for descriptor in to_close:
                os.close(descriptor)
        running.timeout_ns = timeout_ns(self._own_limits)
        return running


def checked_hook(on_restore: object, module: Module) -> tuple[Any, bytes]:
    """Return the hook for the snapshot, and the first input; TypeError, ValueError."""
    functions = {item.name for item in module.exports if item.type == _NO_ARGUMENTS}
    default = _EXPORT if _EXPORT in functions else None
    if on_restore is None:
        return default, b""
    if isinstance(on_restore, (bytes, bytearray, memoryview)):
        return default, bytes(on_restore)
    if isinstance(on_restore, str) and on_restore not in functions:
        raise ValueError(
            f"on_restore: the program exports no function {on_restore!r} without parameters and "
            "results"
        )
    if not isinstance(on_restore, str) and not callable(on_restore):
        raise TypeError(
            "on_restore must be the name of an export, a callable, bytes or None, not "
            f"{type(on_restore).__name__}"
        )
    if not isinstance(on_restore, str):
        checked_plain("on_restore", on_restore)
    return on_restore, b""


def _after(first: bytes, stdin: Any) -> Stdio:
    """Return an stdin from which the program reads `first`, and then the rest."""
    if not first:
        return stdin  # type: ignore[no-any-return]
    if isinstance(stdin, bytes):
        return first + stdin
    if not callable(stdin) or hasattr(stdin, "read") or hasattr(stdin, "fileno"):
        raise ValueError(
            "stdin must be bytes or a callable, or input be given: the program first reads what "
            "on_restore says"
        )
    return _chained(first, stdin)


def _chained(first: bytes, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    left = first

    def read_both(size: int) -> bytes:
        nonlocal left
        piece, left = left[:size], left[size:]
        return piece or read(size)

    return read_both
