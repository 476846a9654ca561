"""Runs: what a session does from the arguments of a run to its result."""

from __future__ import annotations

from .. import ClosedError, Trap
from ._drive import drive, drive_async
from ._files import check_amount, checked_files
from ._limits import checked_limits
from ._turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._results import Result


class Run:
    """One run of a session, which nobody else uses meanwhile."""

    def __init__(
        self, session: Any, code: object, files: object, stdin: object, limits: object
    ) -> None:
        for name, text in (("code", code), ("stdin", stdin)):
            if not isinstance(text, str):
                raise TypeError(f"{name} must be a str, not {type(text).__name__}")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{name} must not contain lone surrogates") from None
        self._session = session
        self._limits = checked_limits(limits, session.limits)
        self._files = checked_files(files)
        check_amount(self._files, self._limits.file_bytes)
        self._request = {"code": code, "stdin": stdin} if stdin else {"code": code}

    def run(self) -> Result:
        """Run the code in this thread."""
        turn = self._begin()
        try:
            turn.first()
            return drive(turn)
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._end()

    async def run_async(self) -> Result:
        """Run the code in threads, and tools on the event loop."""
        turn = self._begin()
        try:
            return await drive_async(turn, turn.first)
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._end()

    def _begin(self) -> Turn:
        session = self._session
        session._check_open()
        sandbox = session._sandbox
        self._turn = Turn(self._limits, sandbox._prepared, sandbox._tools, self._first)
        return self._turn

    def _first(self) -> None:
        """Make the machine if there is none yet, and send the request."""
        session = self._session
        machine = session._take_machine()
        if session._closed:  # when there was no machine yet that could be interrupted
            machine.interrupt(session._lease)
        machine.files.put(self._files)
        self._turn.begin(machine, self._request)

    def _failed(self, error: BaseException) -> None:
        """End the session; ClosedError in place of a trap because it was closed."""
        session = self._session
        session._closed = True
        machine = session._machine
        if machine is not None and machine.interrupted and issubclass(type(error), Trap):
            raise ClosedError("this session was closed while it ran code") from error

    def _end(self) -> None:
        """Close the machine if the session has ended."""
        session = self._session
        machine = session._machine
        if machine is None or not machine.alive or session._closed:
            session._closed = True
            session._close_machine()
