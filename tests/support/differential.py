"""Real programs run twice, by us and by wasmtime-py, and what they did compared byte for byte.

`Beside` holds a module in both engines. `run` is for commands; `start` gives a `Pair`: its exports
are called and its memory is read in both at once, each answer compared. What a program leaves is an
`Outcome`: the exit code or "trap", both streams, and the files in the directories that it got. Each
engine has its own copy of those, so neither sees what the other wrote. Functions that a program
imports and that are not WASI's trap.

One difference is meant: what the sandbox refuses is ENOTCAPABLE here, as preview 1 has it, and
EPERM in wasmtime. Where a program prints its text, `REFUSED` has both.
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

import wamr

# What C, Rust and Python print for an access that the sandbox refuses: wasmtime's words, ours.
REFUSED = (
    (b"[Errno 63] Operation not permitted", b"[Errno 76] Capabilities insufficient"),
    (b"Operation not permitted (os error 63)", b"Capabilities insufficient (os error 76)"),
)


def refused(text: bytes) -> bytes:
    """Return what wasmtime printed with our words for what is refused."""
    for theirs, ours in REFUSED:
        text = text.replace(theirs, ours)
    return text


@dataclass(frozen=True)
class Folder:
    """A directory for a program: its files (None: a directory), and whether it may write there."""

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
        # A program may keep a file's time (a .pyc does): both sides have the same.
        for made in sorted(path.rglob("*"), reverse=True):
            os.utime(made, (1_700_000_000, 1_700_000_000))


@dataclass(frozen=True)
class Job:
    """What a program is given."""

    args: Sequence[str] = ("program",)
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    dirs: Mapping[str, Folder] = field(default_factory=dict)

    def make(self, home: Path) -> dict[str, tuple[Path, bool]]:
        """Make its directories; return where they are, and whether they are writable."""
        made = {}
        for number, (guest, folder) in enumerate(self.dirs.items()):
            made[guest] = home / f"dir{number}", folder.writable
            folder.make(made[guest][0])
        return made


@dataclass(frozen=True)
class Outcome:
    """What a program left behind."""

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
    """Return what is in a directory; directories are None."""
    return {
        found.relative_to(path).as_posix(): found.read_bytes() if found.is_file() else None
        for found in sorted(path.rglob("*"))
    }


class Side:
    """An instance in one of the engines."""

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
        """Return what it has written to stdout and stderr."""
        raise NotImplementedError

    def outcome(self) -> Outcome:
        files = {guest: tree(path) for guest, (path, _) in self.folders.items()}
        return Outcome(self.code, *self.streams(), files)


class Ours(Side):
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
        return self.code

    def read(self, offset: int, size: int) -> bytes:
        found: bytes = self._exports["memory"].read(offset, size)
        return found

    def write(self, offset: int, data: bytes) -> None:
        self._exports["memory"].write(offset, data)

    def streams(self) -> tuple[bytes, bytes]:
        return bytes(self._out), bytes(self._err)


class Theirs(Side):
    """An instance in wasmtime-py. Its streams are files."""

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
        except self._wasmtime.Trap:
            self.code = "trap"
        return self.code

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._exports["memory"].read(self._store, offset, offset + size))

    def write(self, offset: int, data: bytes) -> None:
        self._exports["memory"].write(self._store, data, offset)

    def streams(self) -> tuple[bytes, bytes]:
        return refused(self._out.read_bytes()), refused(self._err.read_bytes())


@cache
def _engine() -> Any:
    import wasmtime

    config = wasmtime.Config()
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


def _read_only() -> list[Any]:
    """Return the arguments that make a directory read-only: wasmtime-py has changed them."""
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
    """An instance in each engine. What one answers the other must answer, too."""

    def __init__(self, ours: Side, theirs: Side) -> None:
        self._sides = ours, theirs

    def _same(self, what: str, ask: Callable[[Side], Any]) -> Any:
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
        """Put text into memory that its `malloc` gives; return the address."""
        data = text.encode() + b"\0"
        at: int = self.call(malloc, len(data))
        self.write(at, data)
        return at

    def text(self, at: int) -> str:
        """Return the text that ends with a NUL."""
        found = b""
        while b"\0" not in found:
            found += self.read(at + len(found), 64)
        return found.partition(b"\0")[0].decode()

    def number(self, at: int) -> int:
        return int.from_bytes(self.read(at, 4), "little")

    def outcome(self) -> Outcome:
        found: Outcome = self._same("outcome", lambda side: side.outcome())
        return found


class Beside:
    """A module in both engines. `close` removes what its programs left on the disk."""

    def __init__(self, path: Path) -> None:
        import wasmtime

        self._ours = wamr.Module(wamr.Engine(), path)
        self._theirs = wasmtime.Module.from_file(_engine(), str(path))
        self._opened = ExitStack()

    def start(self, job: Job | None = None) -> Pair:
        job = job or Job()
        ours, theirs = (
            Path(self._opened.enter_context(TemporaryDirectory(prefix="beside-"))) for _ in range(2)
        )
        return Pair(Ours(self._ours, job, ours), Theirs(self._theirs, job, theirs))

    def run(
        self,
        *args: str,
        stdin: bytes | str = b"",
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, Folder] | None = None,
    ) -> Outcome:
        """Run the command with these arguments in both; return what both left behind."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        pair = self.start(Job(["program", *args], stdin, env or {}, dirs or {}))
        pair.call("_start")
        return pair.outcome()

    def close(self) -> None:
        self._opened.close()


def installed(package: str, name: str, extra: str = "test") -> Path:
    """Return a file that a package carries; skips where the package is not installed."""
    needs(package, extra)
    files = importlib.metadata.files(package) or []
    (path,) = (Path(str(file.locate())) for file in files if Path(file).match(name))
    return path
