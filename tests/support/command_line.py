"""Programs that the tests of the command line run, and what its errors look like."""

from __future__ import annotations

import subprocess

ARITHMETIC = """(module
  (memory (export "mem") 1)
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "v128") (param v128) (result v128) local.get 0)
  (func (export "ref") (param externref) (result externref) local.get 0)
  (func (export "none"))
  (func (export "two") (result i32 f64) i32.const -1 f64.const 0.5)
  (func $inner unreachable)
  (func (export "crash") call $inner)
  (func (export "pages") (result i32) (drop (memory.grow (i32.const 99))) memory.size)
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
  (func (export "forever") (loop (br 0))))"""

# Writes "hello" and its arguments, one per line, and exits with code 7.
ARGS = """(module
  (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $esizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $put (param $from i32) (param $size i32)
    (local $i i32)
    (loop $each (if (i32.lt_u (local.get $i) (local.get $size)) (then
      (if (i32.eqz (i32.load8_u (i32.add (local.get $from) (local.get $i))))
        (then (i32.store8 (i32.add (local.get $from) (local.get $i)) (i32.const 10))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $each))))
    (i32.store (i32.const 16) (local.get $from))
    (i32.store (i32.const 20) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 1024) (i32.const 4096)))
    (call $put (i32.const 4096) (i32.load (i32.const 4)))
    (drop (call $esizes (i32.const 0) (i32.const 4)))
    (drop (call $env (i32.const 1024) (i32.const 4096)))
    (call $put (i32.const 4096) (i32.load (i32.const 4)))
    (call $exit (i32.const 7))))"""

# Copies stdin to stdout until its end.
CAT = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
      (br_if $more (i32.load (i32.const 8))))))"""

# Writes "y" for ever, and does not look whether anybody reads it.
YES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\02\\00\\00\\00y\\n")
  (func (export "_start")
    (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))) (br 0))))"""

# Writes "y" once, and then does nothing for ever.
BUSY = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\01\\00\\00\\00y")
  (func (export "busy") (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
    (loop (br 0))))"""

# Makes the file "made" in its first directory; the errno is what it exits with.
MAKE = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "made")
  (func (export "_start")
    (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))))"""

# Functions that throw, and that have exnrefs; a program that nothing catches an exception of.
THROWING = """(module $throwing
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (tag $own) (tag $failed (export "failed") (param i32 f64))
    (func $fail (param i32) (throw $failed (local.get 0) (f64.const 0.5)))
    (func (export "_start") (call $fail (i32.const 42)))
    (func (export "throw") (param i32) (call $fail (local.get 0)))
    (func (export "catch") (param i32) (result i32)
        (block $h (result i32 f64)
            (try_table (catch $failed $h) (call $fail (local.get 0))) (unreachable))
        drop)
    (func (export "legacy") (param i32) (result i32)
        try local.get 0 call $fail catch_all end  i32.const 7)
    (func (export "keep") (param exnref i32) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $fail (local.get 1))) (local.get 0)))
    (func (export "same") (param exnref) (result exnref) (local.get 0)))"""

PROGRAMS = {
    "arithmetic": ARITHMETIC,
    "args": ARGS,
    "cat": CAT,
    "yes": YES,
    "make": MAKE,
    "busy": BUSY,
}
PROGRAMS |= {
    "reactor": '(module (func (export "_initialize")) (func (export "f")))',
    "library": "(module)",
    "throwing": THROWING,
    "stranger": '(module (import "env" "f\\1b[31m" (func)) (func (export "_start")))',
    "large": '(module (memory 100) (func (export "_start")))',
    "odd": '(module (func (export "_start") (param i32)))',
}


def assert_one_line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """Check that a command failed with one line on stderr; return that line."""
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert "Traceback" not in done.stderr
    return done.stderr
