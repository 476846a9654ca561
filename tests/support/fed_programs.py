"""A small program for tests of sessions and programs, which does what its input says.

Each read of at most 64 KiB is one command: its first byte, and an argument.

    e text   writes the text to stdout      2 text   writes it to stderr
    s        sleeps for 0.1 s, writes "."   S        sleeps for an hour
    l        loops for ever                 t        traps
    x code   exits with code ord(code)      n        writes a count, which is its state
    m size   writes size * 64 KiB           r        writes 8 random bytes
    i        writes "." if its stdin has something to read, "-" if not, within 0.1 s
    I        the same, within an hour

It writes "ready\\n" first, and "bye\\n" at the end of its input.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from subprocess import TimeoutExpired
from typing import Any

import wamr

TEXT = r"""(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  (data (i32.const 1024) "ready\nbye\n.-")
  (global $count (export "count") (mut i32) (i32.const 0))
  (func $say (param $fd i32) (param $at i32) (param $size i32)
    (loop $rest
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $size))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
        (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.tee $size (i32.sub (local.get $size) (i32.load (i32.const 8))))
      (br_if $rest)))
  (func $clock (param $at i32) (param $ns i64)
    (memory.fill (local.get $at) (i32.const 0) (i32.const 48))
    (i64.store (local.get $at) (i64.const 1))
    (i32.store offset=16 (local.get $at) (i32.const 1))
    (i64.store offset=24 (local.get $at) (local.get $ns)))
  (func $sleep (param $ns i64)
    (call $clock (i32.const 64) (local.get $ns))
    (drop (call $poll (i32.const 64) (i32.const 512) (i32.const 1) (i32.const 600))))
  (func $ready (param $ns i64) (result i32)
    (call $clock (i32.const 64) (local.get $ns))
    (memory.fill (i32.const 112) (i32.const 0) (i32.const 48))
    (i64.store (i32.const 112) (i64.const 2))
    (i32.store8 (i32.const 120) (i32.const 1))
    (drop (call $poll (i32.const 64) (i32.const 512) (i32.const 2) (i32.const 600)))
    (i32.eq (i32.load (i32.const 512)) (i32.const 2)))
  (func $read (result i32)
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 65536))
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable))
    (i32.load (i32.const 8)))
  (func (export "mark") (param i32) (global.set $count (local.get 0)))
  (func (export "_start") (local $size i32) (local $c i32)
    (call $say (i32.const 1) (i32.const 1024) (i32.const 6))
    (loop $next
      (if (i32.eqz (local.tee $size (call $read)))
        (then (call $say (i32.const 1) (i32.const 1030) (i32.const 4)) (return)))
      (local.set $c (i32.load8_u (i32.const 65536)))
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (if (i32.eq (local.get $c) (i32.const 101)) (then
        (call $say (i32.const 1) (i32.const 65537) (local.get $size))))
      (if (i32.eq (local.get $c) (i32.const 50)) (then
        (call $say (i32.const 2) (i32.const 65537) (local.get $size))))
      (if (i32.eq (local.get $c) (i32.const 115)) (then
        (call $sleep (i64.const 100000000))
        (call $say (i32.const 1) (i32.const 1034) (i32.const 1))))
      (if (i32.eq (local.get $c) (i32.const 83)) (then (call $sleep (i64.const 3600000000000))))
      (if (i32.eq (local.get $c) (i32.const 108)) (then (loop $ever (br $ever))))
      (if (i32.eq (local.get $c) (i32.const 116)) (then unreachable))
      (if (i32.eq (local.get $c) (i32.const 120)) (then
        (call $exit (i32.load8_u (i32.const 65537)))))
      (if (i32.eq (local.get $c) (i32.const 110)) (then
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (i32.const 32) (i32.add (i32.const 48) (global.get $count)))
        (call $say (i32.const 1) (i32.const 32) (i32.const 1))))
      (if (i32.eq (local.get $c) (i32.const 109)) (then
        (local.set $size (i32.load8_u (i32.const 65537)))
        (memory.fill (i32.const 131072) (i32.const 120) (i32.const 65536))
        (loop $more
          (call $say (i32.const 1) (i32.const 131072) (i32.const 65536))
          (local.tee $size (i32.sub (local.get $size) (i32.const 1)))
          (br_if $more))))
      (if (i32.eq (local.get $c) (i32.const 114)) (then
        (drop (call $random (i32.const 32) (i32.const 8)))
        (call $say (i32.const 1) (i32.const 32) (i32.const 8))))
      (if (i32.eq (local.get $c) (i32.const 105)) (then
        (call $say (i32.const 1)
          (select (i32.const 1034) (i32.const 1035) (call $ready (i64.const 100000000)))
          (i32.const 1))))
      (if (i32.eq (local.get $c) (i32.const 73)) (then
        (call $say (i32.const 1)
          (select (i32.const 1034) (i32.const 1035) (call $ready (i64.const 3600000000000)))
          (i32.const 1))))
      (br $next))))"""


@cache
def fed() -> wamr.Module:
    """Return the module, which has an engine of its own."""
    return wamr.Module(wamr.Engine(), TEXT)


def session(**rest: Any) -> wamr.Session:
    """Return a new session of the program, with its stderr captured."""
    return wamr.Session([fed()], **{"stderr": -1, **rest})


def asleep(make: Any = session, command: bytes | str = b"s") -> wamr.Session:
    """Return a session that a timeout has left asleep, after "ready\\n" was returned.

    On a busy machine the time may be over before the program sleeps, or after: then another one is
    made.
    """
    while True:
        s: wamr.Session = make()
        s.feed(command[:0])
        with suppress(TimeoutExpired):
            s.feed(command, timeout=0.02)
        if s.waiting == "sleep":
            return s
        s.close()
