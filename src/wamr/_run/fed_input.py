"""The stdin of a session: bytes that are fed, and read by the program piece by piece."""

from __future__ import annotations

from collections import deque


class FedInput:
    """What a program may read. While it is empty, and has not ended, the program waits.

    started: whether code runs that can wait, so after the start function.
    """

    __slots__ = ("_pieces", "ended", "started")

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self.ended = False
        self.started = False

    def __bool__(self) -> bool:
        """Tell whether a read would return at once."""
        return self.ended or bool(self._pieces)

    def ready(self) -> bool:
        """Tell whether a read would return at once."""
        return bool(self)

    def feed(self, data: bytes) -> None:
        """Add data at the end."""
        if data:
            self._pieces.append(memoryview(data))

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes, b"" at the end, None: the program waits."""
        if not self._pieces:
            if not self.ended and not self.started:
                raise RuntimeError(
                    "the program reads its input before _start, in its start function, which "
                    "can't wait"
                )
            return b"" if self.ended else None
        taken = []
        while size and self._pieces:
            first = self._pieces.popleft()
            piece = first[:size]
            if len(piece) < len(first):
                self._pieces.appendleft(first[size:])
            taken.append(piece)
            size -= len(piece)
        return b"".join(taken)

    def unread(self) -> bytes:
        """Return what was fed and not read yet."""
        return b"".join(self._pieces)
