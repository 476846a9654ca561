"""Small modules as text, and host functions and classes, which several test files use."""

from __future__ import annotations

from collections.abc import Sequence

# Exports a function, a memory, a table and a global.
ONE_OF_EACH = """(module
    (func (export "f") (result i32) (i32.const 7))
    (memory (export "m") 1) (table (export "t") 1 funcref)
    (global (export "g") i32 (i32.const 3)))"""

# `run` calls the import once, and then never ends.
FOREVER = '(module (import "m" "f" (func)) (func (export "run") (call 0) (loop (br 0))))'

# `go` calls the import of type (i32) -> i32.
CALLS = """(module (import "env" "f" (func $f (param i32) (result i32)))
    (func (export "go") (param i32) (result i32) (call $f (local.get 0))))"""

# Imports a function, a memory, a table and a global; exports some of these, and some of its own.
ALL_KINDS = """(module $rich
    (import "m" "host" (func $host (param externref) (result externref)))
    (import "m" "mem" (memory 1)) (import "m" "tab" (table $t 4 funcref))
    (import "m" "g" (global (mut i64)))
    (func $own (export "own") (result i32) (i32.const 5))
    (func (export "call") (param externref) (result externref) (call $host (local.get 0)))
    (table (export "o") 4 externref)
    (global (export "own_g") (mut externref) (ref.null extern))
    (elem (i32.const 0) $own) (export "mem" (memory 0)) (export "tab" (table $t)))"""


def forwarding(params: Sequence[str], results: Sequence[str]) -> str:
    """Return a module whose `go` passes its parameters to the import and returns its results."""
    declared = f"(param {' '.join(params)})" if params else ""
    answer = f"(result {' '.join(results)})" if results else ""
    args = " ".join(f"(local.get {i})" for i in range(len(params)))
    return f"""(module (import "m" "f" (func {declared} {answer}))
        (func (export "go") {declared} {answer} {args} (call 0)))"""


def nothing() -> None:
    """A host function without parameters and results."""


def double(x: int) -> int:
    return 2 * x


class HostError(Exception):
    """Raised by host functions."""


class Referent:
    """An object that can be weakly referenced, and has any attributes."""
