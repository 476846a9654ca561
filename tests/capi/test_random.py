"""Random calls of the C API, in forked children: a crash is a failure that names its seed."""

import pytest
from capi import header, in_child
from random_calls import RandomCalls


@pytest.mark.parametrize("group", range(4))
def test_random_calls_end_in_answers_and_exceptions(wat, group):
    header()  # without a tree of WAMR the test is skipped here: in a child that is a failure

    def case(seed):
        def run():
            calls = RandomCalls(wat, seed)
            calls.run(1000)
            # If all calls succeed, or all fail, the test has tried nothing.
            assert calls.answered > 200
            assert calls.refused > 20

        return f"seed {seed}", run

    failures = in_child([case(10 * group + index) for index in range(5)])
    assert not failures, "\n".join(failures)
