"""Recursion between Python and wasm by each call path, on stacks of each size."""

import pytest

ATTACK = """
import json, re, resource, sys, threading, wamr
sys.setrecursionlimit(100_000)
kib, ways = %d, %d
text = '''(module (import "m" "f" (func $f (param i32) (result i32)))
    (type $t (func (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 0) $indirect $host)
    (func $indirect (export "indirect") (param i32) (result i32)
      (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0))))
    (func $host (export "host") (param i32) (result i32) (call $f (local.get 0)))
    (func (export "both") (param i32) (result i32)
      (call_indirect (type $t) (call $f (local.get 0)) (i32.const 1)))
    (func (export "add") (param i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 1))))'''
engine = wamr.Engine()
module = wamr.Module(engine, text)
starting = wamr.Module(engine, '''(module (import "m" "f" (func $f (param i32) (result i32)))
    (func $s (drop (call $f (i32.const 1)))) (start $s))''')
command = wamr.Module(engine, '(module (func (export "_start")))')
now = []

def made(callback, module=module, **limits):
    limits = wamr.ResourceLimits(**limits)
    return wamr.Instance(wamr.Store(engine), module, [callback], limits=limits)

def host(n):
    return now[-1].exports.host(n)

class Magic:
    def __getattr__(self, name): return host(1)
    def __repr__(self): return str(host(1))
    def __lt__(self, other): return host(1)
    def __index__(self): return host(1)

def generated(n):
    return next(x for x in map(host, [n]))

def replaced(n):
    try:
        return host(n)
    except wamr.StackOverflowTrap as trap:
        raise RecursionError(len(str(trap))) from trap

def through_a_new_instance(n):
    now.append(made(through_a_new_instance))
    return host(n)

def through_a_start_function(n):
    made(through_a_start_function, starting)
    return 1

WAYS = [
    host,
    generated,
    replaced,
    through_a_new_instance,
    through_a_start_function,
    lambda n: Magic().name,
    lambda n: int(repr(Magic())),
    lambda n: bool(sorted([Magic(), Magic()])),
    lambda n: range(3)[Magic()],
    lambda n: len(json.dumps(Magic(), default=lambda o: host(1))),
    lambda n: len(re.sub("a", lambda m: str(host(1)), "a")),
    lambda n: now[-1].exports.host.call(n, timeout=100),
    lambda n: wamr.run([command]).returncode or host(n),
    lambda n: wamr.load(text, [host]).exports.host(n),
]

def attack():
    for way in WAYS[:ways]:
        for stack in (4096, 1 << 20):
            for name in ("host", "both"):
                now[:] = [made(way, stack_bytes=stack)]
                try:
                    now[0].exports[name](5)
                    print("no end")
                except RecursionError:  # StackOverflowTrap is one
                    pass
    instance = made(host, stack_bytes=1 << 26)
    try:
        instance.exports.indirect(1)
        print("no end")
    except wamr.StackOverflowTrap:
        pass
    print(instance.exports.add(40, 2))

# What is imported late is imported now: CPython 3.14's parser refuses to work on so little stack.
wamr.run([command])
for name in ("host", "indirect"):
    now[:] = [made(lambda n: n)]
    try:
        getattr(now[0].exports, name)(1)
    except RecursionError as error:
        str(error)
json.dumps(Magic, default=str)
re.sub("a", lambda m: m[0], "a")

if kib:
    threading.stack_size(kib * 1024)
    for _ in range(2):
        thread = threading.Thread(target=attack)
        thread.start()
        thread.join()
else:
    attack()
"""


@pytest.mark.parametrize("kib", [64, 96, 128, 192, 256, 512, 1024])
def test_recursion_in_a_thread_ends_in_a_trap(kib, script):
    out = script(ATTACK % (kib, 99), stderr=None)
    assert out.split() == ["42", "42"]


@pytest.mark.parametrize(("limit", "ways"), [(256 << 10, 99), (1 << 20, 99), (-1, 3)])
def test_recursion_in_a_main_thread_ends_in_a_trap(limit, ways, script):
    """`ulimit -s` has its effect when a process starts; -1: unlimited."""
    resource = pytest.importorskip("resource")
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if hard != resource.RLIM_INFINITY and not 0 < limit <= hard:
        limit = hard
    start = f"""
    import os, resource, sys
    resource.setrlimit(resource.RLIMIT_STACK, ({limit}, {hard}))
    os.execv(sys.executable, [sys.executable, "-c", {ATTACK % (0, ways)!r}])
    """
    assert script(start, stderr=None).split() == ["42"]
