"""poll_oneoff in executions: its event has the host's descriptors for which the program waits."""

from __future__ import annotations

import os
import select
from typing import Any

import pytest
from wasm_fixtures import READ, WRITE, WasiFunctions

import wamr

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(os.name == "nt", reason="about FIFOs and pipes"),
]

POLL = 1 << 27  # the right to wait for a descriptor
CLOCK, FD_READ, FD_WRITE = 0, 1, 2
IN, OUT, COUNT = 2048, 16384, 64
READS: dict[str, Any] = {"rights": READ | POLL}
WRITES: dict[str, Any] = {"rights": WRITE | POLL}


@pytest.fixture
def world(tmp_path):
    """Return functions that make WasiFunctions, and FIFOs that are open on the host."""
    opened: list[int] = []
    all_wasi: list[WasiFunctions] = []

    def wasi(**config: Any) -> WasiFunctions:
        all_wasi.append(WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)}, **config))
        return all_wasi[-1]

    def fifo(name: str) -> int:
        os.mkfifo(tmp_path / name)
        opened.append(os.open(tmp_path / name, os.O_RDWR | os.O_NONBLOCK))
        return opened[-1]

    yield wasi, fifo
    for each in all_wasi:
        each.instance.close()
    for descriptor in opened:
        os.close(descriptor)


def poll(wasi: WasiFunctions, *subscriptions: tuple[int, int]) -> wamr.Execution:
    """Return an execution of poll_oneoff.

    A subscription is (kind, descriptor), or (clock, nanoseconds); its userdata is its position.
    """
    for i, (kind, value) in enumerate(subscriptions):
        data = bytearray(48)
        data[0:8] = i.to_bytes(8, "little")
        data[8] = kind
        if kind == CLOCK:
            data[16:20] = (1).to_bytes(4, "little")
            data[24:32] = value.to_bytes(8, "little")
        else:
            data[16:20] = value.to_bytes(4, "little")
        wasi.memory.write(IN + 48 * i, bytes(data))
    return wasi.instance.exports.poll_oneoff.execution(IN, OUT, len(subscriptions), COUNT)


def ready(wasi: WasiFunctions, execution: wamr.Execution) -> list[int]:
    """Finish the execution; return the userdata of its events."""
    with pytest.raises(StopIteration) as end:
        next(execution)
    assert end.value.value == 0
    return [wasi.u64(OUT + 32 * i) for i in range(wasi.u32(COUNT))]


def waits_for(event: wamr.Event, *descriptors: int) -> bool:
    """Return whether the descriptors of the event refer to the same files as `descriptors`."""
    return [os.fstat(fd).st_ino for fd, _ in event._descriptors] == [
        os.fstat(fd).st_ino for fd in descriptors
    ]


def test_a_fifo_that_the_program_has_opened(world):
    make, fifo = world
    host = fifo("fifo")
    wasi = make()
    error, fd = wasi.open("fifo", **READS)
    assert error == 0
    execution = poll(wasi, (FD_READ, fd))
    for _ in range(2):
        event = next(execution)
        assert (event.kind, event.until) == ("stdin", None)
        assert waits_for(event, host)
    assert not select.select([event._descriptors[0][0]], [], [], 0)[0]
    os.write(host, b"x")
    assert select.select([event._descriptors[0][0]], [], [], 0)[0]
    assert ready(wasi, execution) == [0]


def test_a_fifo_that_is_full(world):
    make, fifo = world
    host = fifo("fifo")
    wasi = make()
    error, fd = wasi.open("fifo", **WRITES)
    assert error == 0
    with pytest.raises(BlockingIOError):
        while True:
            os.write(host, bytes(65536))
    execution = poll(wasi, (FD_WRITE, fd))
    event = next(execution)
    assert (event.kind, [output for _, output in event._descriptors]) == ("stdout", [True])
    assert waits_for(event, host)
    with pytest.raises(BlockingIOError):
        while True:
            os.read(host, 65536)
    assert ready(wasi, execution) == [0]


def test_many_descriptors_and_a_clock(world):
    make, fifo = world
    wasi = make()
    hosts, fds = [], []
    for i in range(20):
        hosts.append(fifo(f"fifo{i}"))
        error, fd = wasi.open(f"fifo{i}", **READS)
        assert error == 0
        fds.append(fd)
    execution = poll(wasi, (CLOCK, 10**12), *[(FD_READ, fd) for fd in fds], (CLOCK, 10**11))
    event = next(execution)
    assert waits_for(event, *hosts)
    assert event.until is not None
    assert next(execution).until == event.until
    for i in (3, 11):
        os.write(hosts[i], b"x")
    assert ready(wasi, execution) == [4, 12]


def test_streams_are_recognised_where_the_program_has_put_them(world):
    make, fifo = world
    host, pipe = fifo("fifo"), os.pipe()
    try:
        wasi = make(stdin=pipe[0])
        assert wasi.fd_renumber(0, 2) == 0  # stdin is descriptor 2 from now on
        error, fd = wasi.open("fifo", **READS)
        assert error == 0
        if fd:
            assert wasi.fd_renumber(fd, 1) == 0
            fd = 1
        execution = poll(wasi, (FD_READ, 2), (FD_READ, fd))
        event = next(execution)
        assert waits_for(event, pipe[0], host)
        os.write(host, b"x")
        assert ready(wasi, execution) == [1]
        os.read(host, 1)
        execution = poll(wasi, (FD_READ, fd), (FD_READ, 2))
        next(execution)
        os.write(pipe[1], b"x")
        assert ready(wasi, execution) == [1]
    finally:
        os.close(pipe[0])
        os.close(pipe[1])


def test_what_is_always_ready_does_not_stop(world, tmp_path):
    make, _ = world
    (tmp_path / "file").write_text("x")
    wasi = make(stdin=b"")
    error, fd = wasi.open("file", **READS)
    assert error == 0
    assert ready(wasi, poll(wasi, (FD_READ, fd), (FD_READ, 0), (FD_WRITE, 1))) == [0, 1, 2]


def test_a_descriptor_that_is_none_is_an_error_and_no_stop(world):
    make, _ = world
    wasi = make()
    assert ready(wasi, poll(wasi, (FD_READ, 77))) == [0]
    assert wasi.memory.read(OUT + 8, 2) == (8).to_bytes(2, "little")
