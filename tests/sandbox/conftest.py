"""What all tests of the sandboxes share."""

from __future__ import annotations

import pytest

from wamr.sandbox import RunLimits


@pytest.fixture(autouse=True)
def _time_for_busy_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs take longer than by default: tests of the limit on time give their own."""
    monkeypatch.setitem(RunLimits.__init__.__kwdefaults__, "time", 300.0)  # type: ignore[misc]
