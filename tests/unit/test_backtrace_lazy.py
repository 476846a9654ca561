"""Frames are created on demand, and describe the state at the time of the trap."""

import copy
import gc
import pickle
import weakref

import pytest
from collecting import collect_until
from platforms import NESTED_CALLS

from wamr import Instance, Module, Store, Trap, TrapCode, load

TEXT = """(module $calc
    (import "m" "f" (func $f (param i32)))
    (func $inner (param i32) (call $f (local.get 0)))
    (func $outer (export "outer") (param i32) (call $inner (local.get 0)))
    (func $deep (export "deep") (param i32)
        (if (local.get 0)
            (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
            (else (call $f (i32.const 0))))))"""


def names(trap):
    return [frame.func_name for frame in trap.frames]


def test_a_trap_of_the_host_has_the_frames_that_it_crossed():
    def fail(_):
        raise Trap("mine")

    exports = load(TEXT, {"m": {"f": fail}}).exports
    with pytest.raises(Trap) as caught:
        exports.outer(0)
    assert caught.value.code is TrapCode.HOST
    assert names(caught.value) == ["inner", "outer"]
    assert str(caught.value).startswith("mine\nWebAssembly traceback")
    assert caught.value.frames is caught.value.frames
    with pytest.raises(Trap) as caught:
        exports.deep(30)
    assert names(caught.value) == ["deep"] * 31


def test_frames_of_all_levels_come_in_their_order():
    def again(n):
        if n == 0:
            raise Trap("at last")
        (exports.outer if n % 2 else exports.deep)(n - 1)

    def leave(_):
        again(3)

    exports = load(TEXT, {"m": {"f": again}}).exports
    other = load(TEXT.replace("$calc", "$other"), {"m": {"f": leave}}).exports
    with pytest.raises(Trap) as caught:
        other.outer(0)
    assert names(caught.value)[-4:] == ["inner", "outer", "inner", "outer"]
    assert [f.module_name for f in caught.value.frames][-3:] == ["calc", "other", "other"]


@pytest.mark.parametrize("looked", [False, True])
def test_a_trap_that_is_raised_again_goes_on(looked):
    trap = Trap("the same")

    def fail(_):
        raise trap

    exports = load(TEXT, {"m": {"f": fail}}).exports
    for times in (1, 2, 3):
        with pytest.raises(Trap) as caught:
            exports.outer(0)
        assert caught.value is trap
        if looked:
            assert names(trap) == ["inner", "outer"] * times
    assert names(trap) == ["inner", "outer"] * 3


def test_many_levels_are_no_deep_recursion():
    def again(n):
        if n == 0:
            raise Trap("at last")
        exports.outer(n - 1)

    exports = load(TEXT, {"m": {"f": again}}).exports
    with pytest.raises(Trap) as caught:
        exports.outer(NESTED_CALLS)
    assert names(caught.value) == ["inner", "outer"] * (NESTED_CALLS + 1)


def test_frames_outlive_what_they_are_of():
    def fail(_):
        raise Trap("mine")

    store = Store()
    instance = Instance(store, Module(store, TEXT), [fail])
    with pytest.raises(Trap) as caught:
        instance.exports.outer(0)
    trap, gone = caught.value, weakref.ref(store)
    instance.close()
    del instance, store, caught
    gc.collect()
    assert names(trap) == ["inner", "outer"]
    assert trap.frames[0].instance.module.name == "calc"
    assert trap.frames[0].module_offset is not None
    trap.frames = ()
    trap.__traceback__ = None
    assert collect_until(lambda: gone() is None)
    assert names(trap) == []


@pytest.mark.parametrize("copied", [copy.copy, lambda trap: pickle.loads(pickle.dumps(trap))])
def test_a_copy_has_them(copied):
    def fail(_):
        raise Trap("mine")

    exports = load(TEXT, {"m": {"f": fail}}).exports
    with pytest.raises(Trap) as caught:
        exports.outer(0)
    assert names(copied(caught.value)) == ["inner", "outer"]


def test_an_exception_that_is_no_trap_has_none():
    def fail(_):
        raise KeyError("mine")

    exports = load(TEXT, {"m": {"f": fail}}).exports
    with pytest.raises(KeyError) as caught:
        exports.deep(50)
    assert not hasattr(caught.value, "frames")
