"""WASI programs in a process that has closed its own standard streams, as daemons do."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The program opens a file in its directory, and prints the type of the directory, 3, as a digit.
SCRIPT = """
import os, sys
for descriptor in map(int, sys.argv[1]):
    os.close(descriptor)
import wamr
TEXT = '''(module
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 200) "a")
  (func (export "_start")
    (if (call $stat (i32.const 3) (i32.const 0)) (then (unreachable)))
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 200) (i32.const 1) (i32.const 0)
          (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 96)) (then (unreachable)))
    (i32.store8 (i32.const 100) (i32.add (i32.const 48) (i32.load8_u (i32.const 0))))
    (i32.store (i32.const 64) (i32.const 100))
    (i32.store (i32.const 68) (i32.const 1))
    (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 80)))))'''
module = wamr.Module(wamr.Engine(), TEXT)
done = [wamr.run([module], dirs={"/w": dir}, stdout=-1).stdout for dir in ({"a": b""}, sys.argv[2])]
os._exit(77 if done == [b"3", b"3"] else 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", ["", "0", "1", "2", "01", "012"])
def test_directories_are_there_whatever_is_closed(closed, tmp_path):
    (tmp_path / "a").write_text("")
    command = [sys.executable, "-c", SCRIPT, closed, str(tmp_path)]
    done = subprocess.run(command, timeout=120, check=False)
    assert done.returncode == 77
