"""What users give as the code of a module, made bytes: a path, the bytes themselves, or text.

Text is recognised by its first character and goes through `wat`. Whatever is no module at all is
refused here, by what it looks like, since "magic header not detected" helps nobody who passed a zip
file. Binary modules and AOT code come back as they are: whether they are valid, and whether AOT
code is welcome, others decide.
"""

import os

from .errors import CompileError
from .wat import wat2wasm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .aliases import Source

WASM_MAGIC = b"\0asm"
AOT_MAGIC = b"\0aot"
_MODULE = WASM_MAGIC + b"\1\0\0\0"
_COMPONENT = b"\0asm\x0d\0\x01\0"
_UTF8_BOM = b"\xef\xbb\xbf"

# The beginnings of files that people pass by mistake.
_LOOKS_LIKE = (
    (b"\x7fELF", "an ELF file, native code"),
    (b"MZ", "a Windows program"),
    (b"PK\x03\x04", "a zip file or wheel"),
    (b"\x1f\x8b", "gzip data"),
    (b"#!", "a script"),
    (b"<", "HTML or XML"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for"),
    (b"\xff\xfe", "UTF-16 text; module text is UTF-8"),
    (b"\xfe\xff", "UTF-16 text; module text is UTF-8"),
)


def source_bytes(source: "Source") -> bytes:
    """Return the bytes of the module that `source` stands for."""
    if type(source) is bytes and source[:8] == _MODULE:  # what most are
        return source
    if isinstance(source, str):
        if source.lstrip()[:1] == "(":
            return _module_bytes(wat2wasm(source))
        return _module_bytes(_read(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _module_bytes(bytes(source))
    if isinstance(source, os.PathLike):
        return _module_bytes(_read(os.fspath(source)))
    raise TypeError(
        f"source must be a path, the bytes of a module or its text, not {type(source).__name__}"
    )


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
    if data.startswith(_COMPONENT):
        raise CompileError("this is a WebAssembly component; WAMR runs core modules")
    if data.startswith((WASM_MAGIC, AOT_MAGIC)):
        return data
    text = data.removeprefix(_UTF8_BOM)  # editors on Windows write one
    if text.lstrip().startswith((b"(", b";;")):
        return _module_bytes(wat2wasm(text))
    raise CompileError(f"this is no WebAssembly module: {_what(data)}")


def _what(data: bytes) -> str:
    if not data:
        return "it is empty"
    for beginning, name in _LOOKS_LIKE:
        if data.startswith(beginning):
            return f"it looks like {name}"
    start = data[:16]
    if len(data) < len(WASM_MAGIC) and WASM_MAGIC.startswith(data):
        return f"it ends after {len(data)} bytes, {start!r}"
    return f"it begins with {start!r}{'' if len(data) <= 16 else ' …'}"
