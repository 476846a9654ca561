"""One test for each patch of a wrong answer of WAMR's WASI (cmake/patches/wasi/)."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest
import wasm_fixtures
from platforms import needs_system_call_filter
from wasm_fixtures import FOLLOW, READ, WRITE, WasiFunctions, in_process

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about files and descriptors of POSIX"),
]


def test_reading_and_writing_nothing_at_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    error, fd = wasi.open("file", rights=READ | WRITE | wasm_fixtures.SEEK)
    assert error == 0
    for call in (wasi.fd_pread, wasi.fd_pwrite):
        wasi.memory.write(wasi.OUT, b"\xff" * 4)
        assert call(fd, 64, 0, 0, wasi.OUT) == 0
        assert wasi.u32() == 0
        assert call(99, 64, 0, 0, wasi.OUT) == wasm_fixtures.BADF


def test_exclusive_creation_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("target")
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    exclusive = wasm_fixtures.CREAT | wasm_fixtures.EXCL
    assert wasi.open("dangling", oflags=exclusive, rights=WRITE, follow=FOLLOW)[0] == 20
    assert not (tmp_path / "target").exists()
    assert wasi.open("dangling", oflags=wasm_fixtures.CREAT, rights=WRITE, follow=FOLLOW)[0] == 0
    assert (tmp_path / "target").exists()


def test_flags_that_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    for number in (1 << 5, 1 << 15):
        assert wasi.open("file", oflags=number)[0] == wasm_fixtures.INVAL
        assert wasi.open("file", flags=number)[0] == wasm_fixtures.INVAL
    error, fd = wasi.open("file", rights=READ | wasm_fixtures.SET_FLAGS)
    assert error == 0
    assert wasi.fd_fdstat_set_flags(fd, 1 << 5) == wasm_fixtures.INVAL
    assert wasi.fd_fdstat_set_flags(fd, 1) == 0
    assert (
        wasi.open("new", oflags=wasm_fixtures.CREAT | wasm_fixtures.DIRECTORY)[0]
        == wasm_fixtures.INVAL
    )
    assert wasi.names() == {"file"}


@pytest.mark.parametrize("abi", [wasm_fixtures.PREVIEW1, "wasi_unstable"])
def test_numbers_that_are_too_wide_for_flags(abi: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wasi = WasiFunctions(abi=abi, dirs={"/": wamr.Dir(tmp_path, writable=True)})
    error, fd = wasi.open("file", rights=(1 << 29) - 1)
    assert error == 0
    narrow, wide, out = 1 << 8, 1 << 16, wasi.OUT
    answers = {
        "whence": wasi.fd_seek(fd, 0, narrow, out),
        "advice": wasi.fd_advise(fd, 0, 0, narrow),
        "fdflags": wasi.fd_fdstat_set_flags(fd, wide),
        "fstflags": wasi.fd_filestat_set_times(fd, 0, 0, wide),
        "fstflags of a path": wasi.path_filestat_set_times(3, 0, "file", 0, 0, wide),
        "oflags": wasi.open("file", oflags=wide)[0],
        "fdflags of a path": wasi.open("file", flags=wide)[0],
        "lookupflags": wasi.open("file", follow=2)[0],
        "lookupflags of a status": wasi.path_filestat_get(3, 2, "file", out),
        "lookupflags of a link": wasi.path_link(3, 2, "file", 3, "link"),
        "lookupflags of times": wasi.path_filestat_set_times(3, 2, "file", 0, 0, 1),
    }
    assert answers == dict.fromkeys(answers, wasm_fixtures.INVAL)
    assert wasi.names() == {"file"}


def test_a_slash_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dirlink").symlink_to("dir")
    (tmp_path / "dangling").symlink_to("new")
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    assert wasi.open("link/", follow=FOLLOW)[0] == wasm_fixtures.NOTDIR
    assert wasi.open("dirlink/", **wasm_fixtures.LISTING)[0] == 0
    assert wasi.path_unlink_file(3, "link/") == wasm_fixtures.NOTDIR
    assert wasi.path_remove_directory(3, "dirlink/") == wasm_fixtures.NOTDIR
    assert wasi.path_rename(3, "dirlink/", 3, "moved") == wasm_fixtures.NOTDIR
    assert wasi.path_rename(3, "dir", 3, "dirlink/") == wasm_fixtures.NOTDIR
    assert wasi.path_create_directory(3, "dangling/") == wasm_fixtures.NOTDIR
    assert wasi.names() == {"file", "dir", "link", "dirlink", "dangling"}
    assert wasi.path_rename(3, "dir/", 3, "moved/") == 0
    assert wasi.path_remove_directory(3, "moved/") == 0
    assert wasi.path_unlink_file(3, "link") == 0
    assert wasi.names() == {"file", "dirlink", "dangling"}


def test_paths_begin_at_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wasi = WasiFunctions(dirs={"/": tmp_path, "/dev": "/dev"}, stdin=b"")
    for dir_, name in ((3, "file"), (4, "null")):
        error, fd = wasi.open(name, dir=dir_)
        assert error == 0
        for path in ("x", ".", "..", ""):
            assert wasi.open(path, dir=fd)[0] == wasm_fixtures.NOTDIR
            assert wasi.path_filestat_get(fd, 0, path, wasi.OUT) == wasm_fixtures.NOTDIR
        assert wasi.path_create_directory(fd, "x") == wasm_fixtures.NOTDIR
    assert wasi.open("x", dir=0)[0] == wasm_fixtures.NOTDIR
    assert wasi.open("x", dir=99)[0] == wasm_fixtures.BADF
    assert wasi.path_create_directory(3, "x") == wasm_fixtures.NOTCAPABLE


def test_entries_tell_nothing_of_the_host(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / str(i)).mkdir()
    wasi = WasiFunctions(dirs={"/": tmp_path})
    for path in ("", "0/" * 119 + "x", "1", "2/../" * 50):
        if path:  # leaves other bytes on the native stack each time
            wasi.path_filestat_get(3, FOLLOW, path, wasi.OUT)
        assert wasi.fd_readdir(3, 8192, 4096, 0, wasi.OUT) == 0
        data, seen = wasi.memory.read(8192, wasi.u32()), 0
        while data:
            assert data[21:24] == bytes(3)
            data, seen = data[24 + int.from_bytes(data[16:20], "little") :], seen + 1
        assert seen == 22


@pytest.mark.skipif(sys.platform != "linux", reason="limits descriptors as Linux does")
def test_descriptors_remain_for_the_host(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    in_process(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        instances = [WasiFunctions(dirs={"/": sys.argv[1]}) for _ in range(3)]
        opened = []
        for wasi in instances:
            while not (answer := wasi.open("file"))[0]:
                opened.append((wasi, answer[1]))
            assert answer[0] == 41, answer
        assert len(opened) > 150
        mine = [open(sys.argv[1] + "/file") for _ in range(60)]
        assert instances[0].open("file")[0] == 41
        wasi, fd = opened.pop()
        assert wasi.fd_close(fd) == SUCCESS
        assert wasi.open("file")[0] == SUCCESS
        for file in mine:
            file.close()
        assert wasi.open("file")[0] == 41, "those are the host's"
        """,
        tmp_path,
    )


def test_an_instance_has_a_limited_number_of_descriptors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    in_process(
        """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard >= 4096
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        wasi, other = (WasiFunctions(dirs={"/": sys.argv[1]}) for _ in range(2))
        opened = []
        while not (answer := wasi.open("file"))[0]:
            opened.append(answer[1])
        assert answer[0] == 33, answer
        assert len(opened) + 4 == 1024
        assert other.open("file")[0] == SUCCESS
        assert wasi.fd_close(opened.pop()) == SUCCESS
        assert wasi.open("file")[0] == SUCCESS
        assert wasi.open("file")[0] == 33
        """,
        tmp_path,
    )


# Lets fallocate fail with EOPNOTSUPP, as on file systems that lack it.
_WITHOUT_FALLOCATE = """
import ctypes, platform, struct
numbers = {"x86_64": 285, "aarch64": 47, "riscv64": 47, "i686": 324, "armv7l": 352}
number = numbers[platform.machine()]
program = b"".join(struct.pack("HBBI", *line) for line in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 95), (0x06, 0, 0, 0x7FFF0000)])
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("lines", ctypes.c_char_p)]
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0
assert prctl(22, 2, ctypes.byref(Filter(4, program)), 0, 0) == 0, ctypes.get_errno()
"""


@needs_system_call_filter
@pytest.mark.skipif(sys.platform != "linux", reason="filters system calls as Linux does")
def test_allocating_where_the_file_system_cannot(tmp_path: Path) -> None:
    in_process(
        _WITHOUT_FALLOCATE
        + textwrap.dedent("""
        wasi = WasiFunctions(dirs={"/": wamr.Dir(sys.argv[1], writable=True)})
        error, fd = wasi.open("file", oflags=CREAT, rights=WRITE | SEEK | 1 << 8)
        assert error == SUCCESS
        assert wasi.fd_allocate(fd, 0, 1 << 20) == 58
        assert Path(sys.argv[1], "file").stat().st_size == 0
        """),
        tmp_path,
    )
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    error, fd = wasi.open(
        "file", oflags=wasm_fixtures.CREAT, rights=WRITE | wasm_fixtures.SEEK | 1 << 8
    )
    assert error == 0
    assert wasi.fd_allocate(fd, 0, 1 << 20) in (0, 58)
