"""Differential tests: real programs run in this package and in wasmtime-py, byte for byte equal.

A `DifferentialModule` is a module loaded into both engines. `run` runs a command; `begin` returns a
command that has started up, to be run with many inputs. `start` returns a `Pair` of instances: each
call and each read of memory is made in both, and the answers are compared. An `Outcome` is the exit
code, "trap" or "exception", both output streams, and the files in the directories of the program.
Each engine has its own copy of these directories. An imported function that WASI doesn't have traps
when it is called.

One difference is intended: an access that the sandbox refuses is ENOTCAPABLE here, as preview 1
specifies, and EPERM in wasmtime. `REFUSED` has the texts that programs print for both.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from needs import needs
from wasmtime_engines import cached_engine

import wamr

# What C, Rust and Python print for an access that the sandbox refuses: in wasmtime, here.
REFUSED = (
    (b"[Errno 63] Operation not permitted", b"[Errno 76] Capabilities insufficient"),
    (b"Operation not permitted (os error 63)", b"Capabilities insufficient (os error 76)"),
)


def refused(text: bytes) -> bytes:
    """Replace the texts of refused accesses in the output of wasmtime by ours."""
    for theirs, ours in REFUSED:
        text = text.replace(theirs, ours)
    return text


@dataclass(frozen=True)
class Folder:
    """A directory for a program: its files (None: a subdirectory), and whether it is writable."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    writable: bool = False

    def make(self, path: Path) -> None:
        path.mkdir()
        for name, data in self.files.items():
            if data is None:
                (path / name).mkdir(parents=True)
            else:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(data)
        # Programs may record the time of a file (a .pyc does), so both engines get the same.
        for made in sorted(path.rglob("*"), reverse=True):
            os.utime(made, (1_700_000_000, 1_700_000_000))


@dataclass(frozen=True)
class Job:
    """The arguments, standard input, environment and directories of a program."""

    args: Sequence[str] = ("program",)
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    dirs: Mapping[str, Folder] = field(default_factory=dict)

    def make(self, home: Path) -> dict[str, tuple[Path, bool]]:
        """Create the directories; return their paths, and whether each is writable."""
        made = {}
        for number, (guest, folder) in enumerate(self.dirs.items()):
            made[guest] = home / f"dir{number}", folder.writable
            folder.make(made[guest][0])
        return made


@dataclass(frozen=True)
class Outcome:
    """The exit code, output and files of a program that has ended."""

    code: int | str
    stdout: bytes
    stderr: bytes
    files: Mapping[str, Mapping[str, bytes | None]]

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()


def tree(path: Path) -> dict[str, bytes | None]:
    """Return the contents of the files below a directory; subdirectories are None."""
    return {
        found.relative_to(path).as_posix(): found.read_bytes() if found.is_file() else None
        for found in sorted(path.rglob("*"))
    }


class EngineInstance:
    """An instance in one of the two engines."""

    def __init__(self, job: Job, home: Path) -> None:
        self.code: int | str = 0
        self.folders = job.make(home)

    def call(self, name: str, *args: int) -> Any:
        raise NotImplementedError

    def read(self, offset: int, size: int) -> bytes:
        raise NotImplementedError

    def write(self, offset: int, data: bytes) -> None:
        raise NotImplementedError

    def streams(self) -> tuple[bytes, bytes]:
        """Return what the program has written to stdout and stderr."""
        raise NotImplementedError

    def outcome(self) -> Outcome:
        files = {guest: tree(path) for guest, (path, _) in self.folders.items()}
        return Outcome(self.code, *self.streams(), files)


class WamrInstance(EngineInstance):
    """An instance in this package."""

    def __init__(self, module: wamr.Module, job: Job, home: Path) -> None:
        super().__init__(job, home)
        self._out, self._err = bytearray(), bytearray()
        wasi = wamr.WasiConfig(
            args=job.args,
            env=job.env,
            dirs={guest: wamr.Dir(path, writable=w) for guest, (path, w) in self.folders.items()},
            stdin=job.stdin,
            stdout=self._out.extend,
            stderr=self._err.extend,
        )
        linker = wamr.Linker(wamr.Store(module.engine))
        linker.define_wasi(wasi)
        linker.trap_missing(module)
        self._exports = linker.instantiate(module).exports

    def call(self, name: str, *args: int) -> Any:
        try:
            return self._exports[name](*args)
        except wamr.ExitTrap as trap:
            self.code = trap.exit_code
        except wamr.Trap:
            self.code = "trap"
        except wamr.WasmException:
            self.code = "exception"
        return self.code

    def read(self, offset: int, size: int) -> bytes:
        found: bytes = self._exports["memory"].read(offset, size)
        return found

    def write(self, offset: int, data: bytes) -> None:
        self._exports["memory"].write(offset, data)

    def streams(self) -> tuple[bytes, bytes]:
        return bytes(self._out), bytes(self._err)


class WasmtimeInstance(EngineInstance):
    """An instance in wasmtime-py, whose streams are files."""

    def __init__(self, module: Any, job: Job, home: Path) -> None:
        import wasmtime

        super().__init__(job, home)
        wasi = wasmtime.WasiConfig()
        wasi.argv = list(job.args)
        wasi.env = list(job.env.items())
        stdin, self._out, self._err = (home / name for name in ("in", "out", "err"))
        stdin.write_bytes(job.stdin)
        wasi.stdin_file, wasi.stdout_file = str(stdin), str(self._out)
        wasi.stderr_file = str(self._err)
        for guest, (path, writable) in self.folders.items():
            wasi.preopen_dir(str(path), guest, *([] if writable else _read_only()))
        self._wasmtime = wasmtime
        self._store = wasmtime.Store(_engine())
        self._store.set_wasi(wasi)
        linker = wasmtime.Linker(_engine())
        linker.define_wasi()
        linker.define_unknown_imports_as_traps(module)
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        if "_initialize" in self._exports:
            self._exports["_initialize"](self._store)

    def call(self, name: str, *args: int) -> Any:
        try:
            return self._exports[name](self._store, *args)
        except self._wasmtime.ExitTrap as trap:
            self.code = trap.code
        except self._wasmtime.Trap as trap:
            self.code = "exception" if "thrown Wasm exception" in str(trap) else "trap"
        return self.code

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._exports["memory"].read(self._store, offset, offset + size))

    def write(self, offset: int, data: bytes) -> None:
        self._exports["memory"].write(self._store, data, offset)

    def streams(self) -> tuple[bytes, bytes]:
        return refused(self._out.read_bytes()), refused(self._err.read_bytes())


@cache
def _engine() -> Any:
    # To compile takes longer than what the programs do.
    return cached_engine(wasm_exceptions=True, cranelift_opt_level="none")


def _read_only() -> list[Any]:
    """Return the arguments for a read-only directory: versions of wasmtime-py differ."""
    import wasmtime

    if hasattr(wasmtime, "DirPerms"):
        return [wasmtime.DirPerms.READ_ONLY, wasmtime.FilePerms.READ_ONLY]
    return [False]


def difference(ours: object, theirs: object) -> str:
    """Return the lines that differ, one for each line of a stream and each file."""

    def lines(found: object) -> list[str]:
        if not isinstance(found, Outcome):
            return [repr(found)]
        streams = found.stdout.splitlines() + found.stderr.splitlines()
        files = (f"{d}: {f}" for d, held in found.files.items() for f in held.items())
        return [f"exit code {found.code}", *map(repr, streams), *files]

    return "\n".join(
        line[:1000]
        for line in unified_diff(lines(theirs), lines(ours), "wasmtime", "wamr", "", "", 0, "")
    )


class Pair:
    """An instance in each engine, of which all answers must be equal."""

    def __init__(self, ours: EngineInstance, theirs: EngineInstance) -> None:
        self._sides = ours, theirs

    def _same(self, what: str, ask: Callable[[EngineInstance], Any]) -> Any:
        ours, theirs = (ask(side) for side in self._sides)
        assert ours == theirs, f"{what} differs from wasmtime's:\n{difference(ours, theirs)}"
        return ours

    def call(self, name: str, *args: int) -> Any:
        return self._same(name, lambda side: side.call(name, *args))

    def read(self, offset: int, size: int) -> bytes:
        found: bytes = self._same("memory", lambda side: side.read(offset, size))
        return found

    def write(self, offset: int, data: bytes) -> None:
        for side in self._sides:
            side.write(offset, data)

    def string(self, text: str, malloc: str = "malloc") -> int:
        """Write text to memory from the program's `malloc`; return the address."""
        data = text.encode() + b"\0"
        at: int = self.call(malloc, len(data))
        self.write(at, data)
        return at

    def text(self, at: int) -> str:
        """Return the NUL-terminated text at an address."""
        found = b""
        while b"\0" not in found:
            found += self.read(at + len(found), 64)
        return found.partition(b"\0")[0].decode()

    def number(self, at: int) -> int:
        return int.from_bytes(self.read(at, 4), "little")

    def outcome(self) -> Outcome:
        found: Outcome = self._same("outcome", lambda side: side.outcome())
        return found


class DifferentialModule:
    """A module in both engines. `close` removes the files of its programs."""

    def __init__(self, path: Path) -> None:
        import wasmtime

        self._ours = wamr.Module(wamr.Engine(), path)
        self._theirs = wasmtime.Module.from_file(_engine(), str(path))
        self._opened = ExitStack()

    def start(self, job: Job | None = None) -> Pair:
        job = job or Job()
        return Pair(WamrInstance(self._ours, job, self._home()), self.start_theirs(job))

    def start_theirs(self, job: Job) -> EngineInstance:
        return WasmtimeInstance(self._theirs, job, self._home())

    def _home(self) -> Path:
        return Path(self._opened.enter_context(TemporaryDirectory(prefix="differential-")))

    def run(
        self,
        *args: str,
        stdin: bytes | str = b"",
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, Folder] | None = None,
    ) -> Outcome:
        """Run the command in both engines, compare the outcomes, and return them."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        pair = self.start(Job(["program", *args], stdin, env or {}, dirs or {}))
        pair.call("_start")
        return pair.outcome()

    def begin(self, *args: str) -> DifferentialProgram:
        """Return a command that reads its standard input; it can use no directories."""
        return DifferentialProgram(wamr.Program([self._ours, *args]), self, args)

    def close(self) -> None:
        self._opened.close()


@dataclass
class DifferentialProgram:
    """A command that has started once here. wasmtime, where that is fast, starts it in each run."""

    ours: wamr.Program
    module: DifferentialModule
    args: Sequence[str]

    def run(self, stdin: str) -> Outcome:
        """Run the command in both engines, compare the outcomes, and return them."""
        code: int | str
        try:
            done = self.ours.run(input=stdin.encode(), capture_output=True)
            code, stdout, stderr = done.returncode, done.stdout, done.stderr
        except wamr.Trap as trap:
            code, stdout, stderr = "trap", trap.stdout, trap.stderr
        ours = Outcome(code, stdout, stderr, {})
        instance = self.module.start_theirs(Job(["program", *self.args], stdin.encode()))
        instance.call("_start")
        theirs = instance.outcome()
        assert ours == theirs, f"outcome differs from wasmtime's:\n{difference(ours, theirs)}"
        return ours


def installed(package: str, name: str, extra: str = "test") -> Path:
    """Return a file of an installed package, or skip the test."""
    needs(package, extra)
    files = importlib.metadata.files(package) or []
    (path,) = (Path(str(file.locate())) for file in files if Path(file).match(name))
    return path
