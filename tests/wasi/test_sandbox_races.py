"""Directories of a program while another changes them: each operation, for each exchange.

One wasi exchanges what a name refers to all the time: a directory, a link to the outside, a file.
The other wasi performs each operation through that name. Whatever the results, nothing outside may
change or be seen.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wasm_fixtures import (
    CREAT,
    DIRECTORY,
    EXCL,
    FOLLOW,
    NOTCAPABLE,
    READ,
    TRUNC,
    WRITE,
    WasiFunctions,
)

import wamr

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about links and descriptors of POSIX"),
]

SECRET = b"the host's secret"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory for programs (`in`), and next to it files that they must not reach."""
    (tmp_path / "in" / "kept").mkdir(parents=True)
    (tmp_path / "in" / "kept" / "secret").write_bytes(b"harmless")
    (tmp_path / "in" / "file").write_bytes(b"harmless")
    (tmp_path / "out" / "empty").mkdir(parents=True)
    (tmp_path / "out" / "secret").write_bytes(SECRET)
    return tmp_path / "in"


def outside(tree: Path) -> list[tuple[str, int, int, bytes]]:
    found = []
    for path in sorted((tree.parent / "out").rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found.append((str(path), status.st_mtime_ns, status.st_nlink, content))
    return found


def wasi_functions(tree: Path) -> WasiFunctions:
    return WasiFunctions(dirs={"/": wamr.Dir(tree, writable=True)})


def swap_link_and_directory(wasi: WasiFunctions) -> None:
    wasi.path_symlink("../out", 3, "l")
    wasi.path_rename(3, "l", 3, "x")
    wasi.path_unlink_file(3, "x")
    wasi.path_create_directory(3, "x")
    wasi.path_rename(3, "kept", 3, "x")
    wasi.path_rename(3, "x", 3, "kept")
    wasi.path_remove_directory(3, "x")


def swap_link_and_file(wasi: WasiFunctions) -> None:
    wasi.path_symlink("../out/secret", 3, "l")
    wasi.path_rename(3, "l", 3, "x")
    wasi.path_link(3, 0, "file", 3, "f")
    wasi.path_rename(3, "f", 3, "x")


def swap_the_target_of_a_link(wasi: WasiFunctions) -> None:
    for target in ("kept", "../out", "kept/../../out", "y"):
        wasi.path_symlink(target, 3, "l")
        wasi.path_rename(3, "l", 3, "x")
    wasi.path_symlink("x", 3, "y")


SWAPS = [swap_link_and_directory, swap_link_and_file, swap_the_target_of_a_link]


@contextmanager
def meanwhile(swap: Callable[[WasiFunctions], None], tree: Path) -> Iterator[None]:
    wasi, stop = wasi_functions(tree), threading.Event()

    def body() -> None:
        while not stop.is_set():
            swap(wasi)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def all_operations(wasi: WasiFunctions, path: str, seen: set[bytes]) -> None:
    for rights, oflags in (
        (READ, 0),
        (READ | WRITE, 0),
        (WRITE, CREAT),
        (WRITE, TRUNC),
        (WRITE, CREAT | EXCL),
        (WRITE, CREAT | TRUNC),
    ):
        error, fd = wasi.open(path, rights=rights, oflags=oflags, follow=FOLLOW)
        if error == 0:
            data = wasi.read(fd)
            if isinstance(data, bytes):
                seen.add(data)
            wasi.write(fd, b"harmless")
            wasi.fd_filestat_set_size(fd, 3)
            wasi.fd_close(fd)
    for follow in (0, FOLLOW):
        wasi.path_filestat_set_times(3, follow, path, 0, 0, 5)
        wasi.path_link(3, follow, path, 3, "stolen")
        if wasi.path_filestat_get(3, follow, path, wasi.OUT) == 0:
            assert wasi.u64(wasi.OUT + 32) != len(SECRET)
    if wasi.path_readlink(3, path, 8192, 100, wasi.OUT) == 0:
        seen.add(wasi.memory.read(8192, wasi.u32()))
    wasi.path_create_directory(3, path)
    wasi.path_rename(3, path, 3, "stolen")
    wasi.path_rename(3, "file", 3, path)
    wasi.path_rename(3, "stolen", 3, path)
    wasi.path_symlink("file", 3, path)
    wasi.path_unlink_file(3, path)
    wasi.path_remove_directory(3, path)
    error, fd = wasi.open("stolen")
    if error == 0:
        if isinstance(data := wasi.read(fd), bytes):
            seen.add(data)
        wasi.fd_close(fd)
    wasi.path_unlink_file(3, "stolen")


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__)
def test_no_operation_gets_out_while_names_are_turned_around(
    swap: Callable[[WasiFunctions], None], tree: Path
) -> None:
    before, wasi, seen, rounds = outside(tree), wasi_functions(tree), set(), 0
    with meanwhile(swap, tree):
        end = time.monotonic() + 1.5
        while time.monotonic() < end or not seen:
            for path in ("x", "x/", "x/secret", "x/secret/", "x/empty", "x/new", "x/../x/secret"):
                all_operations(wasi, path, seen)
            wasi.open("file", oflags=CREAT, rights=WRITE)
            error, fd = wasi.open("x", oflags=DIRECTORY, rights=READ)
            if error == 0:
                wasi.fd_close(fd)
            wasi.path_create_directory(3, "kept")
            rounds += 1
    assert rounds
    assert outside(tree) == before
    assert seen
    assert all(SECRET not in data and b"passwd" not in data for data in seen)


def test_what_is_outside_is_really_in_reach(tree: Path) -> None:
    """The same operation by the host escapes, so the test would notice it."""
    before = outside(tree)
    (tree / "x").symlink_to("../out")
    (tree / "x" / "secret").write_bytes(b"changed")
    assert outside(tree) != before


# ------------------------------------------------------------------ special files
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets with a name")
def test_a_socket_in_a_directory_is_no_way_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        listener.listen()
        wasi = wasi_functions(tree)
        for rights in (READ, WRITE, READ | WRITE):
            assert wasi.open("socket", rights=rights)[0] == 58
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert wasi.open("file")[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc has links of its own kind")
def test_magic_links_are_no_way_out(tree: Path) -> None:
    with (tree.parent / "out" / "secret").open("rb") as secret:
        wasi = WasiFunctions(dirs={"/": "/proc/self"})
        ways = ["root", "root/etc/passwd", "cwd", "cwd/x", "exe", f"fd/{secret.fileno()}"]
        for path in ways:
            assert wasi.open(path)[0] == NOTCAPABLE, path
            assert wasi.path_filestat_get(3, FOLLOW, path, wasi.OUT) == NOTCAPABLE, path
        for path in ("root", "cwd", "exe", f"fd/{secret.fileno()}"):
            assert wasi.open(path, follow=0)[0] == 32, path
        assert wasi.open("stat")[0] == 0
