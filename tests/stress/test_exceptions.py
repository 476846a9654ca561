"""Exceptions by the million: what nobody can reach is gone, what somebody can is there."""

import gc
import random
import threading
import weakref

import pytest

from wamr import (
    Instance,
    MemoryLimitError,
    Module,
    ResourceLimits,
    Store,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmException,
    load,
)

MIB = 1 << 20
TEXT = """(module
    (import "m" "h" (func $h))
    (tag $t (export "t") (param i32)) (tag $pair (export "pair") (param exnref externref))
    (tag $wide (param v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128))
    (table $kept (export "kept") 0 exnref)
    (global $g (export "g") (mut exnref) (ref.null exn))
    (func $throw (export "throw") (param i32) (throw $t (local.get 0)))
    (func (export "bare") (call $h))
    (func $ref (export "ref") (param i32) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw (local.get 0))) (unreachable)))
    (func $join (export "join") (param exnref externref) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $pair (local.get 0) (local.get 1)))
            (unreachable)))
    (func (export "catch") (param $n i32) (result i32) (local $sum i32)
        (loop $l
            (local.set $sum (i32.add (local.get $sum)
                (block $h (result i32)
                    (try_table (catch $t $h) (call $throw (local.get $n))) (unreachable))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "catch_ref") (param $n i32) (result i32) (local $sum i32) (local $e exnref)
        (loop $l
            (local.set $e (call $ref (local.get $n)))
            (local.set $sum (i32.add (local.get $sum)
                (block $h (result i32)
                    (try_table (catch $t $h) (throw_ref (local.get $e))) (unreachable))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "wide") (param $n i32)
        (loop $l
            (block $h
                (try_table (catch_all $h)
                    WIDE (throw $wide))
                (unreachable))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "host") (param $n i32)
        (loop $l
            (block $h (try_table (catch_all $h) (call $h)) (unreachable))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "keep") (param $n i32) (result i32)
        (local $i i32)
        (if (i32.eq (table.grow $kept (ref.null exn) (local.get $n)) (i32.const -1))
            (then (return (i32.const -1))))
        (loop $l
            (table.set $kept (local.get $i) (call $ref (local.get $i)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                (local.get $n))))
        (local.get $i))
    (func (export "drop_all")
        (table.fill $kept (i32.const 0) (ref.null exn) (table.size $kept)))
    (func (export "chain") (param $n i32)
        (loop $l
            (global.set $g (call $join (global.get $g) (ref.null extern)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "length") (result i32) (local $n i32)
        (block $end
            (loop $l
                (br_if $end (ref.is_null (global.get $g)))
                (block $h (result exnref externref)
                    (try_table (catch $pair $h) (throw_ref (global.get $g))) (unreachable))
                (drop) (global.set $g)
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br $l)))
        (local.get $n)))""".replace("WIDE", "(v128.const i64x2 1 2)" * 15)


class Thing:
    """Something that can be weakly referenced."""


def made(store=None, host=None, **limits):
    store = store or Store()
    limits = ResourceLimits(**limits) if limits else None
    return Instance(store, Module(store, TEXT), [host or (lambda: None)], limits=limits).exports


# ------------------------------------------------------------------ nothing is left


def wrapped(number):
    return (number + 2**31) % 2**32 - 2**31


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


# ------------------------------------------------------------------ threads


def in_threads(work, count=4):
    failed = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_collections_in_groups_of_their_own(times):
    def work(number):
        exports = made()
        exports.keep(300)
        for turn in range(10):
            turns = times(20_000)
            assert exports.catch_ref(turns) == wrapped(turns * (turns + 1) // 2)
            exports.chain(500)
            assert exports.length() == 500
            place = (number * 7 + turn) % 300
            assert exports.kept[place].values == (place,)

    in_threads(work)


def test_collections_in_one_group(times):
    exports = made()
    exports.keep(300)

    def work(number):
        for turn in range(times(300)):
            exception = exports.ref(number * 1000 + turn)
            assert exception.values == (number * 1000 + turn,)
            exports.kept[number] = exception
            assert exports.kept[number] is exception
            exports.catch_ref(200)
            assert exports.kept[100 + number].values == (100 + number,)

    in_threads(work)


def test_a_global_and_a_table_that_others_change(times):
    """What is read is some exception, whole: none is freed between its number and its handle."""
    exports = made()
    exports.g.value = exports.ref(0)
    exports.keep(1)
    ended = threading.Event()

    def work(number):
        if number == 0:
            try:
                for turn in range(times(3000)):
                    exports.g.value = exports.ref(turn)
                    exports.kept[0] = exports.ref(turn)
                    exports.catch_ref(100)
            finally:
                ended.set()
        else:
            while not ended.is_set():
                assert exports.g.value.tag == exports.t
                assert exports.kept[0].tag == exports.t

    in_threads(work, 3)


def test_tags_and_exceptions_outlive_all(times):
    """Held by Python alone, when instance, module and store are gone."""
    held = []
    for number in range(times(200)):
        exports = load(TEXT, {"m": {"h": lambda: None}}).exports
        held.append((number, exports.ref(number), exports.t))
    gc.collect()
    for number, exception, tag in held:
        assert exception.values == (number,)
        assert exception.tag == tag
        assert tag.type == TagType([ValType.I32])
    assert len({tag for _, _, tag in held}) == len(held)
    assert isinstance(held[0][2], Tag)
