"""WASI programs for tests: WASI functions that Python calls, and programs as text."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import wamr
from wamr._base.clock import monotonic

# i: i32, I: i64; all answer an errno, proc_exit excepted
SIGNATURES = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_dir_name": "iii",
    "fd_prestat_get": "ii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_open": "iiii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

SUCCESS, BADF, INVAL, NOTDIR, NOTSOCK, PERM, SPIPE, NOTCAPABLE = 0, 8, 28, 54, 57, 63, 70, 76

# rights
READ, SEEK, SET_FLAGS, TELL, WRITE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 6
READDIR, FILESTAT_GET, SET_SIZE, SET_TIMES = 1 << 14, 1 << 21, 1 << 22, 1 << 23
PATH_OPEN = 1 << 13
ALL = (1 << 29) - 1
LISTING = {"rights": READDIR | PATH_OPEN, "inheriting": READ | SEEK | TELL | FILESTAT_GET}

CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
FOLLOW = 1


def descriptors() -> int:
    """Return how many descriptors this process has open, after a garbage collection.

    The first instance with WASI opens three that all instances share: they are always counted.
    """
    wamr.load(program(""), wasi=wamr.WasiConfig()).close()
    gc.collect()
    return sum(1 for _ in Path("/dev/fd").iterdir())


SLACK = 60.0


@contextlib.contextmanager
def took(most: float, least: float = 0.0) -> Iterator[None]:
    """Check that the block takes at least `least` and at most `most` seconds on an idle machine.

    A busy machine may take SLACK seconds more. This is for calls that would otherwise take minutes,
    or never return.
    """
    begin = monotonic()
    yield
    assert least <= monotonic() - begin < most + SLACK


_EXCHANGER = """
import ctypes, sys
a, b = (name.encode() for name in sys.argv[1:])
exchange = ctypes.CDLL(None).renameat2
while exchange(-100, a, -100, b, 2) == 0:
    pass
"""


@contextlib.contextmanager
def exchange_repeatedly(a: Path, b: Path) -> Iterator[None]:
    """Let another process exchange two files all the time (Linux)."""
    process = subprocess.Popen([sys.executable, "-c", _EXCHANGER, a, b])
    try:
        before = a.lstat().st_ino
        while a.lstat().st_ino == before and process.poll() is None:
            time.sleep(0.001)
        yield
        assert process.poll() is None, "it has stopped"
    finally:
        process.kill()
        process.wait()


def in_process(code: str, *args: object) -> None:
    """Run code, with the names of this module, in a process, since it may hang or crash."""
    prelude = "import os, sys, wamr; from pathlib import Path; from wasm_fixtures import *\n"
    path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


PREVIEW1, UNSTABLE = "wasi_snapshot_preview1", "wasi_unstable"


def imports(names: Iterable[str] = tuple(SIGNATURES), abi: str = PREVIEW1) -> str:
    """Return the imports of these functions as text; the identifiers are `$name`."""
    lines = []
    for name in names:
        params = " ".join("i64" if kind == "I" else "i32" for kind in SIGNATURES[name])
        result = "" if name == "proc_exit" else "(result i32)"
        lines.append(
            f'(import "{abi}" "{name}" '
            f"(func ${name} {f'(param {params})' if params else ''} {result}))"
        )
    return "\n".join(lines)


def program(body: str, data: str = "") -> str:
    """Return a command, with `body` as the body of `_start` and `data` at address 1024.

    `(call $say (address) (size))` writes to stdout, `$say_to` to a descriptor.
    """
    return f"""(module
        {imports()}
        (memory (export "memory") 4)
        (data (i32.const 1024) "{data}")
        (func $say_to (param $fd i32) (param $at i32) (param $size i32)
            (i32.store (i32.const 8) (local.get $at))
            (i32.store (i32.const 12) (local.get $size))
            (drop (call $fd_write (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16))))
        (func $say (param $at i32) (param $size i32)
            (call $say_to (i32.const 1) (local.get $at) (local.get $size)))
        (func (export "_start") {body}))"""


def wrapper_module(abi: str = PREVIEW1) -> str:
    """Return a module that exports a wrapper of every function, and its memory of one page."""
    wrappers = []
    for name, signature in SIGNATURES.items():
        params = " ".join("i64" if kind == "I" else "i32" for kind in signature)
        arguments = " ".join(f"(local.get {i})" for i in range(len(signature)))
        result = "" if name == "proc_exit" else "(result i32)"
        wrappers.append(
            f'(func (export "{name}") {f"(param {params})" if params else ""} {result} '
            f"(call ${name} {arguments}))"
        )
    return f'(module {imports(abi=abi)} (memory (export "memory") 1 1) {" ".join(wrappers)})'


_modules: dict[str, wamr.Module] = {}


class WasiFunctions:
    """The WASI functions of an instance, as methods: `wasi.fd_close(3)` returns an errno.

    Arguments that are text or bytes become address and size; results are read from `OUT`. `abi` is
    the name of the module that it imports from.
    """

    OUT = 32768

    def __init__(self, *, abi: str = PREVIEW1, **config: Any) -> None:
        if abi not in _modules:
            _modules[abi] = wamr.Module(wamr.Engine(), wrapper_module(abi))
        module = _modules[abi]
        self.instance = wamr.Instance(
            wamr.Store(module.engine), module, wasi=wamr.WasiConfig(**config)
        )
        self.memory = self.instance.exports.memory

    def __getattr__(self, name: str) -> Any:
        function = self.instance.exports[name]

        def call(*args: Any, **limits: Any) -> Any:
            given: list[int] = []
            at = 1024
            for arg in args:
                if isinstance(arg, str):
                    arg = arg.encode("utf-8", "surrogateescape")
                if isinstance(arg, bytes):
                    self.memory.write(at, arg)
                    given += [at, len(arg)]
                    at += len(arg) + 1
                else:
                    given.append(arg)
            return function.call(*given, **limits) if limits else function(*given)

        return call

    def u32(self, at: int = OUT) -> int:
        return int.from_bytes(self.memory.read(at, 4), "little")

    def u64(self, at: int = OUT) -> int:
        return int.from_bytes(self.memory.read(at, 8), "little")

    def open(
        self,
        path: str,
        *,
        dir: int = 3,  # noqa: A002
        rights: int = READ | SEEK | TELL | FILESTAT_GET,
        inheriting: int = 0,
        oflags: int = 0,
        follow: int = FOLLOW,
        flags: int = 0,
    ) -> tuple[int, int]:
        """Return errno and descriptor."""
        error = self.path_open(dir, follow, path, oflags, rights, inheriting, flags, self.OUT)
        return error, self.u32()

    def read(self, fd: int, size: int = 4096, **limits: Any) -> bytes | int:
        """Return what was read, or the errno."""
        self.memory.write(64, (8192).to_bytes(4, "little") + size.to_bytes(4, "little"))
        error: int = self.fd_read(fd, 64, 1, self.OUT, **limits)
        return error or self.memory.read(8192, self.u32())

    def write(self, fd: int, data: bytes, **limits: Any) -> int:
        """Return the errno."""
        self.memory.write(8192, data)
        self.memory.write(64, (8192).to_bytes(4, "little") + len(data).to_bytes(4, "little"))
        error: int = self.fd_write(fd, 64, 1, self.OUT, **limits)
        return error

    def rights(self, fd: int) -> tuple[int, int]:
        assert self.fd_fdstat_get(fd, self.OUT) == 0
        return self.u64(self.OUT + 8), self.u64(self.OUT + 16)

    def filetype(self, fd: int) -> int:
        assert self.fd_fdstat_get(fd, self.OUT) == 0
        return self.memory[self.OUT]  # type: ignore[no-any-return]

    def names(self, fd: int = 3) -> set[str]:
        """Return the entries of a directory, without . and .. themselves."""
        assert self.fd_readdir(fd, 8192, 16384, 0, self.OUT) == 0
        data, found = self.memory.read(8192, self.u32()), set()
        while len(data) >= 24:
            size = int.from_bytes(data[16:20], "little")
            found.add(data[24 : 24 + size].decode())
            data = data[24 + size :]
        return found - {".", ".."}
