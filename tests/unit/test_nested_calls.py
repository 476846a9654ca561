"""Nested calls of host functions, on the stacks of the main thread and of others."""

import subprocess
import sys

import pytest
from bounds import SANITIZED

NESTED = """
import resource, threading
from wamr import load
if resource.getrlimit(resource.RLIMIT_STACK)[0] not in (-1, resource.RLIM_INFINITY):
    assert resource.getrlimit(resource.RLIMIT_STACK)[0] >= 4 << 20, "ulimit -s is small"
text = '''(module (import "m" "f" (func $f (param i32) (result i32)))
    (func (export "go") (param i32) (result i32) (call $f (local.get 0))))'''
def again(n):
    return exports.go(n - 1) + 1 if n else 0
exports = load(text, {"m": {"f": again}}).exports
def nest():
    print(exports.go(100))
nest()
threading.stack_size(4 << 20)
thread = threading.Thread(target=nest)
thread.start()
thread.join()
nest()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is of POSIX")
@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer makes native frames larger")
def test_100_nested_host_calls_fit_into_the_stack_of_the_main_thread_and_of_others():
    """The main thread's stack grows, and musl tells only what is mapped of it so far."""
    command = [sys.executable, "-c", NESTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout.split(), done.stderr) == (["100"] * 3, "")
