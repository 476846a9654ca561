"""Directories of a program: allowed operations, and attempts to escape."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import wasm_fixtures
from sandboxed_trees import SECRET, content, make_tree, snapshot
from wasm_fixtures import (
    CREAT,
    DIRECTORY,
    EXCL,
    FOLLOW,
    NOTCAPABLE,
    READ,
    SUCCESS,
    TRUNC,
    WRITE,
    WasiFunctions,
    exchange_repeatedly,
)

from wamr import Dir

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about links and descriptors of POSIX"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory for the program (`in`), and next to it files that it must never see."""
    inside = make_tree(tmp_path)
    (inside / "link").symlink_to("file")
    (inside / "sub" / "up").symlink_to("../file")
    (inside / "circle").symlink_to("circle")
    (inside / "out").symlink_to("../secret")
    (inside / "absolute").symlink_to(tmp_path / "secret")
    (inside / "outdir").symlink_to("..")
    (inside / "rootdir").symlink_to("/")
    (inside / "dangling").symlink_to("../made by the program")
    return inside


# ------------------------------------------------------------------ allowed operations
def test_reading(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/data": tree, "other name": str(tree / "sub")})
    assert wasi.fd_prestat_get(3, wasi.OUT) == 0
    assert (wasi.u32(), wasi.u32(wasi.OUT + 4)) == (0, 5)
    assert wasi.fd_prestat_dir_name(3, 1024, 5) == 0
    assert wasi.memory.read(1024, 5) == b"/data"
    assert wasi.fd_prestat_dir_name(4, 1024, 10) == 0
    assert wasi.memory.read(1024, 10) == b"other name"
    assert wasi.fd_prestat_get(5, wasi.OUT) == wasm_fixtures.BADF
    for path in ("file", "link", "./file", "sub/../file", "sub/up", "sub/deep/../../link"):
        assert content(wasi, path) == b"content"
    assert content(wasi, "deep/file", dir=4) == b"deep content"
    assert content(wasi, "up", dir=4) == NOTCAPABLE  # the link leads out of directory 4
    assert wasi.names(4) == {"deep", "up"}
    error, fd = wasi.open("sub", oflags=DIRECTORY, **wasm_fixtures.LISTING)
    assert error == 0
    assert content(wasi, "deep/file", dir=fd) == b"deep content"
    assert wasi.path_filestat_get(3, FOLLOW, "link", wasi.OUT) == 0
    assert wasi.u64(wasi.OUT + 32) == 7
    assert wasi.path_readlink(3, "link", 8192, 100, wasi.OUT) == 0
    assert wasi.memory.read(8192, wasi.u32()) == b"file"
    assert content(wasi, "nothing") == 44
    assert content(wasi, "") == 44
    assert content(wasi, "file/") == wasm_fixtures.NOTDIR
    assert content(wasi, "fi\0le") == 25


def test_names_may_be_any(tmp_path: Path) -> None:
    for name in ("with space", "é", "a::b", "x" * 200):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        wasi = WasiFunctions(dirs={f"/{name}": tmp_path / name})
        assert content(wasi, "file") == name.encode()
        assert wasi.fd_prestat_get(3, wasi.OUT) == 0
        assert wasi.u32(wasi.OUT + 4) == len(name.encode()) + 1
    raw = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(raw)).mkdir()
    WasiFunctions(dirs={"/": os.fsdecode(raw)})


def test_relative_paths_mean_the_directory_of_then(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wamr

    monkeypatch.chdir(tree)
    config = wamr.WasiConfig(dirs={"/": "sub"})
    monkeypatch.chdir("/")
    wamr.load(wasm_fixtures.wrapper_module(), wasi=config)


def test_writing_where_it_is_allowed(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("new", oflags=CREAT | EXCL, rights=READ | WRITE | wasm_fixtures.SEEK)
    assert error == 0
    assert wasi.write(fd, b"written") == 0
    assert (tree / "new").read_text() == "written"
    assert wasi.open("new", oflags=CREAT | EXCL, rights=WRITE)[0] == 20
    assert wasi.path_create_directory(3, "newdir") == 0
    assert wasi.path_rename(3, "new", 3, "newdir/moved") == 0
    assert (tree / "newdir" / "moved").read_text() == "written"
    assert wasi.path_link(3, 0, "newdir/moved", 3, "hard") == 0
    assert (tree / "hard").stat().st_nlink == 2
    assert wasi.path_unlink_file(3, "newdir/moved") == 0
    assert wasi.path_remove_directory(3, "newdir") == 0
    assert wasi.path_symlink("file", 3, "soft") == 0
    assert content(wasi, "soft") == b"content"
    assert wasi.path_filestat_set_times(3, 0, "file", 0, 10**9, 4) == 0
    assert (tree / "file").stat().st_mtime == 1
    assert wasi.open("file", oflags=TRUNC, rights=WRITE)[0] == 0
    assert (tree / "file").read_text() == ""


# ------------------------------------------------------------------ read-only directories
ATTEMPTS: dict[str, Callable[[WasiFunctions], int]] = {
    "write": lambda g: g.open("file", rights=WRITE)[0],
    "read and write": lambda g: g.open("file", rights=READ | WRITE)[0],
    "write through a link": lambda g: g.open("link", rights=WRITE)[0],
    "allocate": lambda g: g.open("file", rights=READ | 1 << 8)[0],
    "set the size": lambda g: g.open("file", rights=READ | wasm_fixtures.SET_SIZE)[0],
    "create": lambda g: g.open("new", oflags=CREAT)[0],
    "create in a subdirectory": lambda g: g.open("sub/new", oflags=CREAT)[0],
    "create through a dangling link": lambda g: g.open("dangling", oflags=CREAT)[0],
    "truncate": lambda g: g.open("file", oflags=TRUNC)[0],
    "truncate without any right": lambda g: g.open("file", oflags=TRUNC, rights=0)[0],
    "make a directory": lambda g: g.path_create_directory(3, "new"),
    "remove a directory": lambda g: g.path_remove_directory(3, "sub/deep"),
    "unlink": lambda g: g.path_unlink_file(3, "file"),
    "rename": lambda g: g.path_rename(3, "file", 3, "new"),
    "rename into the writable one": lambda g: g.path_rename(3, "file", 4, "new"),
    "rename out of the writable one": lambda g: g.path_rename(4, "w", 3, "new"),
    "symlink": lambda g: g.path_symlink("file", 3, "new"),
    "link": lambda g: g.path_link(3, 0, "file", 3, "new"),
    "link into the writable one": lambda g: g.path_link(3, 0, "file", 4, "new"),
    "link out of the writable one": lambda g: g.path_link(4, 0, "w", 3, "new"),
    "set times": lambda g: g.path_filestat_set_times(3, 0, "file", 0, 0, 8),
    "set times of the directory": lambda g: g.fd_filestat_set_times(3, 0, 0, 8),
    "ask for more rights": lambda g: g.fd_fdstat_set_rights(
        3, wasm_fixtures.ALL, wasm_fixtures.ALL
    ),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_changes_in_a_read_only_directory(attempt: str, tree: Path) -> None:
    writable = tree.parent / "writable"
    writable.mkdir()
    (writable / "w").write_text("w")
    wasi = WasiFunctions(dirs={"/": tree, "/w": Dir(writable, writable=True)})
    before = snapshot(tree)
    assert ATTEMPTS[attempt](wasi) == NOTCAPABLE
    assert snapshot(tree) == before


@pytest.mark.parametrize(
    "rights", [READ, wasm_fixtures.ALL & ~(WRITE | 1 << 8 | wasm_fixtures.SET_SIZE)]
)
def test_a_file_opened_for_reading_stays_as_it_is(rights: int, tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": tree})
    before = snapshot(tree)
    error, fd = wasi.open("file", rights=rights, inheriting=wasm_fixtures.ALL)
    assert error == 0
    assert wasi.write(fd, b"x") == NOTCAPABLE
    assert wasi.fd_pwrite(fd, 64, 1, 0, wasi.OUT) == NOTCAPABLE
    assert wasi.fd_allocate(fd, 0, 1000) == NOTCAPABLE
    assert wasi.fd_filestat_set_size(fd, 0) == NOTCAPABLE
    assert wasi.fd_filestat_set_times(fd, 0, 0, 8) == NOTCAPABLE
    assert wasi.fd_fdstat_set_rights(fd, wasm_fixtures.ALL, 0) == NOTCAPABLE
    assert snapshot(tree) == before


def test_a_subdirectory_opened_is_read_only_too(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": tree})
    before = snapshot(tree)
    error, fd = wasi.open(
        "sub",
        oflags=DIRECTORY,
        rights=wasm_fixtures.ALL & ~(WRITE | 1 << 8 | wasm_fixtures.SET_SIZE),
        inheriting=wasm_fixtures.ALL,
    )
    assert error == 0
    assert wasi.open("new", dir=fd, oflags=CREAT, rights=WRITE)[0] == NOTCAPABLE
    assert wasi.open("deep/file", dir=fd, rights=WRITE)[0] == NOTCAPABLE
    assert wasi.path_create_directory(fd, "new") == NOTCAPABLE
    assert wasi.fd_renumber(fd, 3) == 0
    assert wasi.path_create_directory(3, "new") == NOTCAPABLE
    assert snapshot(tree) == before


# ------------------------------------------------------------------ attempts to escape
WAYS_OUT = [
    "..",
    "../secret",
    "/etc/passwd",
    "/",
    "//etc/passwd",
    "sub/../../secret",
    "sub/deep/../../../secret",
    "./../secret",
    "out",
    "absolute",
    "outdir/secret",
    "outdir/in/../secret",
    "rootdir/etc/passwd",
    "link/../../secret",
    "dangling",
    "circle",
]


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("path", WAYS_OUT)
def test_paths_that_lead_out(path: str, writable: bool, tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=writable)})
    before = snapshot(tree)
    refused = {NOTCAPABLE, 32, wasm_fixtures.NOTDIR}  # 32: too many links
    assert wasi.open(path, rights=READ)[0] in refused
    assert wasi.path_filestat_get(3, FOLLOW, path, wasi.OUT) in refused
    if writable:
        assert wasi.open(path, rights=WRITE, oflags=TRUNC)[0] in refused
        assert wasi.open(path, rights=WRITE, oflags=CREAT)[0] in refused
        assert wasi.path_filestat_set_times(3, FOLLOW, path, 0, 0, 8) in refused
    if "/" in path:  # without a slash, readlink reads the link itself
        assert wasi.path_readlink(3, path, 8192, 100, wasi.OUT) in {*refused, wasm_fixtures.INVAL}
    if writable and "/" in path:
        assert wasi.path_unlink_file(3, path) in refused
        assert wasi.path_rename(3, path, 3, "stolen") in refused
        assert wasi.path_link(3, 0, path, 3, "stolen") in refused
        assert wasi.path_rename(3, "file", 3, path) in refused
        assert wasi.path_create_directory(3, path) in refused
    assert snapshot(tree) == before


def test_a_link_is_not_followed_unless_asked(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    for path in ("link", "out", "absolute", "dangling"):
        for oflags in (0, CREAT, TRUNC):
            assert wasi.open(path, follow=0, oflags=oflags, rights=READ | WRITE)[0] == 32
    assert wasi.path_filestat_get(3, 0, "out", wasi.OUT) == 0
    assert wasi.memory[wasi.OUT + 16] == 7  # the link itself
    assert (tree.parent / "secret").read_text() == SECRET


def test_links_made_by_the_program_do_not_lead_out(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    for i, target in enumerate(("../secret", "sub/../../secret", "..")):
        assert wasi.path_symlink(target, 3, f"l{i}") == SUCCESS
        assert content(wasi, f"l{i}") == NOTCAPABLE
        assert content(wasi, f"l{i}/secret") in (NOTCAPABLE, wasm_fixtures.NOTDIR)
    assert wasi.path_symlink("/etc/passwd", 3, "l3") == NOTCAPABLE
    assert wasi.path_link(3, FOLLOW, "out", 3, "hard") == NOTCAPABLE
    assert wasi.path_link(3, 0, "out", 3, "hard") == SUCCESS  # a hard link to the link itself
    assert content(wasi, "hard") == NOTCAPABLE
    # a chain, and one that changes while it is in use
    assert wasi.path_symlink("l0", 3, "chain") == SUCCESS
    assert content(wasi, "chain") == NOTCAPABLE


def test_a_directory_moved_while_it_is_open(tree: Path) -> None:
    """`..` is the parent at the time of opening, not the parent of where the directory is now."""
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("sub/deep", oflags=DIRECTORY, **wasm_fixtures.LISTING)
    assert error == 0
    assert wasi.path_rename(3, "sub/deep", 3, "moved") == SUCCESS
    assert content(wasi, "../secret", dir=fd) == NOTCAPABLE
    assert content(wasi, "../../secret", dir=fd) == NOTCAPABLE
    assert content(wasi, "file", dir=fd) == b"deep content"


linux = pytest.mark.skipif(sys.platform != "linux", reason="exchanges files as only Linux can")


@linux
def test_a_directory_swapped_for_a_link(tree: Path) -> None:
    """A directory becomes a link to the outside while the program resolves a path through it."""
    (tree / "x").mkdir()
    (tree / "x" / "secret").write_text("harmless")
    wasi, seen = WasiFunctions(dirs={"/": tree}), set()
    with exchange_repeatedly(tree / "x", tree / "outdir"):
        end = time.monotonic() + 0.4
        while time.monotonic() < end or b"harmless" not in seen:
            seen.add(content(wasi, "x/secret"))
    assert seen - {NOTCAPABLE, 32, 44, wasm_fixtures.NOTDIR, wasm_fixtures.INVAL} == {b"harmless"}


@linux
def test_a_file_swapped_for_a_link_while_writing(tree: Path) -> None:
    wasi, opened = WasiFunctions(dirs={"/": Dir(tree, writable=True)}), 0
    before = (tree.parent / "secret").stat().st_mtime_ns
    with exchange_repeatedly(tree / "file", tree / "out"):
        end = time.monotonic() + 0.4
        while time.monotonic() < end or not opened:
            for oflags in (TRUNC, CREAT):
                error, fd = wasi.open("file", rights=WRITE, oflags=oflags)
                if error == 0:
                    opened += 1
                    wasi.write(fd, b"wasi's")
                    wasi.fd_close(fd)
            wasi.path_filestat_set_times(3, FOLLOW, "file", 0, 0, 5)
    assert opened
    assert (tree.parent / "secret").read_text() == SECRET
    assert (tree.parent / "secret").stat().st_mtime_ns == before


@linux
def test_two_programs_race(tree: Path) -> None:
    """One program makes links that another one follows."""
    (tree / "x").write_text("harmless")
    inner, outer = (WasiFunctions(dirs={"/": Dir(tree, writable=True)}) for _ in range(2))
    stop = threading.Event()

    def make_links() -> None:
        while not stop.is_set():
            inner.path_symlink("../secret", 3, "new")
            inner.path_rename(3, "new", 3, "x")
            inner.path_link(3, 0, "file", 3, "new")
            inner.path_rename(3, "new", 3, "x")

    thread = threading.Thread(target=make_links)
    thread.start()
    seen: set[bytes | int] = set()
    try:
        end = time.monotonic() + 0.4
        while time.monotonic() < end or b"content" not in seen:
            seen.add(content(outer, "x"))
    finally:
        stop.set()
        thread.join()
    assert b"content" in seen
    assert SECRET.encode() not in seen


def test_errors_do_not_name_the_host(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": tree})
    content(wasi, "nothing")
    content(wasi, "../secret")
    assert str(tree.parent).encode() not in bytes(wasi.memory.view())


def test_limits_of_paths(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    assert content(wasi, "x" * 300) == 37
    assert content(wasi, "x/" * 8000) == 44
    assert content(wasi, "sub/../" * 2000 + "file") == b"content"
    for _ in range(3):
        assert content(wasi, "sub/deep/../../" * 10 + "file") == b"content"
    deep = ["d"] * 130
    for i in range(1, 131):
        assert wasi.path_create_directory(3, "/".join(deep[:i])) == (0 if i <= 128 else 37)
