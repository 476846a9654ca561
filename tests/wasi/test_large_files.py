"""Sizes, positions and times that need more than 32 bits, also where the system's have 32."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

import pytest
from wasm_fixtures import FILESTAT_GET, READ, SEEK, TELL, WRITE, WasiFunctions

import wamr

pytestmark = pytest.mark.usefixtures("wat")

GIB = 1 << 30
SIZE = 5 * GIB
AFTER_2038 = 1 << 33  # seconds; ext4 can keep it


@pytest.fixture
def wasi(tmp_path: Path) -> WasiFunctions:
    """WASI functions with a directory, which has a sparse file of 5 GiB that ends with `end`."""
    with (tmp_path / "large").open("wb") as file:
        try:
            file.truncate(SIZE)
        except OSError as error:
            pytest.skip(f"the file system has no files of 5 GiB: {error}")
        file.seek(SIZE - 3)
        file.write(b"end")
    with contextlib.suppress(OverflowError):  # Python's own times may have 32 bits
        os.utime(tmp_path / "large", (AFTER_2038, AFTER_2038))
    return WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})


def size_and_mtime(wasi: WasiFunctions) -> tuple[int, int]:
    size, _, mtime = struct.unpack("<QQQ", wasi.memory.read(wasi.OUT + 32, 24))
    return size, mtime


def test_the_size_and_the_time_of_a_large_file(wasi: WasiFunctions, tmp_path: Path) -> None:
    kept = (tmp_path / "large").stat()
    assert kept.st_size == SIZE
    assert wasi.path_filestat_get(3, 1, "large", wasi.OUT) == 0
    assert size_and_mtime(wasi) == (SIZE, kept.st_mtime_ns)
    error, fd = wasi.open("large", rights=READ | SEEK | TELL | FILESTAT_GET)
    assert error == 0
    assert wasi.fd_filestat_get(fd, wasi.OUT) == 0
    assert size_and_mtime(wasi) == (SIZE, kept.st_mtime_ns)


def test_positions_beyond_4_gib(wasi: WasiFunctions, tmp_path: Path) -> None:
    error, fd = wasi.open("large", rights=READ | WRITE | SEEK | TELL)
    assert error == 0
    assert wasi.fd_seek(fd, SIZE - 3, 0, wasi.OUT) == 0
    assert wasi.u64() == SIZE - 3
    assert wasi.read(fd) == b"end"
    assert wasi.fd_tell(fd, wasi.OUT) == 0
    assert wasi.u64() == SIZE
    assert wasi.fd_seek(fd, -(4 * GIB + 1), 2, wasi.OUT) == 0
    assert wasi.u64() == GIB - 1
    wasi.memory.write(8192, b"here")
    wasi.memory.write(64, struct.pack("<II", 8192, 4))
    assert wasi.fd_pwrite(fd, 64, 1, 4 * GIB + 7, wasi.OUT) == 0
    with (tmp_path / "large").open("rb") as file:
        file.seek(4 * GIB + 7)
        assert file.read(4) == b"here"
        file.seek(7)
        assert file.read(4) == bytes(4), "the position did not wrap"
