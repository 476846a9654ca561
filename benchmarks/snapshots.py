"""Instances of snapshots: a fresh one for each request, and what each one takes.

The programs stop where they first wait for their input; a request is a line, which each copy gets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import wamr
from wamr._backend.binding import ffi, lib

from .lines import US, Goal, Line, Samples, timed
from .programs import PYTHON, QUICKJS, wasm_of
from .timing import Case, Pace, Sample

PAGE = """(module (memory (export "m") 1)
  (func (export "f") (i32.store (i32.const 0) (i32.const 5))))"""
LOOP = "import sys\nfor line in sys.stdin:\n    exec(line)\n    sys.stdout.flush()\n"
SCRIPT = (
    "let line; while ((line = std.in.getline()) !== null) { print(eval(line)); std.out.flush() }"
)


def _page() -> wamr.Snapshot:
    return wamr.load(PAGE).snapshot()


def _clone() -> dict[str, Case]:
    snapshot = _page()
    names = {"make": snapshot.instantiate, "store": wamr.Store(snapshot.module.engine)}
    return {US: Case("i, _ = make(store)\ni.exports.f()\ni.close()", names)}


def _clone_in_c() -> dict[str, Case]:
    snapshot = _page()
    statement = "i = make(s, 7, none, 65536, 0, -1)\nclose(i)\nrelease(i)"
    names = {
        "make": lib.wpy_snapshot_instance_alone,
        "close": lib.wpy_instance_close,
        "release": lib.wpy_release,
        "s": snapshot._c,
        "none": ffi.NULL,
        "_kept": snapshot,
    }
    return {US: Case(statement, names)}


def _reset() -> dict[str, Case]:
    instance = _page().instantiate()[0]
    return {US: Case("f()\nreset()", {"f": instance.exports.f, "reset": instance.reset})}


def _nothing(size: int) -> None:
    """Stand for an input that has no data yet."""


def python_snapshot() -> wamr.Snapshot | None:
    """Return a CPython that waits for its first line; None: it is not installed."""
    path = wasm_of(PYTHON)
    if path is None:
        return None
    module = wamr.Module(wamr.Engine(), path)
    config: Any = wamr.WasiConfig(args=["python", "-c", LOOP], stdin=_nothing)
    instance = wamr.Instance(wamr.Store(module.engine), module, wasi=config)
    execution = instance.exports._start.execution()
    next(execution)
    return wamr.Snapshot(instance, execution)


def quickjs_snapshot() -> wamr.Snapshot | None:
    """Return a QuickJS whose script waits for its first line; None: it is not installed."""
    path = wasm_of(QUICKJS)
    if path is None:
        return None
    module = wamr.Module(wamr.Engine(), path)
    config: Any = wamr.WasiConfig(stdin=_nothing)
    e = wamr.Instance(wamr.Store(module.engine), module, wasi=config).exports
    addresses = []
    for argument in ("qjs", "--std", "-e", SCRIPT):
        data = argument.encode() + b"\0"
        addresses.append(e.malloc(len(data)))
        e.memory.write(addresses[-1], data)
    vector = e.malloc(4 * len(addresses) + 4)
    e.memory.write(vector, struct.pack(f"<{len(addresses) + 1}I", *addresses, 0))
    execution = e.qjs_init_argv.execution(len(addresses), vector)
    next(execution)
    return wamr.Snapshot(e.malloc._lifetime.instance(), execution)


def request(snapshot: wamr.Snapshot, line: bytes) -> Callable[[], bytes]:
    """Return a function that runs a line in a fresh copy until the copy waits for the next line."""
    store = wamr.Store(snapshot.module.engine)

    def run() -> bytes:
        output: list[bytes] = []
        lines = [line]
        config = wamr.WasiConfig(
            stdin=lambda _: lines.pop() if lines else None,
            stdout=output.append,
        )
        instance, execution = snapshot.instantiate(store, wasi=config)
        assert execution is not None
        next(execution)
        instance.close()
        return b"".join(output)

    assert run().strip() == b"2"
    return run


def _fresh(make: Callable[[], wamr.Snapshot | None], line: bytes) -> dict[str, Case]:
    snapshot = make()
    return {} if snapshot is None else {US: Case("run()", {"run": request(snapshot, line)})}


def _copies(make: Callable[[], wamr.Snapshot | None]) -> dict[str, Case]:
    snapshot = make()
    if snapshot is None:
        return {}
    names = {
        "make": snapshot.instantiate,
        "store": wamr.Store(snapshot.module.engine),
        "config": wamr.WasiConfig(),
    }
    return {US: Case("i, e = make(store, wasi=config)\ni.close()", names)}


def _taken(make: Callable[[], wamr.Snapshot | None]) -> dict[str, Case]:
    snapshot = make()
    if snapshot is None:
        return {}
    instance, execution = snapshot.instantiate(wasi=wamr.WasiConfig())
    names = {"take": wamr.Snapshot, "i": instance, "e": execution}
    return {US: Case("take(i, e)", names)}


def _loaded() -> dict[str, Case]:
    snapshot = python_snapshot()
    if snapshot is None:
        return {}
    folder = TemporaryDirectory()
    path = Path(folder.name, "snapshot")
    snapshot.save(path)
    names = {"load": wamr.Snapshot.load, "p": path, "m": snapshot.module, "_kept": folder}
    return {US: Case("load(p, m, trusted=True)", names)}


def _resident() -> int:
    """Return the bytes of memory that this process has of its own."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    return 1024 * (int(kib["Private_Dirty"]) + int(kib["Private_Clean"]))


def _each(make: Callable[[], wamr.Snapshot | None], wasi: bool) -> Samples:
    """Return the memory that each of many open instances takes."""
    snapshot = make()
    if snapshot is None:
        return {}
    rest: Mapping[str, Any] = {"wasi": wamr.WasiConfig()} if wasi else {}
    store = wamr.Store(snapshot.module.engine)
    kept = [snapshot.instantiate(store, **rest) for _ in range(10)]
    before = _resident()
    count = 200
    kept += [snapshot.instantiate(store, **rest) for _ in range(count)]
    return {US: Sample.one((_resident() - before) / count)}


def _memory(key: str, title: str, make: Any, wasi: bool, goal: Goal, slow: bool) -> Line:
    def measured(pace: Pace) -> Samples:
        return _each(make, wasi)

    return Line(key, title, measured, goal, unit="B", slow=slow)


LINES = (
    timed("snapshots.clone", "copy an instance of one page, call, close", _clone, Goal(most=15e-6)),
    timed("snapshots.c", "the same without a call, in C", _clone_in_c, Goal(most=5e-6)),
    timed("snapshots.reset", "call, and reset in place", _reset),
    timed(
        "snapshots.quickjs",
        "a line in a fresh QuickJS",
        lambda: _fresh(quickjs_snapshot, b"1+1\n"),
        Goal(most=200e-6),
        slow=True,
    ),
    timed(
        "snapshots.python",
        "a line in a fresh CPython",
        lambda: _fresh(python_snapshot, b"print(1+1)\n"),
        Goal(most=2e-3),
        slow=True,
    ),
    timed("snapshots.copy", "copy a CPython, close", lambda: _copies(python_snapshot), slow=True),
    timed("snapshots.take", "snapshot of a CPython", lambda: _taken(python_snapshot), slow=True),
    timed("snapshots.load", "load a CPython's snapshot", _loaded, Goal(most=0.1), slow=True),
    _memory("snapshots.page_each", "a copy of one page", _page, False, Goal(most=20e3), False),
    _memory("snapshots.js_each", "a copy of QuickJS", quickjs_snapshot, True, Goal(), True),
    _memory(
        "snapshots.python_each", "a copy of CPython", python_snapshot, True, Goal(most=100e3), True
    ),
)
