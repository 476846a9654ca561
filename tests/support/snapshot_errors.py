"""What raises the errors of snapshots, for docs/errors.md."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import snapshots

import wamr
from wamr import SUSPEND, Instance, Module, ResourceLimits, Snapshot, Store, WasiConfig

CALL = '(module (import "e" "f" (func $f)) (func (export "g") (call $f)))'
OPENS = """(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 8) "a")
    (func (export "open") (result i32)
        (call $open (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))))"""


def without_its_call() -> None:
    instance = wamr.load(CALL, {"e": {"f": lambda: SUSPEND}})
    execution = instance.exports.g.execution()
    next(execution)
    Snapshot(instance)


def within() -> None:
    instance: Instance = wamr.load(CALL, {"e": {"f": lambda: instance.snapshot()}})
    instance.exports.g()


def with_an_imported_memory() -> None:
    store = Store()
    module = Module(store, '(module (import "e" "m" (memory 1)))')
    memory = wamr.Memory(store, wamr.MemoryType(wamr.Limits(1)))
    Instance(store, module, {"e": {"m": memory}}).snapshot()


def with_an_externref() -> None:
    instance = wamr.load('(module (table (export "t") 1 externref))')
    instance.exports.t[0] = "object"
    instance.snapshot()


def of_a_closed_instance() -> None:
    instance = wamr.load("(module)")
    instance.close()
    instance.snapshot()


def _with_a_directory(path: str) -> Instance:
    return wamr.load(OPENS, wasi=WasiConfig(dirs={path: {"a": b""}}))


def with_an_open_file() -> None:
    instance = _with_a_directory("/w")
    assert instance.exports.open() == 0
    instance.snapshot()


def with_other_directories() -> None:
    wasi = WasiConfig(dirs={"/other": {}})
    _with_a_directory("/w").snapshot().instantiate(wasi=wasi)


def with_a_small_stack() -> None:
    snapshot = Snapshot(*snapshots.suspended(200))
    snapshot.instantiate(imports=snapshots.ASKS, limits=ResourceLimits(stack_bytes=4096))


def loaded(change: Callable[[bytes], bytes], text: str = snapshots.STATE) -> Callable[[], None]:
    """Return a function that changes the file of a snapshot, and loads the file for a module."""

    def make() -> None:
        with tempfile.TemporaryDirectory() as folder:
            # The key is made there, and not in the user's cache directory.
            cache = {"XDG_CACHE_HOME": folder, "LOCALAPPDATA": folder}
            with mock.patch.dict(os.environ, cache):
                path = Path(folder, "snapshot")
                Snapshot(*snapshots.suspended()).save(path)
                path.write_bytes(change(path.read_bytes()))
                Snapshot.load(path, Module(wamr.Engine(), text))

    return make


MAKERS = (
    without_its_call,
    within,
    with_an_imported_memory,
    with_an_externref,
    of_a_closed_instance,
    lambda: wamr.load("(module)").reset(),
    with_an_open_file,
    with_other_directories,
    lambda: wamr.load(CALL, {"e": {"f": print}}).snapshot().instantiate(),
    with_a_small_stack,
    loaded(lambda data: data[:8] + bytes(32) + data[40:]),  # the digest of the build
    loaded(bytes, "(module)"),
    loaded(lambda data: data[:-1]),
    loaded(lambda data: data[:-32] + bytes(32)),  # the signature
)
