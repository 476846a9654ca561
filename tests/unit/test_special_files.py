"""Named pipes, devices and directories where a file is needed: an error instead of a long wait."""

from __future__ import annotations

import os

import pytest

import wamr
from wamr import Engine, Module, Program, Snapshot
from wamr._base.opening import opened

MODULE = '(module (func (export "_start")))'

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def module():
    return Module(Engine(), MODULE)


LOADS = {
    "load": wamr.load,
    "Module": lambda path: Module(Engine(), path),
    "run": lambda path: wamr.run([path]),
    "Snapshot.load": lambda path: Snapshot.load(path, module()),
    "Program.load": lambda path: Program.load(path, module()),
}
in_each_way = pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)


@in_each_way
def test_a_named_pipe_is_refused(load, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"not a file, but a named pipe or a device: .*pipe'"):
        load(path)


@in_each_way
def test_a_device_is_refused(load, tmp_path):
    (tmp_path / "link").symlink_to("/dev/zero")  # which has no end
    with pytest.raises(OSError, match="not a file, but a named pipe or a device"):
        load(tmp_path / "link")


@in_each_way
def test_a_directory_is_refused(load, tmp_path):
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_a_pipe_of_this_process_is_read():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(MODULE.encode())
    try:
        assert wamr.load(f"/dev/fd/{reading}").exports._start() is None
    finally:
        os.close(reading)


def test_a_file_is_read_in_blocking_mode(tmp_path):
    (tmp_path / "file").write_bytes(b"1")
    with opened(os.fsencode(tmp_path / "file")) as file:
        assert file.read() == b"1"
        assert not file.closed
