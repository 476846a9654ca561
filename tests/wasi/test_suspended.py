"""WASI functions that wait stop an execution, which can go on when the wait is over."""

from __future__ import annotations

import os
import time

import pytest
from time_units import in_units

import wamr
from wamr import Instance, Module, Store, WasiConfig

pytestmark = pytest.mark.usefixtures("wat")

PROGRAM = r"""(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (type $t (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (table 1 funcref) (elem (i32.const 0) $read)
  (data (i32.const 0) "\00\10\00\00\64\00\00\00")
  (func (export "direct") (result i32)
    (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
  (func $tail (export "tail") (result i32)
    (return_call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
  (func (export "within") (result i32) (i32.add (i32.const 5) (call $tail)))
  (func (export "indirect") (result i32) (local $v v128)
    (local.set $v (v128.const i32x4 1 2 3 4))
    (i32.add (i32x4.extract_lane 3 (local.get $v))
      (call_indirect (type $t) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)
        (i32.const 0))))
  (func (export "tail_indirect") (result i32)
    (return_call_indirect (type $t) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)
      (i32.const 0)))
  (export "read" (func $read))
  (func (export "exit")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (call $exit (i32.load (i32.const 16))))
  (func $sleep (param $ns i64) (result i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 96))
    (i64.store (i32.const 256) (i64.const 77))
    (i32.store (i32.const 272) (i32.const 1))
    (i64.store (i32.const 280) (local.get $ns))
    (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 600)))
  (func (export "sleep") (param i64) (result i32) (call $sleep (local.get 0)))
  (func (export "sleep_twice") (param i64) (result i32)
    (i32.or (call $sleep (local.get 0)) (call $sleep (local.get 0))))
  (func (export "wait") (param $ns i64) (result i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 96))
    (i64.store (i32.const 256) (i64.const 77))
    (i32.store8 (i32.const 264) (i32.const 1))
    (i64.store (i32.const 304) (i64.const 78))
    (i32.store (i32.const 320) (i32.const 1))
    (i64.store (i32.const 328) (local.get $ns))
    (drop (call $poll (i32.const 256) (i32.const 512) (i32.const 2) (i32.const 600)))
    (i32.load (i32.const 512)))
  (func (export "fill") (param $n i32) (result i32) (local $done i32)
    (loop $l
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $done)))
      (i32.store (i32.const 4) (i32.sub (local.get $n) (local.get $done)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $done (i32.add (local.get $done) (i32.load (i32.const 16))))
      (br_if $l (i32.lt_u (local.get $done) (local.get $n))))
    (local.get $done)))"""


@pytest.fixture(scope="module")
def module(wat):
    return Module(Store(), PROGRAM)


@pytest.fixture
def start(module):
    def make(**wasi):
        return Instance(Store(), module, wasi=WasiConfig(**wasi))

    return make


def result_of(execution):
    with pytest.raises(StopIteration) as end:
        next(execution)
    return end.value.value


@pytest.mark.parametrize(
    ("name", "result"),
    [("direct", 0), ("tail", 0), ("within", 5), ("indirect", 4), ("tail_indirect", 0)],
)
def test_reading_stops_while_a_callable_has_nothing(start, name, result):
    given = []
    inst = start(stdin=lambda _: given.pop() if given else None)
    for _ in range(2):
        execution = inst.exports[name].execution()
        for _ in range(2):
            event = next(execution)
            assert (event.kind, event.host, event.args, event.until) == ("stdin", None, (), None)
        given.append(b"hello")
        assert result_of(execution) == result
        assert inst.exports.memory.read(16, 4) == b"\5\0\0\0"
        assert inst.exports.memory.read(4096, 5) == b"hello"


def test_an_exported_wasi_function_stops(start):
    given = []
    inst = start(stdin=lambda _: given.pop() if given else None)
    execution = inst.exports.read.execution(0, 0, 1, 16)
    assert next(execution).kind == "stdin"
    given.append(b"abc")
    assert result_of(execution) == 0
    assert inst.exports.memory.read(4096, 3) == b"abc"


def test_the_end_of_input_and_exit_after_a_stop(start):
    given = []
    inst = start(stdin=lambda _: given.pop() if given else None)
    execution = inst.exports.exit.execution()
    next(execution)
    given.append(b"abc")
    with pytest.raises(wamr.ExitTrap) as caught:
        next(execution)
    assert caught.value.exit_code == 3
    execution = inst.exports.direct.execution()
    next(execution)
    given.append(b"")
    assert result_of(execution) == 0


def test_a_plain_call_still_refuses_a_callable_that_has_nothing(start):
    inst = start(stdin=lambda _: None)
    with pytest.raises(TypeError, match="stdin gave NoneType where bytes are needed"):
        inst.exports.direct()


def test_an_error_of_stdin_comes_out_after_a_stop(start):
    def read(_):
        if not given:
            return
        raise given[0]

    given = []
    inst = start(stdin=read)
    execution = inst.exports.direct.execution()
    next(execution)
    given.append(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        next(execution)


def test_an_exception_can_be_thrown_into_a_wasi_function(start):
    inst = start(stdin=lambda _: None)
    execution = inst.exports.direct.execution()
    next(execution)
    with pytest.raises(KeyError):
        execution.throw(KeyError("x"))
    execution = inst.exports.direct.execution()
    next(execution)
    with pytest.raises(TypeError, match="only None can be sent after an event 'stdin', not int"):
        execution.send(1)
    execution.close()


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_reading_stops_while_a_pipe_is_empty(start, pipe):
    inst = start(stdin=pipe[0])
    execution = inst.exports.indirect.execution()
    for _ in range(2):
        event = next(execution)
        assert event.kind == "stdin"
        ((descriptor, output),) = event._descriptors
        assert os.fstat(descriptor).st_ino == os.fstat(pipe[0]).st_ino
        assert not output
    os.write(pipe[1], b"data!")
    assert result_of(execution) == 4
    assert inst.exports.memory.read(4096, 5) == b"data!"


def test_writing_stops_while_a_pipe_is_full_and_writes_nothing_twice(start, pipe):
    inst = start(stdout=pipe[1])
    data = bytes(range(256)) * 512
    inst.exports.memory.write(65536, data)
    os.set_blocking(pipe[0], False)
    execution, got, kinds = inst.exports.fill.execution(len(data)), b"", set()
    while execution.state != "done":
        try:
            event = next(execution)
        except StopIteration as end:
            result = end.value
        else:
            kinds.add(event.kind)
            assert event._descriptors[0][1]
            got += os.read(pipe[0], 5000)
    assert result == len(data)
    while len(got) < len(data):
        got += os.read(pipe[0], 1 << 20)
    assert got == data
    assert kinds == {"stdout"}


def test_writing_stops_while_a_raw_file_takes_nothing(start):
    import io

    class Raw(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            if not room:
                return None
            taken = bytes(data[: room.pop()])
            written.append(taken)
            return len(taken)

    room, written = [], []
    inst = start(stdout=Raw())
    inst.exports.memory.write(65536, b"0123456789")
    execution = inst.exports.fill.execution(10)
    for size in (4, 3, 3):
        assert next(execution).kind == "stdout"
        room.append(size)
    assert result_of(execution) == 10
    assert written == [b"0123", b"456", b"789"]


def until(execution):
    """Continue an execution whenever its event says; return the events and the result."""
    found = []
    try:
        while True:
            found.append(next(execution))
            if found[-1].kind == "sleep":
                time.sleep(max(0, found[-1].until - time.monotonic()))
    except StopIteration as end:
        return found, end.value


@in_units
def test_a_sleep_stops_until_its_end(start, unit):
    inst = start()
    execution = inst.exports.sleep.execution(int(unit * 10**9))
    event = next(execution)
    assert event.kind == "sleep"
    again = next(execution)  # continued too early: the clock isn't started again
    assert again.until == event.until
    found, result = until(execution)
    assert result == 0
    assert all(each.until == event.until for each in found)
    assert inst.exports.memory.read(512, 8) == (77).to_bytes(8, "little")


SLEEP_UNTIL = """(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "sleep") (param $clock i32) (param $ns i64)
    (drop (call $now (local.get $clock) (i64.const 0) (i32.const 128)))
    (i32.store (i32.const 16) (local.get $clock))
    (i64.store (i32.const 24) (i64.add (i64.load (i32.const 128)) (local.get $ns)))
    (i32.store16 (i32.const 40) (i32.const 1)) ;; absolute
    (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))))"""


@pytest.mark.parametrize("clock", [0, 1], ids=["realtime", "monotonic"])
def test_a_sleep_until_a_time_is_not_shortened_by_going_on_early(wat, clock):
    """C reads two clocks, one after the other: of several times, the latest is the exact one."""
    inst = wamr.load(wat(SLEEP_UNTIL), wasi=wamr.WasiConfig())
    execution = inst.exports.sleep.execution(clock, 3600 * 10**9)
    first = next(execution).until
    time.sleep(0.2)  # by which the sleep would be shortened
    assert max(next(execution).until for _ in range(20)) > first - 0.1


def test_each_sleep_has_a_time_of_its_own(start):
    found, result = until(start().exports.sleep_twice.execution(20_000_000))
    assert result == 0
    times = sorted({event.until for event in found})
    assert len(times) == 2


def test_many_sleeps_at_once_in_one_thread(start):
    executions = [start().exports.sleep.execution(100_000_000) for _ in range(30)]
    events = [next(execution) for execution in executions]
    time.sleep(max(0, max(event.until for event in events) - time.monotonic()))
    assert [until(execution)[1] for execution in executions] == [0] * 30


def test_waiting_for_input_or_a_clock(start, pipe):
    inst = start(stdin=pipe[0])
    execution = inst.exports.wait.execution(10**12)
    event = next(execution)
    assert event.kind == "stdin"
    assert next(execution).until == event.until
    os.write(pipe[1], b"x")
    assert result_of(execution) == 77
    assert inst.exports.wait.execution(10**12).state == "new"
    os.read(pipe[0], 1)
    execution = inst.exports.wait.execution(20_000_000)
    event = next(execution)
    time.sleep(max(0, event.until - time.monotonic()))
    assert until(execution)[1] == 78


def test_a_program_runs_as_an_execution(start, wat):
    given = [b"two\n", None, b"one\n", None]
    written = []
    module = Module(
        Store(),
        r"""(module
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (loop $again
              (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 64))
              (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
              (if (i32.load (i32.const 16)) (then
                (i32.store (i32.const 4) (i32.load (i32.const 16)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                (br $again))))))""",
    )
    inst = Instance(
        Store(),
        module,
        wasi=WasiConfig(stdin=lambda _: given.pop() if given else b"", stdout=written.append),
    )
    execution = inst.exports._start.execution()
    assert next(execution).kind == "stdin"
    assert next(execution).kind == "stdin"
    assert written == [b"one\n"]
    assert result_of(execution) is None
    assert written == [b"one\n", b"two\n"]
