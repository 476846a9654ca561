"""Recognition of files that are passed in place of a module by mistake, with advice."""

from __future__ import annotations

import re

from .binary_format import MAGIC, VERSION

_DECOMPRESS = "decompress it first"
_COMPILE = "give the WebAssembly module"
_DOWNLOAD = "the download may have failed"

# First bytes, the file type, and advice.
_BEGINNINGS = (
    (b"\x28\xb5\x2f\xfd", "Zstandard data", _DECOMPRESS),
    (b"\x1f\x8b", "gzip data", _DECOMPRESS),
    (b"\xfd7zXZ\0", "xz data", _DECOMPRESS),
    (b"BZh", "bzip2 data", _DECOMPRESS),
    (b"\x04\x22\x4d\x18", "LZ4 data", _DECOMPRESS),
    (b"PK\x03\x04", "a zip file or wheel", "take the module out of it"),
    (b"PK\x05\x06", "an empty zip file", "take another"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "take the module out of it"),
    (b"!<arch>\n", "an archive of object files", "link it into a module, with wasm-ld"),
    (b"!<thin>\n", "an archive of object files", "link it into a module, with wasm-ld"),
    (b"\x7fELF", "an ELF file, native code", _COMPILE),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file, native code", _COMPILE),
    (b"\xce\xfa\xed\xfe", "a Mach-O file, native code", _COMPILE),
    (b"\xfe\xed\xfa", "a Mach-O file, native code", _COMPILE),
    (b"\xca\xfe\xba\xbe", "a Mach-O file or a Java class", _COMPILE),
    (b"MZ", "a Windows program", _COMPILE),
    (b"BC\xc0\xde", "LLVM bitcode", "compile and link it, without -flto and -emit-llvm"),
    (b"\xde\xc0\x17\x0b", "LLVM bitcode", "compile and link it, without -flto and -emit-llvm"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for", "git lfs pull"),
    (b"#!", "a script", "give the module that it runs"),
    (b"<", "HTML or XML", f"{_DOWNLOAD}, or found an error page"),
    (b"\xff\xfe", "UTF-16 text; module text is UTF-8", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; module text is UTF-8", "save it as UTF-8"),
    (b"(\0", "UTF-16 text; module text is UTF-8", "save it as UTF-8"),
    (b"\0(", "UTF-16 text; module text is UTF-8", "save it as UTF-8"),
    (b"\x89PNG\r\n", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"%PDF-", "a PDF document", ""),
    (b"SQLite format 3\0", "a SQLite database", ""),
    (b"\x80\x04\x95", "a pickle", "pickle.loads makes a Module of a pickled one"),
    (b"\x80\x05\x95", "a pickle", "pickle.loads makes a Module of a pickled one"),
    (b"msa\0", "a module with its bytes in the wrong order", ""),
    (b"AGFzb", "a module as base64", "base64.b64decode makes bytes of it"),
    (
        b"data:application/wasm",
        "a module in a data URL",
        "base64.b64decode what follows the comma",
    ),
)
_TAR = (257, b"ustar")
# Patterns for the beginning of text after white space, the file type, and advice.
_TEXTS = (
    (rb"0061736[dD]", "a module as hexadecimal digits", "bytes.fromhex makes bytes of it"),
    (rb'[{\[]\s*["\]}{\[\d]', "JSON", _DOWNLOAD),
    (
        rb'(var|let|const|async function|import|export|function) |"use strict"|//|/\*',
        "JavaScript or another program's source",
        "give the .wasm file beside it",
    ),
    (rb"[^\0-\x1f]{1,190}\.(wasm|wat)\s*\Z", "a path", "give it as a str or a Path"),
    (rb"--- |define |; ModuleID|target datalayout", "LLVM's text or YAML", _COMPILE),
)


def looks_like(data: bytes) -> str | None:
    """Return a description of the file type, with advice, or None if it isn't recognized."""
    found = _recognize(data)
    if found is None:
        return None
    what, advice = found
    return f"it looks like {what}{f'; {advice}' if advice else ''}"


def _recognize(data: bytes) -> tuple[str, str] | None:
    for beginning, what, advice in _BEGINNINGS:
        if data.startswith(beginning):
            return what, advice
    if data[2:4] == b"\r\n" and 0x0B <= data[1] <= 0x0F:  # 3000 or more
        return "Python bytecode (.pyc)", ""
    if data[_TAR[0] : _TAR[0] + len(_TAR[1])] == _TAR[1]:
        return "a tar archive", "take the module out of it"
    start = data[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return "HTML or XML", f"{_DOWNLOAD}, or found an error page"
    for pattern, what, advice in _TEXTS:
        if re.match(pattern, start):
            return what, advice
    return None


def describe_data(data: bytes) -> str:
    """Return a description of bytes that are no module, with the file type if it is recognized."""
    if not data:
        return "it is empty"
    found = looks_like(data)
    if found:
        return found
    start = data[:16]
    if len(data) < 4 and MAGIC.startswith(data):
        return f"it ends after {len(data)} bytes, {start!r}"
    at = data.find(MAGIC + VERSION, 0, 1 << 16)
    inside = f"; a module begins at byte {at}" if at > 0 else ""
    return f"it begins with {start!r}{'' if len(data) <= 16 else ' …'}{inside}"
