"""The differential comparison itself: it finds a difference in each part of an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from differential import DifferentialModule, EngineInstance, Folder, Job, Outcome, refused
from needs import needs_engine

import wamr

needs_engine()


GREETING = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\00\\04\\00\\00\\05\\00\\00\\00")
  (data (i32.const 1024) "hello")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $exit (i32.const 3))))
"""


@pytest.fixture
def greeting(tmp_path: Path) -> Iterator[DifferentialModule]:
    path = tmp_path / "greeting.wasm"
    path.write_bytes(wamr.wat2wasm(GREETING))
    both = DifferentialModule(path)
    yield both
    both.close()


def test_what_both_do_is_returned(greeting: DifferentialModule) -> None:
    outcome = greeting.run(dirs={"/d": Folder({"a/b": b"c", "e": None})})
    assert outcome == Outcome(3, b"hello", b"", {"/d": {"a": None, "a/b": b"c", "e": None}})


def test_a_difference_is_a_failure(greeting: DifferentialModule) -> None:
    for what in ("code", "stdout", "files", "memory"):
        pair = greeting.start(Job(dirs={"/d": Folder()}))
        pair.call("_start")
        ours: EngineInstance = pair._sides[0]
        if what == "code":
            ours.code = 4
        elif what == "stdout":
            ours._out.extend(b"!")
        elif what == "files":
            (ours.folders["/d"][0] / "new").write_bytes(b"")
        else:
            ours.write(1024, b"H")
        with pytest.raises(AssertionError, match="wasmtime"):
            if what == "memory":
                pair.read(1024, 5)
            pair.outcome()


def test_only_the_words_of_what_is_refused_are_made_equal() -> None:
    assert refused(b"[Errno 63] Operation not permitted: x") == (
        b"[Errno 76] Capabilities insufficient: x"
    )
    assert refused(b"[Errno 44] No such file") == b"[Errno 44] No such file"
