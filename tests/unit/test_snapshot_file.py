"""Snapshots in files: in another process, of another build or module, damaged, and untrusted."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from platforms import BITS
from snapshots import (
    ASKS,
    STATE,
    copy_of,
    reason_of,
    seen,
    state_instance,
    suspended,
    with_digest,
)

import wamr
from wamr import Global, GlobalType, Instance, Module, Snapshot, Store, ValType
from wamr._runtime import snapshot_file, snapshot_key

pytestmark = pytest.mark.usefixtures("wat")

HEADER = snapshot_file._HEADER
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give each test a cache directory, and so a key, of its own."""
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory))
    monkeypatch.setenv("LOCALAPPDATA", str(directory))
    if sys.platform == "darwin":
        monkeypatch.setattr(snapshot_key.sys, "platform", "linux")
    return directory


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot"


# ------------------------------------------------------------------ there and back
@pytest.mark.parametrize("changed", [False, True])
def test_a_loaded_snapshot_has_the_whole_state(path, changed):
    instance, twin = state_instance(), state_instance()
    if changed:
        for each in (instance, twin):
            each.exports.change(7)
    instance.snapshot().save(path)
    snapshot = Snapshot.load(path, instance.module)
    instance.close()
    expected = seen(twin)
    assert seen(copy_of(snapshot)) == expected
    assert seen(copy_of(snapshot)) == expected
    assert snapshot.memory_bytes == (2 if changed else 1) * 65536


def test_a_loaded_snapshot_is_one_as_any_other(path):
    instance = state_instance()
    instance.snapshot().save(path)
    module = Module(wamr.Engine(), STATE)
    snapshot = Snapshot.load(path, module, on_restore=lambda made: made.exports.change(5))
    made = copy_of(snapshot)
    assert made.exports.count.value == 5
    made.exports.change(6)
    made.reset()
    assert made.exports.count.value == 5
    again = path.with_name("again")
    snapshot.save(again)
    assert again.read_bytes()[:-64] == path.read_bytes()[:-64]
    assert snapshot.alive == 1
    snapshot.close()
    assert made.exports.one() == 11


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from snapshots import ASKS, STATE
import wamr
module = wamr.Module(wamr.Engine(), STATE)
snapshot = wamr.Snapshot.load(sys.argv[2], module)
made, execution = snapshot.instantiate(imports=ASKS)
if execution is None:
    print(made.exports.numbers(), made.exports.call_hidden(0), made.exports.shown[4]())
else:
    try:
        while True:
            execution.send(7 if execution._event.kind == "call" else None)
    except StopIteration as end:
        print(end.value)
"""


def in_another_process(path):
    command = [sys.executable, "-c", PROGRAM, str(SUPPORT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_goes_on_between_calls(path):
    instance = state_instance()
    instance.exports.change(3)
    instance.snapshot().save(path)
    assert in_another_process(path) == "(3, 3.0, 3, 3) 22 11"


@pytest.mark.parametrize("depth", [0, 5, 100])
def test_another_process_goes_on_in_the_middle_of_a_call(path, depth):
    instance, execution = suspended(depth)
    Snapshot(instance, execution).save(path)
    expected = (2**depth - 1 + 7 + 2**31) % 2**32 - 2**31
    assert in_another_process(path) == str(expected)


def test_another_process_goes_on_after_a_slice(path):
    instance = state_instance()
    execution = instance.exports.spin.execution(400_000, slice=0)
    next(execution)
    Snapshot(instance, execution).save(path)
    assert in_another_process(path) == "1200000"


def test_imported_globals_and_tags_are_in_a_file(path):
    text = (
        '(module (import "e" "g" (global $g i64)) (import "e" "t" (tag $t (param i32)))'
        ' (import "e" "f" (func $f)) (memory (export "m") 1) (data (i32.const 3) "abc")'
        ' (global (export "h") i64 (global.get $g))'
        ' (func (export "throw") (throw $t (i32.const 1))))'
    )
    store = Store()

    def imports(into, value):
        tag = wamr.Tag(into, wamr.TagType([ValType.I32]))
        return {"e": {"g": Global(into, GlobalType(ValType.I64), value), "t": tag, "f": print}}

    instance = Instance(store, Module(store, text), imports(store, 7))
    instance.snapshot().save(path)
    snapshot = Snapshot.load(path, instance.module)
    made, _ = snapshot.instantiate(store, imports(store, 7))
    assert (made.exports.h.value, made.exports.m[3:6]) == (7, b"abc")
    assert reason_of(snapshot.instantiate, store, imports(store, 8))[0] == "imports-differ"


def test_a_file_appears_whole_and_replaces_another_one(path, monkeypatch):
    snapshot = state_instance().snapshot()
    path.write_bytes(b"before")
    snapshot.save(path)
    assert path.read_bytes().startswith(snapshot_file.MAGIC)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(snapshot_file, "user_key", fail)
    monkeypatch.setattr(snapshot_file.hmac, "digest", fail)
    with pytest.raises(OSError, match="disk full"):
        snapshot.save(path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["cache", "snapshot"]
    with pytest.raises(FileNotFoundError):
        snapshot.save(path.parent / "absent" / "file")
    snapshot.close()
    assert reason_of(snapshot.save, path)[0] == "closed"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_user_can_read_the_file_and_the_key(path, cache):
    old = os.umask(0)
    try:
        state_instance().snapshot().save(path)
    finally:
        os.umask(old)
    key = cache / "wamr" / "snapshot-key"
    assert [each.stat().st_mode & 0o777 for each in (path, key, key.parent)] == [
        0o600,
        0o600,
        0o700,
    ]
    assert len(key.read_bytes()) == 32
    assert [each.name for each in key.parent.iterdir()] == ["snapshot-key"]


def test_a_sleep_goes_on_for_what_is_left_of_it(path):
    text = (
        '(module (import "wasi_snapshot_preview1" "poll_oneoff"'
        ' (func $poll (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)'
        ' (func (export "sleep") (param i64) (result i32)'
        " (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (local.get 0))"
        " (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"
    )
    store = Store()
    instance = Instance(store, Module(store, text), wasi=wamr.WasiConfig())
    execution = instance.exports.sleep.execution(3600 * 10**9)
    event = next(execution)
    assert event.kind == "sleep"
    snapshot = Snapshot(instance, execution)
    snapshot.save(path)
    for each in (snapshot, Snapshot.load(path, instance.module)):
        _, copied = each.instantiate(wasi=wamr.WasiConfig())
        assert copied._event.kind == "sleep"
        assert copied._event.until >= event.until
        copied.close()


# ------------------------------------------------------------------ refusals
def test_another_build_is_refused(path, monkeypatch):
    instance = state_instance()
    instance.snapshot().save(path)
    monkeypatch.setattr(snapshot_file, "_builds", [bytes(32)])
    assert reason_of(Snapshot.load, path, instance.module, trusted=True)[0] == "other-build"


def test_another_module_is_refused(path):
    state_instance().snapshot().save(path)
    other = Module(wamr.Engine(), STATE.replace("i32.const 11", "i32.const 12"))
    assert reason_of(Snapshot.load, path, other, trusted=True) == (
        "other-module",
        "the file is of another module",
    )


def test_a_cut_file_is_refused_wherever_it_is_cut(path):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    whole = path.read_bytes()
    for size in [*range(0, 240, 3), *range(240, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert reason_of(Snapshot.load, path, instance.module, trusted=True)[0] == "damaged", size
    path.write_bytes(whole + b"\0")
    assert reason_of(Snapshot.load, path, instance.module, trusted=True)[0] == "damaged"
    path.write_bytes(b"")
    assert reason_of(Snapshot.load, path, instance.module)[0] == "damaged"


def test_a_changed_byte_is_found_wherever_it_is(path):
    instance, execution = suspended()
    Snapshot(instance, execution).save(path)
    whole = path.read_bytes()
    for at in [*range(HEADER.size), *range(HEADER.size, len(whole) - 32, 97)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        reason, _ = reason_of(Snapshot.load, path, instance.module, trusted=True)
        assert reason in ("damaged", "other-build", "other-module"), at


def try_out(path, module, trusted=False):
    """Load a file, and make and use an instance if it is loaded."""
    try:
        snapshot = Snapshot.load(path, module, trusted=trusted)
        made, _ = snapshot.instantiate(imports=ASKS)
    except (wamr.SnapshotError, wamr.MemoryLimitError, MemoryError):
        return False
    with contextlib.suppress(wamr.Trap, wamr.WasmError, TypeError):
        seen(made)
    with contextlib.suppress(wamr.Trap, wamr.WasmError):
        made.exports.change(3)
    with contextlib.suppress(wamr.Trap, wamr.WasmError, TypeError):
        for func in made.exports.shown:
            if func is not None:
                func()
    made.close()
    return True


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_a_forged_header_is_refused_or_harmless(path, bits):
    """Who can write the file can write its digest, too."""
    instance = state_instance()
    instance.snapshot().save(path)
    whole = path.read_bytes()[:-64]
    loaded = 0
    for at in range(HEADER.size + 1):
        changed = bytearray(whole)
        changed[at] ^= bits
        path.write_bytes(with_digest(bytes(changed)))
        loaded += try_out(path, instance.module)
    assert loaded <= 12  # the slice of no execution, padding, WASI that nothing imports


@pytest.mark.parametrize("seed", range(2))
def test_a_forged_state_is_refused_or_harmless(path, seed):
    instance = state_instance()
    instance.snapshot().save(path)
    whole = path.read_bytes()[:-64]
    state = range(HEADER.size, min(len(whole), HEADER.size + 700))
    random_ = random.Random(seed)
    results = set()
    for at in state:
        changed = bytearray(whole)
        for _ in range(random_.choice([1, 1, 2, 5])):
            changed[random_.choice([at, random_.choice(state)])] = random_.choice(
                [0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)]
            )
        path.write_bytes(with_digest(bytes(changed)))
        results.add(try_out(path, instance.module))
    assert results == {False, True}


@pytest.mark.parametrize("seed", range(2))
def test_forged_lengths_are_refused(path, seed):
    instance = state_instance()
    instance.snapshot().save(path)
    whole = path.read_bytes()[:-64]
    fields = list(HEADER.unpack(whole[: HEADER.size]))
    random_ = random.Random(seed)
    for index in (3, 4, 5, 8, 9):
        for value in (0, 1, 4096, 65536, 2**31, 2**32 - 1, random_.randrange(2**32)):
            forged = list(fields)
            forged[index] = value
            if forged == fields:
                continue
            path.write_bytes(with_digest(HEADER.pack(*forged) + whole[HEADER.size :]))
            try:
                reason = reason_of(Snapshot.load, path, instance.module)[0]
            except MemoryError:  # as many bytes are refused before they are read
                reason = "damaged" if BITS < 64 and value > 2**30 else "no memory"
            assert reason == "damaged", (index, value)


def test_huge_sizes_take_no_memory(path):
    instance = state_instance()
    instance.snapshot().save(path)
    whole = path.read_bytes()[:-64]
    fields = list(HEADER.unpack(whole[: HEADER.size]))
    for index, value in ((3, 2**40), (3, 2**63), (4, 2**60), (5, 2**63), (8, 2**32 - 1)):
        forged = list(fields)
        forged[index] = value
        path.write_bytes(with_digest(HEADER.pack(*forged) + whole[HEADER.size :]))
        assert reason_of(Snapshot.load, path, instance.module)[0] == "damaged"


# ------------------------------------------------------------------ arguments
@pytest.mark.parametrize("module", [None, 1, STATE, b""])
def test_load_takes_a_module(path, module):
    with pytest.raises(TypeError, match="module must be a Module"):
        Snapshot.load(path, module)


@pytest.mark.parametrize("wrong", [3, None, b"file", object()])
def test_a_path_is_a_str_or_path_like(wrong):
    snapshot = state_instance().snapshot()
    for use in (snapshot.save, lambda path: Snapshot.load(path, snapshot.module)):
        with pytest.raises(TypeError, match=f"path must be .*, not {type(wrong).__name__}$"):
            use(wrong)
        with pytest.raises(ValueError, match="path must not be empty"):
            use("")


def test_an_error_names_the_path_that_was_given(tmp_path):
    snapshot = state_instance().snapshot()
    (tmp_path / "directory").mkdir()
    for target in (tmp_path / "nowhere" / "file", tmp_path / "directory"):
        for given in (target, str(target)):
            with pytest.raises(OSError, match=r"^\[Errno \d+\] .*'$") as caught:
                snapshot.save(given)
            assert (caught.value.filename, caught.value.filename2) == (str(target), None)
    assert not [*tmp_path.glob(".*")]  # no draft is left


def test_a_path_that_closes_the_snapshot_is_written_all_the_same(path):
    class Closing:
        def __fspath__(self):
            snapshot.close()
            instance.close()
            return str(path)

    instance, twin = state_instance(), state_instance()
    snapshot = instance.snapshot()
    snapshot.save(Closing())
    assert seen(copy_of(Snapshot.load(path, twin.module))) == seen(twin)
    assert reason_of(snapshot.save, path) == ("closed", "this Snapshot is closed")


def test_what_is_no_file_is_an_error_in_words(path):
    module = state_instance().module
    with pytest.raises(FileNotFoundError):
        Snapshot.load(path, module)
    with pytest.raises(OSError, match="directory"):
        Snapshot.load(path.parent, module)
    path.write_bytes(b"no snapshot " * 100)
    assert reason_of(Snapshot.load, path, module)[0] == "damaged"
    with pytest.raises(TypeError, match="keep must be"):
        Snapshot.load(path, module, keep=None)
    with pytest.raises(TypeError, match="on_restore must be"):
        Snapshot.load(path, module, on_restore=3)
