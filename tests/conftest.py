"""What several test files share: module text as bytes, and how hypothesis works here.

Fixtures that only one file needs are in that file.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

# In CI: the same examples each time, and no verdict on how long a loaded machine takes.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def store():
    from wamr import Store

    with Store() as made:
        yield made


@pytest.fixture(scope="session")
def wat():
    """Turn module text into bytes; skips where the extra wamr[wat] is not installed."""
    pytest.importorskip("wasmtime", reason="needs the extra wamr[wat]")
    from wamr.wat import wat2wasm

    return wat2wasm
