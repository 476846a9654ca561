"""Executions in greenlets that switch within host functions."""

import sys

import greenlet_programs
import pytest
from bounds import SANITIZED
from needs import needs

if sys.implementation.name != "cpython":
    pytest.skip("the extra has greenlet for CPython only", allow_module_level=True)
needs("greenlet", "test")

pytestmark = pytest.mark.skipif(SANITIZED, reason="greenlets move what ASan watches")

START = """
        from wamr import SUSPEND

        def back(value):
            hub.switch()
            return SUSPEND

        def ends(execution):
            found = []
            try:
                event = next(execution)
                while True:
                    found.append(event.args)
                    event = execution.send(event.args[0] * 2)
            except StopIteration as end:
                return found, end.value
"""


@pytest.fixture
def outcome(wat):
    """Return a function that runs a program and returns the lines that it prints."""
    return lambda program: greenlet_programs.run(START + program)


def test_executions_by_turns_give_right_answers(outcome):
    program = """
        instances = [made(back) for _ in range(5)]
        by_turns(*(started(i, ends, instance.exports.deep.execution(10, i))
                   for i, instance in enumerate(instances)))
        print(results == {i: ([(i,)], 12 * i) for i in range(5)})
        """
    assert outcome(program) == ["True"]


def test_executions_may_end_in_the_order_in_which_they_began(outcome):
    program = """
        first, second = made(back), made(back)
        a = started("a", ends, first.exports.many.execution(3, 2))
        b = started("b", ends, second.exports.many.execution(2, 3))
        for _ in range(3):
            a.switch()
        print(results)
        for _ in range(2):
            b.switch()
        print(results)
        """
    assert outcome(program) == [
        "{'a': ([(2,), (2,), (2,)], 12)}",
        "{'a': ([(2,), (2,), (2,)], 12), 'b': ([(3,), (3,)], 12)}",
    ]


def test_a_plain_call_at_the_addresses_of_an_execution_can_t_be_suspended(outcome):
    program = """
        def plain(value):
            return SUSPEND

        a = started("a", ends, made(back).exports.one.execution(4))
        other = made(plain)
        for i in range(50):
            def at(depth):
                return at(depth - 1) if depth else other.exports.one(1)
            try:
                at(i)
            except RuntimeError as error:
                assert "only a call that can be suspended" in str(error), error
            else:
                raise AssertionError("it was suspended")
        a.switch()
        print(results)
        """
    assert outcome(program) == ["{'a': ([(4,)], 8)}"]


def test_an_execution_that_suspends_below_another_call_ends_out_of_order(outcome):
    program = """
        instance = made(back)
        a = started("a", ends, instance.exports.one.execution(4))
        b = started("b", ends, instance.exports.one.execution(5))
        a.switch()
        b.switch()
        print(results)
        print(started("c", ends, instance.exports.one.execution(6)).switch())
        print(results["c"], instance.exports.one.execution(1).state)
        """
    assert outcome(program) == [
        "{'a': 'RuntimeError', 'b': ([(5,)], 10)}",
        "None",
        "([(6,)], 12) new",
    ]


def test_a_suspended_call_above_one_that_ends_is_finished(outcome):
    program = """
        switching = True

        def sometimes(value):
            if switching and value == 4:
                hub.switch()
                return 1
            return SUSPEND

        instance = made(sometimes)
        a = started("a", instance.exports.one, 4)
        upper = instance.exports.one.execution(5)
        print(next(upper).args)
        a.switch()
        print(results)
        try:
            upper.send(7)
        except StopIteration as end:
            print(end.value)
        for _ in range(3):
            execution = instance.exports.deep.execution(100, 5)
            next(execution)
            del execution
        print(ends(instance.exports.one.execution(6)))
        """
    assert outcome(program) == ["(5,)", "{'a': 'RuntimeError'}", "7", "([(6,)], 12)"]


def test_a_slice_does_not_end_while_another_greenlet_is_in_the_instance(outcome):
    """The execution would keep the lock, and the other greenlet could never leave."""
    program = """
        from wamr._backend.binding import lib

        def sliced():
            return instance.exports.deep.execution(20, 5, slice=0)

        lib.wpy_debug_set_slice(1)
        instance = made(lambda value: pause(value) if value == 1 else value)
        b = started("b", instance.exports.one, 1)
        print(ends(sliced()), b.dead)
        instance = made(abs)
        print(sum(1 for _ in sliced()) > 20)
        """
    assert outcome(program) == ["([], 105) False", "True"]
