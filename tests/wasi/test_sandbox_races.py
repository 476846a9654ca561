"""Directories of a guest while another guest changes them: each operation, for each exchange.

One guest exchanges what a name refers to all the time: a directory, a link to the outside, a file.
The other guest performs each operation through that name. Whatever the results, nothing outside may
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
from wasm_fixtures import CREAT, DIRECTORY, EXCL, FOLLOW, NOTCAPABLE, READ, TRUNC, WRITE, Guest

import wamr

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about links and descriptors of POSIX"),
]

SECRET = b"the host's secret"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory for the guests (`in`), and next to it files that must not be seen or changed."""
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


def guest_in(tree: Path) -> Guest:
    return Guest(dirs={"/": wamr.Dir(tree, writable=True)})


def swap_link_and_directory(guest: Guest) -> None:
    guest.path_symlink("../out", 3, "l")
    guest.path_rename(3, "l", 3, "x")
    guest.path_unlink_file(3, "x")
    guest.path_create_directory(3, "x")
    guest.path_rename(3, "kept", 3, "x")
    guest.path_rename(3, "x", 3, "kept")
    guest.path_remove_directory(3, "x")


def swap_link_and_file(guest: Guest) -> None:
    guest.path_symlink("../out/secret", 3, "l")
    guest.path_rename(3, "l", 3, "x")
    guest.path_link(3, 0, "file", 3, "f")
    guest.path_rename(3, "f", 3, "x")


def swap_the_target_of_a_link(guest: Guest) -> None:
    for target in ("kept", "../out", "kept/../../out", "y"):
        guest.path_symlink(target, 3, "l")
        guest.path_rename(3, "l", 3, "x")
    guest.path_symlink("x", 3, "y")


SWAPS = [swap_link_and_directory, swap_link_and_file, swap_the_target_of_a_link]


@contextmanager
def meanwhile(swap: Callable[[Guest], None], tree: Path) -> Iterator[None]:
    guest, stop = guest_in(tree), threading.Event()

    def body() -> None:
        while not stop.is_set():
            swap(guest)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def all_operations(guest: Guest, path: str, seen: set[bytes]) -> None:
    for rights, oflags in (
        (READ, 0),
        (READ | WRITE, 0),
        (WRITE, CREAT),
        (WRITE, TRUNC),
        (WRITE, CREAT | EXCL),
        (WRITE, CREAT | TRUNC),
    ):
        error, fd = guest.open(path, rights=rights, oflags=oflags, follow=FOLLOW)
        if error == 0:
            data = guest.read(fd)
            if isinstance(data, bytes):
                seen.add(data)
            guest.write(fd, b"harmless")
            guest.fd_filestat_set_size(fd, 3)
            guest.fd_close(fd)
    for follow in (0, FOLLOW):
        guest.path_filestat_set_times(3, follow, path, 0, 0, 5)
        guest.path_link(3, follow, path, 3, "stolen")
        if guest.path_filestat_get(3, follow, path, guest.OUT) == 0:
            assert guest.u64(guest.OUT + 32) != len(SECRET)
    if guest.path_readlink(3, path, 8192, 100, guest.OUT) == 0:
        seen.add(guest.memory.read(8192, guest.u32()))
    guest.path_create_directory(3, path)
    guest.path_rename(3, path, 3, "stolen")
    guest.path_rename(3, "file", 3, path)
    guest.path_rename(3, "stolen", 3, path)
    guest.path_symlink("file", 3, path)
    guest.path_unlink_file(3, path)
    guest.path_remove_directory(3, path)
    error, fd = guest.open("stolen")
    if error == 0:
        if isinstance(data := guest.read(fd), bytes):
            seen.add(data)
        guest.fd_close(fd)
    guest.path_unlink_file(3, "stolen")


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__)
def test_no_operation_gets_out_while_names_are_turned_around(
    swap: Callable[[Guest], None], tree: Path
) -> None:
    before, guest, seen, rounds = outside(tree), guest_in(tree), set(), 0
    with meanwhile(swap, tree):
        end = time.monotonic() + 1.5
        while time.monotonic() < end or not seen:
            for path in ("x", "x/", "x/secret", "x/secret/", "x/empty", "x/new", "x/../x/secret"):
                all_operations(guest, path, seen)
            guest.open("file", oflags=CREAT, rights=WRITE)
            error, fd = guest.open("x", oflags=DIRECTORY, rights=READ)
            if error == 0:
                guest.fd_close(fd)
            guest.path_create_directory(3, "kept")
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
        guest = guest_in(tree)
        for rights in (READ, WRITE, READ | WRITE):
            assert guest.open("socket", rights=rights)[0] == 58
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert guest.open("file")[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc has links of its own kind")
def test_magic_links_are_no_way_out(tree: Path) -> None:
    with (tree.parent / "out" / "secret").open("rb") as secret:
        guest = Guest(dirs={"/": "/proc/self"})
        ways = ["root", "root/etc/passwd", "cwd", "cwd/x", "exe", f"fd/{secret.fileno()}"]
        for path in ways:
            assert guest.open(path)[0] == NOTCAPABLE, path
            assert guest.path_filestat_get(3, FOLLOW, path, guest.OUT) == NOTCAPABLE, path
        for path in ("root", "cwd", "exe", f"fd/{secret.fileno()}"):
            assert guest.open(path, follow=0)[0] == 32, path
        assert guest.open("stat")[0] == 0
