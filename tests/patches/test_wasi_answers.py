"""One test for each patch of a wrong answer of WAMR's WASI (cmake/patches/wasi/)."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest
import wasm_fixtures
from wasm_fixtures import FOLLOW, READ, WRITE, Guest, in_process

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about files and descriptors of POSIX"),
]


def test_reading_and_writing_nothing_at_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    guest = Guest(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    error, fd = guest.open("file", rights=READ | WRITE | wasm_fixtures.SEEK)
    assert error == 0
    for call in (guest.fd_pread, guest.fd_pwrite):
        guest.memory.write(guest.OUT, b"\xff" * 4)
        assert call(fd, 64, 0, 0, guest.OUT) == 0
        assert guest.u32() == 0
        assert call(99, 64, 0, 0, guest.OUT) == wasm_fixtures.BADF


def test_exclusive_creation_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("target")
    guest = Guest(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    exclusive = wasm_fixtures.CREAT | wasm_fixtures.EXCL
    assert guest.open("dangling", oflags=exclusive, rights=WRITE, follow=FOLLOW)[0] == 20
    assert not (tmp_path / "target").exists()
    assert guest.open("dangling", oflags=wasm_fixtures.CREAT, rights=WRITE, follow=FOLLOW)[0] == 0
    assert (tmp_path / "target").exists()


def test_flags_that_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    guest = Guest(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    for number in (1 << 5, 1 << 15):
        assert guest.open("file", oflags=number)[0] == wasm_fixtures.INVAL
        assert guest.open("file", flags=number)[0] == wasm_fixtures.INVAL
    error, fd = guest.open("file", rights=READ | wasm_fixtures.SET_FLAGS)
    assert error == 0
    assert guest.fd_fdstat_set_flags(fd, 1 << 5) == wasm_fixtures.INVAL
    assert guest.fd_fdstat_set_flags(fd, 1) == 0
    assert (
        guest.open("new", oflags=wasm_fixtures.CREAT | wasm_fixtures.DIRECTORY)[0]
        == wasm_fixtures.INVAL
    )
    assert guest.names() == {"file"}


def test_a_slash_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dirlink").symlink_to("dir")
    (tmp_path / "dangling").symlink_to("new")
    guest = Guest(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    assert guest.open("link/", follow=FOLLOW)[0] == wasm_fixtures.NOTDIR
    assert guest.open("dirlink/", **wasm_fixtures.LISTING)[0] == 0
    assert guest.path_unlink_file(3, "link/") == wasm_fixtures.NOTDIR
    assert guest.path_remove_directory(3, "dirlink/") == wasm_fixtures.NOTDIR
    assert guest.path_rename(3, "dirlink/", 3, "moved") == wasm_fixtures.NOTDIR
    assert guest.path_rename(3, "dir", 3, "dirlink/") == wasm_fixtures.NOTDIR
    assert guest.path_create_directory(3, "dangling/") == wasm_fixtures.NOTDIR
    assert guest.names() == {"file", "dir", "link", "dirlink", "dangling"}
    assert guest.path_rename(3, "dir/", 3, "moved/") == 0
    assert guest.path_remove_directory(3, "moved/") == 0
    assert guest.path_unlink_file(3, "link") == 0
    assert guest.names() == {"file", "dirlink", "dangling"}


def test_paths_begin_at_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    guest = Guest(dirs={"/": tmp_path, "/dev": "/dev"}, stdin=b"")
    for dir_, name in ((3, "file"), (4, "null")):
        error, fd = guest.open(name, dir=dir_)
        assert error == 0
        for path in ("x", ".", "..", ""):
            assert guest.open(path, dir=fd)[0] == wasm_fixtures.NOTDIR
            assert guest.path_filestat_get(fd, 0, path, guest.OUT) == wasm_fixtures.NOTDIR
        assert guest.path_create_directory(fd, "x") == wasm_fixtures.NOTDIR
    assert guest.open("x", dir=0)[0] == wasm_fixtures.NOTDIR
    assert guest.open("x", dir=99)[0] == wasm_fixtures.BADF
    assert guest.path_create_directory(3, "x") == wasm_fixtures.NOTCAPABLE


def test_entries_tell_nothing_of_the_host(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / str(i)).mkdir()
    guest = Guest(dirs={"/": tmp_path})
    for path in ("", "0/" * 119 + "x", "1", "2/../" * 50):
        if path:  # something else lies on the stack each time
            guest.path_filestat_get(3, FOLLOW, path, guest.OUT)
        assert guest.fd_readdir(3, 8192, 4096, 0, guest.OUT) == 0
        data, seen = guest.memory.read(8192, guest.u32()), 0
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
        guests = [Guest(dirs={"/": sys.argv[1]}) for _ in range(3)]
        opened = []
        for guest in guests:
            while not (answer := guest.open("file"))[0]:
                opened.append((guest, answer[1]))
            assert answer[0] == 41, answer
        assert len(opened) > 150
        mine = [open(sys.argv[1] + "/file") for _ in range(60)]
        assert guests[0].open("file")[0] == 41
        guest, fd = opened.pop()
        assert guest.fd_close(fd) == SUCCESS
        assert guest.open("file")[0] == SUCCESS
        for file in mine:
            file.close()
        assert guest.open("file")[0] == 41, "those are the host's"
        """,
        tmp_path,
    )


def test_a_guest_has_so_many_descriptors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    in_process(
        """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard >= 4096
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        guest, other = (Guest(dirs={"/": sys.argv[1]}) for _ in range(2))
        opened = []
        while not (answer := guest.open("file"))[0]:
            opened.append(answer[1])
        assert answer[0] == 33, answer
        assert len(opened) + 4 == 1024
        assert other.open("file")[0] == SUCCESS
        assert guest.fd_close(opened.pop()) == SUCCESS
        assert guest.open("file")[0] == SUCCESS
        assert guest.open("file")[0] == 33
        """,
        tmp_path,
    )


# Makes fallocate return EOPNOTSUPP, as on file systems without it.
_WITHOUT_FALLOCATE = """
import ctypes, platform, struct
number = {"x86_64": 285, "aarch64": 47}[platform.machine()]
program = b"".join(struct.pack("HBBI", *line) for line in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 95), (0x06, 0, 0, 0x7FFF0000)])
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("lines", ctypes.c_char_p)]
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0
assert prctl(22, 2, ctypes.byref(Filter(4, program)), 0, 0) == 0, ctypes.get_errno()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="filters system calls as Linux does")
def test_allocating_where_the_file_system_cannot(tmp_path: Path) -> None:
    in_process(
        _WITHOUT_FALLOCATE
        + textwrap.dedent("""
        guest = Guest(dirs={"/": wamr.Dir(sys.argv[1], writable=True)})
        error, fd = guest.open("file", oflags=CREAT, rights=WRITE | SEEK | 1 << 8)
        assert error == SUCCESS
        assert guest.fd_allocate(fd, 0, 1 << 20) == 58
        assert Path(sys.argv[1], "file").stat().st_size == 0
        """),
        tmp_path,
    )
    guest = Guest(dirs={"/": wamr.Dir(tmp_path, writable=True)})
    error, fd = guest.open(
        "file", oflags=wasm_fixtures.CREAT, rights=WRITE | wasm_fixtures.SEEK | 1 << 8
    )
    assert error == 0
    assert guest.fd_allocate(fd, 0, 1 << 20) in (0, 58)
