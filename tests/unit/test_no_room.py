"""Errors for a memory or a table that exceeds a limit: which limit, its size, and its use."""

import gc
import subprocess
import sys

import pytest
from bounds import SANITIZED
from platforms import needs_address_limit

from wamr import (
    Func,
    FuncType,
    Instance,
    Limits,
    LinkError,
    Memory,
    MemoryLimitError,
    MemoryType,
    Module,
    ResourceLimits,
    Snapshot,
    Store,
    Table,
    TableType,
    Trap,
    ValType,
    WasiConfig,
    load,
)

PAGE = 65_536
FUNCREF = ValType.FUNCREF


def refused(make, error=MemoryLimitError):
    with pytest.raises(error) as caught:
        make()
    return str(caught.value)


@pytest.fixture
def limited():
    return Store(limits=ResourceLimits(memory_bytes=3 * PAGE, table_elements=5))


@pytest.fixture
def frees_late(monkeypatch):
    """Let the package do what it does on PyPy and on free-threaded builds."""
    monkeypatch.setattr("wamr._backend.handles.COUNTS_REFERENCES", False)
    monkeypatch.setattr("wamr._runtime.failure.COUNTS_REFERENCES", False)


@pytest.mark.usefixtures("frees_late")
@pytest.mark.parametrize("enabled", [False, True], ids=["disabled", "enabled"])
def test_what_waits_for_the_collector_makes_room(enabled, limited):
    """Even where the program has turned the collector off."""

    def in_cycle(obj):
        cycle = [obj]
        cycle.append(cycle)

    was, module = gc.isenabled(), Module(limited, "(module (memory 2))")
    program = Module(limited, '(module (memory (export "memory") 2) (func (export "_start")))')
    snapshot = Snapshot(load(module))
    (gc.enable if enabled else gc.disable)()
    try:
        for _ in range(10):
            in_cycle(Memory(limited, MemoryType(Limits(1))))
            in_cycle(Instance(limited, module))
            in_cycle(Instance(limited, program, wasi=WasiConfig(dirs={"/w": {"f": b"x"}})))
            in_cycle(snapshot.instantiate(limited))
            memory = Memory(limited, MemoryType(Limits(1)))
            assert memory.grow(2) == 1
            in_cycle(memory)
            table = Table(limited, TableType(FUNCREF, Limits(2)))
            assert table.grow(3) == 2
            in_cycle(table)
            del memory, table
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.usefixtures("frees_late")
@pytest.mark.parametrize("dirs", [None, {"/w": {"f": b"x"}}], ids=["plain", "wasi"])
@pytest.mark.parametrize(
    ("field", "error"),
    [
        ('(data (i32.const -1) "x")', Trap),
        ('(import "a" "b" (func))', LinkError),
        ("(func $s unreachable) (start $s)", Trap),
    ],
)
def test_what_fails_for_another_reason_is_not_tried_again(field, error, dirs):
    with pytest.raises(error):
        load(
            f'(module {field} (memory (export "memory") 1))',
            wasi=dirs and WasiConfig(dirs=dirs),
        )


def test_a_memory_beyond_the_instances_limit():
    said = refused(lambda: load("(module (memory 2))", limits=ResourceLimits(memory_bytes=PAGE)))
    assert said == (
        "there is no room for the module's memory: 131,072 bytes (2 pages) are beyond the limits "
        "of the instance, ResourceLimits(memory_bytes=65536), of which 0 are in use"
    )


def test_a_memory_beyond_what_the_store_has_left(limited):
    memory = Memory(limited, MemoryType(Limits(1)))
    own = ResourceLimits(memory_bytes=100 * PAGE)
    for limits in (None, own):
        module = Module(limited, "(module (memory 3))")
        said = refused(lambda m=module, n=limits: Instance(limited, m, limits=n))
        assert "the limits of the store, ResourceLimits(memory_bytes=196608)" in said
        assert said.endswith("of which 65,536 are in use")
    assert memory.pages == 1


def test_the_smaller_limit_is_the_one_that_is_named(limited):
    module = Module(limited, "(module (memory 1))")
    said = refused(lambda: Instance(limited, module, limits=ResourceLimits(memory_bytes=10)))
    assert "(1 page)" in said
    assert "the limits of the instance, ResourceLimits(memory_bytes=10)" in said


def test_a_memory_of_the_host(limited):
    said = refused(lambda: Memory(limited, MemoryType(Limits(1000))))
    assert said.startswith("there is no room for 1000 pages: 65,536,000 bytes (1,000 pages) are")


def test_growing_beyond_the_limit_and_beyond_the_maximum(limited):
    memory = Memory(limited, MemoryType(Limits(1, 100)))
    said = refused(lambda: memory.grow(5))
    assert said.startswith("can't grow from 1 by 5 pages: 327,680 bytes (5 pages) are beyond")
    assert "the limits of the store" in said
    said = refused(lambda: memory.grow(100))
    assert said == "can't grow from 1 by 100 pages: at most 100 pages"
    free = Memory(Store(), MemoryType(Limits(2)))
    said = refused(lambda: free.grow(PAGE))
    assert said.startswith("can't grow from 2 by 65536 pages: no more room, ")
    assert said.endswith("at most 65536 pages, 4 GiB")


def test_growing_the_memory_of_an_instance_names_whose_limit_it_is():
    text = '(module (memory (export "m") 1))'
    instance = load(text, limits=ResourceLimits(memory_bytes=2 * PAGE))
    said = refused(lambda: instance.exports.m.grow(2))
    assert "the limits of the instance, ResourceLimits(memory_bytes=131072), of which" in said
    assert said.endswith("65,536 are in use")


@pytest.mark.parametrize("export", ["", '(export "t")'])
def test_a_table_beyond_a_limit(limited, export):
    module = Module(limited, f"(module (table {export} 6 funcref))")
    said = refused(lambda: Instance(limited, module))
    assert said == (
        "there is no room for the module's tables: 6 elements are beyond the limits of the store, "
        "ResourceLimits(table_elements=5), of which 0 are in use"
    )
    said = refused(lambda: Instance(limited, module, limits=ResourceLimits(table_elements=4)))
    assert "the limits of the instance, ResourceLimits(table_elements=4)" in said


def test_a_table_of_the_host(limited):
    said = refused(lambda: Table(limited, TableType(FUNCREF, Limits(6))))
    assert said.startswith("there is no room for 6 elements: 6 elements are beyond the limits of")


def test_growing_a_table_tells_its_maximum_from_a_limit(limited):
    table = Table(Store(), TableType(FUNCREF, Limits(5, 5)))
    said = refused(lambda: table.grow(1), ValueError)
    assert said == "can't grow from 5 by 1 elements: exactly 5 funcrefs, by its type"
    table = Table(limited, TableType(FUNCREF, Limits(5)))
    said = refused(lambda: table.grow(1), ValueError)
    assert "1 element is beyond the limits of the store, ResourceLimits(table_elements=5)" in said
    assert said.endswith("of which 5 are in use")


def test_more_elements_than_any_table_can_have():
    most = "at most 10,000,000 elements, not 10,000,001"
    assert most in refused(lambda: load("(module (table 10000001 funcref))"))
    assert most in refused(lambda: Table(Store(), TableType(FUNCREF, Limits(10_000_001))))


def test_what_is_within_the_limits_is_made(limited):
    instance = Instance(limited, Module(limited, "(module (memory 3) (table 5 funcref))"))
    assert instance.exports is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
@needs_address_limit
@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer maps memory of its own")
def test_where_it_is_the_system_that_has_no_room():
    program = """
import resource, wamr
from wamr import *
store = Store()
memory = Memory(store, MemoryType(Limits(1)))
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (64 << 20)  # Python has room: musl's malloc keeps none
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    other = Memory(store, MemoryType(Limits(60000)))
except MemoryLimitError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said.startswith("there is no room for 60000 pages: the system has no address space for ")
    assert "3,932,160,000 bytes (60,000 pages) in one piece" in said
    assert "limits" not in said


def test_a_host_functions_type_that_is_too_large_is_told_from_a_lack_of_memory():
    for kind, count in ((ValType.I64, 32_768), (ValType.V128, 16_384)):
        too_large = FuncType([kind] * count, [])
        said = refused(lambda t=too_large: Func(Store(), t, print), MemoryError)
        assert said.startswith("the type of print is too large: parameters, and results, can take")
    Func(Store(), FuncType([ValType.I64] * 32_767, []), print)
