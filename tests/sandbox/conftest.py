"""What all tests of the sandboxes share."""

from __future__ import annotations

import pytest

from wamr.sandbox import RunLimits


@pytest.fixture(autouse=True)
def _time_for_busy_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give runs a longer limit on time than the default; tests of this limit set their own."""
    monkeypatch.setitem(RunLimits.__init__.__kwdefaults__, "time", 300.0)  # type: ignore[misc]
