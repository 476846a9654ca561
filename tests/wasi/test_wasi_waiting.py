"""WASI calls that wait: for how long, for which events, and how they are interrupted."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import wasm_fixtures
from thread_helpers import repeatedly, send_ctrl_c
from wasm_fixtures import WasiFunctions, program, took

import wamr
from wamr import WasiConfig

pytestmark = pytest.mark.usefixtures("wat")


def sleep(
    wasi: WasiFunctions, ns: int, *, clock: int = 1, absolute: bool = False, **limits: float
) -> int:
    words = (42, 0, clock, ns, 0, int(absolute))
    subscription = b"".join(word.to_bytes(8, "little") for word in words)
    wasi.memory.write(1024, subscription)
    error: int = wasi.poll_oneoff(1024, 2048, 1, wasi.OUT, **limits)
    return error


def event(wasi: WasiFunctions, i: int = 0) -> tuple[int, int, int]:
    """Return userdata, errno and type."""
    data = wasi.memory.read(2048 + 32 * i, 32)
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little"), data[10]


def test_sleep_sleeps() -> None:
    wasi = WasiFunctions()
    for clock in (0, 1):
        with took(0.2, 0.05):
            assert sleep(wasi, 50_000_000, clock=clock) == 0
        assert wasi.u32() == 1
        assert event(wasi) == (42, 0, 0)
        assert wasi.clock_time_get(clock, 0, wasi.OUT) == 0
        with took(0.2, 0.04):
            assert sleep(wasi, wasi.u64() + 50_000_000, clock=clock, absolute=True) == 0
        with took(0.05):
            assert sleep(wasi, 1, clock=clock, absolute=True) == 0
    with took(0.05):
        assert sleep(wasi, 1 << 60, clock=3) == wasm_fixtures.INVAL


def test_poll_without_subscriptions() -> None:
    wasi = WasiFunctions()
    assert wasi.poll_oneoff(1024, 2048, 0, wasi.OUT) == wasm_fixtures.INVAL
    wasi.memory.write(1024, bytes([0] * 8 + [9] + [0] * 39))
    assert wasi.poll_oneoff(1024, 2048, 1, wasi.OUT) == wasm_fixtures.INVAL
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wasi.poll_oneoff(1024, 2048, 0x10000000, wasi.OUT)
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wasi.poll_oneoff(1024, 65535, 1, wasi.OUT)


def subscriptions(wasi: WasiFunctions, *items: tuple[int, int, int]) -> None:
    """Write subscriptions: (userdata, 0 and nanoseconds) or (userdata, 1 read or 2 write, fd)."""
    text = b""
    for userdata, kind, value in items:
        head = userdata.to_bytes(8, "little") + kind.to_bytes(8, "little")
        text += head + (
            value.to_bytes(8, "little") + bytes(24)
            if kind
            else (1).to_bytes(8, "little") + value.to_bytes(8, "little") + bytes(16)
        )
    wasi.memory.write(1024, text)


def test_poll_of_descriptors_and_clocks() -> None:
    ours, theirs = os.pipe()
    try:
        wasi = WasiFunctions(stdin=ours, stdout=lambda data: None)
        items = [(1, 1, 0), (2, 0, 60_000_000), (3, 0, 1 << 60)]
        subscriptions(wasi, *items)
        with took(0.2, 0.06):
            assert wasi.poll_oneoff(1024, 2048, 3, wasi.OUT) == 0
        assert (wasi.u32(), event(wasi)) == (1, (2, 0, 0))
        threading.Timer(0.05, os.write, (theirs, b"x")).start()
        subscriptions(wasi, (1, 1, 0), (3, 0, 1 << 60))
        with took(0.2, 0.04):
            assert wasi.poll_oneoff(1024, 2048, 2, wasi.OUT) == 0
        assert (wasi.u32(), event(wasi)) == (1, (1, 0, 1))
        assert wasi.read(0) == b"x"
        subscriptions(wasi, (4, 2, 1), (5, 1, 99))
        assert wasi.poll_oneoff(1024, 2048, 2, wasi.OUT) == 0
        assert {event(wasi, i) for i in range(wasi.u32())} >= {(5, wasm_fixtures.BADF, 1)}
        subscriptions(wasi, (4, 2, 1))
        assert wasi.poll_oneoff(1024, 1024, 1, wasi.OUT) == 0  # overlapping its own subscriptions
        assert wasi.u64(1024) == 4
    finally:
        os.close(ours)
        os.close(theirs)


def test_python_streams_are_always_ready() -> None:
    wasi = WasiFunctions(stdin=lambda size: b"x", stdout=lambda data: None)
    subscriptions(wasi, (1, 1, 0), (2, 2, 1))
    assert wasi.poll_oneoff(1024, 2048, 2, wasi.OUT) == 0
    assert [event(wasi, i) for i in range(wasi.u32())] == [(1, 0, 1), (2, 0, 2)]


def test_timeout_ends_what_waits() -> None:
    ours, theirs = os.pipe()
    try:
        wasi = WasiFunctions(stdin=ours, stdout=theirs)
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            sleep(wasi, 1 << 60, timeout=0.1)
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            wasi.read(0, timeout=0.1)
        subscriptions(wasi, (1, 1, 0), (2, 1, 0))
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            wasi.poll_oneoff(1024, 2048, 2, wasi.OUT, timeout=0.1)
        with took(0.5), pytest.raises(wamr.TimeoutTrap):
            for _ in range(100):  # until the pipe is full
                wasi.write(1, b"x" * 8192, timeout=0.1)
        with took(0.1):
            assert sleep(wasi, 1_000_000) == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_timeout_counts_the_time_in_calls() -> None:
    text = program("(loop $again (call $say (i32.const 1024) (i32.const 1)) (br $again))", "x")
    instance = wamr.load(text, wasi=WasiConfig(stdout=lambda data: time.sleep(0.005)))
    with took(0.3, 0.1), pytest.raises(wamr.TimeoutTrap):
        instance.exports._start.call(timeout=0.1)
    text = program(
        "(loop $again (drop (call $random_get (i32.const 65536) (i32.const 131072))) (br $again))"
    )
    instance = wamr.load(text, wasi=WasiConfig())
    with took(0.3, 0.1), pytest.raises(wamr.TimeoutTrap):
        instance.exports._start.call(timeout=0.1)


def test_interrupt_ends_what_waits() -> None:
    wasi = WasiFunctions()
    interrupting = repeatedly(wasi.instance.interrupt, 0.05)
    with took(0.3, 0.05), interrupting, pytest.raises(wamr.Trap, match="interrupted"):
        sleep(wasi, 1 << 60)


def test_ctrl_c_ends_what_waits() -> None:
    wasi = WasiFunctions()
    timer = threading.Timer(0.1, send_ctrl_c)
    with took(0.5, 0.1), pytest.raises(KeyboardInterrupt):
        timer.start()
        sleep(wasi, 1 << 60)
    timer.join()


def test_a_full_pipe_takes_everything_in_the_end() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)  # the program must not notice this
    got = bytearray()

    def drain() -> None:
        while piece := os.read(ours, 65536):
            got.extend(piece)
            time.sleep(0.001)

    drainer = threading.Thread(target=drain)
    wasi = WasiFunctions(stdout=theirs)
    os.close(theirs)
    drainer.start()
    data = bytes(range(256)) * 64
    for _ in range(40):
        assert wasi.write(1, data) == 0
        assert wasi.u32() == len(data)
    wasi.instance.close()
    drainer.join()
    os.close(ours)
    assert got == data * 40


def test_a_broken_pipe_is_an_errno_of_the_program() -> None:
    ours, theirs = os.pipe()
    wasi = WasiFunctions(stdout=theirs)
    os.close(ours)
    assert wasi.write(1, b"x") == 64
    os.close(theirs)


# ------------------------------------------------------------------ FIFOs in a directory
@pytest.fixture
def fifo(tmp_path: Path) -> WasiFunctions:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs FIFOs")
    os.mkfifo(tmp_path / "fifo")
    return WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)})


NONBLOCK = 4
# With these rights a descriptor is itself the reader that opening a FIFO for writing needs.
BOTH_ENDS = wasm_fixtures.READ | wasm_fixtures.WRITE | wasm_fixtures.SEEK | wasm_fixtures.SET_FLAGS


def fill(wasi: WasiFunctions, fd: int) -> None:
    """Write to the pipe until it is full; no write waits."""
    assert wasi.fd_fdstat_set_flags(fd, NONBLOCK) == 0
    while wasi.write(fd, b"x" * 8192) == 0:
        pass
    assert wasi.fd_fdstat_set_flags(fd, 0) == 0


def test_timeout_ends_writing_to_a_fifo(fifo: WasiFunctions) -> None:
    error, fd = fifo.open("fifo", rights=BOTH_ENDS)
    assert error == 0
    fill(fifo, fd)
    for _ in range(2):
        with took(10, 0.1), pytest.raises(wamr.TimeoutTrap):
            fifo.write(fd, b"no room", timeout=0.1)
    assert fifo.read(fd) == b"x" * 4096
    assert fifo.write(fd, b"room again", timeout=100) == 0


def test_interrupt_and_ctrl_c_end_writing_to_a_fifo(fifo: WasiFunctions) -> None:
    error, fd = fifo.open("fifo", rights=BOTH_ENDS)
    assert error == 0
    fill(fifo, fd)
    interrupting = repeatedly(fifo.instance.interrupt, 0.1)
    with took(10, 0.1), interrupting, pytest.raises(wamr.Trap, match="interrupted"):
        fifo.write(fd, b"no room")
    timer = threading.Timer(0.1, send_ctrl_c)
    with took(10, 0.1), pytest.raises(KeyboardInterrupt):
        timer.start()
        fifo.write(fd, b"no room")
    timer.join()


def test_a_large_write_to_a_fifo_arrives_whole(fifo: WasiFunctions, tmp_path: Path) -> None:
    got = bytearray()

    def drain() -> None:
        with (tmp_path / "fifo").open("rb") as file:
            while piece := file.read(10_000):
                got.extend(piece)

    error, fd = fifo.open("fifo", rights=BOTH_ENDS)
    assert error == 0
    drainer = threading.Thread(target=drain)
    drainer.start()
    data = bytes(range(256)) * 64
    for _ in range(20):
        assert fifo.write(fd, data) == 0
        assert fifo.u32() == len(data)
    assert fifo.fd_close(fd) == 0
    drainer.join()
    assert got == data * 20


def test_a_fifo_that_shall_not_block_does_not(fifo: WasiFunctions) -> None:
    again = 6
    # The FIFO has no reader.
    assert fifo.open("fifo", rights=wasm_fixtures.WRITE | wasm_fixtures.SEEK)[0] == 60
    error, fd = fifo.open("fifo", rights=BOTH_ENDS, flags=NONBLOCK)
    assert error == 0
    with took(10):
        assert fifo.read(fd) == again
        while fifo.write(fd, b"x" * 8192) == 0:
            pass
        assert fifo.write(fd, b"x" * 8192) == again
    assert fifo.read(fd) == b"x" * 4096
    assert fifo.fd_fdstat_set_flags(fd, 0) == 0
    fifo.write(fd, b"x" * 4096)
    with took(10, 0.1), pytest.raises(wamr.TimeoutTrap):
        fifo.write(fd, b"x", timeout=0.1)
    assert fifo.fd_fdstat_set_flags(fd, NONBLOCK) == 0
    assert fifo.write(fd, b"x") == again


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere reading can't be asked not to wait")
@pytest.mark.slow
@pytest.mark.parametrize("reading", [True, False], ids=["read", "write"])
def test_what_another_program_took_first_is_waited_for(reading: bool) -> None:
    """One byte, or room for one, wakes several calls. Those that miss it keep their timeouts."""
    ours, theirs = os.pipe()
    ended: list[object] = []

    def one() -> None:
        wasi = WasiFunctions(**({"stdin": ours} if reading else {"stdout": theirs}))
        try:
            ended.append(
                wasi.read(0, 1, timeout=2) if reading else wasi.write(1, b"x" * 4096, timeout=2)
            )
        except wamr.TimeoutTrap:
            ended.append(wamr.TimeoutTrap)

    if not reading:
        os.set_blocking(theirs, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(theirs, b"x" * 4096)
        os.set_blocking(theirs, True)
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    if reading:
        os.write(theirs, b"x")
    else:
        os.read(ours, 4096)
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in threads)
    os.close(theirs)
    os.close(ours)
    for thread in threads:
        thread.join()
    assert stuck == 0
    assert sorted(map(str, ended)) == sorted(
        map(str, [b"x" if reading else 0] + [wamr.TimeoutTrap] * 7)
    )


# ------------------------------------------------------------------ files
@pytest.mark.parametrize("name", ["fd_read", "fd_write", "fd_pread", "fd_pwrite"])
def test_much_at_once_can_be_stopped(name: str, tmp_path: Path) -> None:
    """The call is interrupted before it reaches the end."""
    size, at = 512 << 20, 1 << 16
    text = wasm_fixtures.wrapper_module().replace('"memory") 1 1', '"memory") 8193')
    with (tmp_path / "file").open("wb") as file:
        if "read" in name:
            file.truncate(size)
    dirs = {"/": wamr.Dir(tmp_path, writable=True)}
    instance = wamr.load(text, wasi=WasiConfig(dirs=dirs))
    memory = instance.exports.memory
    memory.write(64, b"file" + bytes(60))
    rights = wasm_fixtures.READ | wasm_fixtures.WRITE | wasm_fixtures.SEEK | wasm_fixtures.TELL
    assert instance.exports.path_open(3, 0, 64, 4, 0, rights, 0, 0, 96) == 0
    fd = int.from_bytes(memory.read(96, 4), "little")
    memory.write(64, at.to_bytes(4, "little") + size.to_bytes(4, "little"))
    memory[at + size - 1] = 7
    place = [] if name in ("fd_read", "fd_write") else [0]
    with pytest.raises(wamr.TimeoutTrap):
        instance.exports[name].call(fd, 64, 1, *place, 96, timeout=0.01)
    if "read" in name:
        assert memory[at + size - 1] == 7
    else:
        assert (tmp_path / "file").stat().st_size < size
    memory.write(64, at.to_bytes(4, "little") + (3 << 20).to_bytes(4, "little"))
    place = place and [1 << 20]
    assert instance.exports.fd_seek(fd, 0, 0, 96) == 0
    assert instance.exports[name](fd, 64, 1, *place, 96) == 0
    assert int.from_bytes(memory.read(96, 4), "little") == 3 << 20


def test_much_at_once_is_all_there(tmp_path: Path) -> None:
    """Vectors longer and shorter than the chunks, and an end within one."""
    data = bytes(range(251)) * 20_000  # 5 MB
    (tmp_path / "file").write_bytes(data)
    text = wasm_fixtures.wrapper_module().replace('"memory") 1 1', '"memory") 200')
    dirs = {"/": wamr.Dir(tmp_path, writable=True)}
    instance = wamr.load(text, wasi=WasiConfig(dirs=dirs))
    memory, exports = instance.exports.memory, instance.exports
    rights = wasm_fixtures.READ | wasm_fixtures.WRITE | wasm_fixtures.SEEK | wasm_fixtures.TELL

    def opened(name: bytes, oflags: int = 0) -> int:
        memory.write(64, name)
        assert exports.path_open(3, 0, 64, len(name), oflags, rights, 0, 0, 96) == 0
        return int.from_bytes(memory.read(96, 4), "little")

    def vectors(*sizes: int) -> int:
        at = 1 << 16
        for i, size in enumerate(sizes):
            memory.write(1024 + 8 * i, at.to_bytes(4, "little") + size.to_bytes(4, "little"))
            at += size
        return len(sizes)

    ours, copy = opened(b"file"), opened(b"copy", wasm_fixtures.CREAT)
    sizes = 1, 2_100_000, 0, 1 << 20, 3_000_000
    assert exports.fd_read(ours, 1024, vectors(*sizes), 96) == 0
    assert int.from_bytes(memory.read(96, 4), "little") == len(data)
    assert memory.read(1 << 16, len(data)) == data
    sizes = 1 << 20, 2_000_000, 0, len(data) - (1 << 20) - 2_000_000
    assert exports.fd_write(copy, 1024, vectors(*sizes), 96) == 0
    assert (tmp_path / "copy").read_bytes() == data
    assert exports.fd_pwrite(copy, 1024, vectors(*sizes), 1000, 96) == 0
    assert int.from_bytes(memory.read(96, 4), "little") == len(data)
    assert (tmp_path / "copy").read_bytes() == data[:1000] + data
    assert exports.fd_pread(copy, 1024, vectors(*sizes), 1000, 96) == 0
    assert memory.read(1 << 16, len(data)) == data
    assert exports.fd_tell(copy, 96) == 0
    assert int.from_bytes(memory.read(96, 4), "little") == len(data)
