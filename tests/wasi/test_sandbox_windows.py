"""Directories of a program on Windows: the twin of test_sandbox.py.

`dirs` is refused there until everything here holds on Windows itself, so the refusal is lifted.
Wine has no junctions, and its short names depend on the file system below.
"""

from __future__ import annotations

import ctypes
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import wasm_fixtures
from platforms import needs_windows
from sandboxed_trees import SECRET, content, make_tree, snapshot
from wasm_fixtures import (
    BADF,
    CREAT,
    DIRECTORY,
    EXCL,
    FOLLOW,
    INVAL,
    NOTCAPABLE,
    NOTDIR,
    READ,
    SEEK,
    SUCCESS,
    TELL,
    TRUNC,
    WRITE,
    WasiFunctions,
)

from wamr import Dir
from wamr._wasi import config

pytestmark = [pytest.mark.usefixtures("wat", "lifted"), needs_windows]

EXIST, ISDIR, LOOP, NAMETOOLONG, NOENT, NOTEMPTY, NOTSUP = 20, 31, 32, 37, 44, 55, 58


@pytest.fixture
def lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "check_available", lambda: None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory for the program (`in`), and next to it a file that it must never see."""
    return make_tree(tmp_path)


# ------------------------------------------------------------------ allowed operations
def test_reading(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/data": tree, "other name": str(tree / "sub")})
    assert wasi.fd_prestat_dir_name(4, 1024, 10) == 0
    for path in ("file", "./file", "sub/../file", "sub\\..\\file", "sub/deep/../../file"):
        assert content(wasi, path) == b"content"
    assert content(wasi, "deep/file", dir=4) == b"deep content"
    assert wasi.names(3) == {"file", "sub"}
    assert wasi.names(4) == {"deep"}
    error, fd = wasi.open("sub", oflags=DIRECTORY, **wasm_fixtures.LISTING)
    assert error == 0
    assert content(wasi, "deep/file", dir=fd) == b"deep content"
    assert wasi.path_filestat_get(3, FOLLOW, "file", wasi.OUT) == 0
    assert (wasi.memory[wasi.OUT + 16], wasi.u64(wasi.OUT + 32)) == (4, 7)
    assert wasi.path_readlink(3, "file", 8192, 100, wasi.OUT) == INVAL
    assert content(wasi, "nothing") == content(wasi, "") == NOENT
    assert content(wasi, "file/") == NOTDIR
    assert content(wasi, "file/x") == NOTDIR


def test_names_ignore_case_as_the_system_does(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    assert content(wasi, "FILE") == content(wasi, "SUB/../File") == b"content"
    assert wasi.open("FiLe", oflags=CREAT | EXCL, rights=WRITE)[0] == EXIST
    assert wasi.path_rename(3, "file", 3, "FILE") == SUCCESS
    assert content(wasi, "FILE") == b"content"
    assert {one.name.lower() for one in tree.iterdir()} == {"file", "sub"}


def test_writing_where_it_is_allowed(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("new é", oflags=CREAT | EXCL, rights=READ | WRITE | SEEK | TELL)
    assert error == 0
    assert wasi.write(fd, b"written") == 0
    assert (tree / "new é").read_text() == "written"
    assert wasi.fd_seek(fd, 1, 0, wasi.OUT) == 0
    assert wasi.read(fd) == b"ritten"
    assert wasi.fd_close(fd) == 0
    assert wasi.open("new é", oflags=CREAT | EXCL, rights=WRITE)[0] == EXIST
    assert wasi.path_create_directory(3, "newdir") == 0
    assert wasi.path_create_directory(3, "newdir") == EXIST
    assert wasi.path_rename(3, "new é", 3, "newdir/moved") == 0
    assert (tree / "newdir" / "moved").read_text() == "written"
    assert wasi.path_link(3, 0, "newdir/moved", 3, "hard") == 0
    assert (tree / "hard").stat().st_nlink == 2
    assert wasi.path_unlink_file(3, "newdir") == ISDIR
    assert wasi.path_remove_directory(3, "hard") == NOTDIR
    assert wasi.path_remove_directory(3, "newdir") == NOTEMPTY
    assert wasi.path_unlink_file(3, "newdir/moved") == 0
    assert wasi.path_remove_directory(3, "newdir") == 0
    assert wasi.path_filestat_set_times(3, 0, "file", 0, 10**9, 4) == 0
    assert (tree / "file").stat().st_mtime == 1
    assert wasi.open("file", oflags=TRUNC, rights=WRITE)[0] == 0
    assert (tree / "file").read_text() == ""
    assert wasi.path_symlink("file", 3, "soft") == NOTSUP
    assert not (tree / "soft").exists()


def test_renaming_replaces_as_on_posix(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    (tree / "other").write_text("other")
    (tree / "empty").mkdir()
    assert wasi.path_rename(3, "file", 3, "other") == SUCCESS
    assert (tree / "other").read_text() == "content"
    assert wasi.path_rename(3, "other", 3, "empty") == ISDIR
    assert wasi.path_rename(3, "empty", 3, "other") == NOTDIR
    assert wasi.path_rename(3, "empty", 3, "sub") == NOTEMPTY
    assert wasi.path_rename(3, "sub", 3, "empty") == SUCCESS
    assert content(wasi, "empty/deep/file") == b"deep content"
    assert wasi.path_rename(3, "empty", 3, "empty/deep/x") != SUCCESS


def test_an_open_file_can_be_removed_and_renamed(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("file", rights=READ)
    assert error == 0
    assert wasi.path_rename(3, "file", 3, "renamed") == SUCCESS
    assert wasi.path_unlink_file(3, "renamed") == SUCCESS
    assert wasi.read(fd) == b"content"
    assert wasi.fd_close(fd) == 0
    assert not (tree / "renamed").exists()


def test_a_write_at_an_offset_does_not_move_the_position(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("file", rights=READ | WRITE | SEEK)
    assert error == 0
    wasi.memory.write(8192, b"XY")
    wasi.memory.write(64, (8192).to_bytes(4, "little") + (2).to_bytes(4, "little"))
    assert wasi.fd_pwrite(fd, 64, 1, 5, wasi.OUT) == 0
    assert wasi.read(fd) == b"conteXY"


# ------------------------------------------------------------------ read-only directories
ATTEMPTS: dict[str, Callable[[WasiFunctions], int]] = {
    "write": lambda g: g.open("file", rights=WRITE)[0],
    "set the size": lambda g: g.open("file", rights=READ | wasm_fixtures.SET_SIZE)[0],
    "create": lambda g: g.open("new", oflags=CREAT)[0],
    "create in a subdirectory": lambda g: g.open("sub/new", oflags=CREAT)[0],
    "truncate": lambda g: g.open("file", oflags=TRUNC)[0],
    "truncate without any right": lambda g: g.open("file", oflags=TRUNC, rights=0)[0],
    "make a directory": lambda g: g.path_create_directory(3, "new"),
    "remove a directory": lambda g: g.path_remove_directory(3, "sub/deep"),
    "unlink": lambda g: g.path_unlink_file(3, "file"),
    "rename": lambda g: g.path_rename(3, "file", 3, "new"),
    "link": lambda g: g.path_link(3, 0, "file", 3, "new"),
    "set times": lambda g: g.path_filestat_set_times(3, 0, "file", 0, 0, 8),
    "set times of the directory": lambda g: g.fd_filestat_set_times(3, 0, 0, 8),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_changes_in_a_read_only_directory(attempt: str, tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": tree})
    before = snapshot(tree)
    assert ATTEMPTS[attempt](wasi) == NOTCAPABLE
    assert snapshot(tree) == before


# ------------------------------------------------------------------ attempts to escape
WAYS_OUT = [
    *("..", "../secret", "..\\secret", "/", "\\", "//", "sub/../../secret", "sub\\..\\..\\secret"),
    *("C:", "C:/", "C:\\", "c:secret", "C:/windows", "sub/C:/windows", "Z:/", "Z:", "z:\\etc"),
    *("\\\\?\\C:\\windows", "\\\\.\\C:", "//?/C:/windows", "\\??\\C:\\windows", "\\Device\\Null"),
    *("//server/share/file", "\\\\localhost\\c$\\windows", "GLOBALROOT:", "sub/..:/secret"),
]
# Names that Win32 takes for other names, and NT for streams.
MISUNDERSTOOD = [
    *("file:", "file:stream", "file::$DATA", "sub:stream", "sub::$INDEX_ALLOCATION", ":x", "::"),
    *(
        "NUL",
        "nul",
        "NUL.txt",
        "nul.tar.gz",
        "NUL ",
        "sub/NUL",
        "CON",
        "con.x",
        "PRN",
        "AUX",
        "aux.c",
    ),
    *("COM1", "com9.txt", "COM0", "LPT1", "lpt9.x.y", "COM\u00b9", "COM\u00b2.txt", "LPT\u00b3"),
    *("CONIN$", "CONOUT$", "conout$", "NUL .txt"),
    *("file.", "file..", "file ", "file. .", "sub.", "sub ", "sub./deep", "sub /deep", "...", " "),
    *("fi*", "f?le", "fi<", "fi>", 'fi"', "fi|e", "*", "fi\x01e", "fi\x1fe", "fi\te", "file\n"),
]


@pytest.mark.parametrize("path", WAYS_OUT + MISUNDERSTOOD)
def test_names_that_are_no_names_of_files(path: str, tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    before = snapshot(tree)
    refused = {NOTCAPABLE, INVAL, NOTDIR, NOENT} if path in MISUNDERSTOOD else {NOTCAPABLE, INVAL}
    for oflags in (0, CREAT, CREAT | EXCL, TRUNC, DIRECTORY):
        for rights in (READ, WRITE):
            assert wasi.open(path, rights=rights, oflags=oflags)[0] in refused, (oflags, rights)
    assert wasi.path_filestat_get(3, FOLLOW, path, wasi.OUT) in refused
    assert wasi.path_filestat_set_times(3, FOLLOW, path, 0, 0, 8) in refused
    assert wasi.path_readlink(3, path, 8192, 100, wasi.OUT) in refused
    assert wasi.path_symlink("file", 3, path) in refused
    assert wasi.path_unlink_file(3, path) in refused
    assert wasi.path_remove_directory(3, path) in refused
    assert wasi.path_create_directory(3, path) in refused
    assert wasi.path_rename(3, path, 3, "stolen") in refused
    assert wasi.path_rename(3, "file", 3, path) in refused
    assert wasi.path_link(3, 0, path, 3, "stolen") in refused
    assert wasi.path_link(3, 0, "file", 3, path) in refused
    assert snapshot(tree) == before


@pytest.mark.parametrize(
    "path", ["nulls", "con fig", "COM10", "comma", "a.nul", "~", "a~1b", "é", "ＮＵＬ"]
)
def test_names_that_only_look_like_such(path: str, tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    assert wasi.open(path, oflags=CREAT | EXCL, rights=WRITE)[0] == SUCCESS
    assert path in {one.name for one in tree.iterdir()}
    assert content(wasi, path) == b""
    assert wasi.path_unlink_file(3, path) == SUCCESS


def short_name(path: Path) -> str:
    room = ctypes.create_unicode_buffer(1000)
    assert ctypes.windll.kernel32.GetShortPathNameW(str(path), room, 1000)  # type: ignore[attr-defined]
    return Path(room.value).name


def test_short_names_are_no_names(tree: Path) -> None:
    """Short names are refused. Where there are none, a name of that form does not exist."""
    (tree / "a rather long name.text").write_text("long")
    alias = short_name(tree / "a rather long name.text")
    if alias.lower() == "a rather long name.text":
        alias = "ARATHE~1.TEX"
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    assert content(wasi, "a rather long name.text") == b"long"
    assert content(wasi, alias) == NOENT
    assert wasi.open(alias, oflags=TRUNC, rights=WRITE)[0] == NOENT
    assert wasi.path_filestat_get(3, 0, alias, wasi.OUT) == NOENT
    assert wasi.path_unlink_file(3, alias) == NOENT
    assert wasi.path_rename(3, alias, 3, "stolen") == NOENT
    assert (tree / "a rather long name.text").read_text() == "long"


def test_a_directory_moved_while_it_is_open(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    error, fd = wasi.open("sub/deep", oflags=DIRECTORY, **wasm_fixtures.LISTING)
    assert error == 0
    assert wasi.path_rename(3, "sub/deep", 3, "moved") == SUCCESS
    assert content(wasi, "../secret", dir=fd) == NOTCAPABLE
    assert content(wasi, "moved/file") == b"deep content"
    # In Wine 8 the handle of a directory fails after a rename through another handle.
    assert content(wasi, "file", dir=fd) in (b"deep content", BADF)


def test_junctions_are_not_followed(tree: Path) -> None:
    import _winapi

    try:
        _winapi.CreateJunction(str(tree.parent), str(tree / "out"))  # type: ignore[attr-defined]
    except OSError as error:
        pytest.skip(f"this system makes no junctions, as Wine: {error}")
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    refused = {LOOP, NOTCAPABLE, NOTDIR}
    assert content(wasi, "out/secret") in refused
    assert wasi.open("out", oflags=DIRECTORY, **wasm_fixtures.LISTING)[0] in refused
    assert wasi.open("out", oflags=DIRECTORY, follow=0, **wasm_fixtures.LISTING)[0] in refused
    assert wasi.open("out/new", oflags=CREAT, rights=WRITE)[0] in refused
    assert wasi.path_unlink_file(3, "out/secret") in refused
    assert wasi.path_rename(3, "out/secret", 3, "stolen") in refused
    assert (tree.parent / "secret").read_text() == SECRET


# ------------------------------------------------------------------ limits
def test_limits_of_names_and_paths(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    assert content(wasi, "x" * 256) == NAMETOOLONG
    assert content(wasi, "é" * 256) == NAMETOOLONG
    assert content(wasi, "x" * 1000) == NAMETOOLONG
    assert content(wasi, "x" * 200) == NOENT
    assert content(wasi, "\udcff") == 25  # no UTF-8
    assert content(wasi, "sub/../" * 2000 + "file") == b"content"


def test_paths_longer_than_win32_allows(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    path = "d" * 60
    for _ in range(6):
        assert wasi.path_create_directory(3, path) == SUCCESS
        path += "/" + "d" * 60
    assert wasi.open(path, oflags=CREAT, rights=WRITE)[0] == SUCCESS
    assert content(wasi, path) == b""
    host = "\\\\?\\" + str(tree) + ("\\" + "d" * 60) * 6
    wasi = WasiFunctions(dirs={"/": host})
    assert wasi.names() == {"d" * 60}


def test_a_file_that_is_read_only(tree: Path) -> None:
    (tree / "file").chmod(stat.S_IREAD)
    wasi = WasiFunctions(dirs={"/": Dir(tree, writable=True)})
    try:
        (tree / "file").open("a").close()
        denied = 0  # as root in Wine
    except PermissionError:
        denied = 2
    assert wasi.open("file", rights=WRITE)[0] == denied
    assert content(wasi, "file") == b"content"
    (tree / "file").chmod(stat.S_IREAD | stat.S_IWRITE)


def test_errors_do_not_name_the_host(tree: Path) -> None:
    wasi = WasiFunctions(dirs={"/": tree})
    content(wasi, "nothing")
    content(wasi, "../secret")
    assert str(tree.parent).encode() not in bytes(wasi.memory.view())


def test_a_directory_that_was_listed_is_closed(tree: Path) -> None:
    """Handles of this process count: one that stays open keeps the directory from being removed."""
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p

    def handles() -> int:
        count = ctypes.c_uint32()
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        assert kernel.GetProcessHandleCount(process, ctypes.byref(count))
        return count.value

    wasi = WasiFunctions(dirs={"/": tree})
    for _ in range(2):
        before = handles()
        for _ in range(20):
            error, fd = wasi.open("sub", oflags=DIRECTORY, **wasm_fixtures.LISTING)
            assert error == SUCCESS
            assert wasi.names(fd) == {"deep"}
            assert wasi.fd_close(fd) == SUCCESS
    assert handles() - before < 20
    wasi.instance.close()


def test_a_large_directory_is_listed_whole(tree: Path) -> None:
    names = {f"a file with a name of some length {i}" for i in range(300)}
    for name in names:
        (tree / "sub" / name).touch()
    wasi = WasiFunctions(dirs={"/": tree / "sub"})
    found: set[bytes] = set()
    cookie = 0
    while True:
        assert wasi.fd_readdir(3, 8192, 1000, cookie, wasi.OUT) == 0
        data = wasi.memory.read(8192, wasi.u32())
        if len(data) < 24:
            break
        while len(data) >= 24:
            size = int.from_bytes(data[16:20], "little")
            if len(data) < 24 + size:
                break
            cookie = int.from_bytes(data[:8], "little")
            found.add(data[24 : 24 + size])
            data = data[24 + size :]
    assert {name.decode() for name in found} - {".", ".."} == names | {"deep"}
