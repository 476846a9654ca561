"""Files of snapshots.

A file has a header, sections, and two digests. The header tells which build of this package and
which module the file belongs to. The first digest, SHA-256 of all before it, finds damage. The
second one, an HMAC of the first with the user's key, tells whether this user has saved the file.
The contents of the state are C's, which also checks them (src/native/runtime/snapshot_read.c).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import struct
import time
from contextlib import suppress
from pathlib import Path

from .._backend.binding import extension_file, ffi, lib
from .._backend.handles import handle
from .._base.arguments import checked_bool
from .._base.opening import opened
from .._base.registry import new_key
from ..errors import SnapshotError, out_of_memory
from ..types import FuncType, GlobalType, TagType
from .calls import take_error
from .snapshot_key import is_private, user_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from typing import Any

    from typing_extensions import Buffer

    from .module import Module

MAGIC = b"WAMRSNP\x01"
EXTRA = b"WAMREXT\x01"
# magic, build, module, memory size, runs of pages, size of the state, length of a slice,
# whether it has WASI, imported functions, imported globals
_HEADER = struct.Struct("<8s32s32sQQQQ?3xII")
_RUN = struct.Struct("<QQ")
_DIGEST = 32
_CELL = 16
_PAGE, _WASM_PAGE, _MOST = 4096, 65_536, 1 << 32
_PIECE = 1 << 17
_builds: list[bytes] = []
_NO_ROOM = re.compile("allocate|too many table elements")  # of link_tables and WAMR


def build_digest() -> bytes:
    """Return the digest of the extension module's file, which differs between builds."""
    if not _builds:
        _builds.append(hashlib.sha256(Path(extension_file()).read_bytes()).digest())
    return _builds[0]


def _module_digest(module: Module) -> bytes:
    return hashlib.sha256(module._bytes).digest()


def _checked_path(path: object) -> Path:
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str):
        raise TypeError(f"path must be a str or a path-like object, not {type(name).__name__}")
    if not name:
        raise ValueError("path must not be empty")
    return Path(name)


# ------------------------------------------------------------------ saving
def save(
    c: Any, module: Module, slice_ns: int, path: str | os.PathLike[str], extra: bytes = b""
) -> None:
    """Write a snapshot; c: a wpy_snapshot *, which stays open meanwhile. Raises OSError.

    extra: of the caller, stored behind the snapshot; empty, or it begins with EXTRA.
    The file appears at `path` when it is complete. Only this user may read it; on Windows, who may
    read the files of its directory.
    """
    target = _checked_path(path)
    draft = target.with_name(f".{target.name}-{os.getpid()}-{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(draft, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            digest = hashlib.sha256()
            for part in [*_parts(c, module, slice_ns), extra]:
                digest.update(part)
                file.write(part)
            found = digest.digest()
            file.write(found)
            key = user_key(make=True)
            file.write(hmac.digest(key, found, "sha256") if key else bytes(_DIGEST))
        _move(draft, target)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.errno is not None:  # it names the draft, or nothing
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def _move(draft: Path, target: Path) -> None:
    """Put a complete file in its place. Raises OSError.

    On Windows a file that anybody has open can't be moved or replaced. Scanners have new files open
    for some milliseconds, and other processes may load the old one: so this waits up to a second.
    """
    for _ in range(20 if os.name == "nt" and not target.is_dir() else 0):
        with suppress(PermissionError):
            draft.replace(target)
            return
        time.sleep(0.05)
    draft.replace(target)


def _parts(c: Any, module: Module, slice_ns: int) -> list[Buffer]:
    """Return the contents of the file without digests."""
    types = [wanted.type for wanted in module.imports]
    functions = sum(isinstance(type_, FuncType) for type_ in types)
    globals_ = sum(isinstance(type_, GlobalType) for type_ in types)
    state = ffi.new("uint8_t[]", lib.wpy_snapshot_write(c, ffi.NULL))
    lib.wpy_snapshot_write(c, state)
    size = lib.wpy_snapshot_memory_bytes(c)
    memory = ffi.buffer(lib.wpy_snapshot_bytes(c), size) if size else b""
    runs = _runs(c, size)
    paths = ffi.new("char **")
    header = _HEADER.pack(
        MAGIC,
        build_digest(),
        _module_digest(module),
        size,
        len(runs),
        len(state),
        slice_ns,
        lib.wpy_snapshot_preopens(c, paths) >= 0,
        functions,
        globals_,
    )
    cell = ffi.new("uint8_t[16]")
    cells = b""
    for index in range(globals_):
        lib.wpy_snapshot_imported_global(c, index, cell)
        cells += ffi.buffer(cell)[:]
    return [
        header,
        bytes([lib.wpy_snapshot_is_host(c, index) for index in range(functions)]),
        cells,
        ffi.buffer(state)[:],
        b"".join([_RUN.pack(start, end) for start, end in runs]),
        *[memoryview(memory)[start:end] for start, end in runs],
    ]


def _runs(c: Any, size: int) -> list[tuple[int, int]]:
    """Return the runs of pages that are not zeros."""
    start, end = ffi.new("uint64_t *"), ffi.new("uint64_t *")
    found = []
    if size:
        memory = lib.wpy_snapshot_bytes(c)
        while lib.wpy_image_next_run(memory, size, start, end):
            found.append((start[0], end[0]))
    return found


# ------------------------------------------------------------------ loading
class _File:
    """A file that is read from the beginning to the end, once."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _damaged("it is no regular file")
        self.left = status.st_size - 2 * _DIGEST
        self.private = is_private(status, 0o022)
        self._digest = hashlib.sha256()

    def take(self, size: int) -> bytes:
        """Return the next bytes; SnapshotError."""
        if size > self.left:
            raise _damaged("it is too short")
        data = self._file.read(size)
        if len(data) != size:
            raise _damaged("it is too short")
        self.left -= size
        self._digest.update(data)
        return data

    def take_pieces(self, size: int) -> Iterator[bytes]:
        """Return the next bytes in pieces, so that they stay in the cache; SnapshotError."""
        for start in range(0, size, _PIECE):
            yield self.take(min(_PIECE, size - start))

    def finish(self) -> bool:
        """Check the digest; SnapshotError. Tell whether this user has saved the file."""
        if self.left:
            raise _damaged("it is too long")
        digest = self._digest.digest()
        if self._file.read(_DIGEST) != digest:
            raise _damaged("its digest is wrong")
        mac = self._file.read(_DIGEST)
        if not self.private:
            return False
        key = user_key(make=False)
        return key is not None and hmac.compare_digest(hmac.digest(key, digest, "sha256"), mac)


def _damaged(what: str) -> SnapshotError:
    return SnapshotError("damaged", f"the file is no whole snapshot: {what}")


class _Loaded:
    """What a file contains, checked as far as it can be without its module."""

    cells: bytes
    extra: bytes
    hosts: bytes
    image: Any
    slice_ns: int
    state: bytes
    trusted: bool
    wasi: bool

    def __init__(self, source: BufferedReader, module: Module, keep: int, trusted: bool) -> None:
        file = _File(source)
        if file.left < _HEADER.size:
            raise _damaged("it is too short")
        header = file.take(_HEADER.size)
        if not header.startswith(MAGIC):
            raise _damaged("it doesn't begin as one")
        (_, build, digest, memory, runs, state, self.slice_ns, self.wasi, functions, globals_) = (
            _HEADER.unpack(header)
        )
        if build != build_digest():
            raise SnapshotError(
                "other-build",
                "the file was saved by another build of wamr: take the snapshot again",
            )
        if digest != _module_digest(module):
            raise SnapshotError("other-module", "the file is of another module")
        self.hosts = file.take(functions)
        self.cells = file.take(globals_ * _CELL)
        self.state = file.take(state)
        if memory % _WASM_PAGE or memory > _MOST:
            raise _damaged("the memory has a wrong size")
        self.image = self._read_memory(file, memory, file.take(runs * _RUN.size), keep)
        self.extra = file.take(file.left)
        if self.extra and not self.extra.startswith(EXTRA):
            raise _damaged("it is too long")
        self.trusted = file.finish() or trusted

    def _read_memory(self, file: _File, size: int, runs: bytes, keep: int) -> Any:
        """Return the image, whose pages come next in the file."""
        if runs and not size:
            raise _damaged("it has pages without a memory")
        pointer = lib.wpy_image_new(size, keep)
        if not pointer:
            raise MemoryError("no memory for a snapshot")
        image = ffi.gc(pointer, lib.wpy_image_release)
        before = 0
        for start, end in _RUN.iter_unpack(runs):
            if start % _PAGE or end % _PAGE or not before <= start < end <= size:
                raise _damaged("its pages are in disorder")
            before = end
            if end - start > file.left:
                raise _damaged("it is too short")
            for piece in file.take_pieces(end - start):
                if not lib.wpy_image_write(image, start, ffi.from_buffer(piece), len(piece)):
                    raise MemoryError("no memory for a snapshot")
                start += len(piece)
        if not lib.wpy_image_seal(image):
            raise MemoryError("no memory for a snapshot")
        return image


def load(
    path: str | os.PathLike[str], module: Module, trusted: bool, keep: int
) -> tuple[Any, int, bytes]:
    """Return a new wpy_snapshot * of a file, the length of its execution's slices, and the extra.

    Raises SnapshotError, OSError, TypeError, MemoryError.
    """
    checked_bool("trusted", trusted)
    with opened(_checked_path(path)) as source:
        found = _Loaded(source, module, keep, trusted)
    _instance, c = _blank_snapshot(found, module)
    why = ffi.new("char[256]")
    state = ffi.from_buffer(found.state)
    image = found.image if lib.wpy_snapshot_has_memory(c) else ffi.NULL
    status = lib.wpy_snapshot_read(c, state, len(found.state), image, found.trusted, why)
    if status:
        lib.wpy_snapshot_close(c)
        lib.wpy_snapshot_release(c)
        if status == lib.WPY_NO_MEMORY:
            raise MemoryError("no memory for a snapshot")
        reason, _, sentence = ffi.string(why).decode("utf-8", "replace").partition(": ")
        if reason == "untrusted":
            sentence += (
                ": this user has not saved it on this machine. trusted=True loads a file that "
                "nobody else can have written"
            )
        raise SnapshotError(reason, sentence)
    return c, found.slice_ns, found.extra


def _blank_snapshot(found: _Loaded, module: Module) -> tuple[Any, Any]:
    """Return an instance that has not started, and a wpy_snapshot * of it, without a memory."""
    given, kept = _imports(found, module)
    out, why = ffi.new("wpy_instance **"), ffi.new("char[256]")
    if lib.wpy_instance_new(module._c, given, out):
        error = take_error(module._c)
        text = ffi.string(error.text).decode("utf-8", "replace")
        if error.status == lib.WPY_NO_MEMORY or out_of_memory(text) or _NO_ROOM.search(text):
            raise MemoryError("no memory for a snapshot")
        raise _damaged("its imports are not the module's")
    instance = handle(out[0])
    made = ffi.new("wpy_snapshot **")
    status = lib.wpy_snapshot_new(instance, ffi.NULL, lib.WPY_NO_IMAGE, made, why)
    lib.wpy_instance_close(instance)
    del kept
    if status == lib.WPY_REFUSED:
        raise _damaged(ffi.string(why).decode("utf-8", "replace"))
    if status:
        raise MemoryError("no memory for a snapshot")
    return instance, made[0]


def _imports(found: _Loaded, module: Module) -> tuple[Any, object]:
    """Return a wpy_imports * with imports that are never used, and what has to be kept."""
    funcs: list[Any] = []
    globals_: list[Any] = []
    tags: list[Any] = []
    for wanted in module.imports:
        type_ = wanted.type
        if isinstance(type_, FuncType):
            if len(funcs) >= len(found.hosts):
                raise _damaged("its imports are not the module's")
            params, results = type_._param_kinds, type_._result_kinds
            host = found.hosts[len(funcs)]
            if host > 1:
                raise _damaged("a flag is wrong")
            funcs.append(
                _made(lib.wpy_host_func_new(params + results, len(params), len(results), True, 0))
                if host
                else ffi.NULL
            )
        elif isinstance(type_, GlobalType):
            cell = found.cells[len(globals_) * _CELL : (len(globals_) + 1) * _CELL]
            if len(cell) != _CELL:
                raise _damaged("its imports are not the module's")
            globals_.append(_made(lib.wpy_global_new(type_.content.code, type_.mutable, cell)))
        elif isinstance(type_, TagType):
            kinds = bytes([kind.code for kind in type_.params])
            tags.append(_made(lib.wpy_tag_new(kinds, len(kinds), ffi.NULL)))
        else:
            raise _damaged("the module imports a memory or a table")
    given = ffi.new("wpy_imports *")
    arrays = (
        ffi.new("wpy_func *[]", funcs or 1),
        ffi.new("wpy_table *[]", 1),
        ffi.new("wpy_global *[]", globals_ or 1),
        ffi.new("wpy_tag *[]", tags or 1),
    )
    given.funcs, given.tables, given.globals, given.tags = arrays
    given.stack_bytes = 4096
    given.fuel = -1
    given.instance_id = new_key()
    wasi = None
    if found.wasi:
        wasi = ffi.gc(lib.wpy_wasi_new(ffi.NULL, 0, ffi.NULL, 0, 0), lib.wpy_wasi_release)
        if not wasi or any(lib.wpy_wasi_stdio(wasi, fd, -2) for fd in range(3)):
            raise MemoryError("no memory for a snapshot")
        given.wasi = wasi
    return given, (arrays, funcs, globals_, tags, wasi)


def _made(pointer: Any) -> Any:
    if not pointer:
        raise MemoryError("no memory for a snapshot")
    return handle(pointer)
