"""Loading and instantiating take linear time: twice the size takes twice the instructions.

Loading and instantiating can't be interrupted, so with superlinear time a small module could hang a
process.
"""

import counting
import pytest

from benchmarks import binaries

FEW, TIMES = 500, 8
SHAPES = {**binaries.SHAPES, "code": lambda count: binaries.code(count * 60)}


def superlinear(few, many):
    """Return the paths that take clearly more than linear time, each with its factor."""
    grown = {path: many[path].total() / few[path].total() for path in few}
    return {path: times for path, times in grown.items() if times > TIMES * 1.25}


def counted(shape, skip_if_unfit):
    return [
        skip_if_unfit(counting.count_loading, SHAPES[shape](count)) for count in (FEW, FEW * TIMES)
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_loading_takes_linear_time(shape, skip_if_unfit):
    few, many = counted(shape, skip_if_unfit)
    assert few.keys() == {"load", "instantiate"}
    steep = superlinear(few, many)
    assert not steep, "\n".join(f"{path}:\n{counting.most(many[path])}" for path in steep)


def test_superlinear_growth_is_detected(skip_if_unfit):
    few, many = counted("exports", skip_if_unfit)
    worse = {path: functions + functions for path, functions in many.items()}
    assert superlinear(few, worse).keys() == {"load", "instantiate"}
