"""Each allocation of Python fails once: a MemoryError, after which all goes on.

test_memory_failures.py does the same with those of our C.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCARCE = Path(__file__).parent.parent / "support" / "scarce.py"


def test_no_memory_for_python(times, unsanitized):
    pytest.importorskip("_testcapi", reason="a part of CPython's own tests")
    step = max(1, 600 // times(10))
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", SCARCE, str(step)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 2000 // step
