"""Writing to pipes that are full, and how timeouts and interrupts end that, on each system."""

from __future__ import annotations

import os
import threading

import pytest
from thread_helpers import repeatedly
from wasm_fixtures import WasiFunctions

import wamr

pytestmark = pytest.mark.usefixtures("wat")


@pytest.mark.parametrize("size", [1, 5000])
def test_a_timeout_ends_writing(full: tuple[int, int], size: int) -> None:
    wasi = WasiFunctions(stdout=full[1])
    for _ in range(2):
        with pytest.raises(wamr.TimeoutTrap):
            wasi.write(1, b"y" * size, timeout=0.05)
    wasi.instance.close()


def test_an_interrupt_ends_writing(full: tuple[int, int]) -> None:
    wasi = WasiFunctions(stdout=full[1])
    interrupting = repeatedly(wasi.instance.interrupt, 0.05)
    with interrupting, pytest.raises(wamr.Trap, match="interrupted"):
        wasi.write(1, b"y")
    wasi.instance.close()


def test_two_wait_for_the_same_pipe(full: tuple[int, int]) -> None:
    """The second one's timeout isn't held up by the first one's write."""
    _, theirs = full
    ended: list[object] = []

    def one() -> None:
        wasi = WasiFunctions(stdout=theirs)
        try:
            ended.append(wasi.write(1, b"y" * 100, timeout=0.2))
        except wamr.TimeoutTrap:
            ended.append("timeout")
        wasi.instance.close()

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["timeout"] * 3


def test_what_had_no_room_arrives_when_the_reader_reads(full: tuple[int, int]) -> None:
    ours, theirs = full
    wasi = WasiFunctions(stdout=theirs)
    os.close(theirs)
    got = bytearray()

    def drain() -> None:
        while piece := os.read(ours, 1000):
            got.extend(piece)

    drainer = threading.Timer(0.1, drain)
    drainer.start()
    assert wasi.write(1, b"y" * 10_000) == 0
    assert wasi.u32() == 10_000
    wasi.instance.close()
    drainer.join()
    assert bytes(got).lstrip(b"x") == b"y" * 10_000


def test_a_reader_that_goes_away_is_an_errno_of_the_program(full: tuple[int, int]) -> None:
    ours, theirs = full
    wasi = WasiFunctions(stdout=theirs)
    closing = threading.Timer(0.1, os.close, (ours,))
    closing.start()
    assert wasi.write(1, b"y" * 100) == 64  # EPIPE
    closing.join()
    wasi.instance.close()
