"""What the sandboxes of all languages share: runs, sessions, files on disk."""

from __future__ import annotations

from .. import ClosedError, Snapshot, SnapshotError
from .._base.locks import SoleUse
from ._files import FOLDER, check_amount, checked_files
from ._json import MAX_DEPTH, encode
from ._limits import RunLimits, checked_limits
from ._machine import Machine
from ._machine_pool import MachinePool
from ._run import Run
from ._tools import Tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self

    from .. import Module
    from ._files import Contents
    from ._machine import Interpreter
    from ._results import Result
    from ._tools import Functions

# Seconds that `load_session` waits for the interpreter: code of the session may have broken it.
_LOAD_TIMEOUT = 10.0


class Sandbox:
    """The base of `Python` and `JavaScript`."""

    limits: RunLimits
    _reserved: frozenset[str] = frozenset()  # words that can't be names of tools

    @classmethod
    def _interpreter_of(cls, path_or_module: str | PathLike[str] | Module | None) -> Interpreter:
        """Return the interpreter that a subclass takes."""
        raise NotImplementedError

    def _open(
        self,
        interpreter: Interpreter,
        tools: Functions,
        limits: RunLimits | None,
        preload: list[str],
        cache: str | PathLike[str] | None,
    ) -> None:
        limits = checked_limits(limits, RunLimits())
        if cache is not None:
            try:
                saved = Snapshot.load(cache, interpreter.module)
                self._prepare(interpreter, saved, tools, limits, preload)
            except (FileNotFoundError, SnapshotError):  # no file, or one that doesn't fit
                self._prepare(interpreter, interpreter.started(limits), tools, limits, preload)
                self.save(cache)
            return
        self._prepare(interpreter, interpreter.started(limits), tools, limits, preload)

    def _prepare(
        self,
        interpreter: Interpreter,
        begun: Snapshot,
        tools: Functions,
        limits: RunLimits | None,
        preload: list[str] | None,
    ) -> None:
        self.limits = checked_limits(limits, RunLimits())
        self._prepared = self.limits  # the limits that the interpreter knows
        self._tools = Tools(tools, self._reserved)
        self._interpreter = interpreter  # which other sandboxes share
        with Machine(begun, self.limits) as machine:
            machine.prepare(self._preparation(preload))
            self._snapshot = machine.snapshot()
        self._pool = MachinePool(self._snapshot)

    def _preparation(self, preload: list[str] | None) -> bytes:
        """Return the message that prepares an interpreter; preload: None keeps what it has."""
        return encode(
            {
                "tools": self._tools.descriptions,
                "preload": preload,
                "cwd": FOLDER,
                "program": self._interpreter.program,
                "depth": MAX_DEPTH,
                "output": self._prepared.output,
                "tool_bytes": self._prepared.tool_bytes,
            }
        )

    # ---- runs
    def run(
        self,
        code: str,
        *,
        files: Contents | None = None,
        stdin: str = "",
        limits: RunLimits | None = None,
    ) -> Result:
        """Run code in a fresh interpreter, and return a Result, also if the code fails.

        files: files in the code's working directory, {"name": bytes or str}; `Result.files` has
        those that it makes or changes. stdin: what the code reads from its standard input.
        limits: in place of the sandbox's own.
        Raises TypeError, ValueError; RuntimeError if the code calls a tool that is an `async def`
        function, which only `run_async` can await; TypeError if a tool returns what isn't JSON; and
        what a tool raises if it is no Exception.
        """
        with self.session(files=files, limits=limits) as session:
            return session.run(code, stdin=stdin)

    async def run_async(
        self,
        code: str,
        *,
        files: Contents | None = None,
        stdin: str = "",
        limits: RunLimits | None = None,
    ) -> Result:
        """Run code as `run` does, and await tools that are `async def` functions.

        The code runs in threads of the event loop's executor, in slices; tools run on the loop.
        Cancelling stops the code.
        """
        async with self.session(files=files, limits=limits) as session:
            return await session.run_async(code, stdin=stdin)

    def session(self, *, files: Contents | None = None, limits: RunLimits | None = None) -> Session:
        """Return a new Session, in which one run after another uses the same interpreter.

        files, limits: as in `run`. Raises TypeError, ValueError.
        """
        contents, limits = checked_files(files), checked_limits(limits, self.limits)
        check_amount(contents, limits.file_bytes)
        return Session(self, contents, limits)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<wamr.sandbox.{name}, tools: {', '.join(self._tools.functions) or 'none'}>"

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled; save writes a file")

    # ---- on disk
    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        path_or_module: str | PathLike[str] | Module | None = None,
        *,
        tools: Functions = (),
        limits: RunLimits | None = None,
        trusted: bool = False,
    ) -> Self:
        """Return the sandbox that `save` has written, which takes no time to start.

        path_or_module: as for the class; the same module. tools, limits: of the new sandbox.
        trusted: whether the file comes from a trusted source, as in `wamr.Snapshot.load`.
        Raises SnapshotError, OSError, and what the class raises.
        """
        self = cls.__new__(cls)
        interpreter = cls._interpreter_of(path_or_module)
        saved = Snapshot.load(path, interpreter.module, trusted=trusted)
        self._prepare(interpreter, saved, tools, limits, None)
        return self

    def save(self, path: str | PathLike[str]) -> None:
        """Write the interpreter, as it is at the beginning of each run, to a file; `load` reads it.

        Raises OSError.
        """
        self._snapshot.save(path)

    def load_session(
        self,
        path: str | PathLike[str],
        *,
        files: Contents | None = None,
        limits: RunLimits | None = None,
        trusted: bool = False,
    ) -> Session:
        """Return the session that `Session.save` has written, with the tools of this sandbox.

        files: of the session, which the file doesn't have. limits: in place of the sandbox's own.
        trusted: as in `load`. Raises SnapshotError, OSError, TypeError, ValueError, and
        SandboxError if the session's code has left an interpreter that can't go on.
        """
        session = self.session(files=files, limits=limits)
        limits = session.limits
        saved = Snapshot.load(path, self._interpreter.module, trusted=trusted)
        session._machine = machine = Machine(saved, limits, session._files)
        try:
            machine.prepare(self._preparation(None), _LOAD_TIMEOUT)
        except BaseException:
            session.close()
            raise
        machine.is_new = True
        return session


class Session:
    """An interpreter that keeps its state from run to run. `Sandbox.session` makes it.

    A run that a limit has stopped ends the session. The session goes on if the code ran to its end
    in spite of the limit: there was no memory for an object, the value was too long, or there were
    too many files. The session is a context manager, also an asynchronous one, which closes it.
    """

    def __init__(self, sandbox: Sandbox, files: dict[str, bytes], limits: RunLimits) -> None:
        self._files = files
        self.limits = limits
        self._sandbox = sandbox
        self._machine: Machine | None = None
        self._lease = 0  # of the machine
        self._closed = False
        self._use = SoleUse()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has ended."""
        return self._closed

    def run(
        self,
        code: str,
        *,
        files: Contents | None = None,
        stdin: str = "",
        limits: RunLimits | None = None,
    ) -> Result:
        """Run code, and return a Result. As `Sandbox.run`; ClosedError if the session has ended.

        files: files to write before the code runs. The result's `files` are those that have
        changed since the last run. limits: in place of the session's, but for `memory` and
        `stack`, which it keeps.
        """
        run = Run(self, code, files, stdin, limits)
        result: Result = self._use.run(_runs_already, run.run)
        return result

    async def run_async(
        self,
        code: str,
        *,
        files: Contents | None = None,
        stdin: str = "",
        limits: RunLimits | None = None,
    ) -> Result:
        """Run code as `run` does, and await tools that are `async def` functions."""
        run = Run(self, code, files, stdin, limits)
        result: Result = await self._use.run_async(_runs_already, run.run_async)
        return result

    # ---- copies
    def copy(self) -> Session:
        """Return a new session in the same state, with copies of the files and folders.

        Raises ClosedError, SnapshotError if the code has files open, SandboxError if there are more
        files than the limits allow, and RuntimeError while code runs.
        """
        copy: Session = self._use.run(_runs_already, self._copy)
        return copy

    def _copy(self) -> Session:
        self._check_open()
        machine = self._machine
        files, folders = self._contents()
        copy = Session(self._sandbox, files, self.limits)
        if machine is not None:
            copy._machine = Machine(machine.snapshot(), self.limits, files, folders)
            copy._machine.limits = machine.limits
        return copy

    def save(self, path: str | PathLike[str]) -> None:
        """Write the session to a file, without its files; `load_session` reads it.

        Raises ClosedError, OSError, SnapshotError if the code has files open, and RuntimeError
        while code runs.
        """
        self._use.run(_runs_already, self._save, path)

    def _save(self, path: str | PathLike[str]) -> None:
        self._check_open()
        machine = self._machine
        snapshot = self._sandbox._snapshot if machine is None else machine.snapshot()
        snapshot.save(path)

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the session, by their paths.

        Raises ClosedError, SandboxError if there are more than the limits allow, and RuntimeError
        while code runs.
        """
        files: dict[str, bytes] = self._use.run(_runs_already, self._all_files)
        return files

    def _all_files(self) -> dict[str, bytes]:
        self._check_open()
        return self._contents()[0]

    def _contents(self) -> tuple[dict[str, bytes], list[str]]:
        """Return the files, and the names of all folders. Raises SandboxError."""
        machine = self._machine
        if machine is None:
            return {**self._files}, []
        most = max(self.limits.file_bytes, machine.limits.file_bytes)  # the last run's
        return machine.files.all_with_folders(most)

    def close(self) -> None:
        """End the session; a run in another thread or task is stopped, and raises ClosedError.

        An async tool that the run awaits is cancelled. Idempotent.
        """
        self._closed = True
        try:
            self._use.run(_InUse, self._close_machine)
        except _InUse:
            machine = self._machine
            if machine is not None:
                machine.interrupt(self._lease)  # the run closes it

    def _take_machine(self) -> Machine:
        """Return the machine, which is made for the first run."""
        machine = self._machine
        if machine is None:
            machine = self._sandbox._pool.take(self.limits, self._files)
            self._lease = machine.lease
            self._machine = machine
        return machine

    def _close_machine(self) -> None:
        machine, self._machine = self._machine, None
        if machine is not None:
            self._sandbox._pool.give_back(machine)

    def __repr__(self) -> str:
        return f"<wamr.sandbox.Session{', closed' if self._closed else ''}>"

    def __reduce__(self) -> str:
        raise TypeError("a Session cannot be pickled; copy returns a copy, save writes a file")

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this session has ended")

    def __enter__(self) -> Session:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Session:  # noqa: PYI034
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class _InUse(Exception):
    """The session runs code."""


def _runs_already() -> RuntimeError:
    return RuntimeError("this session runs code already: one run at a time")
