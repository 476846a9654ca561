"""Values of the stack and globals of a closed instance are nowhere in the process.

A script calls code that has two adjacent 64-bit values, which depend on its argument, in its locals
or globals. They are looked for in the whole writable memory of the process. The native stack may
have one of them left, but not both beside each other.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bounds import SANITIZED

pytestmark = [
    pytest.mark.usefixtures("wat"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/mem"),
    pytest.mark.skipif(SANITIZED, reason="AddressSanitizer has terabytes of memory to read"),
]

SCRIPT = r"""
import gc, json, mmap, os, re, struct
import wamr

TEXT = '''(module
  (import "env" "ask" (func $ask))
  (memory (export "memory") 1)
  (global $a (mut i64) (i64.const 0)) (global $b (mut i64) (i64.const 0))
  (func $down (param $depth i32) (param $seed i64) (local $a i64) (local $b i64)
    (local.set $a (i64.mul (local.get $seed) (i64.const 0x5DEECE66D1234567)))
    (local.set $b (i64.mul (local.get $a) (i64.const 0x369DEA0F31A53F85)))
    (if (local.get $depth)
      (then (call $down (i32.sub (local.get $depth) (i32.const 1)) (local.get $seed)))
      (else (call $ask)))
    (drop (i64.add (local.get $a) (local.get $b))))
  (func (export "run") (param i32 i64) (call $down (local.get 0) (local.get 1)))
  (func (export "set") (param i64)
    (global.set $a (i64.mul (local.get 0) (i64.const 0x5DEECE66D1234567)))
    (global.set $b (i64.mul (global.get $a) (i64.const 0x369DEA0F31A53F85)))))'''
module = wamr.Module(wamr.Engine(), TEXT)

def pattern(seed):
    a = seed * 0x5DEECE66D1234567 % 2**64
    return a, a * 0x369DEA0F31A53F85 % 2**64

def count(seed, native_stack=True):
    "Return how often the values are in this process, counted by a child, which has a copy of it."
    gc.collect()
    reader, writer = os.pipe()
    if not os.fork():
        # in the child, whose own copies of the values are not in the list of mappings
        lines = open("/proc/self/maps").read().splitlines()
        room, found = mmap.mmap(-1, 1 << 20), 0
        first, second = pattern(seed)
        first = struct.pack("<Q", first)
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            for line in lines:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                if line.split()[1][:2] != "rw" or (not native_stack and "[stack]" in line):
                    continue
                while start < end:
                    memory.seek(start)
                    view = memoryview(room)
                    got = memory.readinto(view[: min(1 << 20, end - start)])
                    view.release()
                    at = room.find(first, 0, got)
                    while at >= 0:
                        found += int.from_bytes(room[at + 8 : at + 16], "little") == second
                        at = room.find(first, at + 1, got)
                    start += got
        os.write(writer, b"%d" % found)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        found = int(file.read())
    os.wait()
    return found

def made(answer=None):
    store = wamr.Store(module.engine)
    return wamr.Instance(store, module, {"env": {"ask": lambda: answer}})

seen = {}
def case(name, seed, begun, ended, **rest):
    before = count(seed, **rest)
    begun()
    during = count(seed, **rest)
    ended()
    seen[name] = before, during, count(seed, **rest)

one = made()
case("returned", 3, lambda: one.exports.run(5, 3), one.store.close)

two = made()
case("deep", 5, lambda: two.exports.run(2000, 5), two.store.close)

three = made()
def overflow():
    try:
        three.exports.run(10**6, 7)
    except wamr.StackOverflowTrap:
        return
    raise AssertionError("the stack has no end")
case("overflow", 7, overflow, three.store.close)

four = made(wamr.SUSPEND)
call = four.exports.run.execution(100, 9)
case("suspended", 9, lambda: next(call), four.store.close)

five = made(wamr.SUSPEND)
call = five.exports.run.execution(100, 11)
def copied():
    global snapshot, copy
    next(call)
    snapshot = wamr.Snapshot(five, call)
    copy = snapshot.instantiate(imports={"env": {"ask": lambda: wamr.SUSPEND}})[0]
def closed():
    five.store.close()
    copy.store.close()
    snapshot.close()
case("copy", 11, copied, closed)

six = made()
state = wamr.Snapshot(six)
case("reset", 13, lambda: six.exports.run(50, 13), six.reset)
case("reset-globals", 15, lambda: six.exports.set(15), six.reset)

seven = made()
case("globals", 17, lambda: seven.exports.set(17), seven.store.close)

eight = made()
def copied_globals():
    global snapshot, copy
    eight.exports.set(19)
    snapshot = wamr.Snapshot(eight)
    copy = snapshot.instantiate(imports={"env": {"ask": lambda: None}})[0]
def closed_copies():
    eight.store.close()
    copy.store.close()
    snapshot.close()
case("snapshot-globals", 19, copied_globals, closed_copies)

# an exported global has a cell of 16 bytes, so a v128 has both values; the dynamic linker may save
# the registers that it passes through on the native stack. free() itself writes over the first cell
EXPORTED = '''(module
  (global (export "f") (mut v128) (v128.const i64x2 0 0))
  (global $g (export "g") (mut v128) (v128.const i64x2 0 0))
  (func (export "set") (param i64) (local i64)
    (local.set 1 (i64.mul (local.get 0) (i64.const 0x5DEECE66D1234567)))
    (global.set $g (i64x2.replace_lane 1
      (i64x2.splat (local.get 1))
      (i64.mul (local.get 1) (i64.const 0x369DEA0F31A53F85))))))'''
nine = wamr.load(EXPORTED)
def copied_cells():
    global snapshot, copy
    nine.exports.set(21)
    snapshot = wamr.Snapshot(nine)
    copy = snapshot.instantiate()[0]
def closed_cells():
    global nine, copy  # the cells live as long as the instances
    nine = copy = None
    snapshot.close()
case("snapshot-cells", 21, copied_cells, closed_cells, native_stack=False)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def least(name):
    return {"deep": 2000, "overflow": 5000, "suspended": 100, "copy": 300, "reset": 50}.get(name, 1)


@pytest.mark.parametrize("name", ["returned", "deep", "overflow"])
def test_a_closed_instance_leaves_nothing_of_its_stack(seen, name):
    before, during, after = seen[name]
    assert before == 0
    assert during >= least(name)  # the search finds what is there
    assert after == 0


@pytest.mark.parametrize("name", ["suspended", "copy"])
def test_closed_executions_and_copies_leave_nothing_of_their_frames(seen, name):
    before, during, after = seen[name]
    assert before == 0
    assert during >= least(name)
    assert after == 0


@pytest.mark.parametrize("name", ["reset", "reset-globals"])
def test_a_reset_instance_has_nothing_of_the_calls_before(seen, name):
    before, during, after = seen[name]
    assert before == 0
    assert during >= least(name)
    assert after == 0


def test_a_closed_instance_leaves_nothing_of_its_globals(seen):
    before, during, after = seen["globals"]
    assert before == 0
    assert during >= 1
    assert after == 0


@pytest.mark.parametrize("name", ["snapshot-globals", "snapshot-cells"])
def test_a_closed_snapshot_leaves_nothing_of_its_globals(seen, name):
    before, during, after = seen[name]
    assert before == 0
    assert during >= 3  # of the instance, the snapshot, and the copy
    assert after == 0
