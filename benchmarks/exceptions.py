"""Exceptions of wasm: what a `try_table` costs where nothing is thrown, and what a throw costs."""

from __future__ import annotations

from .calls import RAISED
from .lines import US, WASMTIME, Goal, Line, Samples, Unavailable, timed
from .peers import Peer, everybody
from .timing import Case, Pace, Sample, measure

TURNS = 10_000
# A function that does something TURNS times; what is around it counts.
LOOP = """(func (export "{name}") (param $n i32) (result i32) (local $sum i32)
  (loop $again
    {body}
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $sum))"""
ADDED = "(local.set $sum (i32.add (local.get $sum) (call $same (local.get $n))))"
TRIED = f"(block $caught (try_table (catch_all $caught) {ADDED}))"
CAUGHT = """(local.set $sum (i32.add (local.get $sum)
  (block $caught (result i32) (try_table (catch $e $caught) {thrown}) (unreachable))))"""
THROWN = "(throw $e (local.get $n))"
DEEP = "(call $deep (local.get $n) (i32.const 9))"
MODULE = f"""(module
  (tag $e (param i32))
  (func $same (param i32) (result i32) (local.get 0))
  (func $deep (param $n i32) (param $frames i32)
    (if (local.get $frames)
      (then (call $deep (local.get $n) (i32.sub (local.get $frames) (i32.const 1)))))
    {THROWN})
  (func (export "throw") (param $n i32) {THROWN})
  {LOOP.format(name="plain", body=ADDED)}
  {LOOP.format(name="tried", body=TRIED)}
  {LOOP.format(name="caught", body=CAUGHT.format(thrown=THROWN))}
  {LOOP.format(name="caught_deep", body=CAUGHT.format(thrown=DEEP))})"""
THROWING_HOST = f"""(module
  (import "env" "e" (tag $e (param i32)))
  (import "env" "f" (func $f (param i32)))
  {LOOP.format(name="run", body=CAUGHT.format(thrown="(call $f (local.get $n))"))})"""


def _cases(name: str, arguments: str = str(TURNS)) -> dict[str, Case]:
    def ask(peer: Peer) -> Case:
        if peer.name not in (US, WASMTIME):
            raise Unavailable(f"{peer.name} has no exceptions")
        return peer.call(MODULE, name, arguments)

    return everybody(ask)


def _tried(pace: Pace) -> Samples:
    """Return how many times as long a loop takes with a `try_table` in it."""
    plain, tried = _cases("plain"), _cases("tried")
    cases = {f"{name} plain": case for name, case in plain.items()}
    cases |= {f"{name} tried": case for name, case in tried.items()}
    samples = measure(cases, pace)
    found = {}
    for name in plain:
        a, b = samples[f"{name} tried"], samples[f"{name} plain"]
        found[name] = Sample(a.best / b.best, a.median / b.median, a.rounds)
    return found


def _python() -> dict[str, Case]:
    cases = _cases("throw", "7")
    return {name: Case(RAISED.format(x.statement), x.names) for name, x in cases.items()}


def _host() -> dict[str, Case]:
    import wamr

    store = wamr.Store()
    tag = wamr.Tag(store, wamr.TagType([wamr.ValType.I32]))

    def throw(number: int) -> None:
        raise wamr.WasmException(tag, number)

    module = wamr.Module(store, THROWING_HOST)
    run = wamr.Instance(store, module, {"env": {"e": tag, "f": throw}}).exports.run
    # wasmtime-py's host functions can't throw into wasm.
    return {US: Case("f(1)", {"f": run.callable})}


LINES = (
    Line("exceptions.tried", "a call in a try_table, x without", _tried, Goal(1.15), "x"),
    timed(
        "exceptions.caught",
        f"{TURNS:,} throws, caught in place",
        lambda: _cases("caught"),
        Goal(TURNS * 60e-9, times={WASMTIME: 1}),
    ),
    timed(
        "exceptions.deep",
        f"{TURNS:,} throws, caught 10 frames up",
        lambda: _cases("caught_deep"),
        Goal(TURNS * 400e-9, times={WASMTIME: 1}),
    ),
    timed("exceptions.python", "a throw, caught by Python", _python, Goal(times={WASMTIME: 1})),
    timed("exceptions.host", "a host function throws into wasm", _host, Goal(10e-6)),
)
