"""The results of runs in sandboxes, and the exceptions of sandboxes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from ._limits import LimitName


class SandboxError(WasmError):
    """The base of the exceptions of sandboxes."""


class InterpreterMissingError(SandboxError, ImportError):
    """The interpreter that runs in the sandbox isn't installed."""


class ResultError(SandboxError):
    """A run has failed: `Result.check` raises it. Attribute `result`: the Result."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[ResultError], tuple[object, Result]]:
        return type(self), (*self.args, self.result)


class CodeError(ResultError):
    """The code has raised an exception, and not caught it."""


class LimitError(ResultError):
    """The code has reached a limit; `result.limit` says which."""


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """An exception that code in a sandbox has raised, as text. The code may have made it up.

    type: the name of its class. message: its text. traceback: the traceback as the interpreter
    shows it, with the lines of the code.
    """

    type: str
    message: str
    traceback: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    r"""The result of a run. Everything but `limit`, `duration` and `fuel` comes from the code.

    stdout, stderr: text; bytes that aren't UTF-8 are escaped as \xNN.
    value: the value of the code's last statement, if it is an expression. value_is: "json" if it
    could be represented as JSON, "repr" if `value` is its text, None if there is no value.
    exception: what the code raised and didn't catch, an ExceptionInfo, or None.
    limit: the limit that the run has reached, or None: "time", "memory", "output", "tool_calls",
    "fuel", "stack" or "files".
    files: the files that the code has made or changed, by their path; bytes. removed: the paths of
    the files that it has removed.
    duration: the seconds that the code ran or slept. fuel: the branches and calls that it executed.
    tool_calls: the number of calls of tools.
    """

    stdout: str = ""
    stderr: str = ""
    value: Any = None
    value_is: Literal["json", "repr"] | None = None
    exception: ExceptionInfo | None = None
    limit: LimitName | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    duration: float = 0.0
    fuel: int = 0
    tool_calls: int = 0

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return self.exception is None and self.limit is None

    def check(self) -> Result:
        """Return the result itself if the code ran to its end; else raise LimitError or CodeError.

        >>> from wamr.sandbox import Result
        >>> Result(value=1, value_is="json").check().value
        1
        >>> Result(limit="time").check()
        Traceback (most recent call last):
        wamr.sandbox.LimitError: the code has reached the limit on time
        """
        if self.limit is not None:
            name = self.limit.replace("_", " ")
            raise LimitError(f"the code has reached the limit on {name}", self)
        if self.exception is not None:
            info = self.exception
            raise CodeError(info.traceback.rstrip() or f"{info.type}: {info.message}", self)
        return self
