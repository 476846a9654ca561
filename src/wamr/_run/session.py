"""Sessions: WASI programs that run until they wait for input, and go on when they are fed."""

from __future__ import annotations

import os
from functools import partial

from .._base.arguments import already_initialized
from .._runtime.instance import Instance
from .._runtime.limits import checked_slice, checked_timeout
from .._wasi.config import SingleUseConfig
from .._wasi.stdio import PIPE
from .arguments import Command, checked_input, checked_limits, text_encoder, timeout_ns
from .completed import CompletedProcess
from .fed_input import FedInput
from .prelude import opened
from .restored import dirs_now, kept_env
from .running import Running, drive
from .transcript import Transcript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from typing_extensions import Self

    from .._base.aliases import Stdio
    from .._runtime.limits import ResourceLimits
    from .._runtime.module import Module
    from .._runtime.snapshot import Snapshot
    from .._wasi.config import _DirSource
    from .._wasi.private import PrivateDir
    from .restored import Started
    from .running import Turn


class Session:
    r"""A WASI program that runs until it waits for input, and goes on when it is fed.

    A session needs no thread and no process: a program that waits is some memory. Nothing runs
    before the first `feed`, which starts the program; `feed(b"")` runs it until it first waits.
    A session may be used in any thread, by one call at a time. It is a context manager, also an
    asynchronous one, which closes it.

    args, env, dirs, encoding, errors: as those of `run`. stdout, stderr: as those of `run`, but
    stdout is captured by default, and `feed` returns it. Captured stderr (subprocess.PIPE) is the
    attribute `stderr`. text: use str instead of bytes, UTF-8 by default, with `\n` for every line
    ending. limits: as in `Instance`; `timeout` counts each `feed` from its start to its end.
    Attributes `args`; `returncode`: the exit code, or None while the program has not ended or if an
    exception has ended it; `waiting`; `files`: the private directories of `dirs`, as those of an
    Instance, which exist as long as the session or its result.
    Raises what `run` raises before the program runs.

    >>> import wamr
    >>> echo = '''(module
    ...   (import "wasi_snapshot_preview1" "fd_read"
    ...     (func $read (param i32 i32 i32 i32) (result i32)))
    ...   (import "wasi_snapshot_preview1" "fd_write"
    ...     (func $write (param i32 i32 i32 i32) (result i32)))
    ...   (memory (export "memory") 1)
    ...   (func (export "_start") (loop $again
    ...     (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 64))
    ...     (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    ...     (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    ...     (br_if $again (i32.load (i32.const 4))))))'''
    >>> with wamr.Session([wamr.Module(wamr.Engine(), echo)], text=True) as session:
    ...     session.feed("one\n"), session.waiting, session.feed("two\n"), session.end().returncode
    ('one\n', 'stdin', 'two\n', 0)
    """

    __slots__ = (
        "__weakref__",
        "_command",
        "_encoder",
        "_env",
        "_fed",
        "_limits",
        "_result",
        "_running",
        "_text",
        "_transcript",
        "files",
        "stderr",
    )
    _env: Mapping[str, str] | None
    files: Mapping[str, PrivateDir]  # the private directories
    stderr: Any  # what was written to it, in the time of the last feed; None: isn't captured

    def __init__(
        self,
        args: Sequence[str | os.PathLike[str] | Module],
        *,
        stdout: Stdio = None,
        stderr: Stdio = None,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, _DirSource] | None = None,
        limits: ResourceLimits | None = None,
    ) -> None:
        if hasattr(self, "_command"):
            raise already_initialized(self)
        command = Command(args)
        checked_limits(limits)
        transcript = self._open(command, text, encoding, errors)
        store = command.load()
        wasi = SingleUseConfig(
            args=command.argv,
            env=env,
            dirs=dirs,
            stdin=self._fed.read,
            stdout=transcript.output("stdout", PIPE if stdout is None else stdout),
            stderr=transcript.output("stderr", stderr),
        )
        self.files = wasi.files
        transcript.config = wasi
        try:
            instance = Instance(store, command.module, wasi=wasi, limits=limits)
            execution = instance.exports["_start"].execution()
        except BaseException as error:
            store.close()
            transcript.attach_to(error)
            raise
        self._env, self._limits = kept_env(env), limits
        self._fed.started = True
        wasi.streams.ready = self._fed.ready
        self._running = Running(
            args, instance, execution, wasi.streams, transcript, timeout_ns(limits), self._fed
        )

    def _restore(
        self,
        started: Started,
        dirs: Any,
        limits: object,
        *,
        stdout: Stdio = None,
        stderr: Stdio = None,
        text: bool = False,
        encoding: str | None = None,
        errors: str | None = None,
    ) -> None:
        """Initialize a session of a program that has started up, for Program.session."""
        own = started.limits if limits is None else checked_limits(limits)
        transcript = self._open(started.command, text, encoding, errors)
        dirs = started.dirs_or(dirs)
        self._env, self._limits = started.env, own
        self._fed.feed(started.input)
        to_close: list[int] = []
        try:
            wasi = SingleUseConfig(
                args=started.command.argv,
                env=started.env,
                dirs=dirs,
                stdin=self._fed.read,
                stdout=transcript.output(
                    "stdout", PIPE if stdout is None else opened(stdout, to_close)
                ),
                stderr=transcript.output("stderr", opened(stderr, to_close)),
            )
            self.files = wasi.files
            transcript.config = wasi
            self._running = started.restore(wasi, own, transcript, self._fed)
        finally:
            for descriptor in to_close:
                os.close(descriptor)

    def _for_program(self, on_restore: Any) -> tuple[Command, Snapshot, Any, bytes]:
        """Return what a Program that goes on from here needs; the last is unread input."""
        found: tuple[Command, Snapshot, Any, bytes]
        found = self._running.turn(None).run(self._as_it_is, on_restore)
        return found

    def _as_it_is(self, on_restore: Any) -> tuple[Command, Snapshot, Any, bytes]:
        """Do so in a turn: nothing feeds the program between the snapshot and the rest."""
        snapshot = self._running._snapshot(on_restore)
        options = self._env, dirs_now(self._transcript.config), self._limits
        return self._command, snapshot, options, self._fed.unread()

    def _open(
        self, command: Command, text: bool, encoding: str | None, errors: str | None
    ) -> Transcript:
        """Set the attributes of a session that has no program yet."""
        self._command = command
        self._text = bool(text or encoding or errors)
        # one for all input: some encodings begin with a mark, or have a state
        self._encoder = text_encoder(encoding, errors) if self._text else None
        self._fed = FedInput()
        self._result: CompletedProcess | None = None
        self.stderr = None
        self._transcript = Transcript(self._text, encoding, errors)
        return self._transcript

    @property
    def args(self) -> Any:
        """The arguments that the session was made with."""
        return self._command.args

    @property
    def returncode(self) -> int | None:
        """The exit code; None: the program has not ended, or an exception has ended it."""
        return self._running.returncode

    @property
    def waiting(self) -> Literal["stdin", "sleep"] | None:
        """What the program waits for: "stdin", "sleep" after a timeout, or None.

        None: the program has not begun, runs, was stopped by a timeout while it ran, or has ended.
        """
        running = self._running
        if running.waits_for_input:
            return "stdin"
        event = running.event
        return "sleep" if event is not None and event.kind == "sleep" else None

    def feed(self, data: bytes | str, *, timeout: float | None = None) -> Any:
        """Run the program with more input until it waits for input again, or ends.

        data: bytes, or str in text mode; empty: nothing more, but the program goes on if it can.
        timeout: seconds; None: no limit.
        Returns what the program has written to stdout since the last call returned, or nothing if
        stdout isn't captured; `stderr` is what it has written there. A program that sleeps is
        waited for.
        Raises subprocess.TimeoutExpired: its `stdout` and `stderr` are what was captured, as bytes.
        The program stays as it is, the data is fed, and the next call goes on from there, and
        returns all output. `close` ends such a program. Raises Trap, WasmException and what a
        callable or file raised, with the captured `stdout` and `stderr`: the program has ended.
        Raises RuntimeError if the program has ended before or runs in another thread, ClosedError,
        TypeError, ValueError.
        """
        turn = self._feeding(data, timeout)
        return turn.run(self._drive, turn, self._reported)

    async def feed_async(
        self,
        data: bytes | str,
        *,
        timeout: float | None = None,
        slice: float | None = None,  # noqa: A002
    ) -> Any:
        """Do the same as `feed` in asyncio.

        slice: None: code runs in the executor of the event loop, and a program that waits takes no
        thread. A number of seconds: code runs in the thread of the event loop, which runs once
        after each slice. Cancelling leaves the program where it is, as a timeout does; an exception
        that ends it meanwhile is the cause of the CancelledError. Callables are called in the
        thread that runs the code.

        >>> import asyncio, wamr
        >>> async def main():
        ...     async with wamr.Session(['(module (func (export "_start")))']) as session:
        ...         return await session.feed_async(b"")
        >>> asyncio.run(main())
        b''
        """
        from .async_turns import drive_async

        checked_slice(slice)
        turn = self._feeding(data, timeout)

        async def run() -> Any:
            await drive_async(turn, slice)
            return self._reported()

        return await turn.run_async(run)

    def end(self, *, timeout: float | None = None) -> CompletedProcess:
        """Let the program read the end of its input, and run it to its end.

        Returns a CompletedProcess as `run` does, with the output since the last call returned.
        Raises what `feed` raises. After a timeout, `end` may be called again. If the program has
        ended already, this returns its exit code.
        """
        checked_timeout(timeout)
        if self._result is not None:
            return self._result
        if self.returncode is None:
            turn = self._ending(timeout)
            result: CompletedProcess = turn.run(self._drive, turn, self._completed)
            return result
        return self._completed()

    async def end_async(
        self,
        *,
        timeout: float | None = None,
        slice: float | None = None,  # noqa: A002
    ) -> CompletedProcess:
        """Do the same as `end` in asyncio; slice: as in `feed_async`."""
        from .async_turns import drive_async

        checked_slice(slice)
        checked_timeout(timeout)
        if self._result is not None:
            return self._result
        if self.returncode is None:
            turn = self._ending(timeout)

            async def run() -> CompletedProcess:
                await drive_async(turn, slice)
                return self._completed()

            result: CompletedProcess = await turn.run_async(run)
            return result
        return self._completed()

    def snapshot(self, *, on_restore: str | Callable[[Instance], object] | None = None) -> Snapshot:
        """Return a Snapshot of the program where it has stopped. The session can go on.

        `Snapshot.instantiate` returns instances with the suspended call of `_start`; to copy or
        save a session see `Program.from_session`. Input that was fed and not read yet isn't part of
        the snapshot. on_restore: as in Snapshot.
        Raises SnapshotError, RuntimeError if the program has ended or runs, and ClosedError.
        """
        return self._running.snapshot(on_restore)

    def close(self) -> None:
        """End the program without running it any further. A second call does nothing.

        If it runs in another thread, that call raises ClosedError.
        """
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<wamr.Session {self._command.argv[0]}, {self._state()}>"

    def __reduce__(self) -> str:
        raise TypeError("a Session cannot be copied or pickled: it holds running code")

    def _state(self) -> str:
        running = self._running
        if running.returncode is not None:
            return f"exit code {running.returncode}"
        if running.failure is not None:
            return f"ended by {running.failure}"
        if running.closed:
            return "closed"
        if running.execution.state != "suspended":
            return running.execution.state
        waiting = self.waiting
        return f"waiting for {waiting}" if waiting else "stopped"

    # ---- turns
    def _feeding(self, data: object, timeout: float | None) -> Turn:
        # not encoded before the turn has begun: the encoder may have a state
        encoded = partial(checked_input, data, self._encoder, "data")
        return self._running.turn(timeout, feeds=encoded)

    def _drive(self, turn: Turn, report: Callable[[], Any]) -> Any:
        drive(turn)
        return report()

    def _ending(self, timeout: float | None) -> Turn:
        return self._running.turn(timeout, ends=True)

    def _reported(self) -> Any:
        """Return the output of a turn, and set `stderr`."""
        stdout, self.stderr = self._transcript.report(final=self._running.over)
        return ("" if self._text else b"") if stdout is None else stdout

    def _completed(self) -> CompletedProcess:
        """Return the result of the program, which has exited."""
        outputs = self._transcript.report(final=True)
        self.stderr = outputs[1]
        self._result = CompletedProcess(self.args, self.returncode or 0, *outputs, files=self.files)
        return self._result
