"""What users give as the code of a module, made bytes: a path, the bytes themselves, or text.

Text is recognised by how it begins, as a str by the same rule as in bytes or a file, and goes
through `wat`. Whatever is no module at all is
refused here, by what it looks like, since "magic header not detected" helps nobody who passed a zip
file. Binary modules and AOT code come back as they are: whether they are valid, and whether AOT
code is welcome, others decide.
"""

import os

from ..errors import CompileError
from ..wat import wat2wasm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._base.aliases import Source

WASM_MAGIC = b"\0asm"
AOT_MAGIC = b"\0aot"
_MODULE = WASM_MAGIC + b"\1\0\0\0"
_LAYER = b"\1\0"  # at byte 6: of components
_UTF8_BOM = b"\xef\xbb\xbf"  # editors on Windows write one
_TEXT = ("(", ";;")  # how module text begins, after white space: all else there is in a comment
_TEXT_BYTES = tuple([beginning.encode() for beginning in _TEXT])
_MOST_SHOWN = 80


def source_bytes(source: "Source") -> bytes:
    """Return the bytes of the module that `source` stands for."""
    if type(source) is bytes and source[:8] == _MODULE:  # what most are
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
    """Tell whether a str is module text; else it is a path."""
    return source.removeprefix("\ufeff").lstrip().startswith(_TEXT)


def _read_named(path: str) -> bytes:
    """Read the file, or say of a str that names none what it could have been, too."""
    import errno

    neither = 'and no module text either, which begins with "(" or ";;"'
    try:
        return _read(path)
    except FileNotFoundError as error:
        reason = f"{os.strerror(errno.ENOENT)}, {neither}"
        shown = _cut(path) if "\n" in path else path
        raise FileNotFoundError(errno.ENOENT, reason, shown) from error
    except ValueError as error:  # NUL, or what the file system's encoding has not
        what = "this str is no path" + (", since it contains NUL" if "\0" in path else "")
        binary = ". A binary module is given as bytes" if path.startswith("\0asm") else ""
        raise ValueError(f"{what}, {neither}: {_cut(path)!r}{binary}") from error
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):  # Windows: a character
            raise
        reason = f"{error.strerror} ({len(path)} characters), {neither}"
        raise OSError(error.errno, reason, _cut(path)) from error


def _cut(path: str) -> str:
    return path if len(path) <= _MOST_SHOWN else path[:_MOST_SHOWN] + "…"


def _read(path: "str | bytes") -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes long to import
            return file.read()
    except PermissionError:  # what Windows says of a directory
        if os.path.isdir(path):  # noqa: PTH112
            import errno

            message = os.strerror(errno.EISDIR)
            raise IsADirectoryError(errno.EISDIR, message, os.fsdecode(path)) from None
        raise


def _module_bytes(data: bytes) -> bytes:
    if data[6:8] == _LAYER and data.startswith(WASM_MAGIC):
        raise CompileError(
            "this is a WebAssembly component; WAMR runs core modules: compile for WASI preview 1 "
            "(wasm32-wasip1), or take its modules out (wasm-tools component unbundle)"
        )
    if data.startswith((WASM_MAGIC, AOT_MAGIC)):
        return data
    text = data.removeprefix(_UTF8_BOM)
    if text.lstrip().startswith(_TEXT_BYTES):
        return _module_bytes(wat2wasm(text))
    from .._diagnosis.looks import what_it_is

    raise CompileError(f"this is no WebAssembly module: {what_it_is(data)}")
