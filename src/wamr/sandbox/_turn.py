"""Turns: what a machine does between a request and its result.

A turn knows no thread and no event loop. Its driver (`_drive.py`) calls `advance`, which runs the
interpreter for a slice, and then does what `advance` returns: sleep, call a tool, or take the
result.
"""

from __future__ import annotations

from ._folder import TooManyFiles
from ._json import MessageError, encode
from ._machine import Ended, Machine
from ._results import ExceptionInfo, Result
from ._tools import Tools, answer_to, error_answer, refuse_awaitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from ._limits import LimitName, RunLimits

    Next = Literal["run", "sleep", "call", "done"]

_RESULT = 64  # bytes of a result besides its value
_READS = (
    "the code has read from descriptor 0, through which the interpreter gets what it runs: the "
    "code's input is sys.stdin in Python, readline() in JavaScript"
)


class Turn:
    """One run in a machine. `result` is set when `advance` has returned "done"."""

    def __init__(
        self, limits: RunLimits, prepared: RunLimits, tools: Tools, first: Callable[[], None]
    ) -> None:
        self.result: Result | None = None
        self.first = first  # calls `begin`
        self._limits, self._tools = limits, tools
        self._prepared = prepared  # the limits that the interpreter knows
        self._calls = 0
        self._call: dict[str, Any] = {}

    def begin(self, machine: Machine, request: dict[str, Any]) -> None:
        """Send the request to a machine."""
        self._lease = machine.lease
        self.machine = machine
        machine.begin(self._limits)
        request["marker"] = machine.channel.begin(self._limits)
        if machine.is_new:
            machine.is_new = False
            request["new"] = 1
        for key in ("output", "tool_bytes"):
            if getattr(self._limits, key) != getattr(self._prepared, key):
                request[key] = getattr(self._limits, key)
        machine.channel.send(encode(request))

    def interrupt(self) -> None:
        """Stop the code, which runs in another thread."""
        machine = getattr(self, "machine", None)
        if machine is not None:
            machine.interrupt(self._lease)

    def advance(self) -> Next:
        """Run the interpreter for a slice; return what is to be done next."""
        machine = self.machine
        try:
            if not machine.step():
                return "sleep" if machine.nap() else "run"
            if not machine.channel.messages:
                raise Ended(_READS)
            return self._next(machine.channel.messages.pop())
        except Ended as ended:
            self._end(str(ended), ended.limit)
        except MessageError as error:
            self._end(f"the interpreter has sent a wrong message: {error}", None)
        return "done"

    def _next(self, message: dict[str, Any]) -> Next:
        """Return what a message asks for. Raises Ended, MessageError."""
        size = self.machine.channel.received
        if "call" not in message:
            too_long = size > self._limits.output + _RESULT
            self.result = self._result({"limit": "output"} if too_long else message)
            return "done"
        if self._calls == self._limits.tool_calls:
            raise Ended("tool_calls", "tool_calls")
        self._calls += 1
        self._call = message
        self.machine.count_files()
        if size > self._limits.tool_bytes:
            limit = self._limits.tool_bytes
            text = f"{message['call']}(): the arguments have {size} bytes, more than {limit}"
            self.failed(ValueError(text))
            return "run"
        return "call"

    # ---- tools
    def check_synchronous(self) -> None:
        """Raise RuntimeError if the tool is an `async def` function, which has to be awaited."""
        self._tools.check_synchronous(self._call)

    def call(self) -> Any:
        """Call the tool; its result may be awaitable. Raises what the tool raises."""
        return self._tools.call(self._call)

    def answer(self, value: object, *, awaited: bool = False) -> None:
        """Send the tool's result. awaited: whether an awaitable that it returned was awaited.

        Raises TypeError if the result isn't JSON, RuntimeError if it is awaitable.
        """
        tool = self._call["call"]
        try:
            answer = answer_to(tool, value, self._limits.tool_bytes)
        except TypeError:
            advice = "await it in the tool" if awaited else "use run_async"
            refuse_awaitable(tool, value, advice)
            raise
        self.machine.channel.send(answer)

    def failed(self, error: Exception) -> None:
        """Send what the tool has raised."""
        if issubclass(type(error), MessageError):  # isinstance reads `__class__`, which may raise
            self._end(f"the interpreter has sent a wrong message: {error}", None)
            return
        self.machine.channel.send(error_answer(error, self._limits.tool_bytes))

    # ---- results
    def _end(self, message: str, limit: LimitName | None) -> None:
        """Make the result of a run after which the interpreter can't go on."""
        exception = None if limit else ExceptionInfo("SystemExit", message)
        self.result = self._made(exception=exception, limit=limit)
        self.machine.close()

    def _result(self, message: dict[str, Any]) -> Result:
        """Return the result that an interpreter has sent. Raises MessageError."""
        limit = message.get("limit")
        if limit == "memory?":  # the interpreter had none left to tell more
            limit = "memory" if self.machine.memory_is_used_up() else None
        if limit not in (None, "output", "memory"):
            raise MessageError("it names a limit that doesn't exist")
        rest: dict[str, Any] = {"limit": limit}
        if "exception" in message:
            rest["exception"] = _exception(message["exception"])
        if "value" in message:
            rest |= {"value": message["value"], "value_is": "json"}
        elif isinstance(message.get("repr"), str):
            rest |= {"value": message["repr"], "value_is": "repr"}
        return self._made(**rest)

    def _made(self, **rest: Any) -> Result:
        machine = self.machine
        stdout, stderr = machine.channel.texts()
        try:
            rest["files"], rest["removed"] = machine.files.changes(self._limits.file_bytes)
        except TooManyFiles:
            rest["limit"] = rest.get("limit") or "files"
        return Result(
            stdout=stdout,
            stderr=stderr,
            duration=machine.seconds,
            fuel=machine.fuel,
            tool_calls=self._calls,
            **rest,
        )


def _exception(data: object) -> ExceptionInfo:
    """Return the exception in an interpreter's message. Raises MessageError."""
    if isinstance(data, dict):
        texts = [data.get(key) for key in ("type", "message", "traceback")]
        found = [text for text in texts if isinstance(text, str)]
        if len(found) == len(texts):
            return ExceptionInfo(*found)
    raise MessageError("its exception is wrong")
