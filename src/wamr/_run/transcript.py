"""The captured outputs of a session, which are reported piece by piece."""

from __future__ import annotations

from .._wasi.streams import text_decoder
from .captured import Captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._base.aliases import Stdio


class Transcript(Captured):
    """Captured outputs. A report has what was written since the report before.

    In text mode, a character whose bytes are incomplete is reported with the rest of its bytes.
    """

    def __init__(self, text: bool, encoding: str | None, errors: str | None) -> None:
        super().__init__(text, encoding, errors)
        self._decoders: dict[str, Any] = {}
        self._undecodable: UnicodeDecodeError | None = None

    def output(self, name: str, value: Stdio) -> Stdio:
        """As `Captured.output`."""
        value = super().output(name, value)
        if self._text and name in self._pieces:
            self._decoders[name] = self._new_decoder()
        return value

    def _new_decoder(self) -> Any:
        return text_decoder(self._encoding, self._errors, newlines=True)

    def report(self, *, final: bool) -> tuple[Any, Any]:
        """Return stdout and stderr since the last report, None for what isn't captured.

        final: whether there is no more output. Raises UnicodeDecodeError; the next report begins
        after what could not be decoded.
        """
        taken = {name: b"".join(pieces) for name, pieces in self._pieces.items()}
        try:
            stdout, stderr = [self._decoded(n, taken.get(n), final) for n in ("stdout", "stderr")]
        except UnicodeDecodeError as error:
            self._undecodable = error
            raise
        self._clear()
        return stdout, stderr

    def attach_to(self, error: BaseException) -> None:
        """As `Captured.attach_to`; what could not be decoded is dropped then."""
        if error is not self._undecodable:
            super().attach_to(error)
            return
        self._undecodable = None
        super().attach_to(error)
        self._decoders = {name: self._new_decoder() for name in self._decoders}
        self._clear()

    def _clear(self) -> None:
        for pieces in self._pieces.values():
            pieces.clear()

    def _decoded(self, name: str, data: bytes | None, final: bool) -> Any:
        decoder = self._decoders.get(name)
        return data if decoder is None else decoder.decode(data, final)

    def bytes_of(self, name: str) -> bytes | None:
        """Return the bytes since the last report, with those of an incomplete character."""
        data = super().bytes_of(name)
        decoder = self._decoders.get(name)
        if data is None or decoder is None:
            return data
        left: bytes = decoder.getstate()[0]
        return left + data
