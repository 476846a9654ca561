"""The configuration of a WASI program: arguments, environment, directories, standard streams.

The arguments of a `WasiConfig` are checked when it is made. Each instance that is made with it
opens it (`_apply`): C (src/native/wasi/config.c) gets copies of the texts, the directories, and
duplicates of the descriptors of standard streams. stdio.py checks the arguments for those.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import count

from .._backend.binding import ffi, lib
from .._base.arguments import already_initialized, checked_bool
from .._base.immutable import Options
from .._base.wasi import WasiBase
from .console import CONSOLE, console_reader, console_writer
from .files import descriptor_of
from .host_directories import check_available
from .private import PrivateDir, PrivateFiles
from .stdio import STDOUT, Stream, absolute_path, checked_path, open_for_input, open_for_output
from .streams import Streams, reader, streams_by_number, writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .._base.aliases import Stdio

    Path: TypeAlias = str | os.PathLike[str]
    _Contents: TypeAlias = Mapping[str, "bytes | str | _Contents"]
    _DirSource: TypeAlias = "Path | Dir | _Contents"

_PYTHON, _NOTHING = -1, -2  # descriptors for wpy_wasi_stdio: streams in Python; no stream
_numbers = count(1)


# ------------------------------------------------------------------ the public classes
class Dir(Options):
    """A directory of the host that a WASI program may use.

    path: of the directory; WasiConfig checks that it exists. writable: whether the program may
    create, change and remove files. Immutable, comparable, picklable. Raises TypeError, ValueError.
    C: `wasm_runtime_set_wasi_args`.

    >>> from wamr import Dir
    >>> Dir("/tmp", writable=True)
    Dir('/tmp', writable=True)
    """

    __slots__ = ("path", "writable")
    path: str
    writable: bool

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self._fill(checked_path("path", path), checked_bool("writable", writable))

    def __repr__(self) -> str:
        return f"Dir({self.path!r}{', writable=True' if self.writable else ''})"


class WasiConfig(WasiBase):
    """The access of a WASI program (preview 1, snapshot 0) to the host. Nothing is inherited.

    args: its argv, with the program's name first. env: its environment variables. dirs: a mapping
    {"guest path": host path, Dir, or mapping}; a directory is read-only unless it is a
    Dir(writable=True). A mapping {"name": bytes, str, or mapping} is a private, writable directory
    with these files, a new one for each instance; `Instance.files` reads it.
    stdin: bytes, a file, a path, a descriptor, "inherit", or a callable that gets a size and
    returns at most that many bytes, b"" at the end. stdout, stderr: None to discard the output, a
    file, a path, a descriptor, "inherit", or a callable that gets bytes; stderr also
    subprocess.STDOUT. If such a callable returns an int, it has taken that many bytes and gets the
    rest in another call; otherwise it has taken all. Text files get str. An exception of a callable
    or file is raised by the call that runs the program.
    Paths are checked here and opened for each instance.
    Raises TypeError, ValueError (a file is closed, or open in the other direction only), OSError
    (FileNotFoundError, NotADirectoryError, …), UnavailableError (a directory of the host, on
    Windows).
    C: `wasm_runtime_set_wasi_args`.

    >>> import sys
    >>> from wamr import WasiConfig
    >>> WasiConfig(args=["prog", "-v"], env={"LANG": "C"}, stdout=sys.stdout)
    WasiConfig(args=['prog', '-v'], env={'LANG': 'C'}, dirs={})
    """

    __slots__ = ("_args", "_dirs", "_env", "_stdio")

    def __init__(
        self,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, _DirSource] | None = None,
        stdin: Stdio = b"",
        stdout: Stdio = None,
        stderr: Stdio = None,
    ) -> None:
        if hasattr(self, "_args"):
            raise already_initialized(self)
        self._args = _checked_args(args)
        self._env = _checked_env(env)
        self._dirs = _checked_dirs(dirs)
        output = Stream("stdout", stdout, 1)
        same = isinstance(stderr, int) and stderr == STDOUT
        self._stdio = (
            Stream("stdin", stdin, 0),
            output,
            output if same else Stream("stderr", stderr, 2),
        )

    def __repr__(self) -> str:
        dirs = {
            name: dir_.path if isinstance(dir_, Dir) and not dir_.writable else dir_
            for name, dir_ in self._dirs.items()
        }
        args = [arg.decode("utf-8", "surrogateescape") for arg in self._args]
        env = dict(item.decode("utf-8", "surrogateescape").split("=", 1) for item in self._env)
        return f"WasiConfig(args={args}, env={env}, dirs={dirs})"

    def _open(self) -> Opened:
        """Open the streams and directories for one instance. Raises OSError, MemoryError."""
        return Opened(self._args, self._env, self._dirs, self._stdio)

    def _apply(self, c: Any, lifetime: Any) -> Opened:
        opened = self._open()
        c.wasi = opened.c
        lifetime.keep(opened.streams)
        if opened.files:
            lifetime.files = opened.files
        return opened

    def _guest_paths(self) -> list[bytes]:
        return [_encoded("", guest) for guest in self._dirs]


class SingleUseConfig(WasiConfig):
    """A WasiConfig for one instance.

    streams: of the instance. files: its private directories, which outlive the instance.
    """

    __slots__ = ("files", "streams")
    files: dict[str, PrivateDir]
    streams: Streams

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.files = {}

    def _apply(self, c: Any, lifetime: Any) -> Opened:
        opened = self._open()
        c.wasi = opened.c
        lifetime.keep(opened.streams)
        self.streams = opened.streams
        self.files.update(opened.files)
        return opened


# ------------------------------------------------------------------ checks
def _encoded(what: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains a lone surrogate: {text!r}") from None


def _checked_args(args: object) -> list[bytes]:
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(f"args must be a sequence of str, not {type(args).__name__}")
    return [_encoded(f"args[{i}]", arg) for i, arg in enumerate(args)]


def _checked_env(env: object) -> list[bytes]:
    if env is None:
        return []
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping or None, not {type(env).__name__}")
    items = []
    for name, value in env.items():
        key = _encoded("a name in env", name)
        if not key or b"=" in key:
            raise ValueError(f"a name in env must not be empty or contain '=': {name!r}")
        items.append(key + b"=" + _encoded(f"env[{name!r}]", value))
    return items


def _checked_dirs(dirs: object) -> dict[str, Dir | PrivateFiles]:
    if dirs is None:
        return {}
    if not isinstance(dirs, Mapping):
        raise TypeError(f"dirs must be a mapping or None, not {type(dirs).__name__}")
    checked: dict[str, Dir | PrivateFiles] = {}
    for guest, host in dirs.items():
        if not _encoded("a guest path in dirs", guest):
            raise ValueError("a guest path in dirs must not be empty")
        where = f"dirs[{guest!r}]"
        if isinstance(host, Mapping):
            checked[guest] = PrivateFiles(where, host)
            continue
        dir_ = host if isinstance(host, Dir) else Dir(checked_path(where, host))
        check_available()
        _encoded(where, dir_.path)
        # absolute, since the working directory may change before an instance is made
        path = absolute_path(dir_.path)
        checked[guest] = Dir(path, writable=dir_.writable)
        _check_directory(path)
    return checked


def _check_directory(path: str) -> None:
    """Raise OSError if `path` isn't a directory that can be read."""
    os.scandir(path).close()


# ------------------------------------------------------------------ for one instance
class Opened:
    """An opened configuration, for one instance. `c` is a handle; the instance in C has another.

    `streams` and `files`, the private directories, must live as long as the instance.
    """

    __slots__ = ("c", "files", "streams")

    def __init__(
        self,
        args: list[bytes],
        env: list[bytes],
        dirs: dict[str, Dir | PrivateFiles],
        stdio: tuple[Stream, ...],
    ) -> None:
        number = next(_numbers)
        self.streams = streams_by_number[number] = Streams()
        texts = [[ffi.new("char[]", text) for text in part] for part in (args, env)]
        arrays = [ffi.new("char *[]", part or [ffi.NULL]) for part in texts]
        c = lib.wpy_wasi_new(arrays[0], len(args), arrays[1], len(env), number)
        if not c:
            raise MemoryError("no memory for a WASI configuration")
        self.c = ffi.gc(c, lib.wpy_wasi_release)
        self._set_stdio(stdio)
        self.files: dict[str, PrivateDir] = {}
        try:
            for guest, dir_ in dirs.items():
                self._add_dir(guest, dir_)
        except BaseException:
            for private in self.files.values():
                private.close()
            raise

    def release(self) -> None:
        """Let go of the handle. Its descriptors are closed when the instance is."""
        ffi.release(self.c)

    def _add_dir(self, guest: str, dir_: Dir | PrivateFiles) -> None:
        if isinstance(dir_, Dir):
            path, writable = dir_.path, dir_.writable
        else:
            self.files[guest] = private = dir_.make()
            path, writable = private.path, True
        error = lib.wpy_wasi_dir(self.c, _encoded("", guest), os.fsencode(path), writable)
        if error:
            _check_directory(path)
            raise OSError(error, os.strerror(error), path)

    def _set_stdio(self, stdio: tuple[Stream, ...]) -> None:
        to_close: list[int] = []
        writers = self.streams.writers
        descriptor = _NOTHING
        try:
            for fd, stream in enumerate(stdio):
                if fd < 2 or stream is not stdio[1]:
                    descriptor = self._descriptor(fd, stream, to_close)
                elif 1 in writers:
                    writers[2] = writers[1]
                error = lib.wpy_wasi_stdio(self.c, fd, descriptor)
                if error and stream.inherits:  # this process has none
                    error = lib.wpy_wasi_stdio(self.c, fd, _NOTHING)
                if error:
                    raise OSError(error, f"{os.strerror(error)} (descriptor {descriptor})")
        finally:
            for opened in to_close:
                os.close(opened)

    def _descriptor(self, fd: int, stream: Stream, to_close: list[int]) -> int:
        """Return the host's descriptor for the guest's descriptor `fd`, or _PYTHON or _NOTHING.

        Descriptors that are opened here are appended to `to_close`; C duplicates them.
        """
        source = stream.source
        if stream.descriptor is not None and CONSOLE is not None:
            source = (console_writer if fd else console_reader)(stream.descriptor)
        if stream.file is not None:
            descriptor = descriptor_of(stream.file, fd > 0)
            if descriptor is not None:
                return descriptor
            source = stream.file
        if stream.path is not None:
            to_close.append(open_for_output(stream.path) if fd else open_for_input(stream.path))
            return to_close[-1]
        if source is not None:
            if fd:
                self.streams.writers[fd] = writer(stream.name, source)
            else:
                self.streams.read = reader(source)
            return _PYTHON
        return _NOTHING if stream.descriptor is None else stream.descriptor
