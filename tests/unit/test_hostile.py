"""The public API, called with hostile arguments in each state: an exception, and no crash.

tests/support/hostile.py makes the calls. It runs in a process of its own for each state, so that a
crash or a hang is a failure that names the last call. WAMR_STRESS=100 makes a hundred times as many
calls.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bounds import SANITIZED
from needs import needs
from platforms import KEEPS_CLASSES

pytestmark = [pytest.mark.slow]
if KEEPS_CLASSES:  # which refer to instances
    pytestmark.append(pytest.mark.much_address_space)

PROGRAM = Path(__file__).parents[1] / "support" / "hostile.py"
FACTOR = float(os.environ.get("WAMR_STRESS", "1"))
STATES = {
    "fresh": 1000,
    "closed": 300,
    "store_closed": 300,
    "neighbour_closed": 650,
    "in_callback": 650,
    "in_callback_and_closed": 300,
    "in_callback_with_references": 650,
    "failed": 650,
    "uninitialized": 300,
    "initialized_twice": 150,
    "forked": 100,
}


def outcome(state, count, where, *, seed=1, before=()):
    """Run the program; return None, or what went wrong."""
    log = where / "log"
    command = [sys.executable, "-W", "ignore", *before, str(PROGRAM)]
    command += [state, str(seed), str(count), str(log)]
    try:
        done = subprocess.run(
            command,
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=120 + count / 5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it hangs in {log.read_text(encoding='utf-8').strip()}"
    if done.returncode:
        last = log.read_text(encoding="utf-8").strip() if log.exists() else "its beginning"
        text = done.stderr.decode(errors="replace")
        return f"exit code {done.returncode} in {last}\n{text}"
    return None


@pytest.mark.parametrize("state", STATES)
def test_public_objects_called_with_hostile_arguments(state, tmp_path):
    if state == "forked" and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    needs("wasmtime", "wat")
    wrong = outcome(state, int(STATES[state] * FACTOR), tmp_path, seed=int(FACTOR))
    assert wrong is None, wrong


BROKEN = {
    "crash": ("import os; os.kill(os.getpid(), 11)", "exit code 1" if SANITIZED else "exit code -"),
    "SystemError": ("raise SystemError('broken')", "SystemError: broken"),
    "a private name": ("self._nonsense", "has no attribute '_nonsense'"),
}


@pytest.mark.skipif(os.name == "nt", reason="looks at a signal")
@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_is_found_and_named(name, tmp_path):
    """A public method that is broken in one of three ways."""
    needs("wasmtime", "wat")
    body, shown = BROKEN[name]
    # compiled with the name of a file of the package: only there is a private name a fault
    code = f"""
import os, runpy, sys, wamr
sys.path.insert(0, os.path.dirname(sys.argv[0]))
space = {{}}
source = "def grow(self, *args):\\n    {body}"
exec(compile(source, os.path.join(os.path.dirname(wamr.__file__), "made.py"), "exec"), space)
wamr.Table.grow = space["grow"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    start = tmp_path / "start.py"
    start.write_text(f"import sys; sys.argv.pop(0)\n{code}")
    wrong = outcome("fresh", 5000, tmp_path, before=[str(start)])
    assert wrong is not None
    assert shown in wrong
    assert "Table" in wrong
    assert "grow" in wrong
