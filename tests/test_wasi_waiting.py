"""WASI calls that wait: how long, for what, and what ends them."""

from __future__ import annotations

import os
import threading
import time

import guests
import pytest
from guests import Guest, program, took

import wamr
from wamr import WasiConfig

pytestmark = pytest.mark.usefixtures("wat")


def sleep(guest: Guest, ns: int, *, clock: int = 1, absolute: bool = False, **limits: float) -> int:
    subscription = (
        (42).to_bytes(8, "little")
        + bytes(8)
        + clock.to_bytes(8, "little")
        + ns.to_bytes(8, "little")
        + bytes(8)
        + int(absolute).to_bytes(8, "little")
    )
    guest.memory.write(1024, subscription)
    error: int = guest.poll_oneoff(1024, 2048, 1, guest.OUT, **limits)
    return error


def event(guest: Guest, i: int = 0) -> tuple[int, int, int]:
    """Return userdata, errno and type."""
    data = guest.memory.read(2048 + 32 * i, 32)
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:10], "little"), data[10]


def test_sleep_sleeps() -> None:
    guest = Guest()
    for clock in (0, 1):
        with took(0.2, 0.05):
            assert sleep(guest, 50_000_000, clock=clock) == 0
        assert guest.u32() == 1
        assert event(guest) == (42, 0, 0)
        assert guest.clock_time_get(clock, 0, guest.OUT) == 0
        with took(0.2, 0.04):
            assert sleep(guest, guest.u64() + 50_000_000, clock=clock, absolute=True) == 0
        with took(0.05):
            assert sleep(guest, 1, clock=clock, absolute=True) == 0
    with took(0.05):
        assert sleep(guest, 1 << 60, clock=3) == 0
    assert event(guest) == (42, 58, 0)


def test_poll_without_subscriptions() -> None:
    guest = Guest()
    assert guest.poll_oneoff(1024, 2048, 0, guest.OUT) == guests.INVAL
    guest.memory.write(1024, bytes([0] * 8 + [9] + [0] * 39))
    assert guest.poll_oneoff(1024, 2048, 1, guest.OUT) == guests.INVAL
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        guest.poll_oneoff(1024, 2048, 0x10000000, guest.OUT)
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        guest.poll_oneoff(1024, 65535, 1, guest.OUT)


def subscriptions(guest: Guest, *items: tuple[int, int, int]) -> None:
    """Write subscriptions: (userdata, 0 and nanoseconds) or (userdata, 1 read or 2 write, fd)."""
    text = b""
    for userdata, kind, value in items:
        head = userdata.to_bytes(8, "little") + kind.to_bytes(8, "little")
        text += head + (
            value.to_bytes(8, "little") + bytes(24)
            if kind
            else (1).to_bytes(8, "little") + value.to_bytes(8, "little") + bytes(16)
        )
    guest.memory.write(1024, text)


def test_poll_of_descriptors_and_clocks() -> None:
    ours, theirs = os.pipe()
    try:
        guest = Guest(stdin=ours, stdout=lambda data: None)
        items = [(1, 1, 0), (2, 0, 60_000_000), (3, 0, 1 << 60)]
        subscriptions(guest, *items)
        with took(0.2, 0.06):
            assert guest.poll_oneoff(1024, 2048, 3, guest.OUT) == 0
        assert (guest.u32(), event(guest)) == (1, (2, 0, 0))
        threading.Timer(0.05, os.write, (theirs, b"x")).start()
        subscriptions(guest, (1, 1, 0), (3, 0, 1 << 60))
        with took(0.2, 0.04):
            assert guest.poll_oneoff(1024, 2048, 2, guest.OUT) == 0
        assert (guest.u32(), event(guest)) == (1, (1, 0, 1))
        assert guest.read(0) == b"x"
        subscriptions(guest, (4, 2, 1), (5, 1, 99))
        assert guest.poll_oneoff(1024, 2048, 2, guest.OUT) == 0
        assert {event(guest, i) for i in range(guest.u32())} >= {(5, guests.BADF, 1)}
        subscriptions(guest, (4, 2, 1))
        assert guest.poll_oneoff(1024, 1024, 1, guest.OUT) == 0  # over its own subscriptions
        assert guest.u64(1024) == 4
    finally:
        os.close(ours)
        os.close(theirs)


def test_python_streams_are_always_ready() -> None:
    guest = Guest(stdin=lambda size: b"x", stdout=lambda data: None)
    subscriptions(guest, (1, 1, 0), (2, 2, 1))
    assert guest.poll_oneoff(1024, 2048, 2, guest.OUT) == 0
    assert [event(guest, i) for i in range(guest.u32())] == [(1, 0, 1), (2, 0, 2)]


def test_timeout_ends_what_waits() -> None:
    ours, theirs = os.pipe()
    try:
        guest = Guest(stdin=ours, stdout=theirs)
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            sleep(guest, 1 << 60, timeout=0.1)
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            guest.read(0, timeout=0.1)
        subscriptions(guest, (1, 1, 0), (2, 1, 0))
        with took(0.25, 0.1), pytest.raises(wamr.TimeoutTrap):
            guest.poll_oneoff(1024, 2048, 2, guest.OUT, timeout=0.1)
        with took(0.5), pytest.raises(wamr.TimeoutTrap):
            for _ in range(100):  # until the pipe is full
                guest.write(1, b"x" * 8192, timeout=0.1)
        with took(0.1):
            assert sleep(guest, 1_000_000) == 0
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
    guest = Guest()
    timer = threading.Timer(0.05, guest.instance.interrupt)
    timer.start()
    with took(0.3, 0.05), pytest.raises(wamr.Trap, match="interrupted"):
        sleep(guest, 1 << 60)
    timer.join()


def test_ctrl_c_ends_what_waits() -> None:
    guest = Guest()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), 2))
    timer.start()
    with took(0.5, 0.1), pytest.raises(KeyboardInterrupt):
        sleep(guest, 1 << 60)
    timer.join()


def test_a_full_pipe_takes_everything_in_the_end() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)  # the guest must not notice
    got = bytearray()

    def drain() -> None:
        while piece := os.read(ours, 65536):
            got.extend(piece)
            time.sleep(0.001)

    drainer = threading.Thread(target=drain)
    guest = Guest(stdout=theirs)
    os.close(theirs)
    drainer.start()
    data = bytes(range(256)) * 64
    for _ in range(40):
        assert guest.write(1, data) == 0
        assert guest.u32() == len(data)
    guest.instance.close()
    drainer.join()
    os.close(ours)
    assert got == data * 40


def test_a_broken_pipe_is_an_error_of_the_guest() -> None:
    ours, theirs = os.pipe()
    guest = Guest(stdout=theirs)
    os.close(ours)
    assert guest.write(1, b"x") == 64
    os.close(theirs)
