"""What raises the errors of sessions and programs, for docs/errors.md."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import fed_programs
import pytest

import wamr

READS_AT_START = """(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (start $s) (func (export "_start"))
    (func $s (i32.store (i32.const 4) (i32.const 9))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))"""


def fed_after(act: Callable[[wamr.Session], object], first: bytes = b"") -> Callable[[], None]:
    """Return a function that feeds a session after something has happened to it."""

    def make() -> None:
        session = fed_programs.session()
        if first:
            _timed_out(session.feed, first)
        act(session)
        session.feed(b"x")

    return make


def _trapped(call: Callable[..., object], *args: Any) -> None:
    with pytest.raises(wamr.Trap):
        call(*args)


def _timed_out(call: Callable[..., object], *args: Any) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        call(*args, timeout=0)


def closed_by_its_output() -> None:
    session: wamr.Session = fed_programs.session(stdout=lambda _: session.close())
    session.feed(b"")


def fed_by_its_output() -> None:
    session: wamr.Session = fed_programs.session(stdout=lambda _: session.feed(b""))
    session.feed(b"")


MAKERS = (
    fed_after(lambda s: s.end()),
    fed_after(lambda s: _trapped(s.feed, b"t")),
    fed_after(lambda s: _timed_out(s.end), b"l"),
    fed_after(lambda s: s.close()),
    closed_by_its_output,
    fed_by_its_output,
    lambda: wamr.Session([READS_AT_START]),
    lambda: wamr.Program(['(module (func (export "_start")))']),
    lambda: wamr.Program([fed_programs.fed()]).run(env={}),
)
