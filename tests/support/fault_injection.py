"""Fault injection: a program in which each allocation of our C fails once.

It runs in an interpreter of its own with fault_injection.c preloaded. For each scenario and each n,
a forked child makes the n-th allocation fail; another makes the n-th and all later ones fail, for
each n with WAMR_STRESS, else for every seventh. The scenario must succeed or raise MemoryError.
Then the child runs it again without faults, which must succeed. A child that crashes, hangs or
raises anything else is reported.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from errno import ENOMEM
from functools import lru_cache
from pathlib import Path
from typing import Any

import exception_faults
import snapshot_faults

import wamr
from wamr import (
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    ResourceLimits,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    WasiConfig,
)
from wamr.wat import wat2wasm

RICH = wat2wasm("""(module $rich
    (type $t (func (result i32)))
    (import "m" "host" (func $host (param i32 i64 f32 f64) (result i64)))
    (import "m" "wide" (func $wide (param externref v128) (result i32 f64)))
    (import "m" "mem" (memory 1)) (import "m" "tab" (table $t 4 30 funcref))
    (import "m" "g" (global $g (mut i64))) (import "m" "c" (global $c i32))
    (table $own (export "own") 2 4 externref) (table $private 3 funcref)
    (global $x (export "x") (mut funcref) (ref.func $five)) (global (mut f64) (f64.const 1))
    (func $five (export "five") (result i32) (i32.const 5))
    (func (export "out") (param i64) (result i64)
        (call $host (i32.const 1) (local.get 0) (f32.const 2) (f64.const 3)))
    (func (export "out_wide") (param externref) (result i32 f64)
        (call $wide (local.get 0) (v128.const i64x2 1 2)))
    (func (export "indirect") (param i32) (result i32) (call_indirect $t (type $t) (local.get 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "grow_table") (result i32) (table.grow $private (ref.null func) (i32.const 2)))
    (func (export "grow_own") (result i32) (table.grow $own (ref.null extern) (i32.const 1)))
    (func $deep (export "deep") (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
        (call $deep (i32.sub (local.get 0) (i32.const 1))))
    (func (export "take") (param funcref) (result funcref) (global.set $x (local.get 0))
        (global.get $x))
    (elem (table $t) (i32.const 0) func $five $five) (elem $p func $five)
    (data (i32.const 0) "data") (data $q "passive"))""")
MANY_I64 = " i64" * 200
CALLER = wat2wasm(f"""(module (import "a" "five" (func $five (result i32)))
    (import "a" "many" (func $many (param{MANY_I64}) (result i64)))
    (func (export "sum") (result i32) (i32.add (call $five) (call $five)))
    (func (export "through") (result i64) {"(i64.const 1)" * 200} (call $many))
    (memory 1) (table (export "t") 3 9 funcref) (global (export "g") (mut i32) (i32.const 1)))""")
MANY = wat2wasm(
    f'(module (func (export "many") (param{MANY_I64}) (result i64) (local.get 199))'
    ' (func (export "five") (result i32) (i32.const 5)))'
)
ITSELF = wat2wasm(f"""(module (type $wide (func (param{MANY_I64}) (result i64)))
    (table (export "t") 1 funcref)
    (func $h (export "h") (type $wide) (if (i64.eqz (local.get 0)) (then unreachable))
        (local.get 199))
    (func (export "go") (param i64) (result i64) (call_indirect (type $wide) (local.get 0)
        {"(i64.const 1)" * 199} (i32.const 0))))""")
AGAIN = wat2wasm(f"""(module (import "a" "h" (func $h (param{MANY_I64}) (result i64)))
    (import "a" "t" (table 1 funcref)) (elem (i32.const 0) $h))""")
HALF = wat2wasm("""(module (import "a" "five" (func (result i32)))
    (memory 30) (table (export "t") 60 funcref) (table 600 funcref))""")
WASI = wat2wasm("""(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir"
        (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
    (global $errno (export "errno") (mut i32) (i32.const 0))
    (memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\03\\00\\00\\00hi\\0afile")
    (func (export "_start")
        (drop (call $args (i32.const 100) (i32.const 104)))
        (global.set $errno
            (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 200)))
        (drop (call $readdir (i32.const 3) (i32.const 300) (i32.const 100) (i64.const 0)
            (i32.const 200)))
        (drop (call $open (i32.const 3) (i32.const 0) (i32.const 11) (i32.const 4) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 400)))))""")


# ------------------------------------------------------------------ scenarios
# Each takes a World, which is created before allocations begin to fail.
def make_module(_: object) -> Module:
    return Module(Store(), RICH)


class World:
    """A store with the imports of RICH, and a group of linked instances."""

    def __init__(self) -> None:
        self.store = Store(limits=ResourceLimits(memory_bytes=64 * 65536, table_elements=1000))
        self.module = Module(self.store, RICH)
        self.many = Instance(self.store, Module(self.store, MANY)).exports
        self.caller = Module(self.store, CALLER)
        self.half = Module(self.store, HALF)
        self.itself = Instance(self.store, Module(self.store, ITSELF)).exports
        Instance(self.store, Module(self.store, AGAIN), {"a": self.itself})
        self.items = self.imports()
        self.rich = Instance(self.store, self.module, self.items).exports
        self.throwing = exception_faults.Throwing()
        self.copying = snapshot_faults.Copying()

    def imports(self) -> list[Any]:
        store = self.store
        return [
            lambda a, b, c, d: b + 1,
            lambda ref, vector: (7, 2.0),
            Memory(store, MemoryType(Limits(1, 30))),
            Table(store, TableType(ValType.FUNCREF, Limits(4, 30))),
            Global(store, GlobalType(ValType.I64, mutable=True), 1),
            Global(store, GlobalType(ValType.I32), 1),
        ]


def make_objects(world: World) -> None:
    world.imports()
    Func(world.store, FuncType([ValType.I32] * 3, [ValType.I64]), lambda a, b, c: 1)


def make_store(world: World) -> None:
    Store(limits=ResourceLimits(memory_bytes=65536, table_elements=10))


def instantiate_alone(world: World) -> None:
    Instance(world.store, world.module, world.imports()).exports.five()


def instantiate_linked(world: World) -> None:
    """Link to one group again and again: an instance that fails must leave nothing in the group."""
    try:
        with Instance(world.store, world.module, world.items) as instance:
            assert instance.exports.indirect(1) == 5
    finally:  # its functions are in the shared table
        world.items[3][0] = world.items[3][1] = world.rich.five


def link_instances(world: World) -> None:
    exports = {"five": world.rich.five, "many": world.many.many}
    with Instance(world.store, world.caller, {"a": exports}) as instance:
        assert instance.exports.sum() == 10
        assert instance.exports.through() == 1


def instantiate_with_half_of_the_limits(world: World) -> None:
    """An instance that failed must have released its half of the limits."""
    with Instance(world.store, world.half, [world.rich.five]):
        pass


def call(world: World) -> None:
    rich = world.rich
    assert rich.five() == 5
    assert rich.out(1) == 2
    assert rich.out_wide(world) == (7, 2.0)
    assert rich.indirect(0) == 5
    assert world.many.many(*range(200)) == 199


def trap(world: World) -> None:
    try:
        world.rich.deep(30)
    except Trap as error:
        assert "unreachable" in str(error)  # noqa: PT017
        [frame.module_offset for frame in error.frames]
        return
    raise AssertionError("no trap")


def call_itself(world: World) -> None:
    """Call by a reference of another instance, with more cells than fit on the native stack."""
    assert world.itself.go(5) == 1
    try:
        world.itself.go(0)
    except Trap as error:
        if error.message == "out of memory":
            raise
        assert error.message == "unreachable"  # noqa: PT017
        return
    raise AssertionError("no trap")


def grow(world: World) -> None:
    rich, (_, _, memory, table, *_) = world.rich, world.items
    rich.grow()
    rich.grow_table()
    rich.grow_own()
    memory.grow(1)
    table.grow(1)
    assert memory.view(0, 4).tobytes() == b"data"
    assert rich.five() == 5


def pass_functions(world: World) -> None:
    type_ = FuncType([], [ValType.I32])
    table = world.items[3]
    for _ in range(20):
        func = Func(world.store, type_, lambda: 8)
        table[2] = func
        assert world.rich.take(func)() == 8
    assert world.rich.indirect(2) == 8
    assert world.rich.take(world.many.five)() == 5
    assert table[2]() == 8
    table[2] = None


def wasi_program(world: World) -> None:
    written: list[bytes] = []
    config = WasiConfig(
        args=["a", "b"],
        env={"A": "B"},
        stdout=written.append,
        dirs={"/": tempfile.gettempdir()},
    )
    with Instance(world.store, Module(world.store, WASI), wasi=config) as instance:
        instance.exports["_start"]()
        assert b"".join(written) == (b"" if instance.exports.errno.value else b"hi\n")


SCENARIOS: list[Callable[..., object]] = [
    make_module, make_store, make_objects, instantiate_alone, instantiate_linked,
    instantiate_with_half_of_the_limits, link_instances,
    call, call_itself, trap, grow, pass_functions, wasi_program, *exception_faults.SCENARIOS,
    *snapshot_faults.SCENARIOS,
]  # fmt: skip


# ------------------------------------------------------------------ the program
fail_at = ctypes.CDLL(None).fail_at
fail_at.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_long, ctypes.c_long]
fail_at.restype = ctypes.c_long
OUT_OF_MEMORY = {"out of memory", "out of memory for exceptions"}
LONG = float(os.environ.get("WAMR_STRESS", "1")) > 1
DONE, ENOUGH, RAISED, WRONG, WRONG_AND_ENOUGH = range(5)


@lru_cache
def our_addresses() -> tuple[int, int]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    ours = [line.split()[0].split("-") for line in lines if re.search(r"/_wamr[^/]*\.so$", line)]
    return int(ours[0][0], 16), int(ours[-1][1], 16)


def child(scenario: Callable[..., object], world: World, n: int, last: int) -> int:
    enough = False
    try:
        fail_at(*our_addresses(), n, last)
        try:
            scenario(world)
            outcome = DONE
        except (MemoryError, OSError, Trap) as error:
            if isinstance(error, OSError) and error.errno != ENOMEM:
                raise
            if isinstance(error, Trap) and error.message not in OUT_OF_MEMORY:
                raise
            outcome = RAISED
        enough = fail_at(0, 0, 0, 0) < n
        gc.collect()
        for _ in range(3):
            scenario(world)
        call(world)
        world.store.close()
        gc.collect()
    except BaseException:
        enough |= fail_at(0, 0, 0, 0) < n
        print(f"--- {scenario.__name__}, allocation {n} to {last}", file=sys.stderr)
        traceback.print_exc()
        return WRONG_AND_ENOUGH if enough else WRONG
    return ENOUGH if enough else outcome


def allocations(data: bytes) -> int:
    """Return the number of allocations that loading a module takes."""
    store = Store()
    fail_at(*our_addresses(), sys.maxsize, sys.maxsize)
    Module(store, data)
    return int(fail_at(0, 0, 0, 0))


def nested(depth: int) -> bytes:
    return wat2wasm(f"(module (func {'block ' * depth} {'end ' * depth}))")


def main() -> None:
    names = sys.argv[1:]
    faulthandler.enable()
    our_addresses()  # for all children
    # The collections of each child would copy the pages of all objects that exist now.
    gc.collect()
    gc.freeze()
    if names == ["nesting"]:
        print(allocations(nested(10)), allocations(nested(50_000)))
        return
    for scenario in SCENARIOS:
        if names and scenario.__name__ not in names:
            continue
        counts = {DONE: 0, RAISED: 0, WRONG: 0}
        for last, step in ((None, 1), (sys.maxsize, 1 if LONG else 7)):
            world, n = World(), 1 - step
            while True:
                n += step
                sys.stderr.flush()
                pid = os.fork()
                if not pid:
                    signal.alarm(100)
                    code = child(scenario, world, n, last or n)
                    sys.stderr.flush()
                    os._exit(code)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                if code == ENOUGH:
                    break
                if code == WRONG_AND_ENOUGH:
                    counts[WRONG] += 1
                    break
                if code not in counts:
                    print(f"--- {scenario.__name__}, {n} to {last}: {code}", file=sys.stderr)
                    code = WRONG
                counts[code] += 1
        print(scenario.__name__, *counts.values(), flush=True)


if __name__ == "__main__":
    assert wamr
    main()
