"""The captured output of a program, as results of `run` and as attributes of exceptions.

Every exception that `run` raises has `stdout` and `stderr`, as the exceptions of subprocess do. It
also shows the end of stderr, where most programs print why they failed: in the text of a Trap or
WasmException, and as a note of other exceptions (Python 3.11). This module knows nothing about
instances.
"""

from __future__ import annotations

from codecs import lookup, lookup_error
from contextlib import suppress
from functools import partial

from .._base.callables import checked_plain
from .._wasi.stdio import PIPE, STDOUT
from .._wasi.streams import Sink, TextWriter, text_decoder
from ..errors import WasmError, _TracedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import TimeoutExpired
    from typing import Any

    from .._base.aliases import Stdio
    from .._wasi.config import SingleUseConfig

_LINES, _WIDTH = 20, 400  # limits of the end of stderr that is shown
_FILES_MARK = "_wamr_files"
_MARK = "_wamr_captured"  # an attribute of exceptions whose stdout and stderr were set here


class Captured:
    """The captured outputs of one run.

    text: whether results are str; then encoding and errors are those of `run`. config: of the
    program, with its private directories.
    """

    config: SingleUseConfig | None = None

    def __init__(self, text: bool, encoding: str | None, errors: str | None) -> None:
        self._text = text
        self._encoding = encoding or "utf-8"
        self._errors = errors or "strict"
        if text:
            check_encoding(self._encoding, self._errors)
        self._pieces: dict[str, list[bytes]] = {}
        self._merged = False  # whether stderr goes to stdout

    def output(self, name: str, value: Stdio) -> Stdio:
        """Return the argument for WasiConfig that captures or passes on the output `name`.

        value: the argument of `run`.
        """
        if value is None:
            return "inherit"
        if isinstance(value, int) and not isinstance(value, bool):
            if value == PIPE:
                self._pieces[name] = []
                return self._pieces[name].append
            if value == STDOUT and name == "stdout":
                raise ValueError("STDOUT is for stderr only")
            self._merged = value == STDOUT
            return value
        if self._text and callable(value) and not hasattr(value, "write"):
            checked_plain(name, value)
            decoder = text_decoder(self._encoding, self._errors, newlines=True)
            return TextWriter(Sink(name, value, None, "characters"), decoder)
        return value

    def bytes_of(self, name: str) -> bytes | None:
        """Return the captured bytes of an output, or None if it isn't captured."""
        pieces = self._pieces.get(name)
        return None if pieces is None else b"".join(pieces)

    def results(self) -> tuple[Any, Any]:
        """Return stdout and stderr as `run` returns them.

        Raises UnicodeDecodeError, with what was captured.
        """
        try:
            stdout, stderr = [self._result(n, self._decode) for n in ("stdout", "stderr")]
        except UnicodeDecodeError as error:
            self.attach_to(error)
            raise
        return stdout, stderr

    def _result(self, name: str, decode: Callable[[bytes], str]) -> Any:
        data = self.bytes_of(name)
        if data is None or not self._text:
            return data
        return decode(data).replace("\r\n", "\n").replace("\r", "\n")

    def _decode(self, data: bytes) -> str:
        return data.decode(self._encoding, self._errors)

    def _decode_anyhow(self, data: bytes, errors: str) -> str:
        for handler in (errors, "backslashreplace"):
            with suppress(Exception):  # not every handler decodes, nor every codec escapes
                return data.decode(self._encoding, handler)
        return data.decode("utf-8", "backslashreplace")

    # ---- exceptions
    def timed_out(self, args: Any, timeout: float | None) -> TimeoutExpired:
        """Return the exception for a timeout; its outputs are bytes."""
        from subprocess import TimeoutExpired

        out, err = (self.bytes_of(name) or None for name in ("stdout", "stderr"))
        error = TimeoutExpired(args, timeout or 0, out, err)
        self.attach_files_to(error)
        return error

    def attach_to(self, error: BaseException) -> None:
        """Set `stdout` and `stderr` of an exception, unless its class has such attributes.

        So with `files`, if there are private directories.
        """
        self.attach_files_to(error)
        own = vars(error).keys() & {"stdout", "stderr"} or hasattr(type(error), "stdout")
        if own and not (isinstance(error, WasmError) or _MARK in vars(error)):
            return
        decode = partial(self._decode_anyhow, errors=self._errors)
        outputs = {name: self._result(name, decode) for name in ("stdout", "stderr")}
        vars(error).update(outputs)  # setattr would fail for a frozen dataclass
        ending = self._ending()
        if isinstance(error, _TracedError):
            error._ending = ending  # str(error) shows it
            return
        if not isinstance(error, WasmError):
            vars(error).update({"output": outputs["stdout"], _MARK: True})
        _add_note(error, ending)

    def attach_files_to(self, error: BaseException) -> None:
        """Set `files` of an exception to the private directories, if there are any."""
        files = self.config.files if self.config else None
        own = hasattr(error, "files") and not isinstance(error, WasmError)
        if files and (not own or _FILES_MARK in vars(error)):
            vars(error).update({"files": files, _FILES_MARK: True})

    def _ending(self) -> str:
        """Return the end of stderr as text to show, or "" if it is empty."""
        data = self.bytes_of("stdout" if self._merged else "stderr") or b""
        text = self._decode_anyhow(data[-_LINES * _WIDTH :], "backslashreplace")
        lines = [_escaped(line[-_WIDTH:]) for line in text.splitlines()[-_LINES:]]
        if not any(lines):
            return ""
        outputs = "stdout and stderr" if self._merged else "stderr"
        return "\n".join([f"The program's {outputs} ended with:", *(f"  {line}" for line in lines)])


def check_encoding(encoding: str, errors: str) -> None:
    """Raise TypeError or LookupError now, and not when there is something to decode."""
    for name, value in (("encoding", encoding), ("errors", errors)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str or None, not {type(value).__name__}")
    if not getattr(lookup(encoding), "_is_text_encoding", True):  # as bytes.decode looks
        raise LookupError(f"{encoding!r} is not a text encoding")
    lookup_error(errors)


def _add_note(error: BaseException, ending: str) -> None:
    """Add a note for tracebacks to show (Python 3.11)."""
    noted = ending in getattr(error, "__notes__", ())
    if ending and not noted and isinstance(error, Exception) and hasattr(error, "add_note"):
        with suppress(Exception):
            error.add_note(ending)


def _escaped(line: str) -> str:
    """Return the line with control characters escaped, which a terminal would obey."""
    return "".join([c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line])
