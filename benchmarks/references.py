"""Tables and globals from Python: elements, calls of elements, values of each type."""

from __future__ import annotations

from .installed import supported_cases
from .lines import US, WASMTIME, Goal, timed
from .timing import Case

MODULE = """(module
  (table (export "t") 10 funcref) (elem (i32.const 1) $add)
  (table (export "o") 10 externref)
  (global (export "i") (mut i32) (i32.const 5))
  (global (export "d") (mut f64) (f64.const 0.5))
  (global (export "r") (mut funcref) (ref.func $add))
  (global (export "x") (mut externref) (ref.null extern))
  (func $add (export "f") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))"""


def _cases(ours: str, wasmtime: str) -> dict[str, Case]:
    statements = {US: ours, WASMTIME: wasmtime}
    cases = supported_cases(lambda peer: peer.parts(MODULE, statements))
    return {n: Case(x.statement, {**x.names, "value": object()}) for n, x in cases.items()}


_goal = Goal(0.25e-6, times={WASMTIME: 1 / 20})

LINES = (
    timed("references.get", "table[i], a function", lambda: _cases("t[1]", "t.get(s, 1)"), _goal),
    timed("references.set", "table[i] = f", lambda: _cases("t[2] = f", "t.set(s, 2, f)"), _goal),
    timed(
        "references.call",
        "table[i](2, 3)",
        lambda: _cases("t[1](2, 3)", "t.get(s, 1)(s, 2, 3)"),
        Goal(times={WASMTIME: 1 / 20}),
    ),
    timed("references.len", "len(table)", lambda: _cases("len(t)", "t.size(s)"), _goal),
    timed(
        "references.grow", "table.grow(0)", lambda: _cases("t.grow(0)", "t.grow(s, 0, None)"), _goal
    ),
    timed("references.object", "table[i], an object", lambda: _cases("o[1]", "o.get(s, 1)"), _goal),
    timed(
        "references.keep",
        "table[i] = object",
        lambda: _cases("o[2] = value", "o.set(s, 2, value)"),
        _goal,
    ),
    timed("references.i32", "global.value, i32", lambda: _cases("i.value", "i.value(s)"), _goal),
    timed(
        "references.set_i32",
        "global.value = 7",
        lambda: _cases("i.value = 7", "i.set_value(s, 7)"),
        _goal,
    ),
    timed("references.f64", "global.value, f64", lambda: _cases("d.value", "d.value(s)"), _goal),
    timed(
        "references.set_f64",
        "global.value = 0.5",
        lambda: _cases("d.value = 0.5", "d.set_value(s, 0.5)"),
        _goal,
    ),
    timed(
        "references.func",
        "global.value, a function",
        lambda: _cases("r.value", "r.value(s)"),
        _goal,
    ),
    timed(
        "references.set_func",
        "global.value = f",
        lambda: _cases("r.value = f", "r.set_value(s, f)"),
        _goal,
    ),
    timed(
        "references.extern",
        "global.value, an object",
        lambda: _cases("x.value", "x.value(s)"),
        _goal,
    ),
)
