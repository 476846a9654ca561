"""Fault injection: each allocation of Python fails once. The result is a MemoryError.

test_memory_failures.py does the same with the allocations of our C.
"""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "support" / "python_fault_injection.py"
# A fault of CPython 3.12.1 and 3.13.0, which crash.
FUNCTIONS = """
import _testcapi, gc
def make(x):
    return [lambda: x, lambda: make, lambda: x]
for count in range(50):
    _testcapi.set_nomemory(count + 1, count + 2)
    try:
        make([])
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    gc.collect()
"""


def test_no_memory_for_python(times, unsanitized):
    pytest.importorskip("_testcapi", reason="a part of CPython's own tests")
    if subprocess.run(
        [sys.executable, "-c", FUNCTIONS], capture_output=True, check=False
    ).returncode:
        pytest.skip("this CPython crashes by itself where it has no memory to make a function")
    step = max(1, 600 // times(10))
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", PROGRAM, str(step)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 2000 // step
