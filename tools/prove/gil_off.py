"""A pytest plugin: the tests fail if the GIL is on at their end, or was on at their beginning."""

from __future__ import annotations

import sys

import pytest


def _is_on() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def pytest_sessionstart() -> None:
    if _is_on():
        raise pytest.UsageError("gil_off: this interpreter has a GIL, and it is on")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _is_on():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"GIL at the end: {'ON' if _is_on() else 'off'}")
