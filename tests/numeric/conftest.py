"""Compares instructions with a model, in each floating-point environment of the thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from float_environments import ENVIRONMENTS, environment

import wamr

Compare = Callable[[Callable[..., Any], list[Any], list[Any], Callable[[Any, Any], bool]], None]


@pytest.fixture(scope="session")
def compare() -> Compare:
    """Call for each tuple of arguments, in each environment, and compare with the expected results.

    A trap counts as its message.
    """

    def run(
        call: Callable[..., Any],
        tries: list[Any],
        expected: list[Any],
        fits: Callable[[Any, Any], bool],
    ) -> None:
        assert tries
        for name in ENVIRONMENTS:
            with environment(name):
                got = [_outcome(call, arguments) for arguments in tries]
            wrong = [
                f"{name}: {arguments} -> {each!r}, not {wanted}"
                for arguments, each, wanted in zip(tries, got, expected, strict=True)
                if each != wanted and not fits(wanted, each)
            ]
            if wrong:
                shown = "\n".join(wrong[:10])
                raise AssertionError(f"{len(wrong)} of {len(tries)} are wrong:\n{shown}")

    return run


def _outcome(call: Callable[..., Any], arguments: Any) -> Any:
    try:
        return call(*arguments)
    except wamr.Trap as trap:
        return trap.message
