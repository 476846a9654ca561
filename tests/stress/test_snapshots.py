"""Snapshots under stress: no growth, threads, forks, and random steps against a model."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
from pathlib import Path

import pytest
from bounds import SANITIZED
from snapshots import ASKS, copy_of, state_instance

import wamr
from wamr import Instance, Module, Snapshot, Store

pytestmark = pytest.mark.usefixtures("wat")


def resources():
    """Return the numbers of descriptors, of mappings and of resident KiB of this process."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return (
        len(list(Path("/proc/self/fd").iterdir())),
        len(Path("/proc/self/maps").read_text().splitlines()),
        int(resident),
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("kind", ["at rest", "suspended", "host functions", "reset"])
def test_many_clones_leave_nothing(kind):
    """10^5 clones at rest, and fewer of the other kinds, which take more time in Python."""
    instance = state_instance()
    execution = None
    if kind == "suspended":
        execution = instance.exports.deep.execution(5)
        next(execution)
    elif kind == "at rest":
        instance = wamr.load(
            '(module (memory (export "m") 2 4) (table (export "t") 3 funcref)'
            ' (global (export "g") (mut i64) (i64.const 1)) (func (export "write") (param i32)'
            " (drop (memory.grow (i32.const 1))) (i32.store (i32.const 70000) (local.get 0))))"
        )
    snapshot = Snapshot(instance, execution, keep=2)
    store = Store(snapshot.module.engine)
    made = copy_of(snapshot, store=store) if kind == "reset" else None

    def step(number):
        if kind == "reset":
            made.exports.change(number)
            made.reset()
            return
        copied, call = snapshot.instantiate(store, None if kind == "at rest" else ASKS)
        if kind == "at rest":
            copied.exports.write(number)
        elif call is not None:
            with pytest.raises(StopIteration):
                call.send(number)
        else:
            copied.exports.change(number)
        copied.close()

    count = 100_000 if kind == "at rest" else 5000
    for number in range(2000):
        step(number)
    before = resources()
    for number in range(count):
        step(number)
    after = resources()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 8  # the heap of the process may map a little
    assert SANITIZED or after[2] <= before[2] + 4096  # AddressSanitizer keeps what was freed
    assert snapshot.alive == (1 if made else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_snapshots_that_are_taken_and_dropped_leave_nothing(tmp_path):
    instance = state_instance()
    path = tmp_path / "snapshot"

    def step():
        snapshot = instance.snapshot()
        made = copy_of(snapshot)
        made.exports.change(1)
        snapshot.save(path)
        loaded = Snapshot.load(path, snapshot.module)
        copy_of(loaded).exports.change(2)
        snapshot.close()

    for _ in range(30):
        step()
    before = resources()
    for _ in range(150):
        step()
    after = resources()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 8
    assert SANITIZED or after[2] <= before[2] + 4096  # AddressSanitizer keeps what was freed


def test_instances_are_made_and_closed_in_eight_threads():
    """Each thread finds the state of the snapshot, and what it has written itself."""
    instance = state_instance()
    execution = instance.exports.deep.execution(6)
    next(execution)
    suspended, plain = Snapshot(instance, execution, keep=4), None
    execution.close()
    plain = Snapshot(instance, keep=4)
    wrong: list[object] = []

    def work(seed):
        random_ = random.Random(seed)
        kept = []
        try:
            for step in range(300):
                if random_.random() < 0.5:
                    made, call = suspended.instantiate(imports=ASKS)
                    try:
                        call.send(seed)
                    except StopIteration as end:
                        if end.value != 63 + seed:
                            wrong.append(("result", end.value))
                else:
                    made = copy_of(plain)
                if made.exports.read(100) or made.exports.sizes() != (1, 4, 3):
                    wrong.append("stale")
                made.exports.change(seed * 1000 + step)
                kept.append((made, seed * 1000 + step))
                if len(kept) > 5:
                    made, value = kept.pop(random_.randrange(len(kept)))
                    if made.exports.read(100) != value:
                        wrong.append("another's")
                    if random_.random() < 0.3:
                        assert made.reset() is None or value
                    made.close()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number + 1,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    gc.collect()
    assert (suspended.alive, plain.alive) == (0, 0)


def test_a_snapshot_that_is_closed_while_threads_use_it():
    for _ in range(20):
        snapshot = state_instance().snapshot()
        start = threading.Barrier(5)
        wrong: list[object] = []

        def work(snapshot=snapshot, start=start, wrong=wrong):
            start.wait()
            try:
                while True:
                    copy_of(snapshot).exports.change(1)
            except wamr.SnapshotError as error:
                if error.reason != "closed":
                    wrong.append(error)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        start.wait()
        snapshot.close()
        for thread in threads:
            thread.join()
        assert wrong == []


# ------------------------------------------------------------------ random steps
MODEL = """(module (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory (export "memory") 1 8) (global $n (export "n") (mut i32) (i32.const 0))
  (table (export "table") 2 16 funcref) (elem (i32.const 0) $seven)
  (func $seven (result i32) (i32.const 7))
  (func (export "step") (param i32) (result i32)
    (global.set $n (i32.add (global.get $n) (local.get 0)))
    (i32.store (i32.mul (i32.rem_u (global.get $n) (i32.const 16000)) (i32.const 4))
      (local.get 0))
    (global.get $n))
  (func (export "call") (param i32) (result i32)
    (i32.add (global.get $n) (call $ask (local.get 0))))
  (func (export "grow") (result i32)
    (drop (table.grow (ref.null func) (i32.const 1))) (memory.grow (i32.const 1))))"""


class Twin:
    """An instance and the state that it must have."""

    def __init__(self, instance, n, pages, digest, execution=None, base=0):
        self.instance, self.n, self.pages, self.digest = instance, n, pages, digest
        self.execution, self.base = execution, base

    def check(self):
        e = self.instance.exports
        assert (e.n.value, e.memory.pages, len(e.table)) == (self.n, self.pages, 1 + self.pages)
        assert hash(e.memory[0 : self.pages * 65536]) == self.digest

    def changed(self):
        e = self.instance.exports
        self.digest = hash(e.memory[0 : self.pages * 65536])


def random_steps(seed, steps, fork=True):
    """Start, stop, resume, drop, copy, reset, close and fork at random; check against a model."""
    random_ = random.Random(seed)
    store = Store()
    module = Module(store, MODEL)
    first = Instance(store, module, ASKS)
    twins = [Twin(first, 0, 1, hash(first.exports.memory[0:65536]))]
    snapshots: list[tuple[Snapshot, int, int, int, int | None]] = []
    for _ in range(steps):
        twin = random_.choice(twins)
        e = twin.instance.exports
        action = random_.randrange(11)
        if action <= 2:
            number = random_.randrange(1, 1000)
            twin.n = (twin.n + number) % 2**31
            assert e.step(number) == twin.n
            twin.changed()
        elif action == 3 and twin.pages < 8:
            assert e.grow() == twin.pages
            twin.pages += 1
            twin.changed()
        elif action == 4 and twin.execution is None:
            twin.execution = e.call.execution(random_.randrange(100))
            next(twin.execution)
            twin.base = twin.n
        elif action == 5 and twin.execution is not None:
            answer = random_.randrange(1000)
            with pytest.raises(StopIteration) as end:
                twin.execution.send(answer)
            assert end.value.value == twin.base + answer
            twin.execution = None
        elif action == 6 and twin.execution is not None:
            if random_.random() < 0.5:
                twin.execution.close()
            twin.execution = None
        elif action == 7:
            snapshot = Snapshot(twin.instance, twin.execution, keep=random_.randrange(3))
            base = twin.base if twin.execution is not None else None
            snapshots.append((snapshot, twin.n, twin.pages, twin.digest, base))
            if len(snapshots) > 4:
                snapshots.pop(random_.randrange(4))[0].close()
        elif action == 8 and snapshots and len(twins) < 12:
            snapshot, n, pages, digest, base = random_.choice(snapshots)
            made, call = snapshot.instantiate(random_.choice([None, store]), ASKS)
            assert (call is None) == (base is None)
            twins.append(Twin(made, n, pages, digest, call, base or 0))
        elif action == 9 and len(twins) > 2:
            twins.remove(twin)
            if random_.random() < 0.5:
                twin.instance.close()
        elif action == 10 and fork and hasattr(os, "fork") and random_.random() < 0.1:
            child = os.fork()
            if not child:
                code = 1
                try:
                    for each in twins:
                        each.check()
                    random_steps(seed + 1, 40, fork=False)
                    code = 0
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        twin = random_.choice(twins)
        twin.check()


@pytest.mark.parametrize("seed", range(6))
def test_random_steps(seed):
    random_steps(seed * 100, 400)
