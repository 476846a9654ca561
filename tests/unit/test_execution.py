"""Executions: starting, stopping in host functions, answering, throwing, closing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Generator

import pytest
from executions import calls_of, events, finish, instance

import wamr
from wamr import SUSPEND, Func, FuncType, Store

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def e():
    return instance().exports


# ------------------------------------------------------------------ calls of all kinds
def test_a_call_stops_where_a_host_function_suspends_and_goes_on_with_the_answer(e):
    result, found = events(e.direct.execution(3), 10, 20)
    assert result == 10 + 10 * 20
    assert [event.kind for event in found] == ["call", "call"]
    assert calls_of(found) == [(3,), (5,)]
    assert found[0].host.name == "env.ask"
    assert found[0].until is None


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("indirect", 0, 42 + 81),
        ("indirect", 1, 43 + 81),
        ("tail", 9, 42),
        ("tail_indirect", 0, 42),
        ("tail_indirect", 1, 43),
        ("tail_within", 9, 47),
        ("deep", 0, 42),
        ("deep", 300, 342),
        ("ask", 9, 42),
    ],
)
def test_every_kind_of_call_can_be_suspended(e, name, argument, result):
    assert events(e[name].execution(argument), 42)[0] == result


def test_values_of_all_types_pass_through_a_suspension(e):
    answer = (-(2**63), 1.5, bytes(range(16)), -1)
    result, found = events(e.many.execution(), answer)
    assert result == answer
    assert calls_of(found) == [
        (-3, 2.5, bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]), 0.5)
    ]


def test_a_function_without_results_goes_on_with_next(e):
    result, found = events(e.none.execution())
    assert result is None
    assert calls_of(found) == [(), ()]


def test_an_execution_that_never_stops_ends_at_the_first_next(e):
    execution = e.plus.execution(4)
    assert execution.state == "new"
    with pytest.raises(StopIteration) as end:
        next(execution)
    assert end.value.value == 5
    assert execution.state == "done"


def test_nothing_runs_before_the_first_next():
    called = []
    inst = wamr.load(
        '(module (import "" "f" (func $f)) (func (export "g") (call $f)))',
        {"": {"f": lambda: called.append(1)}},
    )
    execution = inst.exports.g.execution()
    assert not called
    finish(execution)
    assert called == [1]


def test_an_execution_is_a_generator(e):
    execution = e.direct.execution(3)
    assert isinstance(execution, Generator)
    assert isinstance(execution, wamr.Execution)
    assert iter(execution) is execution
    assert execution.func == e.direct

    def delegate():
        return (yield from execution)

    generator = delegate()
    assert next(generator).args == (3,)
    assert generator.send(1).args == (5,)
    with pytest.raises(StopIteration) as end:
        generator.send(2)
    assert end.value.value == 21


def test_the_states_of_an_execution():
    seen = []

    def look():
        seen.append(execution.state)
        return SUSPEND

    inst = wamr.load(
        '(module (import "" "f" (func $f)) (func (export "g") (call $f)))', {"": {"f": look}}
    )
    execution = inst.exports.g.execution()
    seen.append(execution.state)
    next(execution)
    seen.append(execution.state)
    finish(execution)
    seen.append(execution.state)
    assert seen == ["new", "running", "suspended", "done"]


# ------------------------------------------------------------------ wrong use
def test_a_new_execution_takes_no_value(e):
    execution = e.direct.execution(3)
    with pytest.raises(TypeError, match=r"direct\(i32\) -> i32: the first value .* must be None"):
        execution.send(1)
    assert execution.state == "new"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ("x", TypeError, r"env\.ask\(i32\) -> i32: its result must be an int"),
        (None, TypeError, r"env\.ask\(i32\) -> i32: its result must be an int"),
        (1 << 40, OverflowError, "out of range for i32"),
        ((1, 2), TypeError, "its result must be an int"),
    ],
)
def test_after_a_wrong_answer_the_execution_is_as_before(e, answer, error, words):
    execution = e.direct.execution(3)
    next(execution)
    with pytest.raises(error, match=words):
        execution.send(answer)
    assert execution.state == "suspended"
    assert finish(execution, 1, 2) == 21


def test_an_event_that_was_changed_does_not_change_what_may_be_sent(e):
    execution = e.direct.execution(3)
    next(execution).kind = "stdin"
    event = execution.send(1)
    event.kind = "slice"
    with pytest.raises(TypeError, match="its result must be an int"):
        next(execution)
    assert finish(execution, 2) == 21


def test_a_slice_takes_no_value(e):
    execution = e.spin.execution(10_000_000, slice=0)
    assert next(execution).kind == "slice"
    with pytest.raises(TypeError, match="only None can be sent after an event 'slice', not int"):
        execution.send(1)
    assert execution.state == "suspended"
    execution.close()


def test_arguments_are_checked_when_the_execution_is_made(e):
    with pytest.raises(TypeError, match="takes 1 argument, not 0"):
        e.direct.execution()
    with pytest.raises(OverflowError):
        e.direct.execution(1 << 40)
    for name in ("timeout", "slice"):
        with pytest.raises(TypeError, match=f"{name} must be a number of seconds or None, not str"):
            e.direct.execution(1, **{name: "x"})
        with pytest.raises(ValueError, match=f"{name} must not be negative: -1"):
            e.direct.execution(1, **{name: -1})
    with pytest.raises(TypeError, match="fuel must be an int or None"):
        e.direct.execution(1, fuel=1.5)
    with pytest.raises(TypeError, match=r"Func\.execution makes executions"):
        wamr.Execution()


def test_an_execution_that_runs_can_t_be_used(e):
    errors = []

    def use():
        for action in (
            lambda: next(execution),
            lambda: execution.send(1),
            lambda: execution.throw(ValueError()),
            execution.close,
        ):
            with pytest.raises(RuntimeError, match="this execution runs already") as error:
                action()
            errors.append(error)

    inst = wamr.load(
        '(module (import "" "f" (func $f)) (func (export "g") (call $f)))', {"": {"f": use}}
    )
    execution = inst.exports.g.execution()
    finish(execution)
    assert len(errors) == 4


def test_an_ended_execution_only_stops(e):
    execution = e.plus.execution(1)
    finish(execution)
    for _ in range(2):
        with pytest.raises(StopIteration) as end:
            next(execution)
        assert end.value.value is None
    with pytest.raises(KeyError):
        execution.throw(KeyError("x"))
    execution.close()


def test_executions_are_not_copied_or_pickled(e):
    execution = e.plus.execution(1)
    for action in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            action(execution)


def test_suspend_is_one_object():
    assert repr(SUSPEND) == "wamr.SUSPEND"
    assert copy.deepcopy(SUSPEND) is SUSPEND
    assert pickle.loads(pickle.dumps(SUSPEND)) is SUSPEND


def test_an_execution_whose_event_could_not_be_made_goes_on(e, monkeypatch):
    from wamr._runtime import event as module

    execution = e.direct.execution(3)
    with monkeypatch.context() as patched:
        patched.setattr(module, "find_host_function", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(execution)
    assert execution.state == "suspended"
    assert finish(execution, 1, 2) == 21


# ------------------------------------------------------------------ what can't be suspended
def test_a_plain_call_can_t_be_suspended(e):
    with pytest.raises(
        RuntimeError,
        match=r"host function env\.ask\(i32\) -> i32 suspends: only a call that can be suspended "
        r"may call it \(Func\.execution\)$",
    ):
        e.direct(3)
    assert e.plus(1) == 2


def test_a_start_function_can_t_be_suspended():
    with pytest.raises(RuntimeError, match=r"; a start function can't be$"):
        wamr.load('(module (import "" "f" (func $f)) (start $f))', {"": {"f": lambda: SUSPEND}})


def test_a_call_by_python_code_within_an_execution_can_t_be_suspended(e):
    def between(x):
        return e.direct(x)

    outer = wamr.load(
        '(module (import "" "f" (func $f (param i32) (result i32)))'
        ' (func (export "g") (result i32) (call $f (i32.const 1))))',
        {"": {"f": between}},
    )
    with pytest.raises(RuntimeError, match=r"; Python code stands between it and that call$"):
        next(outer.exports.g.execution())


def test_an_execution_within_a_callback_can_be_suspended_and_finished_there(e):
    def within(x):
        return events(e.direct.execution(x), x, x)[0]

    outer = wamr.load(
        '(module (import "" "f" (func $f (param i32) (result i32)))'
        ' (func (export "g") (param i32) (result i32) (call $f (local.get 0))))',
        {"": {"f": within}},
    )
    assert outer.exports.g(4) == 44
    assert events(outer.exports.g.execution(5))[0] == 55


def test_an_execution_within_a_callback_that_is_left_there_ends_the_call_of_the_callback():
    begun = []

    def within(x):
        if x:
            begun.append(inst.exports.g.execution(0))
            next(begun[-1])
            return 1
        return SUSPEND

    inst = wamr.load(
        '(module (import "" "f" (func $f (param i32) (result i32)))'
        ' (func (export "g") (param i32) (result i32) (call $f (local.get 0))))',
        {"": {"f": within}},
    )
    with pytest.raises(RuntimeError, match="end or close the executions that it has begun there"):
        inst.exports.g(1)
    assert begun[0].state == "suspended"
    assert finish(begun[0], 7) == 7
    begun.clear()
    assert events(inst.exports.g.execution(0), 5)[0] == 5


def test_a_host_function_that_python_calls_itself_can_t_suspend():
    func = Func(Store(), FuncType.parse("() -> i32"), lambda: SUSPEND)
    with pytest.raises(RuntimeError, match="only a call that can be suspended may call it"):
        func()


# ------------------------------------------------------------------ executions of host functions
def test_a_host_function_can_be_executed():
    func = Func(Store(), FuncType.parse("(i32) -> i32"), lambda x: SUSPEND if x else 7)
    assert events(func.execution(0)) == (7, [])
    execution = func.execution(3)
    assert execution.state == "new"
    event = next(execution)
    assert (event.kind, event.args, event.host, execution.state) == (
        "call",
        (3,),
        func,
        "suspended",
    )
    assert finish(execution, 9) == 9
    assert execution.state == "done"
    execution = func.execution(3)
    next(execution)
    execution.close()
    assert execution.state == "done"
    with pytest.raises(StopIteration):
        next(execution)


def test_the_execution_of_a_host_function_takes_no_wrong_values():
    func = Func(
        Store(),
        FuncType.parse("() -> i32"),
        lambda: SUSPEND,
    )
    execution = func.execution()
    with pytest.raises(TypeError, match="the first value that is sent must be None"):
        execution.send(1)
    assert execution.state == "new"
    next(execution)
    for answer, error in (("x", TypeError), (None, TypeError), (1 << 40, OverflowError)):
        with pytest.raises(error, match="its result"):
            execution.send(answer)
        assert execution.state == "suspended"
    assert finish(execution, 9) == 9


def test_the_execution_of_an_async_host_function_takes_no_wrong_values():
    async def answer():
        return 9

    execution = Func(Store(), FuncType.parse("() -> i32"), answer).execution()
    event = next(execution)
    with pytest.raises(TypeError, match="its result must be an int"):
        execution.send("x")
    with pytest.raises(StopIteration) as awaited:
        event.awaitable.send(None)
    assert finish(execution, awaited.value.value) == 9
