"""Sandboxes for untrusted code: interpreters that run as WebAssembly, with nothing of the host.

>>> from wamr.sandbox import Python
>>> python = Python(tools=[len])                                        # doctest: +SKIP
>>> python.run("len([1, 2, 3]) + 1").value                              # doctest: +SKIP
4
"""

from __future__ import annotations

from ._javascript import JavaScript
from ._limits import RunLimits
from ._python import Python
from ._results import (
    CodeError,
    ExceptionInfo,
    InterpreterMissingError,
    LimitError,
    Result,
    ResultError,
    SandboxError,
)
from ._sandbox import Session

__all__ = [
    "CodeError",
    "ExceptionInfo",
    "InterpreterMissingError",
    "JavaScript",
    "LimitError",
    "Python",
    "Result",
    "ResultError",
    "RunLimits",
    "SandboxError",
    "Session",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # where users find it
del _name
