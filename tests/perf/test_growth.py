"""Loading and instantiating take linear time: twice the size takes twice the instructions.

Loading and instantiating can't be interrupted, so with superlinear time a small module could hang a
process.
"""

import counting
import pytest

from benchmarks import binaries

FEW, TIMES = 500, 8
SHAPES = {**binaries.SHAPES, "code": lambda count: binaries.code(count * 60)}


def bends(few, many):
    """Return the paths that take clearly more than linear time, each with its factor."""
    grown = {path: many[path].total() / few[path].total() for path in few}
    return {path: times for path, times in grown.items() if times > TIMES * 1.25}


def counted(shape, fit):
    return [fit(counting.count_loading, SHAPES[shape](count)) for count in (FEW, FEW * TIMES)]


@pytest.mark.parametrize("shape", SHAPES)
def test_loading_takes_in_proportion(shape, fit):
    few, many = counted(shape, fit)
    assert few.keys() == {"load", "instantiate"}
    bent = bends(few, many)
    assert not bent, "\n".join(f"{path}:\n{counting.most(many[path])}" for path in bent)


def test_a_curve_that_bends_is_seen(fit):
    few, many = counted("exports", fit)
    worse = {path: functions + functions for path, functions in many.items()}
    assert bends(few, worse).keys() == {"load", "instantiate"}
