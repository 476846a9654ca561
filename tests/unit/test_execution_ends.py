"""Executions: throwing into them, closing and dropping them, and references."""

from __future__ import annotations

import gc
import weakref

import pytest
from collecting import collect_until
from executions import finish, instance

import wamr
from wamr import SUSPEND

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def e():
    return instance().exports


# ------------------------------------------------------------------ throwing and closing
def test_an_exception_thrown_in_comes_out_with_its_frames(e):
    execution = e.direct.execution(3)
    next(execution)
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        execution.throw(error)
    assert caught.value is error
    assert execution.state == "done"
    execution = e.tail_within.execution(3)
    next(execution)
    with pytest.raises(wamr.Trap, match="mine") as caught:
        execution.throw(wamr.Trap("mine"))
    assert [frame.func_name for frame in caught.value.frames] == ["tail_within"]
    assert e.plus(1) == 2


def test_throw_takes_the_arguments_of_a_generator_s(e):
    for arguments in (
        (KeyError,),
        (KeyError, "x"),
        (KeyError, KeyError("x")),
        (KeyError("x"), None, None),
    ):
        execution = e.direct.execution(3)
        next(execution)
        with pytest.raises(KeyError):
            execution.throw(*arguments)
    execution = e.direct.execution(3)
    next(execution)
    for arguments in ((1,), ("x",), (int,), (KeyError("x"), 1)):
        with pytest.raises(TypeError):
            execution.throw(*arguments)
    assert execution.state == "suspended"
    assert finish(execution, 1, 2) == 21


def test_an_exception_thrown_into_a_new_execution_ends_it(e):
    execution = e.direct.execution(3)
    with pytest.raises(ValueError, match="x"):
        execution.throw(ValueError("x"))
    assert execution.state == "done"


def test_stop_iteration_of_a_host_function_is_not_the_end(e):
    def stop():
        raise StopIteration(5)

    inst = wamr.load(
        '(module (import "" "f" (func $f)) (func (export "g") (call $f)))', {"": {"f": stop}}
    )
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(inst.exports.g.execution())
    execution = e.direct.execution(3)
    next(execution)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        execution.throw(StopIteration(4))


def test_a_trap_after_a_suspension_has_its_frames(e):
    execution = e.after.execution(3)
    next(execution)
    with pytest.raises(wamr.Trap, match="unreachable") as caught:
        execution.send(1)
    assert [frame.func_name for frame in caught.value.frames] == ["after"]
    assert execution.state == "done"
    assert e.plus(1) == 2


def test_close_ends_a_call_without_running_code(e):
    execution = e.after.execution(3)
    next(execution)
    execution.close()
    execution.close()
    assert execution.state == "done"
    with pytest.raises(StopIteration):
        next(execution)
    new = e.after.execution(3)
    new.close()
    assert new.state == "done"


def test_a_dropped_execution_leaves_its_frames_no_room(e):
    for _ in range(20_000):  # the wasm stack has 1 MiB
        next(e.deep.execution(3))
    assert e.plus(1) == 2


def test_an_execution_keeps_what_it_needs():
    execution = instance().exports.direct.execution(3)
    gc.collect()
    next(execution)
    gc.collect()
    assert finish(execution, 1, 2) == 21


def test_an_execution_is_collected_with_its_instance():
    inst = instance()
    state = weakref.ref(inst.exports.direct._lifetime)
    execution = inst.exports.direct.execution(3)
    next(execution)
    del inst, execution
    assert collect_until(lambda: state() is None)


# ------------------------------------------------------------------ references
REFERENCES = """(module
  (import "env" "get" (func $get (param externref funcref) (result externref)))
  (func (export "f") (param externref) (result externref externref)
    (call $get (local.get 0) (ref.func $f)) (local.get 0))
  (elem declare func $f) (func $f (export "seven") (result i32) (i32.const 7)))"""


def test_references_pass_through_a_suspension():
    inst = wamr.load(REFERENCES, {"env": {"get": lambda *_: SUSPEND}})
    first, second = object(), object()
    execution = inst.exports.f.execution(first)
    event = next(execution)
    assert event.args[0] is first
    assert event.args[1]() == 7
    del event
    assert finish(execution, second) == (second, first)


def test_references_in_suspended_frames_are_kept():
    class Referent:
        pass

    inst = wamr.load(REFERENCES, {"env": {"get": lambda *_: SUSPEND}})
    obj = Referent()
    alive = weakref.ref(obj)
    execution = inst.exports.f.execution(obj)
    next(execution)
    execution._args = ()
    del obj
    gc.collect()
    inst.store.gc()
    assert alive() is not None
    assert finish(execution, None)[1] is alive()
    inst.store.gc()
    assert collect_until(lambda: alive() is None)


def test_suspend_is_no_reference():
    inst = wamr.load(REFERENCES, {"env": {"get": lambda *_: SUSPEND}})
    with pytest.raises(RuntimeError, match="only a call that can be suspended"):
        inst.exports.f(1)
