"""Loading, instantiating, discarding and collecting: twice the size, twice the instructions.

None of them can be interrupted, so with superlinear time a small module could hang a process.
"""

import calling
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


# The exceptions that are dropped first leave each page of numbers with a free one.
COLLECTING = """
import ctypes, sys
marks = ctypes.CDLL(sys.argv[1])
sys.path[:0] = [sys.argv[2]]
from many_exceptions import instantiated
from wamr import Store
for path, count in (("few", int(sys.argv[3])), ("many", int(sys.argv[4]))):
    store = Store()
    exports = instantiated(store)
    exports.keep(count)
    for number in range(0, count, 64):
        exports.kept[number] = None
    store.gc()
    exports.drop_all()
    marks.begin()
    store.gc()
    marks.mark(f"{path} 1".encode())
    store.close()
"""


def test_collecting_exceptions_takes_linear_time(skip_if_unfit):
    support, few = counting.ROOT / "tests" / "support", 20_000
    counts = str(few), str(few * TIMES)
    found = skip_if_unfit(calling.count_script, COLLECTING, str(support), *counts)
    steep = superlinear({"gc": found["few"]}, {"gc": found["many"]})
    assert not steep, f"{steep}\n{counting.most(found['many'])}"


# The instance gets its globals and tags. Then its segment does not fit into the imported memory.
FAILING = """
import ctypes, sys
marks = ctypes.CDLL(sys.argv[1])
sys.path[:0] = [sys.argv[2]]
from benchmarks.binaries import failing
from wamr import Instance, Limits, Memory, MemoryType, Module, Store, Trap
for path, count in (("few", int(sys.argv[3])), ("many", int(sys.argv[4]))):
    store = Store()
    module = Module(store, failing(count))
    memory = Memory(store, MemoryType(Limits(0)))
    marks.begin()
    try:
        Instance(store, module, [memory])
    except Trap:
        marks.mark(f"{path} 1".encode())
"""


def test_discarding_an_instance_takes_linear_time(skip_if_unfit):
    counts = str(FEW), str(FEW * TIMES)
    found = skip_if_unfit(calling.count_script, FAILING, str(counting.ROOT), *counts)
    steep = superlinear({"discard": found["few"]}, {"discard": found["many"]})
    assert not steep, f"{steep}\n{counting.most(found['many'])}"


def test_superlinear_growth_is_detected(skip_if_unfit):
    few, many = counted("exports", skip_if_unfit)
    worse = {path: functions + functions for path, functions in many.items()}
    assert superlinear(few, worse).keys() == {"load", "instantiate"}
