"""Millions of exceptions: those without references are freed, and the others stay."""

import gc
import random
import weakref

import pytest
from many_exceptions import Referent, as_i32, instantiated

from wamr import (
    Instance,
    MemoryLimitError,
    Module,
    ResourceLimits,
    Store,
    Trap,
    WasmException,
)

MIB = 1 << 20


# ------------------------------------------------------------------ nothing is left


@pytest.mark.parametrize("way", ["catch", "catch_ref", "wide", "host", "python", "uncaught"])
def test_many_throws_leave_nothing(times, resident, way):
    count = {"host": 20_000, "python": 20_000, "uncaught": 20_000}.get(way, 1_000_000)
    count = times(count)
    tag_of = []

    def fail():
        raise WasmException(tag_of[0], 5)

    exports = instantiated(host=fail)
    tag_of.append(exports.t)

    def run(turns):
        if way in ("catch", "catch_ref"):
            assert exports[way](turns) == as_i32(turns * (turns + 1) // 2)
        elif way in ("wide", "host"):
            exports[way](turns)
        else:
            for number in range(turns):
                exception = exports.ref(number)
                assert exception.values == (number,)
                if way == "uncaught":
                    with pytest.raises(WasmException):
                        exports.bare()
                    with pytest.raises(WasmException):
                        exports.throw(number)

    run(max(1000, count // 10))
    before = resident()
    run(count)
    assert resident() - before < 8 * MIB


def test_exceptions_are_freed_with_their_store(times, resident):
    def run(turns):
        for _ in range(turns):
            with Store() as store:
                exports = instantiated(store)
                assert exports.keep(2000) == 2000
                exports.chain(2000)
                kept = exports.kept[5]
            assert kept.values == (5,)

    run(20)
    before = resident()
    run(times(150))
    assert resident() - before < 8 * MIB


def test_kept_exceptions_stay_until_they_are_dropped(times, resident):
    exports = instantiated()
    count = times(50_000)
    assert exports.keep(count) == count
    before = resident()
    for _ in range(5):
        assert exports.catch_ref(100_000) == as_i32(100_000 * 100_001 // 2)
        assert [exports.kept[n].values for n in (0, 17, count - 1)] == [(0,), (17,), (count - 1,)]
        exports.drop_all()
        assert exports.kept[17] is None
        exports.drop_all()
        for number in range(0, count, count // 100):
            exports.kept[number] = exports.ref(number)
        for number in range(0, count, count // 100):
            assert exports.kept[number].values == (number,)
        exports.drop_all()
        refill(exports, count)
    assert resident() - before < 16 * MIB


def refill(exports, count):
    for number in (0, 17, count - 1):
        exports.kept[number] = exports.ref(number)


# ------------------------------------------------------------------ chains


def test_long_chains(times):
    """Each exception holds the one before. Marking and freeing them needs no deep native stack."""
    exports = instantiated()
    count = times(200_000)
    exports.chain(count)
    exports.catch_ref(1_000_000)
    assert exports.length() == count
    assert exports.g.value is None


def test_a_chain_is_freed(times, resident):
    exports = instantiated()

    def run():
        exports.chain(times(100_000))
        exports.g.value = None
        exports.catch_ref(100_000)

    run()
    before = resident()
    for _ in range(10):
        run()
    assert resident() - before < 16 * MIB


def test_cycles_through_python_objects_are_freed():
    """An exception can hold older ones only, but a Python object among its values can hold it."""
    with Store() as store:
        exports = instantiated(store)
        referent = Referent()
        referent.exception = WasmException(exports.pair, None, referent)
        exports.g.value = referent.exception
        gone = weakref.ref(referent)
        del referent
        gc.collect()
        assert gone() is not None
        exports.g.value = None
    del store, exports
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------ externrefs


def collect(store, exports):
    """Collect exceptions, by making many of them, then externrefs."""
    for _ in range(3):
        exports.catch_ref(500_000)
        gc.collect()
        store.gc()


@pytest.mark.parametrize("place", ["global", "table", "chain", "python"])
def test_an_exception_holds_its_externref(store, place):
    exports = instantiated(store)
    exports.keep(4)
    referent = Referent()
    gone = weakref.ref(referent)
    exception = exports.join(None, referent)
    del referent
    assert exception.values[1] is gone()
    if place == "global":
        exports.g.value = exception
    elif place == "table":
        exports.kept[2] = exception
    elif place == "chain":
        exports.g.value = exports.join(exports.join(exception, None), None)
    if place != "python":
        exception = None
    collect(store, exports)
    assert gone() is not None
    found = {
        "global": lambda: exports.g.value,
        "table": lambda: exports.kept[2],
        "chain": lambda: exports.g.value.values[0].values[0],
        "python": lambda: exception,
    }[place]().values
    assert found[1] is gone()
    found = exception = None
    exports.g.value = exports.kept[2] = None
    collect(store, exports)
    assert gone() is None


def test_an_exception_that_unwinds_holds_its_externref(store):
    """A host function collects while the exception passes it."""
    text = """(module (import "m" "h" (func $h (param externref)))
        (tag $t (param externref))
        (func (export "throw") (param externref) (throw $t (local.get 0)))
        (func (export "go") (param externref) (result externref)
            (block $c (result externref)
                (try_table (catch $t $c) (call $h (local.get 0))) (unreachable))))"""

    def host(referent):
        del referent
        try:
            exports.throw(Referent())
        finally:
            gc.collect()
            store.gc()

    exports = Instance(store, Module(store, text), [host]).exports
    assert isinstance(exports.go(None), Referent)


def test_many_externrefs(store, times):
    """Each exception keeps its own object, however many collections there are."""
    exports = instantiated(store)
    exports.keep(100)
    chosen = random.Random(5)
    expected = {}
    for _ in range(times(20_000)):
        place = chosen.randrange(100)
        expected[place] = referent = Referent()
        exports.kept[place] = WasmException(exports.pair, None, referent)
    store.gc()
    assert len(expected) == 100
    for place, referent in expected.items():
        assert exports.kept[place].values[1] is referent


# ------------------------------------------------------------------ limits


def test_limits_count_those_alive(store):
    exports = instantiated(store, memory_bytes=2 * MIB)
    assert exports.catch(200_000) == as_i32(200_000 * 200_001 // 2)
    assert exports.catch_ref(200_000) == as_i32(200_000 * 200_001 // 2)
    with pytest.raises((Trap, MemoryLimitError), match="memory"):
        exports.chain(1_000_000)
    assert exports.catch(1000) == 500_500
    reached = exports.length()
    assert 1000 < reached < 2 * MIB // 16
    exports.chain(reached // 2)  # the budget has been refunded
    assert exports.length() == reached // 2


def test_limits_of_a_store_count_all_its_instances():
    with Store(limits=ResourceLimits(memory_bytes=2 * MIB)) as store:
        first, second = instantiated(store), instantiated(store)
        with pytest.raises((Trap, MemoryLimitError), match="memory"):
            first.chain(1_000_000)
        with pytest.raises((Trap, MemoryLimitError), match="memory"):
            second.chain(10_000)
        assert first.length() > 1000
        del first
        gc.collect()  # the group is freed, and the budget refunded
        second.g.value = None
        second.chain(1000)
        assert second.length() == 1000


def test_all_numbers_are_used():
    """More exnrefs than there are numbers trap; the numbers can be used again later."""
    with Store() as store:
        exports = instantiated(store)
        with pytest.raises(Trap, match="out of memory for exceptions"):
            exports.chain(1 << 21)
        assert exports.catch(10) == 55
        exports.g.value = None
        exports.chain(1000)
        assert exports.length() == 1000
    assert instantiated().ref(3).values == (3,)
