"""16 threads use each kind of object that threads share, with and without a GIL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from platforms import only_free_threaded
from shared_by_threads import BY_NAME, GUARDS

pytestmark = pytest.mark.usefixtures("wat", "frequent_switches")
NATIVE = Path(__file__).parents[2] / "src" / "native" / "cpython"


@pytest.mark.parametrize("name", BY_NAME)
def test_each_thread_gets_its_own(name, times):
    BY_NAME[name](16, times(40))


@only_free_threaded
def test_the_import_turns_no_gil_on_and_warns_of_nothing():
    code = """import sys
assert not sys._is_gil_enabled(), 'before'
import wamr, wamr.ffi, wamr.sandbox
print(sys._is_gil_enabled())"""
    environment = {**os.environ}
    environment.pop("PYTHON_GIL", None)  # the variable would keep the GIL off in any case
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


@only_free_threaded
def test_the_gil_can_still_be_asked_for():
    code = "import sys, wamr; print(sys._is_gil_enabled())"
    done = subprocess.run(
        [sys.executable, "-X", "gil=1", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.skipif(not NATIVE.is_dir(), reason="needs the sources, and this is an installation")
def test_every_file_with_a_lock_has_a_test():
    files = {file.name for file in NATIVE.glob("*.c") if "LOCK" in file.read_text("utf-8")}
    # callbacks.c reads a member that is set before any thread knows the object
    files -= {"callbacks.c"}
    assert files == {guard for guard in GUARDS.values() if guard}
