"""Errors where the process has no more files, so nothing can be imported, or thread-local keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wamr

pytest.importorskip("resource", reason="RLIMIT_NOFILE, which Windows doesn't have")

PROGRAM = """
import os, resource, wamr
from wamr.types import *
module = wamr.Module(wamr.Engine(), TRAP)
unlinked = wamr.Module(wamr.Engine(), UNLINKED)
first = os.open(os.devnull, os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, first + 1))
try:
    import this
    raise SystemExit("a module could be imported")
except OSError:
    pass
for call in (
    lambda: wamr.Instance(wamr.Store(module.engine), module).exports.f(),
    lambda: wamr.Module(module.engine, b"\\0asm\\1\\0\\0\\0\\77\\0"),
    lambda: wamr.Module(module.engine, b"\\x7fELF"),
    lambda: wamr.Instance(wamr.Store(unlinked.engine), unlinked),
    lambda: wamr.Memory(wamr.Store(), MemoryType(Limits(70000))),
    lambda: wamr.Memory(
        wamr.Store(limits=wamr.ResourceLimits(memory_bytes=1)), MemoryType(Limits(1))
    ),
):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, str(error).partition("\\n")[0])
"""


def test_errors_are_raised_without_another_open_file(wat):
    trap = wat('(module (func (export "f") unreachable))')
    unlinked = wat('(module (import "env" "f" (func)))')
    program = f"TRAP, UNLINKED = {trap!r}, {unlinked!r}\n{PROGRAM}"
    found = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()
    assert [line.partition(" ")[0] for line in found] == [
        "Trap",
        "CompileError",
        "CompileError",
        "LinkError",
        "ValueError",
        "MemoryLimitError",
    ]
    assert found[0] == "Trap unreachable"
    assert "env.f" in found[3]
    assert "beyond the limits of the store, ResourceLimits(memory_bytes=1)" in found[5]


# Afterwards Python's own keys must be as before: their numbers are small.
KEYS = """
import ctypes, sys
import _cffi_backend  # which takes a key, too
sys.path[:0] = sys.argv[1:]
create, key = ctypes.CDLL(None).pthread_key_create, ctypes.c_size_t()
while create(ctypes.byref(key), None) == 0:
    pass
try:
    import wamr
except ImportError as error:
    print(error)
import threading
threading.Thread(target=print, args=["done"]).start()
"""


def test_importing_fails_without_another_thread_local_key():
    command = [sys.executable, "-c", KEYS, str(Path(wamr.__file__).parent.parent)]
    found = subprocess.check_output(command, text=True).splitlines()
    assert found == [
        "wamr: the system has no room for the runtime's locks, or no more thread-local keys for it",
        "done",
    ]
