"""ResourceLimits(file_bytes=…): what a program may add to the files of its directories."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import wamr
from wamr import Dir, Instance, Module, ResourceLimits, Store, WasiConfig
from wamr._runtime.limits import check_file_bytes

pytestmark = pytest.mark.usefixtures("wat")

OK, EBADF, ENOSPC = 0, 8, 51
CREATE, EXCLUSIVE, TRUNCATE = 1, 4, 8
APPEND = 1
ALL_RIGHTS = (1 << 29) - 1
SIGNATURES = {
    "fd_allocate": "i32 i64 i64",
    "fd_close": "i32",
    "fd_filestat_set_size": "i32 i64",
    "fd_pwrite": "i32 i32 i32 i64 i32",
    "fd_renumber": "i32 i32",
    "fd_seek": "i32 i64 i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "path_create_directory": "i32 i32 i32",
    "path_link": "i32 i32 i32 i32 i32 i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "path_remove_directory": "i32 i32 i32",
    "path_rename": "i32 i32 i32 i32 i32 i32",
    "path_symlink": "i32 i32 i32 i32 i32",
    "path_unlink_file": "i32 i32 i32",
}
ROOT, OTHER = 3, 4


def module(where: str = "wasi_snapshot_preview1") -> str:
    """Return a module that exports WASI's functions."""
    imports, wrappers = [], []
    for name, params in SIGNATURES.items():
        kind = f"(param {params}) (result i32)"
        imports.append(f'(import "{where}" "{name}" (func ${name} {kind}))')
        arguments = " ".join(f"(local.get {i})" for i in range(len(params.split())))
        wrappers.append(f'(func (export "{name}") {kind} (call ${name} {arguments}))')
    return f'(module {" ".join(imports)} (memory (export "memory") 40) {" ".join(wrappers)})'


class Program:
    """A program whose system calls a test makes."""

    def __init__(
        self,
        limit: int | None,
        dirs: Mapping[str, Any] | None = None,
        *,
        source: str | None = None,
        store: Store | None = None,
    ) -> None:
        config = WasiConfig(dirs={"/w": {}} if dirs is None else dirs)
        store = store or Store()
        self.instance = Instance(
            store,
            Module(store, source or module()),
            wasi=config,
            limits=None if limit is None else ResourceLimits(file_bytes=limit),
        )
        self.exports = self.instance.exports
        self.memory = self.exports.memory

    @property
    def files(self) -> Any:
        return self.instance.files["/w"]

    def path(self, path: str, at: int = 0) -> tuple[int, int]:
        self.memory.write(at, path.encode())
        return at, len(path.encode())

    def open(self, path: str, flags: int = CREATE, fd_flags: int = 0, root: int = ROOT) -> int:
        """Return the descriptor, or the negative error."""
        name = self.path(path)
        error = self.exports.path_open(
            root, 1, *name, flags, ALL_RIGHTS, ALL_RIGHTS, fd_flags, 8192
        )
        return -error if error else struct.unpack("<I", self.memory.read(8192, 4))[0]

    def write(self, fd: int, *sizes: int, at: int | None = None) -> tuple[int, int]:
        """Return the error, and how many bytes were written."""
        vectors = b"".join(struct.pack("<II", 65536, size) for size in sizes)
        self.memory.write(16384, vectors)
        self.memory.write(8192, bytes(4))
        if at is None:
            error = self.exports.fd_write(fd, 16384, len(sizes), 8192)
        else:
            error = self.exports.fd_pwrite(fd, 16384, len(sizes), at, 8192)
        return error, struct.unpack("<I", self.memory.read(8192, 4))[0]

    def call(self, name: str, *args: Any, root: int = ROOT) -> int:
        """Call a function with paths; each str is one."""
        flat: list[int] = []
        for number, arg in enumerate(args):
            flat += self.path(arg, 4096 * number) if isinstance(arg, str) else [arg]
        error: int = self.exports[name](*flat)
        return error


def fill(program: Program, fd: int, step: int = 65536) -> int:
    """Write until there is no room; return how many bytes were written."""
    total = 0
    while True:
        error, size = program.write(fd, step)
        total += size
        if error:
            assert error == ENOSPC
            return total


# ------------------------------------------------------------------ writing


@pytest.mark.parametrize("limit", [0, 1, 999, 1000, 65536, 200_000])
@pytest.mark.parametrize("step", [1000, 65536])
def test_the_bytes_up_to_the_limit_are_written_then_there_is_no_space(limit, step):
    program = Program(limit)
    fd = program.open("f")
    assert fill(program, fd, step) == limit
    assert len(program.files["f"]) == limit
    assert program.write(fd, 1) == (ENOSPC, 0)
    assert program.write(fd, 0) == (OK, 0)


@pytest.mark.parametrize("limit", [None, 10**18, (1 << 64) - 2])
def test_without_a_limit_or_below_it_everything_is_written(limit):
    program = Program(limit)
    fd = program.open("f")
    assert program.write(fd, 65536, 0, 65536, 1) == (OK, 131_073)
    assert program.write(fd, 10, at=500_000) == (OK, 10)
    assert len(program.files["f"]) == 500_010


def test_several_vectors_are_written_in_part():
    program = Program(25)
    fd = program.open("f")
    assert program.write(fd, 10, 0, 10, 10, 10) == (OK, 25)
    assert program.write(fd, 0, 10) == (ENOSPC, 0)


def test_all_files_count_together_in_all_directories(tmp_path):
    program = Program(100, {"/w": {}, "/o": Dir(tmp_path, writable=True)})
    first, second = program.open("a"), program.open("b", root=OTHER)
    assert program.write(first, 60) == (OK, 60)
    assert program.write(second, 60) == (OK, 40)
    assert program.write(first, 1) == (ENOSPC, 0)
    assert (tmp_path / "b").stat().st_size == 40


def test_bytes_that_are_there_may_be_overwritten():
    program = Program(10, {"/w": {"f": b"x" * 100}})
    fd = program.open("f")
    assert program.write(fd, 50) == (OK, 50)
    assert program.write(fd, 50) == (OK, 50)
    assert program.write(fd, 50) == (OK, 10)
    assert program.write(fd, 20, at=0) == (OK, 20)
    assert program.write(fd, 20, at=100) == (OK, 10)
    assert program.write(fd, 20, at=110) == (ENOSPC, 0)
    assert len(program.files["f"]) == 110


def test_a_file_that_is_appended_to_grows_by_all_of_it():
    program = Program(30, {"/w": {"f": b"x" * 100}})
    fd = program.open("f", fd_flags=APPEND)
    assert program.write(fd, 20) == (OK, 20)
    assert program.write(fd, 20) == (OK, 10)
    assert program.write(fd, 20) == (ENOSPC, 0)
    assert len(program.files["f"]) == 130


# ------------------------------------------------------------------ holes and sizes


def test_holes_count():
    program = Program(1000)
    fd = program.open("f")
    assert program.write(fd, 1, at=1 << 40) == (ENOSPC, 0)
    assert program.write(fd, 1, at=1000) == (ENOSPC, 0)
    assert program.write(fd, 10, at=995) == (OK, 5)
    assert program.write(fd, 995, at=0) == (OK, 995)
    assert program.exports.fd_seek(fd, 1 << 40, 0, 8192) == OK
    assert program.write(fd, 1) == (ENOSPC, 0)
    assert len(program.files["f"]) == 1000


@pytest.mark.parametrize("function", ["fd_filestat_set_size", "fd_allocate"])
def test_a_file_can_not_be_made_larger_than_the_limit(function):
    program = Program(1000)
    fd = program.open("f")

    def set_size(size: int) -> int:
        args = (size,) if function == "fd_filestat_set_size" else (size - 10, 10)
        error: int = program.exports[function](fd, *args)
        return error

    assert set_size(1001) == ENOSPC
    assert set_size(1 << 62) == ENOSPC
    assert program.files["f"] == b""
    assert set_size(1000) == OK
    assert len(program.files["f"]) == 1000
    assert set_size(1001) == ENOSPC
    assert program.write(fd, 1000) == (OK, 1000)
    assert program.write(fd, 1) == (ENOSPC, 0)
    assert program.exports[function](99, *([1] * (1 if "size" in function else 2))) == EBADF


def test_what_is_cut_off_is_given_back():
    program = Program(1000)
    fd = program.open("f")
    assert fill(program, fd) == 1000
    assert program.exports.fd_filestat_set_size(fd, 300) == OK
    assert program.write(fd, 1000, at=300) == (OK, 700)
    assert program.exports.fd_close(fd) == OK
    fd = program.open("f", TRUNCATE)
    assert fill(program, fd) == 1000
    assert program.files["f"] == bytes(1000)


# ------------------------------------------------------------------ removing


def test_a_removed_file_is_given_back_again_and_again():
    program = Program(1000)
    for _ in range(5):
        fd = program.open("f", CREATE | EXCLUSIVE)
        assert fill(program, fd) == 1000
        assert program.exports.fd_close(fd) == OK
        assert program.call("path_unlink_file", ROOT, "f") == OK
    assert dict(program.files) == {}


def test_an_open_file_that_was_removed_counts_until_all_its_descriptors_are_closed():
    program = Program(1000)
    fd, again = program.open("f"), program.open("f")
    assert fill(program, fd) == 1000
    assert program.call("path_unlink_file", ROOT, "f") == OK
    other = program.open("g")
    assert program.write(other, 1) == (ENOSPC, 0)
    assert program.exports.fd_close(fd) == OK
    assert program.write(other, 1) == (ENOSPC, 0)
    assert program.exports.fd_renumber(other, again) == OK  # closes the last one
    assert fill(program, again) == 1000


def test_a_file_with_two_names_counts_until_both_are_removed():
    program = Program(1000)
    fd = program.open("f")
    assert fill(program, fd) == 1000
    assert program.exports.fd_close(fd) == OK
    assert program.call("path_link", ROOT, 0, "f", ROOT, "g") == OK
    assert program.call("path_unlink_file", ROOT, "f") == OK
    fd = program.open("h")
    assert program.write(fd, 1) == (ENOSPC, 0)
    assert program.call("path_unlink_file", ROOT, "g") == OK
    assert fill(program, fd) == 1000


def test_a_file_that_another_one_replaces_is_given_back():
    program = Program(1000)
    for name, size in (("a", 600), ("b", 300)):
        fd = program.open(name)
        assert program.write(fd, size) == (OK, size)
        assert program.exports.fd_close(fd) == OK
    assert program.call("path_rename", ROOT, "a", ROOT, "b") == OK
    assert program.call("path_rename", ROOT, "b", ROOT, "b") == OK
    fd = program.open("c")
    assert fill(program, fd) == 400


def test_removing_what_the_host_has_made_gives_no_more_than_the_limit():
    program = Program(100, {"/w": {"large": b"x" * 5000}})
    assert program.call("path_unlink_file", ROOT, "large") == OK
    assert fill(program, program.open("f")) == 100


# ------------------------------------------------------------------ entries


def test_files_directories_and_links_are_counted():
    program = Program(10 * 1024)
    makers = (
        lambda name: program.open(name, CREATE | EXCLUSIVE),
        lambda name: -program.call("path_create_directory", ROOT, name),
        lambda name: -program.call("path_symlink", "somewhere", ROOT, name),
    )
    made = 0
    while True:
        fd = makers[made % 3](f"n{made}")
        if fd < 0:
            break
        if made % 3 == 0:
            assert program.exports.fd_close(fd) == OK
        made += 1
    assert (fd, made) == (-ENOSPC, 1010)
    assert program.open("x") == -ENOSPC
    assert program.call("path_create_directory", ROOT, "x") == ENOSPC
    assert program.call("path_link", ROOT, 0, "n0", ROOT, "x") == ENOSPC
    assert program.call("path_symlink", "t", ROOT, "x") == ENOSPC
    assert program.open("n0", TRUNCATE) > 0  # it is there already
    assert program.call("path_remove_directory", ROOT, "n1") == OK
    assert program.call("path_link", ROOT, 0, "n0", ROOT, "x") == OK
    assert program.open("y") == -ENOSPC
    assert program.call("path_unlink_file", ROOT, "n2") == OK
    assert program.open("y") > 0


# ------------------------------------------------------------------ where the limit is set


def test_the_first_version_of_wasi_has_the_limit_too():
    program = Program(100, source=module("wasi_unstable"))
    fd = program.open("f")
    assert fill(program, fd) == 100
    assert program.exports.fd_filestat_set_size(fd, 101) == ENOSPC
    assert program.exports.fd_allocate(fd, 100, 1) == ENOSPC


def test_a_store_has_a_default_and_each_instance_its_own_count():
    store = Store(limits=ResourceLimits(file_bytes=50))
    for _ in range(2):
        program = Program(None, store=store)
        assert fill(program, program.open("f")) == 50
    program = Program(70, store=store)
    assert fill(program, program.open("f")) == 70


def test_instances_of_a_snapshot_have_their_own_limits():
    snapshot = wamr.Snapshot(Program(10).instance)
    for limit in (30, 0):
        copy, _ = snapshot.instantiate(
            wasi=WasiConfig(dirs={"/w": {}}), limits=ResourceLimits(file_bytes=limit)
        )
        program = object.__new__(Program)
        program.instance, program.exports = copy, copy.exports
        program.memory = copy.exports.memory
        assert fill(program, program.open("f")) == limit


def test_the_host_may_write_more(tmp_path: Path):
    program = Program(10)
    program.files["large"] = b"x" * 1000
    assert len(program.files["large"]) == 1000
    assert fill(program, program.open("f")) == 10


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("1", TypeError),
        (1.5, TypeError),
        (True, TypeError),
        (-1, ValueError),
        (1 << 64, ValueError),
    ],
)
def test_a_limit_is_a_number_of_bytes(value, error):
    with pytest.raises(error, match="file_bytes must be"):
        ResourceLimits(file_bytes=value)
    assert ResourceLimits(file_bytes=None) == ResourceLimits()
    assert repr(ResourceLimits(file_bytes=7)) == "ResourceLimits(file_bytes=7)"


def test_a_system_that_can_not_count_refuses_the_limit():
    check_file_bytes(None, frozenset())
    with pytest.raises(wamr.UnavailableError, match="file_bytes is not available on Windows"):
        check_file_bytes(0, frozenset())
