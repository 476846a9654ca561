"""Exceptions by the million: what nobody can reach is gone, what somebody can is there."""

import gc
import random
import weakref

import pytest
from exceptions_galore import Thing, made, wrapped

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

    exports = made(host=fail)
    tag_of.append(exports.t)

    def run(turns):
        if way in ("catch", "catch_ref"):
            assert exports[way](turns) == wrapped(turns * (turns + 1) // 2)
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


def test_instances_take_their_exceptions_along(times, resident):
    def run(turns):
        for _ in range(turns):
            with Store() as store:
                exports = made(store)
                assert exports.keep(2000) == 2000
                exports.chain(2000)
                kept = exports.kept[5]
            assert kept.values == (5,)

    run(20)
    before = resident()
    run(times(150))
    assert resident() - before < 8 * MIB


def test_kept_ones_stay_and_go(times, resident):
    exports = made()
    count = times(50_000)
    assert exports.keep(count) == count
    before = resident()
    for _ in range(5):
        assert exports.catch_ref(100_000) == wrapped(100_000 * 100_001 // 2)
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
    """Each holds the one before: marked and freed without a native stack of that depth."""
    exports = made()
    count = times(200_000)
    exports.chain(count)
    exports.catch_ref(1_000_000)
    assert exports.length() == count
    assert exports.g.value is None


def test_a_chain_is_let_go(times, resident):
    exports = made()

    def run():
        exports.chain(times(100_000))
        exports.g.value = None
        exports.catch_ref(100_000)

    run()
    before = resident()
    for _ in range(10):
        run()
    assert resident() - before < 16 * MIB


def test_cycles_through_a_table_are_let_go():
    """An exception can hold only older ones, but a thing of Python's can hold it."""
    with Store() as store:
        exports = made(store)
        thing = Thing()
        thing.exception = WasmException(exports.pair, None, thing)
        exports.g.value = thing.exception
        gone = weakref.ref(thing)
        del thing
        gc.collect()
        assert gone() is not None
        exports.g.value = None
    del store, exports
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------ externrefs


def collect(store, exports):
    """Both collections: exceptions go when many were made, externrefs when asked for."""
    for _ in range(3):
        exports.catch_ref(500_000)
        gc.collect()
        store.gc()


@pytest.mark.parametrize("place", ["global", "table", "chain", "python"])
def test_an_exception_holds_its_externref(store, place):
    exports = made(store)
    exports.keep(4)
    thing = Thing()
    gone = weakref.ref(thing)
    exception = exports.join(None, thing)
    del thing
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


def test_one_on_its_way_holds_its_externref(store):
    """While Python runs in a host function that lets it through."""
    text = """(module (import "m" "h" (func $h (param externref)))
        (tag $t (param externref))
        (func (export "throw") (param externref) (throw $t (local.get 0)))
        (func (export "go") (param externref) (result externref)
            (block $c (result externref)
                (try_table (catch $t $c) (call $h (local.get 0))) (unreachable))))"""

    def host(thing):
        del thing
        try:
            exports.throw(Thing())
        finally:
            gc.collect()
            store.gc()

    exports = Instance(store, Module(store, text), [host]).exports
    assert isinstance(exports.go(None), Thing)


def test_many_externrefs(store, times):
    """Each keeps its own, whatever is collected in between."""
    exports = made(store)
    exports.keep(100)
    chosen = random.Random(5)
    expected = {}
    for _ in range(times(20_000)):
        place = chosen.randrange(100)
        expected[place] = thing = Thing()
        exports.kept[place] = WasmException(exports.pair, None, thing)
    store.gc()
    assert len(expected) == 100
    for place, thing in expected.items():
        assert exports.kept[place].values[1] is thing


# ------------------------------------------------------------------ limits


def test_limits_count_those_alive(store):
    exports = made(store, memory_bytes=2 * MIB)
    assert exports.catch(200_000) == wrapped(200_000 * 200_001 // 2)
    assert exports.catch_ref(200_000) == wrapped(200_000 * 200_001 // 2)
    with pytest.raises((Trap, MemoryLimitError), match="memory"):
        exports.chain(1_000_000)
    assert exports.catch(1000) == 500_500
    reached = exports.length()
    assert 1000 < reached < 2 * MIB // 16
    exports.chain(reached // 2)  # they have given back what they took
    assert exports.length() == reached // 2


def test_limits_of_a_store_count_all_its_instances():
    with Store(limits=ResourceLimits(memory_bytes=2 * MIB)) as store:
        first, second = made(store), made(store)
        with pytest.raises((Trap, MemoryLimitError), match="memory"):
            first.chain(1_000_000)
        with pytest.raises((Trap, MemoryLimitError), match="memory"):
            second.chain(10_000)
        assert first.length() > 1000
        del first
        gc.collect()  # all that was in its group has given back what it took
        second.g.value = None
        second.chain(1000)
        assert second.length() == 1000


def test_no_numbers_left():
    """More exnrefs than there are numbers: a trap, and all is well when they are dropped."""
    with Store() as store:
        exports = made(store)
        with pytest.raises(Trap, match="out of memory for exceptions"):
            exports.chain(1 << 21)
        assert exports.catch(10) == 55
        exports.g.value = None
        exports.chain(1000)
        assert exports.length() == 1000
    assert made().ref(3).values == (3,)
