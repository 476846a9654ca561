"""Machines: instances in which an interpreter runs, which are made of a module, or of a snapshot.

A machine runs in slices, so that the time that it has used is known, and other machines can run in
between. This module knows nothing about the messages that are sent.

Users lease a machine one after another (`_machine_pool.py`), and it is reset in between. An
interruption names the lease, so that a late one doesn't stop the next user.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from math import inf
from time import perf_counter
from weakref import finalize

from .. import (
    ExitTrap,
    FuelTrap,
    Instance,
    MemoryLimitError,
    ResourceLimits,
    Snapshot,
    SnapshotError,
    StackOverflowTrap,
    Store,
    TimeoutTrap,
    Trap,
    WasiConfig,
)
from .._base.clock import monotonic
from .._base.locks import locked, new_lock
from ._channel import Channel, LimitReached
from ._files import FOLDER, Files
from ._folder import TooManyFiles
from ._json import MessageError
from ._mapped_folder import new_folder
from ._results import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .. import Execution, Module
    from ._limits import LimitName, RunLimits

OTHER_PROGRAM = 86  # the exit code of a program that is of another version than the host
SLICE = 0.02  # seconds
_ENDLESS_FUEL = (1 << 62) - 1
_ENOUGH = 256 << 20  # bytes of memory, for an interpreter to start
_LONGEST_NAP = 3600.0  # seconds; an Event waits for 4294967 seconds at most on some platforms
# Bytes: an interpreter that ends with less memory left is taken to have run out of it.
_NEARLY = 1 << 20


@lru_cache
def _bounds(limits: RunLimits) -> ResourceLimits:
    return ResourceLimits(memory_bytes=limits.memory, stack_bytes=limits.stack, fuel=_ENDLESS_FUEL)


class Interpreter:
    """An interpreter as a WebAssembly module.

    args: of the program. start: gets an instance, and returns the execution that serves requests.
    program: a digest of the program that serves them, which differs between its versions.
    """

    def __init__(
        self,
        module: Module,
        args: list[str],
        start: Callable[[Instance], Execution],
        program: str,
    ) -> None:
        self.module = module
        self.program = program
        self.args = args
        self.start = start
        self._lock = new_lock()
        self._snapshot: Snapshot | None = None

    def started(self, limits: RunLimits) -> Snapshot:
        """Return a snapshot of the interpreter, started up, which is taken once."""
        snapshot: Snapshot = locked(self._lock, self._start_once, limits)
        return snapshot

    def _start_once(self, limits: RunLimits) -> Snapshot:
        if self._snapshot is None:
            # Too small a limit is reported when the snapshot is copied, at the first start, too.
            memory = max(limits.memory or 0, _ENOUGH)
            with Machine(self, replace(limits, memory=memory)) as machine:
                machine.prepare(b"")
                self._snapshot = machine.snapshot()
        return self._snapshot


class Ended(Exception):
    """The interpreter has ended. limit: the limit that it has reached, or None."""

    def __init__(
        self, message: str, limit: LimitName | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.limit: LimitName | None = limit
        self.exit_code = exit_code


class Machine:
    """An instance of an interpreter, with its streams. One thread at a time uses it."""

    def __init__(
        self,
        made_by: Interpreter | Snapshot,
        limits: RunLimits,
        files: Mapping[str, bytes] | None = None,
        folders: Iterable[str] = (),
    ) -> None:
        self._folder = folder = new_folder()
        self._released = finalize(self, folder.release)
        self.channel = channel = Channel()
        self.lease = 0
        self._lock = new_lock()  # of the lease
        self._process = os.getpid()
        self.resettable = False  # whether `reset` leads to the state of the sandbox
        self._made_for = limits.memory, limits.stack
        read: Any = channel.read  # which may return None
        wasi = WasiConfig(
            args=made_by.args if isinstance(made_by, Interpreter) else (),
            stdin=read,
            stdout=channel.write_stdout,
            stderr=channel.write_stderr,
            dirs={FOLDER: folder.source()},
        )
        bounds = _bounds(limits)
        self._instance: Instance
        self._execution: Execution | None
        if isinstance(made_by, Interpreter):
            store = Store(made_by.module.engine)
            self._instance = Instance(store, made_by.module, wasi=wasi, limits=bounds)
            self._execution = made_by.start(self._instance)
        else:
            try:
                self._instance, self._execution = made_by.instantiate(wasi=wasi, limits=bounds)
            except MemoryLimitError:
                raise ValueError(
                    f"memory is {limits.memory}, and the interpreter alone takes "
                    f"{made_by.memory_bytes} bytes"
                ) from None
        folder.opened(self._instance.files.get(FOLDER))
        self._use(limits, files or {}, folders)

    def _use(
        self, limits: RunLimits, files: Mapping[str, bytes], folders: Iterable[str] = ()
    ) -> None:
        self.limits = limits
        self.interrupted = False
        self.wake: Callable[[], object] | None = None  # ends a wait, from any thread
        self.is_new = True  # no code has run since it was made or reset
        self.seconds = 0.0  # of running and sleeping since `begin`
        self.files = Files(self._folder, files, folders)
        self._next_count = 0.0  # the time before which the files aren't counted again
        self._uncounted = 0.0  # seconds of running time since the files were counted
        self._wakes: float | None = None
        self._fuel = self._fuel_left = 0

    # ---- leases
    def reset(self) -> bool:
        """End the lease, and go back to the snapshot; False: it can't be used again."""
        if self._process != os.getpid():  # its folder is the parent's
            return False
        if not (self.resettable and self.alive and locked(self._lock, self._end_lease)):
            return False
        execution: Any = self._execution
        try:
            if not self._folder.is_clean():
                return False
            execution.close()
            self.channel.reset()
            self._execution = self._instance.reset()
        except (SnapshotError, BufferError, MemoryError, OSError):
            return False
        return True

    def _end_lease(self) -> bool:
        self.lease += 1
        return not self.interrupted

    def reuse(self, limits: RunLimits, files: Mapping[str, bytes]) -> bool:
        """Begin a lease after `reset`; False: the machine doesn't fit. Raises OSError."""
        if self._process != os.getpid() or self._made_for != (limits.memory, limits.stack):
            return False
        with suppress(OSError):  # something has removed it, as cleaners of temporary files do
            if self._folder.is_untouched():
                self._use(limits, files)
                return True
        return False

    # ---- runs
    @property
    def alive(self) -> bool:
        """Whether it can go on."""
        return self._execution is not None

    def begin(self, limits: RunLimits) -> None:
        """Begin to count what a run uses."""
        self.limits = limits
        self.seconds = 0.0
        self._fuel = _ENDLESS_FUEL if limits.fuel is None else limits.fuel
        self._instance.fuel = self._fuel

    @property
    def fuel(self) -> int:
        """The fuel used since `begin`."""
        return (
            self._fuel - self._fuel_left if self._execution is None else self._fuel - self._left()
        )

    def _left(self) -> int:
        return self._instance.fuel or 0

    def nap(self) -> float:
        """Return the seconds to sleep before the next step, because the code sleeps.

        A step that comes before the code wakes up changes nothing: the code goes on sleeping.
        """
        if self._wakes is None:
            return 0.0
        seconds = min(max(0.0, self._wakes - monotonic()), _LONGEST_NAP)
        left = self._time_left()
        return seconds if left is None else min(seconds, left)

    def slept(self, seconds: float) -> None:
        """Count a sleep, unless `interrupt` has ended it early."""
        if not self.interrupted:
            self.seconds += seconds

    def _time_left(self) -> float | None:
        limit = self.limits.time
        return None if limit is None else max(0.0, limit - self.seconds)

    def step(self) -> bool:
        """Run for a slice; return whether the interpreter waits for a message. Raises Ended."""
        if self._execution is None:
            raise Ended("the interpreter has ended")
        if self._time_left() == 0.0:
            raise Ended("time", "time")
        begin = perf_counter()
        try:
            event = next(self._execution)
        except BaseException as error:
            self.seconds += perf_counter() - begin
            ended = self._why(error)
            if ended is None:
                raise
            raise ended from None
        spent = perf_counter() - begin
        self.seconds += spent
        self._uncounted = SLICE if event.kind == "slice" else self._uncounted + spent
        self._wakes = None
        if event.kind == "sleep":  # for ever, where the event has no time
            self._wakes = inf if event.until is None else event.until
        if event.kind == "stdin":
            return True
        self.count_files()
        return False

    def _why(self, error: BaseException) -> Ended | None:
        """Return how an exception has ended the interpreter; None if it comes from elsewhere."""
        limit: LimitName | None = "memory" if self.memory_is_used_up() else None
        if isinstance(error, StopIteration):
            return Ended("the code has ended the interpreter", limit)
        if isinstance(error, ExitTrap):
            code = error.exit_code
            return Ended(f"the code has ended the interpreter, with exit code {code}", limit, code)
        if isinstance(error, LimitReached):
            return Ended("output", error.limit)
        if isinstance(error, MessageError):
            return Ended(f"the interpreter has sent a wrong message: {error}")
        if isinstance(error, FuelTrap):
            return Ended("fuel", "fuel")
        if isinstance(error, StackOverflowTrap):
            return Ended("stack", "stack")
        if isinstance(error, TimeoutTrap):
            return Ended("time", "time")
        if isinstance(error, Trap) and not self.interrupted:
            return Ended(f"the interpreter has crashed: {error.message}", limit)
        return None

    def count_files(self) -> None:
        """Raise Ended if there are too many files; count them once per slice of running time.

        A slice ends early where the code sleeps or calls a tool, so code may never run a whole one.
        """
        begin = monotonic()
        if self._uncounted < SLICE or begin < self._next_count:
            return
        self._uncounted = 0.0
        try:
            self.files.check(self.limits.file_bytes)
        except TooManyFiles:
            raise Ended("files", "files") from None
        self._next_count = monotonic() + 10 * (monotonic() - begin)

    def memory_is_used_up(self) -> bool:
        """Tell whether the memory has grown to about its limit."""
        limit, _ = self._made_for
        memory: Any = self._instance.exports.memory
        return len(memory) > (1 << 32 if limit is None else limit) - _NEARLY

    def interrupt(self, lease: int) -> None:
        """Stop what runs or waits in another thread, or will run, if the lease has not ended."""
        locked(self._lock, self._interrupt, lease)

    def _interrupt(self, lease: int) -> None:
        if self.lease != lease:
            return
        self.interrupted = True
        self._instance.interrupt()
        wake = self.wake
        if wake is not None:
            wake()

    def close(self) -> None:
        """End it. Idempotent."""
        execution = self._execution
        if execution is not None:
            self._fuel_left = self._left()
            self._execution = None
            execution.close()
            self._instance.store.close()
            self._released()

    def __enter__(self) -> Machine:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, message: bytes, seconds: float | None = None) -> None:
        """Start it, or send a message, and run it until it waits; `seconds` is the limit on time.

        Raises SandboxError, and SnapshotError if another version of the program serves in it.
        """
        self.begin(replace(self.limits, time=seconds, fuel=None))
        self.channel.begin(self.limits)
        if message:
            self.channel.send(message)
        try:
            while not self.step():
                pass
        except Ended as ended:
            if ended.exit_code == OTHER_PROGRAM:
                raise SnapshotError(
                    "other-build", "the file is of another version of wamr.sandbox"
                ) from None
            text = f"the interpreter could not start: {ended}\n{''.join(self.channel.texts())}"
            raise SandboxError(text.rstrip()) from None

    def snapshot(self) -> Snapshot:
        """Return a snapshot of it, while it waits. Raises SnapshotError."""
        self.resettable = False  # an instance is reset to the last snapshot of it
        return Snapshot(self._instance, self._execution)
