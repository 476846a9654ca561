"""One test for each patch of WASI's faults (cmake/patches/wasi/); each fails without its patch.

A test that hangs or crashes without its patch runs in a process of its own. To see one fail:
WAMR_WITHOUT_PATCH=name pip install -e ., then run it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import wasm_fixtures
from wasm_fixtures import (
    FOLLOW,
    READ,
    SET_SIZE,
    SET_TIMES,
    WRITE,
    WasiFunctions,
    descriptors,
    exchange_repeatedly,
    in_process,
    program,
)

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about files and descriptors of POSIX"),
]


@pytest.mark.parametrize(
    "text",
    [
        '(func (export "_start"))',
        '(func (export "_start") (param i32))',
        '(func (export "_initialize") (result i32) (i32.const 1))',
        '(import "m" "f" (func (param i32))) (export "_initialize" (func 0))',
        '(import "m" "f" (func (param i32))) (export "_start" (func 0))',
    ],
)
def test_names_of_wasi_are_no_keywords(text: str) -> None:
    wamr.load(f"(module {text})", {"m": {"f": lambda value: None}})


def test_descriptor_renumbered_to_itself() -> None:
    in_process("""
        wasi = WasiFunctions()
        assert wasi.fd_renumber(1, 1) == SUCCESS
        assert wasi.write(1, b"still there") == SUCCESS
        assert wasi.fd_renumber(9, 9) == BADF
    """)


def test_table_grows_after_renumbering(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    in_process(
        """
        wasi = WasiFunctions(dirs={"/": sys.argv[1]})
        _, first = wasi.open("file")
        for _ in range(20):
            error, fd = wasi.open("file")
            assert error == 0 and wasi.fd_renumber(fd, first) == SUCCESS
        opened = {wasi.open("file") for _ in range(100)}
        assert len(opened) == 100 and {error for error, _ in opened} == {0}
        """,
        tmp_path,
    )


def test_listing_a_device() -> None:
    in_process("""
        wasi = WasiFunctions(dirs={"/dev": "/dev"}, stdin="/dev/null")
        error, fd = wasi.open("null", rights=READ | READDIR)
        assert error == 0
        assert wasi.fd_readdir(fd, 8192, 4096, 0, wasi.OUT) == NOTDIR
        assert wasi.fd_readdir(0, 8192, 4096, 0, wasi.OUT) == NOTCAPABLE
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="exchanges files as only Linux can")
def test_link_swapped_in_while_opening(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("secret")
    (inside / "plain").write_text("plain")
    (inside / "link").symlink_to(outside)
    wasi, seen = WasiFunctions(dirs={"/": inside}), set()
    with exchange_repeatedly(inside / "plain", inside / "link"):
        end = time.monotonic() + 0.7
        while time.monotonic() < end or not seen:
            error, fd = wasi.open("plain", follow=FOLLOW)
            if error == 0:
                seen.add(wasi.read(fd))
                wasi.fd_close(fd)
    assert seen == {b"plain"}


def test_opening_asks_for_more_than_there_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wasi = WasiFunctions(dirs={"/": tmp_path})
    error, fd = wasi.open("file", rights=READ | SET_TIMES, inheriting=wasm_fixtures.ALL)
    assert error == 0
    assert wasi.rights(fd)[0] & SET_TIMES == 0
    assert wasi.read(fd) == b"x"
    for much in (WRITE, READ | WRITE, READ | SET_SIZE):
        assert wasi.open("file", rights=much)[0] == wasm_fixtures.NOTCAPABLE


def test_directories_tell_of_writing_so_that_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("x")
    wasi = WasiFunctions(dirs={"/": tmp_path})
    error, sub = wasi.open("sub", oflags=wasm_fixtures.DIRECTORY, **wasm_fixtures.LISTING)
    assert error == 0
    for fd, path in ((3, "sub/file"), (sub, "file")):
        base, told = wasi.rights(fd)
        assert (base & WRITE, told & WRITE) == (0, WRITE)
        # the rights that wasi-libc asks for in open(O_RDWR), and in open(O_RDONLY)
        assert wasi.open(path, dir=fd, rights=(READ | WRITE) & told)[0] == wasm_fixtures.NOTCAPABLE
        error, file = wasi.open(path, dir=fd, rights=READ & told, inheriting=told)
        assert error == 0
        assert wasi.rights(file)[0] & WRITE == 0
        assert wasi.write(file, b"y") == wasm_fixtures.NOTCAPABLE
        # setting the rights that the file has changes nothing
        assert wasi.fd_fdstat_set_rights(fd, base, told) == 0
        assert wasi.open(path, dir=fd, rights=WRITE)[0] == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_fdstat_set_rights(fd, base, told | SET_TIMES) == wasm_fixtures.NOTCAPABLE
    assert (tmp_path / "sub" / "file").read_text() == "x"


def test_links_do_not_ask_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, elsewhere = tmp_path / "inside", tmp_path / "elsewhere"
    inside.mkdir()
    elsewhere.mkdir()
    (elsewhere / "there").write_text("a file in the host's working directory")
    (inside / "there").write_text("another")
    monkeypatch.chdir(elsewhere)
    wasi = WasiFunctions(dirs={"/": wamr.Dir(inside, writable=True)})
    assert wasi.path_symlink("there", 3, "a") == wasm_fixtures.SUCCESS
    assert wasi.path_symlink("not there", 3, "b") == wasm_fixtures.SUCCESS
    assert wasi.path_link(3, 0, "there", 3, "c") == wasm_fixtures.SUCCESS
    before = descriptors()
    for target in ("/etc/passwd", "/not there"):
        assert wasi.path_symlink(target, 3, "d") == wasm_fixtures.NOTCAPABLE
    assert descriptors() == before
    assert wasi.names() == {"there", "a", "b", "c"}


@pytest.mark.skipif(sys.platform != "linux", reason="limits its address space")
def test_opening_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(3 << 30)
    in_process(
        """
        import resource
        wasi = WasiFunctions(dirs={"/": sys.argv[1]})
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), resource.RLIM_INFINITY))
        assert wasi.open("huge")[0] == 0
        """,
        tmp_path,
    )


def test_empty_path_at_the_end_of_the_memory(tmp_path: Path) -> None:
    # Without the patch only UndefinedBehaviorSanitizer reports an error here.
    wasi = WasiFunctions(dirs={"/": tmp_path})
    assert wasi.path_filestat_get(3, 0, 65536, 0, wasi.OUT) == 44
    assert wasi.path_readlink(3, 65536, 0, 65536, 0, wasi.OUT) == 44


def test_an_interruption_during_a_call_comes_before_the_next_one() -> None:
    written: list[bytes] = []

    def write(data: bytes) -> None:
        written.append(bytes(data))
        instance.interrupt()

    text = program("(call $say (i32.const 1024) (i32.const 1))" * 9, "x")
    instance = wamr.load(text, wasi=wamr.WasiConfig(stdout=write))
    with pytest.raises(wamr.Trap, match="interrupted"):
        instance.exports._start()
    assert written == [b"x"]


def test_poll_tells_how_much_can_be_read() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "wb", buffering=0) as writer:
        wasi = WasiFunctions(stdin=ours)
        writer.write(b"hello")
        subscription = bytearray(48)
        subscription[0], subscription[8] = 7, 1  # userdata; fd_read of descriptor 0
        wasi.memory.write(1024, subscription)
        assert wasi.poll_oneoff(1024, 2048, 1, wasi.OUT) == 0
        assert wasi.u32() == 1
        assert wasi.u64(2048) == 7
        assert wasi.u64(2048 + 16) == 5


def test_opening_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    in_process(
        """
        wasi = WasiFunctions(dirs={"/": sys.argv[1]})
        before = set(os.listdir("/dev/fd"))
        for name in ("fifo", "file"):
            error, fd = wasi.open(name)
            assert error == 0
            assert wasi.fd_fdstat_get(fd, wasi.OUT) == 0
            assert wasi.u32(wasi.OUT + 2) & 4 == 0, "it shows as non-blocking"
        for number in set(os.listdir("/dev/fd")) - before:
            try:
                assert not os.get_inheritable(int(number)), number
            except OSError:
                pass  # the listing's own
        """,
        tmp_path,
    )
