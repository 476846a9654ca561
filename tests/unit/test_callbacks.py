"""Python functions called from wasm: arguments, results, the caller."""

import itertools
import threading
import time

import pytest
from small_modules import forwarding

from wamr import (
    Func,
    FuncType,
    Instance,
    Module,
    ValType,
    load,
)

SAMPLE = {"i32": -5, "i64": 2**40 + 7, "f32": 1.5, "f64": -0.1, "v128": bytes(range(16))}
KINDS = ["i32", "i64", "f32", "f64"]


@pytest.mark.parametrize("count", range(4))
def test_every_shape_with_a_dispatcher(count):
    for params in itertools.product(KINDS, repeat=count):
        args = tuple(SAMPLE[kind] for kind in params)
        for result in [None, *dict.fromkeys(params[-1:]), "i32", "f64"]:
            seen = []

            def f(*given, seen=seen, result=result):
                seen.append(given)
                return None if result is None else SAMPLE[result]

            go = load(forwarding(params, [result] if result else []), [f]).exports.go
            assert go(*args) == (SAMPLE[result] if result else None)
            assert seen == [args]
            assert [type(value) for value in seen[0]] == [type(value) for value in args]


@pytest.mark.parametrize(
    ("params", "results"),
    [
        (["i32"] * 4, ["i32"]),
        (["i32"] * 5, ["i32"]),
        (["f64"] * 9, ["f64"]),
        (["v128"], ["v128"]),
        (["i32", "v128"], []),
        ([], ["i32", "i64", "f32", "f64", "v128"]),
        (KINDS * 2, KINDS),
        ((KINDS * 75), ["i64"]),
        (["i32", "v128", "f64"] * 100, ["i32", "v128", "f64"] * 100),
    ],
)
def test_signatures_that_travel_as_cells(params, results):
    seen = []

    def f(*given):
        seen.append(given)
        values = tuple(SAMPLE[kind] for kind in results)
        return values if len(values) > 1 else values[0] if values else None

    args = tuple(SAMPLE[kind] for kind in params)
    answer = load(forwarding(params, results), [f]).exports.go(*args)
    assert seen == [args]
    wanted = tuple(SAMPLE[kind] for kind in results)
    assert answer == (wanted if len(wanted) > 1 else wanted[0] if wanted else None)


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_integer_results_signed_and_unsigned(kind):
    answers = []
    go = load(forwarding([], [kind]), [answers.pop]).exports.go
    bits = int(kind[1:])
    for value in (0, -1, 2 ** (bits - 1), 2**bits - 1, -(2 ** (bits - 1)), True):
        answers.append(value)
        assert go() == (int(value) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    for value in (2**bits, -(2 ** (bits - 1)) - 1, 2**100):
        answers.append(value)
        with pytest.raises(
            OverflowError, match=r"host function m\.f\(\) -> .*out of range"
        ) as caught:
            go()
        assert str(value) in str(caught.value) or value == 2**100


def test_results_that_look_like_failures_are_results():
    answers = []
    for kind, values in {
        "i32": [-0x1FEDCBA9, 0, 1, -1],
        "i64": [0x8BADF00D5AFEC0DE - 2**64, 0x8BADF00D5AFEC0DE, -0x1FEDCBA9],
        "f64": [-7.3510238e-217, float("nan")],
        "f32": [float("nan"), 0.0],
    }.items():
        go = load(forwarding([], [kind]), [answers.pop]).exports.go
        for value in values:
            answers.append(value)
            result = go()
            assert result in (value, value - 2**64) or (result != result and value != value)


@pytest.mark.parametrize(
    ("results", "bad"),
    [
        ([], 0),
        ([], ()),
        (["i32"], None),
        (["i32"], 1.0),
        (["i32"], "1"),
        (["i32"], (1,)),
        (["i64"], None),
        (["f32"], "1"),
        (["f64"], None),
        (["v128"], "0123456789abcdef"),
        (["v128"], 5),
        (["funcref"], 5),
        (["funcref"], lambda: None),
        (["i32", "i32"], 1),
        (["i32", "i32"], (1,)),
        (["i32", "i32"], (1, 2, 3)),
        (["i32", "i32"], None),
        (["i32", "i32"], (1, None)),
        (["i32", "f32"], {1: 2}),
    ],
)
def test_a_wrong_result_is_a_type_error_that_names_the_function(results, bad):
    instance = load(forwarding([], results), {"m": {"f": lambda: bad}})
    with pytest.raises(TypeError, match=r"host function m\.f\(\) -> "):
        instance.exports.go()
    with pytest.raises(TypeError, match=r"host function m\.f\(\) -> "):
        instance.exports.go()


def test_a_vector_of_a_wrong_length():
    with pytest.raises(ValueError, match=r"m\.f.*must be 16 bytes \(v128\), not 3"):
        load(forwarding([], ["v128"]), [lambda: b"abc"]).exports.go()


def test_a_callback_that_takes_other_arguments_is_its_own_error():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        load(forwarding(["i32"], []), [lambda a, b: None]).exports.go(1)


def test_lists_are_results_too():
    assert load(forwarding([], ["i32", "f64"]), [lambda: [1, 2]]).exports.go() == (1, 2.0)


# ------------------------------------------------------------------ the caller
def test_access_caller_gives_the_calling_instance(store):
    seen = []

    def look(caller, x):
        seen.append(caller)
        return caller.exports.memory[x]

    type_ = FuncType([ValType.I32], [ValType.I32])
    func = Func(store, type_, look, access_caller=True)
    text = """(module (import "m" "f" (func $f (param i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 5) "%s")
        (func (export "go") (result i32) (call $f (i32.const 5))))"""
    one = Instance(store, Module(store, text % "a"), [func])
    other = Instance(store, Module(store, text % "b"), [func])
    assert [one.exports.go(), other.exports.go()] == [ord("a"), ord("b")]
    assert seen[0] is one
    assert seen[1] is other


def test_the_caller_is_there_even_if_only_a_function_was_kept(store):
    seen = []
    func = Func(store, FuncType([]), lambda caller: seen.append(caller.module), access_caller=True)
    module = Module(store, forwarding([], []))
    go = Instance(store, module, [func]).exports.go
    go()
    assert seen == [module]


def test_the_caller_in_a_start_function(store):
    seen = []

    def look(caller):
        seen.append(caller.exports.memory[0:2])

    func = Func(store, FuncType([]), look, access_caller=True)
    text = """(module (import "m" "f" (func $f)) (memory (export "memory") 1)
        (data (i32.const 0) "hi") (start $f))"""
    Instance(store, Module(store, text), [func])
    assert seen == [b"hi"]


def test_the_caller_between_instances_is_the_nearest(store):
    seen = []
    func = Func(store, FuncType([]), seen.append, access_caller=True)
    inner = Instance(store, Module(store, forwarding([], [])), [func])
    outer = Instance(store, Module(store, forwarding([], [])), [inner.exports.go])
    outer.exports.go()
    assert seen == [inner]


# ------------------------------------------------------------------ API calls in callbacks
def test_it_may_call_the_same_instance_again():
    exports = {}

    def again(n):
        return 0 if n == 0 else 1 + exports["go"](n - 1)

    exports["go"] = load(forwarding(["i32"], ["i32"]), [again]).exports.go
    assert exports["go"](50) == 50


def test_it_may_instantiate_with_exports_of_its_caller(store):
    """Groups merge while a call runs in one of them."""
    made = []
    text = """(module (import "m" "make" (func $make)) (memory (export "memory") 1)
        (table (export "t") 2 funcref) (global (export "g") (mut i32) (i32.const 1))
        (func (export "go") (result i32) (call $make) (i32.load8_u (i32.const 9)))
        (func (export "nine") (result i32) (i32.const 9)))"""
    importing = """(module (import "m" "memory" (memory 1)) (import "m" "t" (table 2 funcref))
        (import "m" "g" (global (mut i32))) (import "m" "nine" (func $nine (result i32)))
        (import "o" "f" (func $f (result i32)))
        (func $init (i32.store8 (i32.const 9) (i32.add (call $nine) (call $f))) (global.set 0
        (i32.const 5))) (elem (i32.const 1) $nine) (start $init))"""
    other = Instance(
        store, Module(store, '(module (func (export "f") (result i32) (i32.const 33)))')
    )

    def make():
        made.append(Instance(store, Module(store, importing), {"m": instance, "o": other}))

    instance = Instance(store, Module(store, text), [make])
    assert instance.exports.go() == 42
    assert instance.exports.g.value == 5
    assert instance.exports.t[1]() == 9
    assert instance.exports.go() == 42
    assert len(made) == 2


def test_it_may_close_what_runs():
    def close():
        instance.close()
        instance.close()
        return 3

    instance = load(forwarding([], ["i32"]), [close])
    assert instance.exports.go() == 3
    with pytest.raises(ValueError, match="closed"):
        instance.exports.go()


def test_it_may_close_the_store():
    instance = load(forwarding([], ["i32"]), [lambda: (instance.store.close(), 4)[1]])
    go = instance.exports.go
    assert go() == 4
    with pytest.raises(ValueError, match="closed"):
        go()


def test_it_may_grow_the_memory_that_the_code_uses():
    text = """(module (import "m" "grow" (func $grow)) (memory (export "memory") 1 9)
        (func (export "go") (result i32) (i32.store (i32.const 0) (i32.const 7)) (call $grow)
            (i32.store (i32.const 300000) (i32.const 8))
            (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 300000)))))"""
    instance = load(text, [lambda: instance.exports.memory.grow(7) and None])
    assert instance.exports.go() == 15
    assert instance.exports.memory.pages == 8


def test_it_may_take_its_time_and_let_other_threads_run():
    ran = []

    def wait():
        thread = threading.Thread(target=ran.append, args=(1,))
        thread.start()
        thread.join()
        time.sleep(0.01)

    load(forwarding([], []), [wait]).exports.go()
    assert ran == [1]


def test_a_generator_or_coroutine_is_no_result():
    async def f():
        raise AssertionError

    with pytest.raises(RuntimeError, match="is async: only a call that can be suspended"):
        load(
            forwarding([], ["i32"]), [lambda: (coroutine := f(), coroutine.close())[0]]
        ).exports.go()
