"""Programs: WASI programs that have started up, to be run from there any number of times."""

from __future__ import annotations

from contextlib import closing

from .._base.arguments import already_initialized
from .._runtime.instance import Instance
from .._runtime.limits import checked_slice, checked_timeout
from .._runtime.module import Module
from .._runtime.snapshot import Snapshot
from .._runtime.store import Store
from .._wasi.config import SingleUseConfig
from .arguments import Command, checked_limits, timeout_ns
from .captured import Captured
from .fed_input import FedInput
from .one_turn import ExceptionsOfRun
from .prelude import output_of, recorder
from .program_file import Saved, load_snapshot, save_snapshot
from .restored import RestoredRequest, Started, checked_hook, dirs_now, kept_dirs, kept_env
from .running import Running, drive
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from typing_extensions import Self

    from .._runtime.limits import ResourceLimits
    from .._wasi.config import _DirSource
    from .completed import CompletedProcess
    from .prelude import Prelude
    from .running import Turn


class Program:
    r"""A WASI program that has started up: `run` without the start-up, any number of times.

    The constructor runs the program until it first waits for input, and takes a snapshot. Each run
    is a new instance, which goes on from there with its own input, memory and limits. Nothing that
    a run does is seen by another one. A program may be used in any number of threads at once. It is
    a context manager, which closes it.

    args, env, dirs, limits: as those of `run`; dirs and limits are also the defaults of the runs.
    timeout: seconds that the program may run until it waits. on_restore: what gives each run random
    state of its own, since all runs have the state of the one start-up: the name of an exported
    function without parameters, or a callable that gets the new Instance; or bytes, which the
    program reads first. None: its export `wamr_restored`, if it has such a function.
    Attributes `args`; `stdout`, `stderr`: what it wrote until it waited, as bytes. Each run writes
    that again at its beginning, so that its results are those of `wamr.run`.
    Raises ValueError if the program ends before it waits for input; its `stdout` and `stderr` are
    what it wrote. Raises SnapshotError, subprocess.TimeoutExpired, and what `run` raises.

    >>> import wamr
    >>> text = '''(module
    ...   (import "wasi_snapshot_preview1" "fd_read"
    ...     (func $read (param i32 i32 i32 i32) (result i32)))
    ...   (import "wasi_snapshot_preview1" "fd_write"
    ...     (func $write (param i32 i32 i32 i32) (result i32)))
    ...   (memory (export "memory") 1) (data (i32.const 0) "\\40\\00\\00\\00\\40\\00\\00\\00")
    ...   (func (export "_start")
    ...     (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    ...     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))'''
    >>> program = wamr.Program([wamr.Module(wamr.Engine(), text)])
    >>> [program.run(input=data, capture_output=True).stdout for data in (b"one", b"two")]
    [b'one', b'two']
    """

    __slots__ = ("__weakref__", "_started", "stderr", "stdout")
    stdout: bytes
    stderr: bytes

    def __init__(
        self,
        args: Sequence[str | os.PathLike[str] | Module],
        *,
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, _DirSource] | None = None,
        limits: ResourceLimits | None = None,
        timeout: float | None = None,
        on_restore: str | bytes | Callable[[Instance], object] | None = None,
    ) -> None:
        if hasattr(self, "_started"):
            raise already_initialized(self)
        command = Command(args)
        checked_limits(limits)
        checked_timeout(timeout)
        store = command.load()
        hook, first_input = checked_hook(on_restore, command.module)
        pieces: list[tuple[int, bytes]] = []
        with store, closing(_start(command, env, dirs, limits, store, pieces)) as running:
            turn = running.turn(timeout)
            turn.run(_drive_to_input, running, turn)
            snapshot = Snapshot(running.instance, running.execution, on_restore=hook)
            options = kept_env(env), dirs_now(running.captured.config), limits
        self._init(Started(command, snapshot, tuple(pieces), *options, first_input))

    @classmethod
    def from_session(
        cls,
        session: Session,
        *,
        on_restore: str | bytes | Callable[[Instance], object] | None = None,
    ) -> Program:
        """Return a Program that goes on from where the program of a session has stopped.

        The session stays as it is: so it can be copied, or saved to a file. What it has written so
        far isn't written again. on_restore: as in Program.
        Raises SnapshotError, TypeError, ValueError, ClosedError, and RuntimeError if the program of
        the session has ended or runs.

        >>> import wamr
        >>> text = '''(module
        ...   (import "wasi_snapshot_preview1" "fd_read"
        ...     (func $read (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
        ...   (func (export "_start") (i32.store (i32.const 4) (i32.const 9))
        ...     (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))'''
        >>> session = wamr.Session([text])
        >>> session.feed(b"")
        b''
        >>> copy = wamr.Program.from_session(session).session()
        >>> copy.waiting, session.waiting
        ('stdin', 'stdin')
        """
        if not isinstance(session, Session):
            raise TypeError(f"session must be a Session, not {type(session).__name__}")
        hook, first_input = checked_hook(on_restore, session._command.module)
        command, snapshot, options, unread = session._for_program(hook)
        env, dirs, limits = options
        self = object.__new__(cls)
        self._init(Started(command, snapshot, (), env, dirs, limits, first_input, unread))
        return self

    def _init(self, started: Started) -> None:
        self._started = started
        self.stdout, self.stderr = output_of(started.prelude, 1), output_of(started.prelude, 2)

    @property
    def args(self) -> Any:
        """The arguments that the program was made with."""
        return self._started.command.args

    def run(
        self,
        *,
        input: bytes | str | None = None,  # noqa: A002
        timeout: float | None = None,
        **rest: Any,
    ) -> CompletedProcess:
        """Run the program from where it waits to its end; return what `wamr.run` returns.

        The parameters are those of `wamr.run`, without `args` and `env`, which the program has read
        already. dirs: the same guest paths as those of the Program, with other directories of the
        host. limits: instead of those of the Program; fuel and memory count for each run alone.
        Raises what `wamr.run` raises, SnapshotError, and ClosedError.
        """
        request = RestoredRequest(self._started, input, timeout, rest)
        with ExceptionsOfRun(request) as begin, closing(request.restore(begin)) as running:
            turn = running.turn(timeout, since=begin)
            turn.run(drive, turn)
        return request.result(turn.returncode)

    async def run_async(
        self,
        *,
        input: bytes | str | None = None,  # noqa: A002
        timeout: float | None = None,
        slice: float | None = None,  # noqa: A002
        **rest: Any,
    ) -> CompletedProcess:
        """Do the same as `run` in asyncio; slice: as in `wamr.run_async`."""
        from .._runtime.executor import in_thread
        from .async_turns import drive_async

        checked_slice(slice)
        request = RestoredRequest(self._started, input, timeout, rest)
        with ExceptionsOfRun(request) as begin:
            if slice is None and self._started.takes_time:
                running = await in_thread(lambda stop: request.restore(begin, stop))
            else:
                running = request.restore(begin)
            with closing(running):
                turn = running.turn(timeout, since=begin)
                await turn.run_async(drive_async, turn, slice)
        return request.result(turn.returncode)

    def session(self, **rest: Any) -> Session:
        """Return a new Session of the program, which waits for its first input.

        The parameters are those of Session, without `args` and `env`. The first `feed` returns
        what the program wrote until it waited, too.
        """
        options = self._started.session_options(rest)
        session: Session = object.__new__(Session)
        session._restore(self._started, rest.get("dirs"), rest.get("limits"), **options)
        return session

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program to a file, for `load` in another process; replace an existing file.

        The file has the memory of the program, secrets included, and `env`. Only this user may read
        it. It doesn't have dirs, limits, and a callable of on_restore. Raises OSError, ClosedError.
        """
        started = self._started
        started.check_open()
        env = None if started.env is None else dict(started.env)
        saved = Saved(
            list(started.command.argv),
            env,
            started.prelude,
            started.unread,
            started.first_input,
            started.snapshot._on_restore,
        )
        save_snapshot(started.snapshot, path, saved)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        module: Module,
        *,
        trusted: bool = False,
        dirs: Mapping[str, _DirSource] | None = None,
        limits: ResourceLimits | None = None,
        on_restore: str | bytes | Callable[[Instance], object] | None = None,
    ) -> Program:
        """Return the program of a file that `save` or `Snapshot.save` has written.

        module: of the same bytes as the program's; the build of this package must be the same, too.
        trusted: a file is code that runs outside of the sandbox. It is loaded only if this user has
        saved it, on this machine, or if it is trusted. Never trust a file that others could have
        written. dirs, limits: as in Program; the directories have the same guest paths as before.
        on_restore: None: as it was saved; a callable has to be given again.
        Raises SnapshotError, OSError, TypeError, ValueError.
        """
        if not isinstance(module, Module):
            raise TypeError(f"module must be a Module, not {type(module).__name__}")
        checked_limits(limits)
        hook, first_input = checked_hook(on_restore, module)
        snapshot, saved = load_snapshot(path, module, trusted)
        if on_restore is None:
            if saved.hook is not None:
                hook = checked_hook(saved.hook, module)[0]
            first_input = saved.first_input
            if saved.needs_hook:
                raise ValueError(
                    "on_restore is missing: the program was saved with a callable, which isn't in "
                    "the file"
                )
        snapshot._on_restore = hook
        command = Command([module, *saved.argv[1:]])
        command.module = module
        if saved.argv:
            command.argv = saved.argv
        rest = kept_dirs(dirs), limits, first_input, saved.unread
        self = object.__new__(cls)
        self._init(Started(command, snapshot, saved.prelude, saved.env, *rest))
        return self

    def close(self) -> None:
        """Let go of the snapshot. What runs goes on. A second call does nothing."""
        self._started.snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self._started.closed else ""
        return f"<wamr.Program {self._started.command.argv[0]}{closed}>"

    def __reduce__(self) -> str:
        raise TypeError("a Program cannot be copied or pickled; Program.save writes a file")


class _Recorded(Captured):
    """The output of a program that starts, for exceptions."""

    def __init__(self, pieces: Prelude | list[tuple[int, bytes]]) -> None:
        super().__init__(False, None, None)
        self._recorded = pieces

    def bytes_of(self, name: str) -> bytes | None:
        """As `Captured.bytes_of`."""
        return output_of(tuple(self._recorded), 1 if name == "stdout" else 2)


def _drive_to_input(running: Running, turn: Turn) -> None:
    drive(turn)
    if running.over:
        raise ValueError(
            f"the program has ended, with exit code {running.returncode}, before it waited for "
            "input: a Program begins where that is"
        )


def _start(
    command: Command,
    env: Any,
    dirs: Any,
    limits: ResourceLimits | None,
    store: Store,
    pieces: list[tuple[int, bytes]],
) -> Running:
    """Return the program before its start."""
    fed = FedInput()
    captured = _Recorded(pieces)
    wasi = SingleUseConfig(
        args=command.argv,
        env=env,
        dirs=dirs,
        stdin=fed.read,
        stdout=recorder(pieces, 1),
        stderr=recorder(pieces, 2),
    )
    captured.config = wasi
    try:
        instance = Instance(store, command.module, wasi=wasi, limits=limits)
    except BaseException as error:
        captured.attach_to(error)
        raise
    fed.started = True
    wasi.streams.ready = fed.ready
    execution = instance.exports["_start"].execution()
    return Running(
        command.args, instance, execution, wasi.streams, captured, timeout_ns(limits), fed
    )
