"""Linear memory: reading, writing, views."""

from __future__ import annotations

from .installed import supported_cases
from .lines import US, WASM3, WASMTIME, Goal, Line, Samples, timed
from .timing import Case, Pace, Sample, measure

MEGABYTE = 1 << 20


def _cases(ours: str, wasmtime: str, wasm3: str | None = None) -> dict[str, Case]:
    statements = {US: ours, WASMTIME: wasmtime}
    if wasm3:
        statements[WASM3] = wasm3
    return supported_cases(lambda peer: peer.memory(32, statements))


def _read(size: int) -> dict[str, Case]:
    return _cases(
        f"m.read(1024, {size})",
        f"m.read(s, 1024, {1024 + size})",
        f"bytes(m[1024:{1024 + size}])",
    )


def _write(size: int) -> dict[str, Case]:
    cases = _cases(
        "m.write(1024, data)",
        "m.write(s, data, 1024)",
        f"m[1024:{1024 + size}] = data",
    )
    return {n: Case(x.statement, {**x.names, "data": b"x" * size}) for n, x in cases.items()}


def _item() -> dict[str, Case]:
    from .installed import this_package

    memory = this_package().instance('(module (memory (export "m") 1))').exports.m
    cases = _cases("pass", "m.data_ptr(s)[1024]", "m[1024]")
    return {**cases, US: Case("v[1024]", {"v": memory.view(), "m": memory})}


def _relative_to_memcpy(case: Case, plain: Case, pace: Pace) -> Samples:
    """Return the ratio of a write to a plain copy of as many bytes."""
    samples = measure({US: case, "memcpy": plain}, pace)
    ours, copy = samples[US], samples["memcpy"]
    return {US: Sample(ours.best / copy.best, ours.median / copy.median, ours.rounds)}


def _read_megabyte(pace: Pace) -> Samples:
    plain = Case("bytes(v)", {"v": memoryview(bytearray(MEGABYTE))})
    return _relative_to_memcpy(_read(MEGABYTE)[US], plain, pace)


def _write_megabyte(pace: Pace) -> Samples:
    data = bytes(MEGABYTE)
    plain = Case("v[:] = data", {"v": memoryview(bytearray(MEGABYTE)), "data": data})
    return _relative_to_memcpy(_write(MEGABYTE)[US], plain, pace)


LINES = (
    timed(
        "memory.read",
        "memory.read(off, 16)",
        lambda: _read(16),
        Goal(0.15e-6, times={WASMTIME: 0.1}),
    ),
    timed(
        "memory.write",
        "memory.write(off, 16 bytes)",
        lambda: _write(16),
        Goal(0.12e-6, times={WASMTIME: 0.1}),
    ),
    timed("memory.read4k", "memory.read(off, 4096)", lambda: _read(4096)),
    timed("memory.write4k", "memory.write(off, 4096 bytes)", lambda: _write(4096)),
    timed("memory.slice", "memory[a:b], 16 bytes", lambda: _cases("m[8:24]", "m.read(s, 8, 24)")),
    timed("memory.byte", "memory[i]", lambda: _cases("m[8]", "m.data_ptr(s)[8]", "m[8]")),
    timed("memory.view", "memory.view()", lambda: _cases("m.view()", "m.get_buffer_ptr(s)")),
    timed(
        "memory.view_part", "memory.view(off, 64)", lambda: {US: _cases("m.view(8, 64)", "")[US]}
    ),
    timed("memory.item", "view[i]", _item, Goal(20e-9)),
    Line("memory.read_mb", "read 1 MiB, relative to memcpy", _read_megabyte, Goal(1.15), "x"),
    Line("memory.write_mb", "write 1 MiB, relative to memcpy", _write_megabyte, Goal(1.15), "x"),
)
