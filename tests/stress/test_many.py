"""Tens of thousands of instances, one after the other and at once, and the limit of instances."""

import pytest

pytestmark = pytest.mark.much_address_space

PROLOGUE = """
import gc, sys
from pathlib import Path
import wamr

engine = wamr.Engine()
store = wamr.Store(engine)
plain = wamr.Module(engine, '(module (func (export "f") (result i32) (i32.const 7)))')
full = wamr.Module(engine, '''(module (memory (export "m") 1) (table (export "t") 2 funcref)
    (global (export "g") (mut i32) (i32.const 1))
    (func (export "f") (result i32) (i32.const 7)))''')

def mappings():
    gc.collect()
    maps = Path("/proc/self/maps")
    return len(maps.read_text().splitlines()) if maps.exists() else 0
"""


def test_20_000_instances_one_after_the_other(script, times):
    out = script(
        PROLOGUE
        + f"""
before = mappings()
for module in plain, full:
    for _ in range({times(10_000)}):
        assert wamr.Instance(store, module).exports.f() == 7
assert mappings() - before < 500  # a few regions are kept
print("ok")
""",
        timeout=240,
    )
    assert out == "ok\n"


@pytest.mark.parametrize("module", ["plain", "full"])
def test_20_000_instances_at_once(script, unsanitized, module):
    out = script(
        PROLOGUE
        + f"""
before = mappings()
live = [wamr.Instance(store, {module}) for _ in range(20_000)]
print(sum(instance.exports.f() for instance in live))
if {module} is full:
    live[0].exports.m[0] = 1
    print(sum(instance.exports.m[0] for instance in live[::100]))
for instance in live[::2]:
    instance.close()
print(sum(instance.exports.f() for instance in live[1::2]))
del live, instance
assert mappings() - before < 500
print(wamr.Instance(store, {module}).exports.f())
""",
        timeout=240,
    )
    assert out == ("140000\n1\n70000\n7\n" if module == "full" else "140000\n70000\n7\n")


def test_more_than_the_system_has_mappings_for_is_an_error_and_what_is_there_works(
    script, unsanitized
):
    out = script(
        PROLOGUE
        + """
most = Path("/proc/sys/vm/max_map_count")
if not most.exists() or int(most.read_text()) > 100_000:
    sys.exit(print("ok"))
live = []
try:
    for _ in range(100_000):
        live.append(wamr.Instance(store, full))
except MemoryError:
    assert len(live) > 20_000
    assert sum(instance.exports.f() for instance in live) == 7 * len(live)
    del live[:100]
    assert wamr.Instance(store, full).exports.f() == 7
    print("ok")
""",
        timeout=240,
    )
    assert out == "ok\n"
