"""`wasi_unstable`, WASI's snapshot 0, with its own ABI.

No engine of the tests supports it any more. So the results of its four differing functions are
compared field by field with those of preview 1 for the same file, and with the layout in the
specification of snapshot 0.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest
import wasm_fixtures
from capi_fixtures import CApiWasiFunctions
from wasm_fixtures import FILESTAT_GET, INVAL, READ, SEEK, TELL, UNSTABLE, WasiFunctions

import wamr

pytestmark = pytest.mark.usefixtures("wat")

NEW, OLD = "<QQB7xQQQQQ", "<QQB3xIQQQQ"  # a filestat: device, inode, type, links, size, times
FIELDS = ("dev", "ino", "filetype", "nlink", "size", "atim", "mtim", "ctim")


def pair(tmp_path: Path) -> tuple[WasiFunctions, WasiFunctions]:
    (tmp_path / "file").write_bytes(b"0123456789")
    os.link(tmp_path / "file", tmp_path / "again")
    os.link(tmp_path / "file", tmp_path / "and again")
    return WasiFunctions(dirs={"/": tmp_path}), WasiFunctions(abi=UNSTABLE, dirs={"/": tmp_path})


def opened(wasi: WasiFunctions) -> int:
    error, fd = wasi.open("file", rights=READ | SEEK | TELL | FILESTAT_GET)
    assert error == 0
    return fd


def test_layouts() -> None:
    assert (struct.calcsize(NEW), struct.calcsize(OLD)) == (64, 56)


# ------------------------------------------------------------------ fd_seek
def test_seeking(tmp_path: Path) -> None:
    new, old = pair(tmp_path)
    for wasi, (set_, cur, end) in ((new, (0, 1, 2)), (old, (2, 0, 1))):
        fd = opened(wasi)
        for offset, whence, wanted in (
            (3, set_, 3),
            (4, cur, 7),
            (-2, cur, 5),
            (0, cur, 5),
            (3, end, 13),
            (-10, end, 0),
        ):
            assert wasi.fd_seek(fd, offset, whence, wasi.OUT) == 0
            assert wasi.u64() == wanted, (offset, whence)
            assert wasi.fd_tell(fd, wasi.OUT) == 0
            assert wasi.u64() == wanted
        assert wasi.fd_seek(fd, -1, set_, wasi.OUT) == INVAL
        for whence in (3, 100, 255):
            assert wasi.fd_seek(fd, 0, whence, wasi.OUT) == INVAL
        assert wasi.fd_seek(99, 0, set_, wasi.OUT) == wasm_fixtures.BADF
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            wasi.fd_seek(fd, 0, set_, 65529)


def test_asking_where_one_is_needs_less_than_seeking(tmp_path: Path) -> None:
    _, old = pair(tmp_path)
    error, fd = old.open("file", rights=READ | TELL)
    assert error == 0
    assert old.fd_seek(fd, 0, 0, old.OUT) == 0
    assert old.fd_seek(fd, 0, 2, old.OUT) == wasm_fixtures.NOTCAPABLE


# ------------------------------------------------------------------ filestats
def stats(wasi: WasiFunctions, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, wasi.memory.read(wasi.OUT, struct.calcsize(layout)))


def test_filestats(tmp_path: Path) -> None:
    found = []
    for wasi, layout in zip(pair(tmp_path), (NEW, OLD), strict=True):
        fd = opened(wasi)
        wasi.memory.write(wasi.OUT, b"\xee" * 80)
        assert wasi.fd_filestat_get(fd, wasi.OUT) == 0
        found.append(dict(zip(FIELDS, stats(wasi, layout), strict=True)))
        size = struct.calcsize(layout)
        assert wasi.memory.read(wasi.OUT + size, 16) == b"\xee" * 16, "beyond the struct"
        wasi.memory.write(wasi.OUT, b"\xee" * 80)
        assert wasi.path_filestat_get(3, 1, "file", wasi.OUT) == 0
        found.append(dict(zip(FIELDS, stats(wasi, layout), strict=True)))
        assert wasi.memory.read(wasi.OUT + size, 16) == b"\xee" * 16
    assert found[0] == found[1] == found[2] == found[3]
    wanted = {"filetype": 4, "nlink": 3, "size": 10, "ino": (tmp_path / "file").stat().st_ino}
    assert {field: found[3][field] for field in wanted} == wanted
    assert found[3]["mtim"] == (tmp_path / "file").stat().st_mtime_ns


def test_filestats_that_can_not_be(tmp_path: Path) -> None:
    _, old = pair(tmp_path)
    fd = opened(old)
    assert old.fd_filestat_get(99, old.OUT) == wasm_fixtures.BADF
    assert old.path_filestat_get(3, 1, "no such", old.OUT) == 44
    assert old.path_filestat_get(fd, 1, "file", old.OUT) == wasm_fixtures.NOTDIR
    # A filestat of preview 1 has 64 bytes, which would not fit.
    assert old.fd_filestat_get(fd, 65536 - 56) == 0
    assert old.path_filestat_get(3, 1, "file", 65536 - 56) == 0
    for call in (
        lambda: old.fd_filestat_get(fd, 65536 - 55),
        lambda: old.path_filestat_get(3, 1, "file", 65536 - 55),
    ):
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            call()


# ------------------------------------------------------------------ poll_oneoff
def clock(userdata: int, clock_id: int, timeout: int, flags: int = 0) -> bytes:
    return struct.pack("<QB7xQI4xQQH6x", userdata, 0, 0xDEAD, clock_id, timeout, 0, flags)


def descriptor(userdata: int, kind: int, fd: int) -> bytes:
    return struct.pack("<QB7xI36x", userdata, kind, fd)


def polled(wasi: WasiFunctions, *subscriptions: bytes) -> list[tuple[int, int, int]] | int:
    """Return userdata, errno and type of each event, or the errno."""
    assert {len(item) for item in subscriptions} <= {56}
    wasi.memory.write(1024, b"".join(subscriptions))
    error: int = wasi.poll_oneoff(1024, 8192, len(subscriptions), wasi.OUT)
    if error:
        return error
    events = wasi.memory.read(8192, 32 * wasi.u32())
    return [struct.unpack_from("<QHB", events, at) for at in range(0, len(events), 32)]


def test_polling() -> None:
    ours, theirs = os.pipe()
    try:
        wasi = WasiFunctions(abi=UNSTABLE, stdin=ours, stdout=lambda data: None)
        assert polled(wasi, clock(7, 1, 1_000_000)) == [(7, 0, 0)]
        assert polled(wasi, clock(7, 0, 1, flags=1)) == [(7, 0, 0)]
        later = clock(8, 1, 1 << 60)
        assert polled(wasi, descriptor(1, 1, 0), clock(7, 1, 1_000_000), later) == [(7, 0, 0)]
        assert polled(wasi, later, descriptor(2, 2, 1)) == [(2, 0, 2)]
        os.write(theirs, b"x")
        assert polled(wasi, later, descriptor(1, 1, 0)) == [(1, 0, 1)]
        assert polled(wasi, later, descriptor(5, 1, 99)) == [(5, wasm_fixtures.BADF, 1)]
        assert wasi.read(0) == b"x"
        begin = WasiFunctions(abi=UNSTABLE)
        assert begin.clock_time_get(1, 0, begin.OUT) == 0
        before = begin.u64()
        assert polled(begin, clock(9, 1, before + 20_000_000, flags=1)) == [(9, 0, 0)]
        assert begin.clock_time_get(1, 0, begin.OUT) == 0
        assert begin.u64() >= before + 20_000_000
    finally:
        os.close(ours)
        os.close(theirs)


def test_polls_that_can_not_be() -> None:
    wasi = WasiFunctions(abi=UNSTABLE)
    assert polled(wasi) == INVAL
    assert polled(wasi, clock(1, 4, 1)) == INVAL
    assert polled(wasi, clock(1, 1, 1, flags=2)) == INVAL
    assert polled(wasi, descriptor(1, 3, 0)) == INVAL
    wasi.memory.write(65536 - 56, clock(1, 1, 1))
    assert wasi.poll_oneoff(65536 - 56, 8192, 1, wasi.OUT) == 0
    for at, events, count in (
        (65536 - 55, 8192, 1),
        (65536 - 56, 8192, 2),
        (1024, 65536 - 31, 1),
        (1024, 8192, 0x10000000),
    ):
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            wasi.poll_oneoff(at, events, count, wasi.OUT)


# ------------------------------------------------------------------ functions of preview 1
def test_everything_else_is_the_same(tmp_path: Path) -> None:
    for wasi in pair(tmp_path):
        assert wasi.names() == {"file", "again", "and again"}
        fd = opened(wasi)
        assert wasi.read(fd, 4) == b"0123"
        assert wasi.rights(fd) == (READ | SEEK | TELL | FILESTAT_GET, 0)
        assert wasi.filetype(fd) == 4
        assert wasi.fd_prestat_get(3, wasi.OUT) == 0
        assert wasi.memory.read(wasi.OUT, 8) == struct.pack("<II", 0, 1)
        assert wasi.clock_time_get(9, 0, wasi.OUT) == INVAL
        assert wasi.random_get(wasi.OUT, 8) == 0
        assert wasi.fd_close(fd) == 0
        with pytest.raises(wamr.ExitTrap) as caught:
            wasi.proc_exit(7)
        assert caught.value.exit_code == 7


def test_one_module_may_import_both(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    seek = "(func ${} (param i32 i64 i32 i32) (result i32))"
    source = f"""(module
        (import "wasi_unstable" "fd_seek" {seek.format("old")})
        (import "wasi_snapshot_preview1" "fd_seek" {seek.format("new")})
        (import "wasi_unstable" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_get"
            (func $stat1 (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "seek") (param i64 i32 i32) (result i64)
            (if (local.get 2)
                (then (drop (call $old (i32.const 0) (local.get 0) (local.get 1) (i32.const 8))))
                (else (drop (call $new (i32.const 0) (local.get 0) (local.get 1) (i32.const 8)))))
            (i64.load (i32.const 8)))
        (func (export "stats") (result i32)
            (i32.or
                (call $stat (i32.const 0) (i32.const 64))
                (call $stat1 (i32.const 0) (i32.const 256)))))"""
    with (tmp_path / "file").open("rb") as file:
        exports = wamr.load(source, wasi=wamr.WasiConfig(stdin=file)).exports
        assert exports.seek(3, 2, 1) == 3  # SET
        assert exports.seek(3, 2, 0) == 13  # END
        assert exports.seek(3, 0, 1) == 16  # CUR
        assert exports.seek(3, 0, 0) == 3  # SET
        assert exports.stats() == 0
        old = struct.unpack(OLD, exports.memory.read(64, 56))
        assert old == struct.unpack(NEW, exports.memory.read(256, 64))
        assert old[4] == 10


def test_a_program_runs() -> None:
    text = wasm_fixtures.program("(call $say (i32.const 1024) (i32.const 6))", "hello\\n")
    done = wamr.run([text.replace(wasm_fixtures.PREVIEW1, UNSTABLE)], capture_output=True)
    assert done.stdout == b"hello\n"


# ------------------------------------------------------------------ the C API
def test_the_c_api(wat: Any) -> None:
    wasi = CApiWasiFunctions(wat, UNSTABLE)
    try:
        memory = wasi.memory()
        assert wasi.call("fd_filestat_get", 1, 64) == 0
        old = struct.unpack(OLD, memory[64 : 64 + 56])
        assert old[1] == os.fstat(1).st_ino
        assert old[5] == os.fstat(1).st_atime_ns
        memory[1024 : 1024 + 56] = clock(7, 1, 1000)
        assert wasi.call("poll_oneoff", 1024, 2048, 1, 512) == 0
        assert struct.unpack_from("<QHB", memory, 2048) == (7, 0, 0)
        assert wasi.call("poll_oneoff", 1024, 2048, 0, 512) == INVAL
    finally:
        wasi.close()
