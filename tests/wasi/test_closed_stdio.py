"""WASI programs in a process that has closed its own standard streams, as daemons do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wasm_fixtures

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


# The program has files open while the host looks at its own descriptors.
FILES = """
import ctypes, fcntl, os, sys
ctypes.CFUNCTYPE(None)(print)  # libffi may open its own file now, which stays open
closed = [int(number) for number in sys.argv[1]]
saved = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 10)
for descriptor in closed:
    os.close(descriptor)
try:
    from wasm_fixtures import *
    folder = sys.argv[2]
    wasi = WasiFunctions(dirs={"/w": wamr.Dir(folder, writable=True)})
    def taken():
        found = []
        for descriptor in range(3):
            try:
                os.fstat(descriptor)
                found.append(descriptor)
            except OSError:
                pass
        return found
    expected = [descriptor for descriptor in range(3) if descriptor not in closed]
    error, new = wasi.open("d/new", oflags=CREAT, rights=READ | WRITE | SEEK | FILESTAT_GET)
    assert error == 0, error
    error, old = wasi.open("d/old")
    assert error == 0, error
    error, listed = wasi.open("d", **LISTING)
    assert error == 0, error
    assert taken() == expected, taken()
    for descriptor in (new, old):
        assert wasi.filetype(descriptor) == 4, wasi.filetype(descriptor)  # a regular file
    assert wasi.write(new, b"secret") == 0
    assert wasi.read(old) == b"content"
    for descriptor in closed:  # what the host prints goes nowhere
        try:
            os.write(descriptor, b"text of the host")
        except OSError:
            pass
    snapshot = wamr.Snapshot(wamr.load('(module (memory 1) (data (i32.const 0) "x"))'))
    copy, _ = snapshot.instantiate()
    copy.store.close()
    assert taken() == expected, taken()
    assert open(folder + "/d/new", "rb").read() == b"secret"
    for descriptor in (new, old, listed):
        assert wasi.fd_close(descriptor) == 0
    assert taken() == expected, taken()
except BaseException:
    import traceback
    os.write(saved, traceback.format_exc().encode())
    os._exit(1)
os._exit(77)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", ["", "0", "1", "2", "01", "012"])
def test_files_of_programs_leave_the_numbers_of_stdio_alone(closed, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("content")
    path = [str(Path(wasm_fixtures.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", FILES, closed, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 77, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", ["", "0", "1", "2", "01", "012"])
def test_directories_are_there_whatever_is_closed(closed, tmp_path):
    (tmp_path / "a").write_text("")
    command = [sys.executable, "-c", SCRIPT, closed, str(tmp_path)]
    done = subprocess.run(command, timeout=120, check=False)
    assert done.returncode == 77
