"""Sources: the bytes of a module from a path, from bytes, or from module text.

Module text is recognized by its first characters, by the same rule in a str, in bytes and in a
file, and is converted by `wat`. Bytes that are neither a module nor text are rejected here, with a
message that names the file type they look like. Binary modules and AOT code are returned unchanged;
`Module` validates the one and decides about the other.
"""

import os

from .._base.binary_format import AOT_MAGIC, MAGIC, VERSION
from .._base.opening import opened
from ..errors import CompileError
from ..wat import wat2wasm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._base.aliases import Source

_MODULE = MAGIC + VERSION
_COMPONENT_LAYER = b"\1\0"  # at byte 6
_UTF8_BOM = b"\xef\xbb\xbf"  # written by editors on Windows
_TEXT = ("(", ";;")  # after white space: a list or a line comment ("(;" begins a block comment)
_TEXT_BYTES = tuple([beginning.encode() for beginning in _TEXT])
_MAX_SHOWN = 80


def source_bytes(source: "Source") -> bytes:
    """Return the bytes of the module; CompileError, OSError, ValueError, TypeError."""
    if type(source) is bytes and source[:8] == _MODULE:  # the common case
        return source
    if isinstance(source, str):
        if is_text(source):
            return _module_bytes(wat2wasm(source))
        return _module_bytes(_read_named(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _module_bytes(bytes(source))
    if isinstance(source, os.PathLike):
        return _module_bytes(_read(os.fspath(source)))
    raise TypeError(
        f"source must be a path, the bytes of a module or its text, not {type(source).__name__}"
    )


def is_text(source: str) -> bool:
    """Tell whether a str is module text; otherwise it is a path."""
    return source.removeprefix("\ufeff").lstrip().startswith(_TEXT)


def _read_named(path: str) -> bytes:
    """Read the file that a str names. Errors mention that the str isn't module text either."""
    import errno

    neither = 'and no module text either, which begins with "(" or ";;"'
    try:
        return _read(path)
    except FileNotFoundError as error:
        reason = f"{os.strerror(errno.ENOENT)}, {neither}"
        shown = _cut(path) if "\n" in path else path
        raise FileNotFoundError(errno.ENOENT, reason, shown) from error
    except ValueError as error:  # a NUL, or a character that file names can't have
        problem = "this str is no path" + (", since it contains NUL" if "\0" in path else "")
        binary = ". A binary module is given as bytes" if path.startswith("\0asm") else ""
        raise ValueError(f"{problem}, {neither}: {_cut(path)!r}{binary}") from error
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):  # EINVAL: a character, on Windows
            raise
        reason = f"{error.strerror} ({len(path)} characters), {neither}"
        raise OSError(error.errno, reason, _cut(path)) from error


def _cut(path: str) -> str:
    return path if len(path) <= _MAX_SHOWN else path[:_MAX_SHOWN] + "…"


def _read(path: "str | bytes") -> bytes:
    with opened(path) as file:
        return file.read()


def _module_bytes(data: bytes) -> bytes:
    if data[6:8] == _COMPONENT_LAYER and data.startswith(MAGIC):
        raise CompileError(
            "this is a WebAssembly component; WAMR runs core modules: compile for WASI preview 1 "
            "(wasm32-wasip1), or take its modules out (wasm-tools component unbundle)"
        )
    if data.startswith((MAGIC, AOT_MAGIC)):
        return data
    text = data.removeprefix(_UTF8_BOM)
    if text.lstrip().startswith(_TEXT_BYTES):
        return _module_bytes(wat2wasm(text))
    try:
        from .._base.file_types import describe_data
    except (ImportError, OSError, MemoryError):  # no more open files, for example
        raise CompileError("this is no WebAssembly module") from None
    raise CompileError(f"this is no WebAssembly module: {describe_data(data)}")
