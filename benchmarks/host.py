"""Calls from wasm into Python, and exceptions of such calls."""

from __future__ import annotations

from collections.abc import Callable

from .calls import RAISED, no_stderr
from .installed import supported_cases, this_package
from .lines import US, WASM3, WASMTIME, Goal, timed
from .peers import HostFunction
from .timing import Case

PASSING = """(module
  (import "env" "f" (func $f (param i32 i32) (result i32)))
  (func (export "run") (param i32 i32) (result i32)
    (call $f (local.get 0) (local.get 1))))"""
CALLING = """(module
  (import "env" "f" (func $f))
  (func (export "run") (call $f)))"""
LOOPING = """(module
  (import "env" "f" (func $f (param i32 i32) (result i32)))
  (func (export "run") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (call $f (local.get $sum) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))"""
TWO_RESULTS = """(module
  (import "env" "f" (func $f (param i32 i32) (result i32 i32)))
  (func (export "run") (param i32 i32) (result i32)
    (call $f (local.get 0) (local.get 1))
    i32.add))"""


def add(a: int, b: int) -> int:
    """Add two numbers, as most callbacks of these lines do."""
    return a + b


def _nothing() -> None:
    return None


def _swap(a: int, b: int) -> tuple[int, int]:
    return b, a


def _fail() -> None:
    raise ValueError("a host function failed")


def _round(text: str, host: HostFunction, arguments: str = "") -> Callable[[], dict[str, Case]]:
    return lambda: supported_cases(lambda peer: peer.call(text, "run", arguments, host))


def _raising() -> dict[str, Case]:
    cases = _round(CALLING, HostFunction("v()", _fail))()
    with no_stderr():
        cases = {name: case for name, case in cases.items() if _raises(case)}
    return {name: Case(RAISED.format(x.statement), x.names) for name, x in cases.items()}


def _raises(case: Case) -> bool:
    """Return whether an engine propagates exceptions: extism prints them."""
    try:
        case.run()
    except Exception:
        return True
    return False


def _with_caller() -> dict[str, Case]:
    import wamr

    store = wamr.Store()
    func = wamr.Func(store, None, _called, access_caller=True)
    module = wamr.Module(store, PASSING)
    run = wamr.Instance(store, module, {"env": {"f": func}}).exports.run.callable
    return {US: Case("f(2, 3)", {"f": run, "u": this_package()})}


def _called(caller: object, a: int, b: int) -> int:
    return a + b


LINES = (
    timed(
        "host.add",
        "callback (i32, i32) -> i32, whole trip",
        _round(PASSING, HostFunction("i(ii)", add), "2, 3"),
        Goal(times={WASM3: 3.2, WASMTIME: 1 / 25}),
    ),
    timed("host.nothing", "callback () -> ()", _round(CALLING, HostFunction("v()", _nothing))),
    timed(
        "host.loop",
        "1000 callbacks out of a loop",
        _round(LOOPING, HostFunction("i(ii)", add), "1000"),
    ),
    timed(
        "host.two",
        "callback with 2 results",
        _round(TWO_RESULTS, HostFunction("ii(ii)", _swap), "2, 3"),
    ),
    timed("host.caller", "callback with access_caller", _with_caller),
    timed("host.raise", "a host exception through wasm", _raising, Goal(most=3.5e-6)),
)
