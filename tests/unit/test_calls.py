"""Calls from Python into wasm: signatures of each shape, arguments, results, errors, sentinels."""

import itertools
import sys
import threading
from array import array
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamr import (
    FuelTrap,
    Instance,
    Module,
    StackOverflowTrap,
    TimeoutTrap,
    Trap,
    TrapCode,
    load,
)

SAMPLE = {"i32": -5, "i64": 2**40 + 7, "f32": 1.5, "f64": -0.1}
KINDS = list(SAMPLE)


def echo_module(params, result):
    """Return a module whose `f` returns its parameter number `result` (None: nothing)."""
    declared = f"(param {' '.join(params)})" if params else ""
    answer = f"(result {params[result]}) (local.get {result})" if result is not None else ""
    return f'(module (func (export "f") {declared} {answer}))'


@pytest.mark.parametrize("count", range(5))
def test_every_shape_with_an_entry_of_its_own_and_every_result(count):
    for params in itertools.product(KINDS, repeat=count):
        args = [SAMPLE[kind] for kind in params]
        assert load(echo_module(params, None)).exports.f(*args) is None
        for position in {0, count - 1} if count else ():
            assert load(echo_module(params, position)).exports.f(*args) == args[position]


@pytest.mark.parametrize("count", [5, 6, 7, 8, 9, 33, 100])
def test_long_signatures(count):
    params = list(itertools.islice(itertools.cycle(KINDS), count))
    args = [SAMPLE[kind] for kind in params]
    for position in (0, 1, count // 2, count - 1):
        assert load(echo_module(params, position)).exports.f(*args) == args[position]
    for kind in KINDS:
        same = load(echo_module([kind] * count, count - 1)).exports.f
        assert same(*([0] * (count - 1)), SAMPLE[kind]) == SAMPLE[kind]


def test_300_parameters_and_results():
    kinds = list(itertools.islice(itertools.cycle([*KINDS, "v128", "externref"]), 300))
    names = " ".join(kinds)
    body = " ".join(f"(local.get {i})" for i in range(300))
    f = load(f'(module (func (export "f") (param {names}) (result {names}) {body}))').exports.f
    obj = object()
    sample = {**SAMPLE, "v128": bytes(range(16)), "externref": obj}
    args = tuple(sample[kind] for kind in kinds)
    assert f(*args) == args


def test_results_are_none_a_value_or_a_tuple():
    text = """(module (func (export "none")) (func (export "one") (result i32) (i32.const 1))
        (func (export "two") (result i32 f64) (i32.const 1) (f64.const 2)))"""
    exports = load(text).exports
    assert exports.none() is None
    assert exports.one() == 1
    assert exports.two() == (1, 2.0)


# ------------------------------------------------------------------ arguments
ONE_OF_EACH = "".join(
    f'(func (export "{kind}") (param {kind}) (result {kind}) (local.get 0))' for kind in KINDS
)
BY_CELLS = "".join(
    f'(func (export "{kind}") (param {kind} v128) (result {kind}) (local.get 0))' for kind in KINDS
)


@pytest.fixture(params=["entry", "cells"])
def echo(request):
    """Return functions by kind, called through their own entry and through packed cells."""
    if request.param == "entry":
        return load(f"(module {ONE_OF_EACH})").exports
    exports = load(f"(module {BY_CELLS})").exports
    return {kind: lambda x, kind=kind: exports[kind](x, bytes(16)) for kind in KINDS}


@pytest.mark.parametrize("kind", ["i32", "i64"])
@pytest.mark.parametrize(
    "bad",
    [None, 2.0, "2", b"2", Decimal("2.5"), Decimal(2), Fraction(4, 2), [2], 2j, object(), int],
    ids=repr,
)
def test_integers_from_integers_only(echo, kind, bad):
    with pytest.raises(TypeError, match=f"{kind}.*argument.*must be an int \\({kind}\\), not "):
        echo[kind](bad)


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize(
    "bad",
    [
        None,
        "2",
        b"2",
        bytearray(b"2"),
        memoryview(b"2"),
        array("b", b"2"),
        [2],
        2j,
        object(),
        float,
    ],
)
def test_floats_from_floats_and_integers_only(echo, kind, bad):
    with pytest.raises(TypeError, match=f"{kind}.*argument.*must be a float or int \\({kind}\\)"):
        echo[kind](bad)


def test_messages_show_the_value_and_which_argument():
    f = load('(module (func (export "f") (param i32 i64 f32 f64)))').exports.f
    for args, position, shown in (
        (("x" * 100, 0, 0, 0), 1, "str 'xxx"),
        ((0, None, 0, 0), 2, "NoneType None"),
        ((0, 0, b"", 0), 3, "bytes b''"),
        ((0, 0, 0, []), 4, "list \\[\\]"),
    ):
        with pytest.raises(
            TypeError, match=f"argument {position} must be .* not {shown}"
        ) as caught:
            f(*args)
        assert "f(i32, i64, f32, f64) -> ()" in str(caught.value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_integers_out_of_range(echo, kind):
    bits = int(kind[1:])
    for value in (-(2 ** (bits - 1)) - 1, 2**bits, 2**bits + 5, -(2**bits), 2**1000):
        with pytest.raises(OverflowError, match=f"out of range for {kind} .*: {value}"[:100]):
            echo[kind](value)


@given(value=st.integers(-(2**31), 2**32 - 1), wide=st.integers(-(2**63), 2**64 - 1))
def test_integers_signed_and_unsigned_come_back_signed(value, wide):
    assert ECHO["i32"](value) == (value + 2**31) % 2**32 - 2**31
    assert ECHO["i64"](wide) == (wide + 2**63) % 2**64 - 2**63


@pytest.fixture(scope="module", autouse=True)
def echo_for_hypothesis():
    exports = load(f"(module {ONE_OF_EACH})").exports
    ECHO.update({kind: exports[kind] for kind in KINDS})


ECHO = {}


def test_what_has_index_is_an_integer(echo):
    class Five:
        def __index__(self):
            return 5

    for kind in ("i32", "i64"):
        assert echo[kind](Five()) == 5
        assert echo[kind](True) == 1
        assert type(echo[kind](True)) is int


def test_what_fails_in_index_comes_out(echo):
    class Broken:
        def __index__(self):
            raise ZeroDivisionError("mine")

    for kind in ("i32", "i64"):
        with pytest.raises(ZeroDivisionError, match="mine"):
            echo[kind](Broken())


def test_ints_too_large_for_a_float(echo):
    for kind in ("f32", "f64"):
        with pytest.raises(OverflowError, match=f"too large for {kind}"):
            echo[kind](2**2000)
        assert echo[kind](2**100) == 2.0**100


@pytest.mark.parametrize("args", [(), (1,), (1, 2, 3), (1, 2, 3, 4)])
def test_a_wrong_number_of_arguments_shows_the_signature(args):
    text = """(module (func (export "fast") (param i32 i32) (result i32) (i32.const 0))
        (func (export "slow") (param v128 i32) (result i32) (i32.const 0)))"""
    exports = load(text).exports
    for call in (exports.fast, exports.fast.callable, exports.fast.call):
        with pytest.raises(TypeError, match=r"fast\(i32, i32\) -> i32"):
            call(*args)
    for call in (exports.slow, exports.slow.callable, exports.slow.call):
        with pytest.raises(TypeError, match=rf"slow\(v128, i32\) -> i32 .* 2 .* {len(args)}"):
            call(*args)


# ------------------------------------------------------------------ sentinels
def test_results_that_look_like_errors_are_results():
    sentinels = [-0x1FEDCBA9, -1, 0, 1, 0x8BADF00D5AFEC0DE - 2**64]
    exports = load(f"(module {ONE_OF_EACH})").exports
    for value in sentinels:
        assert exports.i64(value) == value
        if value >= -(2**31):
            assert exports.i32(value) == value
    assert exports.f64(-7.3510238e-217) == -7.3510238e-217
    with pytest.raises(TypeError):
        exports.i32(None)
    assert exports.i32(-0x1FEDCBA9) == -0x1FEDCBA9


# ------------------------------------------------------------------ traps
TRAPS = {
    "unreachable": ("unreachable", TrapCode.UNREACHABLE),
    "(i32.div_s (i32.const 1) (i32.const 0)) drop": (
        "integer divide by zero",
        TrapCode.INTEGER_DIVIDE_BY_ZERO,
    ),
    "(i64.rem_u (i64.const 1) (i64.const 0)) drop": (
        "integer divide by zero",
        TrapCode.INTEGER_DIVIDE_BY_ZERO,
    ),
    "(i32.div_s (i32.const 0x80000000) (i32.const -1)) drop": (
        "integer overflow",
        TrapCode.INTEGER_OVERFLOW,
    ),
    "(i32.trunc_f64_s (f64.const nan)) drop": (
        "invalid conversion to integer",
        TrapCode.INVALID_CONVERSION_TO_INTEGER,
    ),
    "(i32.trunc_f64_s (f64.const 1e300)) drop": ("integer overflow", TrapCode.INTEGER_OVERFLOW),
    "(i32.load (i32.const 65533)) drop": (
        "out of bounds memory access",
        TrapCode.MEMORY_OUT_OF_BOUNDS,
    ),
    "(i64.store offset=4294967295 (i32.const -1) (i64.const 0))": (
        "out of bounds memory access",
        TrapCode.MEMORY_OUT_OF_BOUNDS,
    ),
    "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))": (
        "out of bounds memory access",
        TrapCode.MEMORY_OUT_OF_BOUNDS,
    ),
    "(table.get (i32.const 9)) drop": ("out of bounds table access", TrapCode.TABLE_OUT_OF_BOUNDS),
    "(call_indirect (i32.const 9))": ("undefined element", TrapCode.UNDEFINED_ELEMENT),
    "(call_indirect (i32.const 0))": ("uninitialized element", TrapCode.UNINITIALIZED_ELEMENT),
    "(call_indirect (i32.const 1))": (
        "indirect call type mismatch",
        TrapCode.INDIRECT_CALL_TYPE_MISMATCH,
    ),
}


@pytest.mark.parametrize("code", TRAPS)
def test_traps_have_the_specs_words_and_a_code(code):
    message, trap_code = TRAPS[code]
    text = f"""(module (memory 1) (table 2 funcref) (func $other (param i32))
        (elem (i32.const 1) $other) (func $f (export "f") {code}))"""
    with pytest.raises(Trap) as caught:
        load(text).exports.f()
    trap = caught.value
    assert trap.message.startswith(message)
    assert "Exception" not in str(trap)
    assert trap.code is trap_code
    assert [frame.func_name for frame in trap.frames] == ["f"]
    assert str(trap).startswith(message)
    assert "at f (function 1" in str(trap)


def test_frames_innermost_first_with_names_and_instances():
    text = """(module $calc (func $inner (param i32) unreachable)
        (func (export "middle") (call $inner (i32.const 1)))
        (func $outer (export "go") (call 1)))"""
    instance = load(text)
    with pytest.raises(Trap) as caught:
        instance.exports.go()
    frames = caught.value.frames
    assert [frame.func_name for frame in frames] == ["inner", "middle", "outer"]
    assert [frame.func_index for frame in frames] == [0, 1, 2]
    assert {frame.module_name for frame in frames} == {"calc"}
    assert all(frame.instance is instance for frame in frames)


def test_endless_recursion_is_a_recursion_error():
    f = load('(module (func $f (export "f") (call $f)))').exports.f
    with pytest.raises(RecursionError, match="call stack exhausted") as caught:
        f()
    assert isinstance(caught.value, StackOverflowTrap)
    assert caught.value.code is TrapCode.STACK_OVERFLOW
    assert len(str(caught.value)) < 2000


def test_recursion_through_python_ends_in_an_error_of_one_of_the_two():
    exports = {}
    text = '(module (import "m" "f" (func)) (func (export "go") (call 0)))'
    exports["go"] = load(text, {"m": {"f": lambda: exports["go"]()}}).exports.go
    for _ in range(3):
        with pytest.raises(RecursionError):
            exports["go"]()
    assert sys.getrecursionlimit() > 100


def test_in_a_thread_with_a_small_stack():
    f = load('(module (func $f (export "f") (param i32) (result i32) (local.get 0)))').exports.f
    seen = []

    def work():
        try:
            seen.append(f(5))
        except RecursionError as error:
            seen.append(error)

    size = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert len(seen) == 1
    assert f(6) == 6


# ------------------------------------------------------------------ limits of one call
FOREVER = '(module (func (export "run") (param i32) (loop (br 0))) (func (export "ok")))'


def test_call_with_a_timeout():
    exports = load(FOREVER).exports
    with pytest.raises(TimeoutTrap, match="timed out") as caught:
        exports.run.call(1, timeout=0.02)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code is TrapCode.TIMEOUT
    assert [frame.func_name for frame in caught.value.frames] == ["run"]
    assert exports.ok.call(timeout=10) is None
    assert exports.ok() is None


def test_call_with_fuel():
    exports = load(FOREVER).exports
    with pytest.raises(FuelTrap, match="out of fuel") as caught:
        exports.run.call(1, fuel=100_000)
    assert caught.value.code is TrapCode.OUT_OF_FUEL
    with pytest.raises(FuelTrap):
        exports.ok.call(fuel=0)
    assert exports.ok.call(fuel=1) is None
    assert exports.ok() is None


def test_call_options_of_a_wrong_kind():
    exports = load(FOREVER).exports
    for bad in ("1", [], True):
        with pytest.raises(TypeError, match=f"timeout must be .* not {type(bad).__name__}"):
            exports.ok.call(timeout=bad)
        with pytest.raises(TypeError, match=f"fuel must be .* not {type(bad).__name__}"):
            exports.ok.call(fuel=bad)
    for bad, said in ((-1, "negative"), (-0.5, "negative"), (float("nan"), "NaN")):
        with pytest.raises(ValueError, match=f"timeout must not be {said}"):
            exports.ok.call(timeout=bad)
    for bad in (-1, 1 << 62):
        with pytest.raises(ValueError, match="fuel must be from 0 to"):
            exports.ok.call(fuel=bad)
    assert exports.ok.call(timeout=None, fuel=None) is None
    assert exports.ok.call(timeout=float("inf"), fuel=(1 << 62) - 1) is None
    with pytest.raises(TimeoutTrap):
        exports.run.call(1, timeout=0)


# ------------------------------------------------------------------ tail calls, many instances
def test_tail_calls_use_no_stack():
    text = """(module (func $even (export "even") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
            (else (return_call $odd (i32.sub (local.get 0) (i32.const 1))))))
        (func $odd (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
            (else (return_call $even (i32.sub (local.get 0) (i32.const 1)))))))"""
    even = load(text).exports.even
    assert even(100_001) == 0
    assert even(100_000) == 1


def test_instances_do_not_share_what_is_not_shared(store):
    module = Module(
        store,
        """(module (global $n (mut i32) (i32.const 0)) (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))""",
    )
    one, other = Instance(store, module).exports, Instance(store, module).exports
    assert [one.next(), one.next(), other.next(), one.next()] == [1, 2, 1, 3]
