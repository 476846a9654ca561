"""ResourceLimits(output_bytes=…): what a program may write to stdout and stderr together."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wasm_fixtures import program

import wamr
from wamr import Instance, Module, OutputLimitTrap, ResourceLimits, Store, TrapCode, WasiConfig

pytestmark = pytest.mark.usefixtures("wat")

SAY = "(call $say_to (i32.const %d) (i32.const 1024) (i32.const %d))"
FLOOD = program("(loop $l " + SAY % (1, 5) + SAY % (2, 3) + " (br $l))", "abcdefgh")
TEXT = "output limit reached: stdout and stderr together take at most {} bytes"


def run(source: str, output_bytes: int | None, **rest: Any) -> Any:
    return wamr.run([source], limits=ResourceLimits(output_bytes=output_bytes), **rest)


@pytest.mark.parametrize("limit", [0, 1, 5, 6, 7, 8, 9, 100, 100_003])
def test_the_bytes_up_to_the_limit_are_delivered_then_the_call_ends(limit):
    with pytest.raises(OutputLimitTrap) as caught:
        run(FLOOD, limit, capture_output=True)
    trap = caught.value
    whole, rest = divmod(limit, 8)
    assert trap.stdout == b"abcde" * whole + b"abcde"[:rest]
    assert trap.stderr == b"abc" * whole + b"abc"[: max(0, rest - 5)]
    assert trap.message == TEXT.format(limit)
    assert trap.code is TrapCode.OUTPUT_LIMIT


@pytest.mark.parametrize(("limit", "works"), [(8, True), (9, True), (None, True), (7, False)])
def test_output_of_exactly_the_limit_is_allowed(limit, works):
    source = program(SAY % (1, 5) + SAY % (2, 3) + SAY % (1, 0), "abcdefgh")
    if works:
        assert run(source, limit, capture_output=True).stdout == b"abcde"
    else:
        with pytest.raises(OutputLimitTrap):
            run(source, limit, capture_output=True)


def outputs(kind: str, folder: Path) -> tuple[Any, Any]:
    """Return an argument for stdout, and a function that returns what was written there."""
    path = folder / "out"
    if kind == "path":
        return path, path.read_bytes
    if kind == "file":
        file = path.open("wb")
        return file, path.read_bytes
    if kind == "raw":
        return path.open("wb", buffering=0), path.read_bytes
    if kind == "pipe":
        here, there = os.pipe()
        return there, lambda: os.read(here, 1000)
    if kind == "text":
        taken: list[str] = []
        return taken.append, lambda: "".join(taken).encode()
    pieces: list[bytes] = []
    return pieces.append, lambda: b"".join(pieces)


@pytest.mark.parametrize("kind", ["path", "file", "raw", "pipe", "callable", "text"])
def test_all_kinds_of_stdout_are_counted(kind, tmp_path):
    given, written = outputs(kind, tmp_path)
    with pytest.raises(OutputLimitTrap):
        run(FLOOD, 12, stdout=given, stderr=subprocess.DEVNULL, text=kind == "text")
    assert written() == b"abcdeabcd"
    if isinstance(given, int):
        os.close(given)
    elif hasattr(given, "close"):
        given.close()


def test_discarded_and_merged_output_is_counted():
    with pytest.raises(OutputLimitTrap):
        run(FLOOD, 1000, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with pytest.raises(OutputLimitTrap) as caught:
        run(FLOOD, 12, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert caught.value.stdout == b"abcdeabcabcd"


def test_inherited_output_is_counted(capfd):
    with pytest.raises(OutputLimitTrap):
        run(FLOOD, 12)
    out, err = capfd.readouterr()
    assert (out, err) == ("abcdeabcd", "abc")


def write(instance: Any, fd: int, *pieces: bytes, at: int | None = None) -> int:
    """Write by one fd_write, or fd_pwrite; return the errno."""
    memory = instance.exports.memory
    place = 2048
    for i, piece in enumerate(pieces):
        memory.write(place, piece)
        memory.write(1024 + 8 * i, place.to_bytes(4, "little") + len(piece).to_bytes(4, "little"))
        place += len(piece)
    if at is None:
        return instance.exports.fd_write(fd, 1024, len(pieces), 16)
    return instance.exports.fd_pwrite(fd, 1024, len(pieces), at, 16)


@pytest.fixture(scope="module")
def module(wat):
    names = {"fd_write": 4, "fd_renumber": 2, "fd_close": 1}
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}"'
        f" (func ${name} (param{' i32' * count}) (result i32)))"
        for name, count in names.items()
    )
    exports = "".join(f'(export "{name}" (func ${name}))' for name in names)
    pwrite = """(import "wasi_snapshot_preview1" "fd_pwrite"
        (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))"""
    return Module(
        Store(),
        f'(module {imports} {pwrite} (memory (export "memory") 1) {exports}'
        ' (export "fd_pwrite" (func $fd_pwrite)))',
    )


def made(module: Module, limit: int | None, store: Store | None = None, **wasi: Any) -> Instance:
    limits = None if limit is None else ResourceLimits(output_bytes=limit)
    store = store or Store(module.engine)
    return Instance(store, module, wasi=WasiConfig(**wasi), limits=limits)


def test_vectors_are_cut_at_the_limit_wherever_it_is(module):
    for limit in range(10):
        pieces: list[bytes] = []
        inst = made(module, limit, stdout=pieces.append)
        with pytest.raises(OutputLimitTrap, match=TEXT.format(limit)):
            write(inst, 1, b"ab", b"", b"cde", b"fghij")
        assert b"".join(pieces) == b"abcdefghij"[:limit]
        with pytest.raises(OutputLimitTrap):  # after the trap, more output traps again
            write(inst, 2, b"x")
        assert write(inst, 1) == write(inst, 1, b"", b"") == 0


def test_the_limit_holds_for_the_whole_life_of_an_instance(module):
    inst = made(module, 10)
    assert [write(inst, 1, b"abc") for _ in range(3)] == [0, 0, 0]
    with pytest.raises(OutputLimitTrap):
        write(inst, 2, b"ab")


def test_a_stores_limit_is_the_default_of_each_of_its_instances(module):
    store = Store(module.engine, limits=ResourceLimits(output_bytes=4))
    for _ in range(2):
        inst = made(module, None, store)
        assert write(inst, 1, b"abcd") == 0
        with pytest.raises(OutputLimitTrap):
            write(inst, 1, b"e")
    assert write(made(module, 5, store), 1, b"abcde") == 0


def test_a_renumbered_stream_and_one_that_is_written_at_a_place_are_counted(module, tmp_path):
    inst = made(module, 6, stdout=tmp_path / "out")
    assert write(inst, 1, b"abc", at=0) == 0
    assert inst.exports.fd_renumber(1, 0) == 0
    with pytest.raises(OutputLimitTrap):
        write(inst, 0, b"wxyz", at=1)
    assert (tmp_path / "out").read_bytes() == b"awxy"


def test_what_a_callable_lets_the_instance_write_is_counted(module):
    pieces: list[bytes] = []

    def take(data: bytes) -> None:
        pieces.append(data)
        if len(pieces) == 1:
            write(inst, 2, b"12345")

    inst = made(module, 8, stdout=take, stderr=pieces.append)
    with pytest.raises(OutputLimitTrap):
        write(inst, 1, b"abcd")
    assert pieces == [b"abcd", b"1234"]


def test_a_callable_that_takes_little_is_asked_again(module):
    pieces: list[bytes] = []

    def take(data: bytes) -> int:
        pieces.append(data[:2])
        return len(data[:2])

    inst = made(module, 7, stdout=take)
    with pytest.raises(OutputLimitTrap):
        write(inst, 1, b"abc", b"defghi")
    assert b"".join(pieces) == b"abcdefg"


def test_a_stream_that_fails_uses_nothing_up(module):
    def fail(data: bytes) -> int:
        raise OSError("no room")

    inst = made(module, 3, stdout=fail)
    with pytest.raises(OSError, match="no room"):
        write(inst, 1, b"abcdef")
    assert write(inst, 2, b"abc") == 0


def test_a_suspended_write_is_counted_once(module):
    room = [0]
    pieces: list[bytes] = []

    class File:
        def write(self, data: bytes) -> int:
            take = bytes(data[: room[0]])
            room[0] -= len(take)
            pieces.append(take)
            return len(take)

    inst = made(module, 7, stdout=File())
    memory = inst.exports.memory
    memory.write(2048, b"abcdefghij")
    memory.write(1024, (2048).to_bytes(4, "little") + (10).to_bytes(4, "little"))
    execution = inst.exports.fd_write.execution(1, 1024, 1, 16)
    assert next(execution).kind == next(execution).kind == "stdout"
    room[0] = 5
    with pytest.raises(StopIteration) as done:
        next(execution)
    assert (done.value.value, memory.read(16, 4)) == (0, b"\5\0\0\0")
    room[0] = 100
    with pytest.raises(OutputLimitTrap):
        inst.exports.fd_write(1, 1024, 1, 16)
    assert b"".join(pieces) == b"abcdeab"


def test_an_instance_without_wasi_has_no_output():
    inst = wamr.load('(module (func (export "f")))', limits=ResourceLimits(output_bytes=0))
    inst.exports.f()
