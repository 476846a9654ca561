"""Calls from Python into wasm: by signature, by the generic path, with limits, with traps."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .installed import supported_cases, this_package
from .lines import US, WASM3, WASMER, WASMTIME, Goal, Line, Samples, Unavailable, timed
from .peers import Peer
from .timing import Case, Pace, Sample, measure

MODULE = """(module
  (func (export "nop"))
  (func (export "one") (param i32) (result i32) (local.get 0))
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "add_f64") (param f64 f64) (result f64)
    (f64.add (local.get 0) (local.get 1)))
  (func (export "six") (param i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 5)))
  (func (export "eight") (param i32 i64 f32 f64 i32 i64 f32 f64) (result f64)
    (f64.add (local.get 3) (local.get 7)))
  (func (export "swap") (param i32 i32) (result i32 i32)
    (local.get 1) (local.get 0))
  (func (export "trap") unreachable)
)"""
VECTOR = """(module (func (export "f") (param v128) (result v128)
  (i32x4.add (local.get 0) (local.get 0))))"""
REFERENCE = '(module (func (export "f") (param externref) (result externref) (local.get 0)))'
RAISED = "try:\n    {}\nexcept Exception:\n    pass"


def _call(name: str, arguments: str) -> dict[str, Case]:
    return supported_cases(lambda peer: peer.call(MODULE, name, arguments))


def _exports() -> dict[str, Case]:
    ours = Case("inst.exports.add(2, 3)", {"inst": this_package().instance(MODULE)})
    return {**_call("add", "2, 3"), US: ours}


def _func() -> dict[str, Case]:
    ours = Case("f(2, 3)", {"f": this_package().instance(MODULE).exports.add})
    return {**_call("add", "2, 3"), US: ours}


def _vector() -> dict[str, Case]:
    def ask(peer: Peer) -> Case:
        if peer.name != US:
            raise Unavailable("nobody else can pass vectors")
        case = peer.call(VECTOR, "f")
        return Case("f(v)", {**case.names, "v": bytes(16)})

    return supported_cases(ask)


def _reference() -> dict[str, Case]:
    def ask(peer: Peer) -> Case:
        if peer.name == WASMER:
            raise Unavailable("wasmer-python can't pass references")
        case = peer.call(REFERENCE, "f", "o")
        return Case(case.statement, {**case.names, "o": object()})

    return supported_cases(ask)


def _trap(pace: Pace) -> Samples:
    def ask(peer: Peer) -> Case:
        case = peer.call(MODULE, "trap")
        return Case(RAISED.format(case.statement), case.names)

    with no_stderr():
        return measure(supported_cases(ask), pace)


@contextmanager
def no_stderr() -> Iterator[None]:
    """Discard the output of C: pywasm3 prints each trap."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _armed(pace: Pace) -> Samples:
    import wamr

    limits = wamr.ResourceLimits(timeout=3600)
    cases = {
        "armed": Case(
            "f(2, 3)", {"f": this_package().instance(MODULE, limits=limits).exports.add.callable}
        ),
        "plain": Case("f(2, 3)", {"f": this_package().instance(MODULE).exports.add.callable}),
    }
    return {US: _difference(measure(cases, pace), "armed", "plain")}


def _call_with_timeout(pace: Pace) -> Samples:
    function = this_package().instance(MODULE).exports.add
    return measure({US: Case("f.call(2, 3, timeout=3600)", {"f": function})}, pace)


def _difference(samples: Mapping[str, Sample], more: str, less: str) -> Sample:
    a, b = samples[more], samples[less]
    return Sample(a.best - b.best, a.median - b.median, a.rounds)


_generic = Goal(most=0.5e-6, times={WASMTIME: 1 / 40})

LINES = (
    timed(
        "calls.add",
        "inst.exports.add(2, 3)",
        _exports,
        Goal(times={WASM3: 3, WASMTIME: 1 / 100}),
    ),
    timed("calls.func", "add(2, 3), a Func held", _func),
    timed(
        "calls.callable",
        "add.callable(2, 3), held",
        lambda: _call("add", "2, 3"),
        Goal(times={WASM3: 2.2}),
    ),
    timed("calls.nop", "() -> ()", lambda: _call("nop", "")),
    timed("calls.one", "(i32) -> i32", lambda: _call("one", "7")),
    timed("calls.f64", "(f64, f64) -> f64", lambda: _call("add_f64", "2.0, 3.0")),
    timed("calls.six", "6 x i32 -> i32", lambda: _call("six", "1, 2, 3, 4, 5, 6")),
    timed(
        "calls.unsigned",
        "(i32, i32), unsigned ones",
        lambda: _call("add", "0xFFFFFFF0, 3"),
    ),
    timed(
        "calls.eight",
        "8 mixed parameters",
        lambda: _call("eight", "1, 2, 3.0, 4.0, 5, 6, 7.0, 8.0"),
        _generic,
    ),
    timed("calls.two", "2 results", lambda: _call("swap", "2, 3"), _generic),
    timed("calls.v128", "(v128) -> v128", _vector, Goal(most=0.5e-6)),
    timed("calls.externref", "(externref) -> externref", _reference, _generic),
    Line("calls.trap", "a trap, raised and caught", _trap, Goal(most=2e-6)),
    Line("calls.armed", "what a limit's timeout adds", _armed, Goal(most=40e-9)),
    Line("calls.timeout", "add.call(2, 3, timeout=1)", _call_with_timeout),
)
