"""Fault injection: each allocation of our C fails once. The result is an exception or success.

There must be no crash, and everything must work afterwards.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parents[1] / "support"
SCENARIOS = [
    "make_module",
    "make_store",
    "make_objects",
    "instantiate_alone",
    "instantiate_linked",
    "instantiate_with_half_of_the_limits",
    "link_instances",
    "call",
    "call_itself",
    "trap",
    "grow",
    "pass_functions",
    "wasi_program",
    "make_tags",
    "link_tags",
    "throw_in_wasm",
    "throw_to_python",
    "throw_in_a_host_function",
    "pass_exceptions",
    "load_handlers",
    "take_snapshots",
    "copy_instances",
    "copy_suspended_calls",
    "copy_programs",
    "reset_instances",
    "load_snapshots",
]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, and forks"),
    pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler"),
]


@pytest.fixture(scope="module")
def run_with_faults(tmp_path_factory, unsanitized, wat):
    library = tmp_path_factory.mktemp("faults") / "fault_injection.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", library, SUPPORT / "fault_injection.c", "-ldl"],
        check=True,
    )

    def run(*names):
        done = subprocess.run(
            [sys.executable, SUPPORT / "fault_injection.py", *names],
            env=os.environ | {"LD_PRELOAD": str(library)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return run


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_allocation_fails_once_and_then_all_after_it(run_with_faults, scenario):
    name, succeeded, raised, wrong = run_with_faults(scenario)
    assert name == scenario
    assert int(succeeded) + int(raised) > 0  # an allocation did fail
    assert wrong == "0"


def test_nesting_takes_few_allocations(run_with_faults):
    """A table that grows in small steps is copied at each step where the system can't remap it."""
    few, many = map(int, run_with_faults("nesting"))
    assert few < many < few + 100
