"""The streams of an interpreter, and the messages among them.

stdout has only what the code has written. stderr has that and the interpreter's messages: each is a
marker, which is a random text of this run, and a line of JSON. So nothing that code prints by
chance is taken for a message. Code that looks for the marker on purpose finds it in the memory of
its own interpreter. It can then send what the interpreter could send: calls of tools, which count
in the limits, and the result of its own run. The host's messages are lines of JSON on stdin.
"""

from __future__ import annotations

import os

from ._json import MessageError, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._limits import LimitName, RunLimits

_ENVELOPE = 4096  # bytes of a message besides its value


class LimitReached(Exception):
    """What the code has written to a stream reaches a limit, which ends the run."""

    def __init__(self, limit: LimitName) -> None:
        super().__init__(limit)
        self.limit: LimitName = limit


class Channel:
    """Standard streams, for a WasiConfig: `read`, `write_stdout` and `write_stderr`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.marker = b""
        self._input = memoryview(b"")
        self._clear(0, 0)

    def _clear(self, output: int, message: int) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.messages: list[dict[str, Any]] = []
        self.received = 0  # the bytes of the last message
        self._left = output  # that the code may still write
        self._longest = message
        self._pending = bytearray()  # of stderr: an incomplete message, or perhaps a marker
        self._in_message = False  # whether `_pending` begins with a marker

    def begin(self, limits: RunLimits) -> str:
        """Begin a run; return its marker without the NULs around it."""
        most = max(limits.output, limits.tool_bytes)  # JavaScript counts characters: 3 bytes
        self._clear(limits.output, 3 * most + _ENVELOPE)
        text = os.urandom(16).hex()
        self.marker = f"\0{text}\0".encode()
        return text

    # ---- to the interpreter
    def send(self, data: bytes) -> None:
        """Send a message, which is JSON without line breaks."""
        self._input = memoryview(bytes(self._input) + data + b"\n")

    def read(self, size: int) -> bytes | None:
        """Return a part of what was sent, at most `size` bytes; None: the interpreter waits."""
        if not self._input:
            return None
        data, self._input = self._input[:size], self._input[size:]
        return bytes(data)

    # ---- from the interpreter
    def write_stdout(self, data: bytes) -> None:
        """Keep what the code writes. Raises LimitReached."""
        self._write(self.stdout, data)

    def write_stderr(self, data: bytes) -> None:
        """Keep what the code writes, without the messages. Raises LimitReached, MessageError."""
        pending = self._pending
        looked = max(len(pending), len(self.marker)) if self._in_message else len(self.marker)
        pending += data
        while pending and (self._in_message or self._find_marker()):
            end = pending.find(b"\n", looked)
            self._in_message = end < 0
            if len(pending) > self._longest and not 0 <= end <= self._longest:
                raise LimitReached("output")
            if end < 0:
                return
            self._receive(bytes(pending[len(self.marker) : end]))
            del pending[: end + 1]
            looked = len(self.marker)

    def _find_marker(self) -> bool:
        """Write what precedes the marker; return whether the pending bytes begin with one."""
        pending, marker = self._pending, self.marker
        at = pending.find(marker) if marker else -1
        size = len(pending) if at < 0 else at
        if at < 0 and marker:  # the end may be the beginning of a marker
            possible = range(min(len(marker) - 1, len(pending)), 0, -1)
            size -= next((n for n in possible if pending.endswith(marker[:n])), 0)
        written = bytes(pending[:size])
        del pending[:size]
        self._write(self.stderr, written)
        return at >= 0

    def _receive(self, data: bytes) -> None:
        if self.messages:
            raise MessageError("a message follows one that has no answer yet")
        self.messages.append(decode(data))
        self.received = len(data)

    def _write(self, output: bytearray, data: bytes) -> None:
        part = data[: self._left]
        output += part
        self._left -= len(part)
        if len(data) > len(part):
            raise LimitReached("output")

    # ---- the end of a run
    def texts(self) -> tuple[str, str]:
        """Return stdout and stderr; what is left of an incomplete message belongs to stderr."""
        self.stderr += self._pending[: self._left]
        self._pending.clear()
        return (
            self.stdout.decode("utf-8", "backslashreplace"),
            self.stderr.decode("utf-8", "backslashreplace"),
        )
