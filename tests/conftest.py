"""What several test files share: module text as bytes, and how hypothesis works here.

Fixtures that only one file needs are in that file.
"""

import signal

import pytest
from hypothesis import HealthCheck, settings
from needs import needs

pytest_plugins = ["bounds", "distribution"]

# What a shell starts in its background, as `make test &`, has Ctrl-C ignored. Processes that the
# tests start would inherit that, and never end when they are sent one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time, and no verdict on how long a busy machine takes. To look for what
# nobody has met yet: --hypothesis-profile=random.
SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **SETTINGS)
settings.register_profile("few", derandomize=True, max_examples=20, **SETTINGS)
settings.register_profile("random", max_examples=1000, **SETTINGS)
settings.load_profile("same")


@pytest.fixture
def store():
    from wamr import Store

    with Store() as made:
        yield made


@pytest.fixture(scope="session")
def wat():
    """Turn module text into bytes; skips where the extra wamr[wat] is not installed."""
    needs("wasmtime", "wat")
    from wamr.wat import wat2wasm

    return wat2wasm
