"""What a run captures of a program's outputs, and how exceptions hand it on.

subprocess's exceptions have `stdout` and `stderr`; so has every exception that leaves `run`. The
end of stderr, where most programs say why they gave up, is also shown: by `str(trap)`, and as a
note of other exceptions (Python 3.11). Nothing here knows of instances or WASI.
"""

from __future__ import annotations

from contextlib import suppress

from .._base.callables import checked_plain
from ..errors import Trap, WasmError
from .stdio import PIPE, STDOUT
from .streams import Sink, TextWriter, text_decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Stdio

_LINES, _WIDTH = 20, 400  # of stderr's end, as it is shown
_OURS = "_wamr_captured"  # marks an exception whose attributes are from here


class Captured:
    """The outputs of one run. encoding, errors: as given; text: whether results are str."""

    def __init__(self, text: bool, encoding: str | None, errors: str | None) -> None:
        self._text = text
        self._encoding = encoding or "utf-8"
        self._errors = errors or "strict"
        self._pieces: dict[str, list[bytes]] = {}
        self._merged = False  # stderr is part of stdout

    def output(self, name: str, value: Stdio) -> Stdio:
        """Return what a WasiConfig takes in place of what `run` was given."""
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
        """Return what was captured as it came; None: nothing was to be captured."""
        pieces = self._pieces.get(name)
        return None if pieces is None else b"".join(pieces)

    def results(self) -> tuple[Any, Any]:
        """Return both outputs as `run` gives them. Raises UnicodeDecodeError."""
        return self._result("stdout", self._errors), self._result("stderr", self._errors)

    def _result(self, name: str, errors: str) -> Any:
        data = self.bytes_of(name)
        if data is None or not self._text:
            return data
        return data.decode(self._encoding, errors).replace("\r\n", "\n").replace("\r", "\n")

    # ---- exceptions
    def hand_on(self, error: BaseException) -> None:
        """Give the exception both outputs, unless it has some of its own."""
        theirs = vars(error).keys() & {"stdout", "stderr"} or hasattr(type(error), "stdout")
        if theirs and not (isinstance(error, WasmError) or _OURS in vars(error)):
            return
        given = {name: self._at_least(name) for name in ("stdout", "stderr")}
        vars(error).update(given)  # not setattr, which a frozen dataclass refuses
        ending = self._ending()
        if isinstance(error, Trap):
            error._ending = ending  # str(trap) shows it
            return
        if not isinstance(error, WasmError):
            vars(error).update({"output": given["stdout"], _OURS: True})
        _note(error, ending)

    def _at_least(self, name: str) -> Any:
        """Return an output as `results` does; what can't be decoded is escaped."""
        try:
            return self._result(name, self._errors)
        except UnicodeDecodeError:
            return self._result(name, "backslashreplace")

    def _ending(self) -> str:
        """Return the end of stderr, for people; "": there is none."""
        data = self.bytes_of("stdout" if self._merged else "stderr") or b""
        text = data[-_LINES * _WIDTH :].decode(self._encoding, "backslashreplace")
        lines = [_harmless(line[-_WIDTH:]) for line in text.splitlines()[-_LINES:]]
        if not any(lines):
            return ""
        what = "stdout and stderr" if self._merged else "stderr"
        return "\n".join([f"The program's {what} ended with:", *(f"  {line}" for line in lines)])


def _note(error: BaseException, ending: str) -> None:
    """Let tracebacks show it, where Python can (3.11)."""
    noted = ending in getattr(error, "__notes__", ())
    if ending and not noted and isinstance(error, Exception) and hasattr(error, "add_note"):
        with suppress(Exception):
            error.add_note(ending)


def _harmless(line: str) -> str:
    """Escape what a terminal would obey."""
    return "".join([c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line])
