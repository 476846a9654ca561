"""Exceptions of wasm: code that throws nothing, loading, throws, unwinding of many frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .calls import RAISED
from .installed import supported_cases, this_package
from .lines import US, WASMTIME, Goal, Line, Samples, Unavailable, timed
from .peers import Peer, binary_of
from .timing import Case, Pace, Sample, measure

TURNS = 10_000
FUNCTIONS = 4_000
# An exported function that runs `body` TURNS times.
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
DEEP = "(call $deep (local.get $n) (i32.const {}))"
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
  {LOOP.format(name="caught_deep", body=CAUGHT.format(thrown=DEEP.format(9)))}
  {LOOP.format(name="caught_100", body=CAUGHT.format(thrown=DEEP.format(99)))}
  {LOOP.format(name="caught_1000", body=CAUGHT.format(thrown=DEEP.format(999)))})"""
# A function for a large module; `block` is a block or a try_table.
BODY = """(func (param $a i32) (param $b i32) (result i32)
  (block $caught
    ({block}
      (local.set $a (i32.add (i32.mul (local.get $a) (i32.const {number})) (local.get $b)))
      (br_if $caught (i32.gt_u (local.get $a) (local.get $b)))
      (local.set $b (call 0 (local.get $b) (local.get $a)))))
  (i32.add (local.get $a) (local.get $b)))"""
THROWING_HOST = f"""(module
  (import "env" "e" (tag $e (param i32)))
  (import "env" "f" (func $f (param i32)))
  {LOOP.format(name="run", body=CAUGHT.format(thrown="(call $f (local.get $n))"))})"""


def _has_exceptions(peer: Peer) -> None:
    if peer.name not in (US, WASMTIME):
        raise Unavailable(f"{peer.name} has no exceptions")


def _cases(name: str, turns: int = TURNS) -> dict[str, Case]:
    def ask(peer: Peer) -> Case:
        _has_exceptions(peer)
        return peer.call(MODULE, name, str(turns))

    return supported_cases(ask)


def _large(block: str) -> dict[str, Case]:
    """Load a module of FUNCTIONS functions with this block."""
    bodies = (BODY.format(block=block, number=i) for i in range(FUNCTIONS))
    binary = binary_of(f"(module {''.join(bodies)})")

    def ask(peer: Peer) -> Case:
        _has_exceptions(peer)
        return peer.load(binary)

    return supported_cases(ask)


def _ratio(
    more: Callable[[], Mapping[str, Case]], less: Callable[[], Mapping[str, Case]]
) -> Callable[[Pace], Samples]:
    """Return a measurement: how many times as long the one takes as the other."""

    def measured(pace: Pace) -> Samples:
        cases = {f"{name} more": case for name, case in more().items()}
        cases |= {f"{name} less": case for name, case in less().items()}
        samples = measure(cases, pace)
        found = {}
        for name in (US, WASMTIME):
            if f"{name} more" in samples:
                a, b = samples[f"{name} more"], samples[f"{name} less"]
                found[name] = Sample(a.best / b.best, a.median / b.median, a.rounds)
        return found

    return measured


def _python() -> dict[str, Case]:
    cases = _cases("throw", 7)
    return {name: Case(RAISED.format(x.statement), x.names) for name, x in cases.items()}


def _looked_at() -> dict[str, Case]:
    import wamr

    function = this_package().instance(MODULE).exports.throw.callable
    statement = "try:\n    f(7)\nexcept E as error:\n    error.tag, error.values"
    return {US: Case(statement, {"f": function, "E": wamr.WasmException})}


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
    Line(
        "exceptions.tried",
        "calls in a try_table, x without",
        _ratio(lambda: _cases("tried"), lambda: _cases("plain")),
        Goal(1.15),
        "x",
    ),
    Line(
        "exceptions.load",
        "loading try_tables, x blocks",
        _ratio(lambda: _large("try_table (catch_all $caught)"), lambda: _large("block")),
        Goal(1.5),
        "x",
    ),
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
    Line(
        "exceptions.unwinding",
        "caught 1,000 frames up, x 100",
        _ratio(lambda: _cases("caught_1000", 10), lambda: _cases("caught_100", 10)),
        Goal(12),
        "x",
    ),
    timed(
        "exceptions.python",
        "a throw, caught by Python",
        _python,
        Goal(10e-6, times={WASMTIME: 1}),
    ),
    timed("exceptions.values", "the same, with tag and values", _looked_at, Goal(10e-6)),
    timed("exceptions.host", "a host function throws into wasm", _host, Goal(10e-6)),
)
