"""Threads make, keep and drop exceptions while other threads collect them."""

import gc
import sys
import threading

from many_exceptions import TEXT, Referent, as_i32, instantiated

from wamr import Tag, TagType, ValType, WasmException, load


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
        exports = instantiated()
        exports.keep(300)
        for turn in range(10):
            turns = times(20_000)
            assert exports.catch_ref(turns) == as_i32(turns * (turns + 1) // 2)
            exports.chain(500)
            assert exports.length() == 500
            place = (number * 7 + turn) % 300
            assert exports.kept[place].values == (place,)

    in_threads(work)


def test_collections_in_one_group(times):
    exports = instantiated()
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


def test_a_global_and_a_table_that_another_thread_changes(times):
    """No exception is freed between the read of its number and the making of its handle."""
    exports = instantiated()
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


def test_tags_and_exceptions_outlive_their_store(times):
    """Only Python holds them: instance, module and store are gone."""
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


def test_externrefs_are_collected_while_exceptions_are_made(store, times):
    """The number of an externref stays valid between its conversion and the call."""
    exports = instantiated(store)
    exports.keep(4)
    tag = Tag(store, TagType([ValType.EXTERNREF] * 3))
    ended = threading.Event()

    def work(number):
        try:
            for _ in range(times(4000) if number > 1 else 0):
                referents = Referent(), Referent(), Referent()
                exports.kept[number] = WasmException(tag, *referents)
                assert exports.kept[number].values == referents  # made anew
        finally:
            if number > 1:
                ended.set()
        while number < 2 and not ended.is_set():
            store.gc()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(work)
    finally:
        sys.setswitchinterval(interval)
