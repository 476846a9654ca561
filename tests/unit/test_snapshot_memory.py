"""The memories of instances of a snapshot: shared with the image, and free of what others wrote."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
from pathlib import Path

import pytest

import wamr
from wamr import Snapshot
from wamr._backend.binding import ffi, lib

pytestmark = pytest.mark.usefixtures("wat")

PAGE = 4096
# How memories are copied and cleaned: with a memfd and PAGEMAP_SCAN, with a memfd and the page map,
# with a memfd that is mapped again, because the way isn't known or the page map is another one's,
# with a copy.
WAYS = {
    "scan": (True, 0),
    "page map": (True, 1),
    "mapped again": (True, 2),
    "another page map": (True, 3),
    "copied": (False, 0),
}


@pytest.fixture(params=WAYS)
def way(request):
    lib.wpy_debug_set_images(*WAYS[request.param])
    yield request.param
    lib.wpy_debug_set_images(True, 0)


def instance_of(pages, seed=1):
    """Return an instance whose memory has random bytes in some of its pages."""
    instance = wamr.load(f'(module (memory (export "m") {pages} {pages + 40}))')
    random_ = random.Random(seed)
    for page in range(pages * 16):
        if random_.random() < 0.3:
            instance.exports.m.write(page * PAGE, random_.randbytes(PAGE))
    return instance


def patterns(size):
    """Return what an instance writes, as (offset, length) pairs, by name."""
    pages = size // PAGE
    random_ = random.Random(pages)
    return {
        "nothing": [],
        "a byte": [(5, 1)],
        "the last byte": [(size - 1, 1)],
        "the first page": [(0, PAGE)],
        "the last page": [(size - PAGE, PAGE)],
        "across pages": [(PAGE - 2, 4)],
        "all": [(0, size)],
        "each second page": [(page * PAGE + 9, 3) for page in range(0, pages, 2)],
        "each third page": [(page * PAGE, 1) for page in range(1, pages, 3)],
        "the second half": [(size // 2, size - size // 2)],
        "1023 pages": [(0, min(size, 1023 * PAGE))],
        "1024 pages": [(0, min(size, 1024 * PAGE))],
        "1025 pages": [(0, min(size, 1025 * PAGE))],
        "511 runs": [(page * 2 * PAGE, 1) for page in range(min(511, pages // 2))],
        "512 runs": [(page * 2 * PAGE, 1) for page in range(min(512, pages // 2))],
        "513 runs": [(page * 2 * PAGE, 1) for page in range(min(513, pages // 2))],
        "at random": [(random_.randrange(size), 1) for _ in range(200)],
    }


@pytest.mark.parametrize("pages", [1, 2, 17, 90])
def test_no_instance_sees_what_another_one_has_written(way, pages):
    instance = instance_of(pages)
    image = bytes(instance.exports.m.view())
    snapshot = Snapshot(instance, keep=1)
    size = len(image)
    for name, writes in patterns(size).items():
        made, _ = snapshot.instantiate()
        memory = made.exports.m
        assert bytes(memory.view()) == image, (way, name, "before")
        memory.grow(3)
        memory.write(size, b"\xee" * 3 * 65536)
        for offset, length in writes:
            memory.write(offset, b"\xee" * min(length, size - offset))
        made.close()
        made, _ = snapshot.instantiate()
        assert bytes(made.exports.m.view()) == image, (way, name)
        made.exports.m.grow(4)
        assert made.exports.m.read(size, 4 * 65536) == bytes(4 * 65536), (way, name, "grown")
        made.close()
    assert bytes(instance.exports.m.view()) == image


@pytest.mark.parametrize("pages", [1, 17, 90])
def test_reset_takes_back_each_pattern(way, pages):
    instance = instance_of(pages)
    image = bytes(instance.exports.m.view())
    snapshot = instance.snapshot()
    for each in (instance, snapshot.instantiate()[0]):
        memory = each.exports.m
        for name, writes in patterns(len(image)).items():
            memory.grow(1)
            memory.write(len(image), b"\xee" * 65536)
            for offset, length in writes:
                memory.write(offset, b"\xee" * min(length, len(image) - offset))
            each.reset()
            assert bytes(memory.view()) == image, (way, name)
        memory.grow(2)
        assert memory.read(len(image), 2 * 65536) == bytes(2 * 65536)


@pytest.mark.parametrize("pages", [1, 4])
def test_secrets_are_gone_when_an_instance_is_closed(way, pages):
    instance = instance_of(pages)
    image = bytes(instance.exports.m.view())
    snapshot = Snapshot(instance, keep=1)
    made, _ = snapshot.instantiate()
    address = int(ffi.cast("uintptr_t", lib.wpy_memory_data(made.exports.m._c)))
    made.exports.m.write(100, b"secret" * 1000)
    assert b"secret" in ctypes.string_at(address, len(image)), way
    made.close()
    assert lib.wpy_snapshot_slots(snapshot._c) == 1
    assert ctypes.string_at(address, len(image)) == image  # the kept memory is mapped


def test_a_bounded_number_of_memories_is_kept(way):
    snapshot = Snapshot(instance_of(1), keep=3)
    c = snapshot._c
    for _ in range(2):
        made = [snapshot.instantiate()[0] for _ in range(6)]
        assert lib.wpy_snapshot_slots(c) == 0
        for each in made:
            each.close()
        assert lib.wpy_snapshot_slots(c) == 3
    del c
    none = Snapshot(instance_of(1), keep=0)
    none.instantiate()[0].close()
    assert lib.wpy_snapshot_slots(none._c) == 0


@pytest.mark.parametrize("keep", [-1, 10_001, None, "1", 1.5, True])
def test_keep_is_checked(keep):
    with pytest.raises((TypeError, ValueError), match="keep must be"):
        Snapshot(instance_of(1), keep=keep)


def test_a_view_keeps_the_memory_of_a_closed_instance_from_the_next_one(way):
    instance = instance_of(1)
    image = bytes(instance.exports.m.view())
    snapshot = Snapshot(instance, keep=1)
    made, _ = snapshot.instantiate()
    view = made.exports.m.view()
    view[:4] = b"mine"
    made.close()
    other, _ = snapshot.instantiate()
    assert bytes(other.exports.m.view()) == image
    assert bytes(view[:4]) == b"mine"
    view[:4] = b"view"
    assert bytes(other.exports.m.view()) == image
    del view, made
    gc.collect()
    assert lib.wpy_snapshot_slots(snapshot._c) == 1
    assert bytes(snapshot.instantiate()[0].exports.m.view()) == image


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has memfds and a page map")
def test_pages_are_shared_until_they_are_written_to():
    instance = wamr.load('(module (memory (export "m") 160))')
    for page in range(160 * 16):
        instance.exports.m.write(page * PAGE, b"x" * 64)
    snapshot = Snapshot(instance, keep=0)

    def anonymous():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

    before = anonymous()
    made = [snapshot.instantiate()[0] for _ in range(30)]
    sums = [
        sum(each.exports.m.read(page * PAGE, 1)[0] for page in range(0, 2560, 50)) for each in made
    ]
    assert len(set(sums)) == 1
    assert anonymous() - before < 30 * 10 * 1024 / 4  # kB; 300 MB if pages weren't shared


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_the_child_of_a_fork_cleans_its_own_memories(way):
    """A descriptor of the page map that was opened before the fork would tell of the parent."""
    instance = instance_of(2)
    image = bytes(instance.exports.m.view())
    snapshot = Snapshot(instance, keep=1)

    def clean(page):
        made, _ = snapshot.instantiate()
        made.exports.m.write(page * PAGE, b"secret" * 600)
        made.close()
        made, _ = snapshot.instantiate()
        same = bytes(made.exports.m.view()) == image
        made.close()
        return same

    assert clean(1)
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if clean(11) and clean(14) else 2
            grandchild = os.fork()
            if not grandchild:
                os._exit(0 if clean(20) else 3)
            code = code or os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert clean(24)
