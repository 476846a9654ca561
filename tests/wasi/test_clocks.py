"""The clocks of WASI: all functions accept the same clocks."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from capi_fixtures import CApiWasiFunctions
from needs import needs_engine
from wasm_fixtures import INVAL, PREVIEW1, UNSTABLE, WasiFunctions

pytestmark = pytest.mark.usefixtures("wat")

REALTIME, MONOTONIC, PROCESS, THREAD = range(4)
UNKNOWN = (4, 5, 100, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ABSOLUTE = 1


def clock(abi: str, clock_id: int, timeout: int = 1, flags: int = 0) -> bytes:
    """Return a subscription of a clock."""
    body = struct.pack("<I4xQQH6x", clock_id, timeout, 0, flags)
    return struct.pack("<QB7x", 42, 0) + (bytes(8) if abi == UNSTABLE else b"") + body


@pytest.fixture(params=[PREVIEW1, UNSTABLE])
def abi(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def poll(wasi: WasiFunctions, *subscriptions: bytes) -> tuple[int, int]:
    """Return the errno and the number of events."""
    wasi.memory.write(1024, b"".join(subscriptions))
    wasi.memory.write(wasi.OUT, bytes(8))
    error = wasi.poll_oneoff(1024, 8192, len(subscriptions), wasi.OUT)
    return error, wasi.u32()


@pytest.mark.parametrize("clock_id", UNKNOWN)
def test_unknown_clocks(abi: str, clock_id: int) -> None:
    wasi = WasiFunctions(abi=abi)
    wasi.memory.write(wasi.OUT, b"\xee" * 8)
    assert wasi.clock_time_get(clock_id, 0, wasi.OUT) == INVAL
    assert wasi.clock_res_get(clock_id, wasi.OUT) == INVAL
    assert wasi.memory.read(wasi.OUT, 8) == b"\xee" * 8
    for flags in (0, ABSOLUTE):
        assert poll(wasi, clock(abi, clock_id, flags=flags)) == (INVAL, 0)
        others = clock(abi, MONOTONIC), clock(abi, clock_id, flags=flags)
        assert poll(wasi, *others) == (INVAL, 0)
        assert poll(wasi, *reversed(others)) == (INVAL, 0)


@pytest.mark.parametrize("clock_id", [REALTIME, MONOTONIC])
def test_clocks_that_can_be_waited_for(abi: str, clock_id: int) -> None:
    wasi = WasiFunctions(abi=abi)
    assert wasi.clock_res_get(clock_id, wasi.OUT) == 0
    assert 0 < wasi.u64() <= 1_000_000_000
    assert wasi.clock_time_get(clock_id, 1 << 63, wasi.OUT) == 0
    now = wasi.u64()
    assert poll(wasi, clock(abi, clock_id)) == (0, 1)
    for time in (0, 1, now, now + 1_000_000):
        assert poll(wasi, clock(abi, clock_id, time, ABSOLUTE)) == (0, 1)
    assert poll(wasi, clock(abi, clock_id, now, flags=2)) == (INVAL, 0)
    assert poll(wasi, clock(abi, clock_id, now, flags=0xFFFF)) == (INVAL, 0)


@pytest.mark.parametrize("clock_id", [PROCESS, THREAD])
def test_clocks_of_the_cpu_can_be_read_only(abi: str, clock_id: int) -> None:
    wasi = WasiFunctions(abi=abi)
    assert wasi.clock_res_get(clock_id, wasi.OUT) == 0
    assert wasi.u64() > 0
    assert wasi.clock_time_get(clock_id, 0, wasi.OUT) == 0
    first = wasi.u64()
    assert wasi.clock_time_get(clock_id, 0, wasi.OUT) == 0
    assert wasi.u64() >= first > 0
    for flags in (0, ABSOLUTE):
        assert poll(wasi, clock(abi, clock_id, 1, flags)) == (INVAL, 0)


def test_no_subscriptions(abi: str) -> None:
    assert poll(WasiFunctions(abi=abi)) == (INVAL, 0)


def test_wasmtime_agrees() -> None:
    needs_engine()
    import wasmtime

    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    module = wasmtime.Module(
        engine,
        """(module (import "wasi_snapshot_preview1" "poll_oneoff"
          (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "poll") (param i32) (result i32)
            (call $poll (i32.const 1024) (i32.const 8192) (local.get 0) (i32.const 0))))""",
    )
    exports = linker.instantiate(store, module).exports(store)
    wasi = WasiFunctions()
    for subscriptions in (
        *([clock(PREVIEW1, n, flags=flags)] for n in range(6) for flags in range(4)),
        [clock(PREVIEW1, MONOTONIC), clock(PREVIEW1, 9)],
        [],
    ):
        exports["memory"].write(store, b"".join(subscriptions), 1024)
        theirs = exports["poll"](store, len(subscriptions))
        assert poll(wasi, *subscriptions)[0] == theirs, subscriptions


@pytest.mark.parametrize("clock_id", [4, 99])
def test_clocks_in_the_c_api(wat: Any, clock_id: int) -> None:
    wasi = CApiWasiFunctions(wat)
    try:
        wasi.memory()[1024 : 1024 + 48] = clock(PREVIEW1, clock_id)
        assert wasi.call("clock_time_get", clock_id, 0, 512) == INVAL
        assert wasi.call("poll_oneoff", 1024, 8192, 1, 512) == INVAL
        wasi.memory()[1024 : 1024 + 48] = clock(PREVIEW1, THREAD)
        assert wasi.call("poll_oneoff", 1024, 8192, 1, 512) in (INVAL, 58)  # depends on the system
    finally:
        wasi.close()
