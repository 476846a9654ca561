"""Fixtures of all test files, and the settings of hypothesis.

Fixtures of one file are in that file.
"""

import signal

import pytest
from collecting import exempt_from_collection
from hypothesis import HealthCheck, settings
from needs import needs

pytest_plugins = ["bounds", "distribution", "platforms"]

# A shell ignores SIGINT in background jobs, such as `make test &`. Processes that the tests start
# would inherit this and never end when they get SIGINT.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time, and no deadlines, since a busy machine may take any time. To search
# for new failures: --hypothesis-profile=random.
SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **SETTINGS)
settings.register_profile("few", derandomize=True, max_examples=20, **SETTINGS)
settings.register_profile("random", max_examples=1000, **SETTINGS)
settings.load_profile("same")


def pytest_configure(config):
    # Hypothesis asks the garbage collector for what refers to its generator of random numbers.
    # gc.freeze, below, hides that object from the collector of CPython 3.14.
    config.addinivalue_line("filterwarnings", "ignore:It looks like .register_random. was passed")


def pytest_collection_finish():
    exempt_from_collection()


@pytest.fixture(autouse=True, scope="module")
def _exempt_what_a_file_leaves():
    yield
    exempt_from_collection()


@pytest.fixture
def store():
    from wamr import Store

    with Store() as made:
        yield made


@pytest.fixture(scope="session")
def wat():
    """Return the converter from module text to bytes; skip without the extra wamr[wat]."""
    needs("wasmtime", "wat")
    from wamr.wat import wat2wasm

    wat2wasm("(module)")  # imports wasmtime, which else each forked child of a test would import
    return wat2wasm
