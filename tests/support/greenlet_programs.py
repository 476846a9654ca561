"""Programs that switch between greenlets within host functions, run in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import wamr

# deep(n, x) calls back with x, n frames deep, and adds x for each; many(n, x) adds up n callbacks.
MODULE = """(module (import "m" "back" (func $back (param i32) (result i32)))
    (func $deep (export "deep") (param i32 i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (local.get 1)
                (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
            (else (call $back (local.get 1)))))
    (func (export "many") (param $n i32) (param $x i32) (result i32) (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum) (call $back (local.get $x))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "one") (param i32) (result i32) (call $back (local.get 0))))"""
REFERENCES = """(module
    (import "m" "back" (func $back (param externref funcref) (result externref)))
    (import "m" "call" (func $call (param funcref)))
    (table (export "table") 1 funcref)
    (func (export "pass") (param externref funcref) (result externref)
        (table.set (i32.const 0) (local.get 1))
        (call $back (local.get 0) (local.get 1))))"""
START = """
import faulthandler, gc, sys, greenlet, wamr
from greenlet import getcurrent
faulthandler.dump_traceback_later(60, exit=True)
hub = getcurrent()
OUT_OF_ORDER = "its host function returned while a call that began later in the same instance"

def pause(value):
    hub.switch()
    return value

def made(back=pause, data={module!r}, **options):
    return wamr.load(data, {{"m": {{"back": back}}}}, **options)

results = {{}}

def kept(key, function, *args):
    try:
        results[key] = function(*args)
    except BaseException as error:
        results[key] = type(error).__name__
        if isinstance(error, RuntimeError) and not isinstance(error, wamr.Trap):
            assert OUT_OF_ORDER in str(error), error

def started(key, function, *args):
    made_now = greenlet.greenlet(kept)
    made_now.switch(key, function, *args)
    return made_now

def by_turns(*greenlets):
    while any(not one.dead for one in greenlets):
        for one in greenlets:
            if not one.dead:
                one.switch()
"""


def run(program: str) -> list[str]:
    """Run START and the program in a process; return the lines that it prints."""
    code = START.format(module=wamr.wat2wasm(MODULE)) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()
