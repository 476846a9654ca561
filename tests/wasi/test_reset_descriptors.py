"""Descriptors of a WASI program after `Instance.reset`: as in a new instance, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots import reason_of

import wamr
from wamr import ResourceLimits, WasiConfig

pytestmark = pytest.mark.usefixtures("wat")

MODULE = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
    (func $set_flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 100) ".") (data (i32.const 110) "f")
  (func $opened (param $flags i32) (param $path i32) (param $base i64) (param $inheriting i64)
    (result i32)
    (if (result i32) (call $open (i32.const 3) (i32.const 0) (local.get $path) (i32.const 1)
        (local.get $flags) (local.get $base) (local.get $inheriting) (i32.const 0) (i32.const 200))
      (then (i32.const -1)) (else (i32.load (i32.const 200)))))
  (func (export "open_folder") (result i32) (drop (call $stat (i32.const 3) (i32.const 300)))
    (call $opened (i32.const 2) (i32.const 100)
      (i64.load (i32.const 308)) (i64.load (i32.const 316))))
  (func (export "create") (result i32)
    (call $opened (i32.const 1) (i32.const 110) (i64.const 64) (i64.const 0)))
  (func (export "write") (param i32) (result i32)
    (i32.store (i32.const 300) (i32.const 1000)) (i32.store (i32.const 304) (i32.const 1000))
    (call $write (local.get 0) (i32.const 300) (i32.const 1) (i32.const 308)))
  (func (export "unlink") (result i32)
    (call $unlink (i32.const 3) (i32.const 110) (i32.const 1)))
  (func (export "renumber") (param i32 i32) (result i32)
    (call $renumber (local.get 0) (local.get 1)))
  (func (export "prestat") (result i32) (call $prestat (i32.const 3) (i32.const 400)))
  (func (export "set_flags") (param i32 i32) (result i32)
    (call $set_flags (local.get 0) (local.get 1))))"""


def made(**limits: Any) -> wamr.Instance:
    config = WasiConfig(dirs={"/d": {}})
    instance = wamr.load(MODULE, wasi=config, limits=ResourceLimits(**limits))
    instance.snapshot()
    return instance


def test_flags_of_a_directory_are_not_left_to_the_next_program() -> None:
    instance = made()
    assert instance.exports.set_flags(3, 0) == 0
    instance.reset()
    assert instance.exports.set_flags(3, 4) == 0  # FDFLAGS_NONBLOCK
    text = "the program has changed descriptor 3"
    assert reason_of(instance.reset) == ("open-files", text)
    assert instance.exports.set_flags(3, 0) == 0
    instance.reset()


def test_another_descriptor_of_the_same_directory_is_not_the_first_one() -> None:
    """It has no name: `fd_prestat_get` is for the directories that the program began with."""
    instance = made()
    exports = instance.exports
    assert exports.prestat() == 0
    opened = exports.open_folder()
    assert opened > 3
    assert exports.renumber(opened, 3) == 0
    assert exports.prestat() != 0
    assert reason_of(instance.reset)[0] == "open-files"


def test_numbers_of_descriptors_do_not_tell_how_many_there_were() -> None:
    instance = made()
    create = instance.exports.create
    few = max(create() for _ in range(5))
    assert 3 < few < 100
    instance.reset()
    assert max(create() for _ in range(500)) > 400
    instance.reset()
    assert max(create() for _ in range(5)) < 100
    assert min(create() for _ in range(500)) > 3  # the table grows again


@pytest.mark.parametrize("open_again", [False, True])
def test_removed_files_that_were_open_no_longer_count(open_again: bool) -> None:
    instance = made(file_bytes=1000)
    exports = instance.exports
    for _ in range(3):
        file = exports.create()
        if open_again:
            exports.create()
        assert (exports.write(file), exports.unlink()) == (0, 0)
        assert exports.write(exports.create()) != 0  # no space
        assert exports.unlink() == 0
        instance.reset()
