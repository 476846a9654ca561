"""Fixtures of stress tests. `WAMR_STRESS=10 pytest tests/stress` runs ten times as many rounds."""

import gc
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from bounds import SANITIZED

FACTOR = float(os.environ.get("WAMR_STRESS", "1"))


@pytest.fixture(scope="session")
def times():
    """Scale a number of repetitions."""
    return lambda count: max(1, int(count * FACTOR))


@pytest.fixture(scope="session")
def unsanitized():
    """Skip where AddressSanitizer reserves address space and keeps what was freed."""
    if SANITIZED:
        pytest.skip("AddressSanitizer has memory of its own")


@pytest.fixture(scope="session")
def resident(unsanitized):
    """Return a function that collects garbage and returns the resident bytes of this process."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("reads /proc/self/statm")

    def read():
        gc.collect()
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    return read


@pytest.fixture
def frequent_switches():
    """Let Python switch between threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="session")
def script():
    """Return a function that runs a program in an interpreter of its own and returns its output."""

    def run(code, *, timeout=240, returncode=0, stderr=""):
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == returncode, done.stderr
        if stderr is not None:
            assert done.stderr == stderr
        return done.stdout

    return run
