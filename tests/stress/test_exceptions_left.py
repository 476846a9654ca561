"""No exception is left over. Each holds an object of Python, and the test counts the objects."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from many_exceptions import Referent

from wamr import Instance, Module, Store, Trap, WasmException

# Each export throws an exception with an object of the host function, and drops the exception.
TEXT = """(module
    (import "m" "h" (func $h (result externref)))
    (tag $t (export "t") (param externref)) (tag $deep (param exnref))
    (global $g (export "g") (mut exnref) (ref.null exn))
    (table $kept (export "kept") 4 exnref)
    (func $throw (export "throw") (throw $t (call $h)))
    (func (export "catch") (drop (block $c (result externref)
        (try_table (catch $t $c) (call $throw)) (unreachable))))
    (func (export "catch_all") (block $c (try_table (catch_all $c) (call $throw))))
    (func (export "catch_ref")
        (block $c (result externref exnref)
            (try_table (catch_ref $t $c) (call $throw)) (unreachable))
        (drop) (drop))
    (func $ref (export "ref") (result exnref) (block $c (result exnref)
        (try_table (catch_all_ref $c) (call $throw)) (unreachable)))
    (func (export "again") (drop (block $c (result externref)
        (try_table (catch $t $c) (throw_ref (call $ref))) (unreachable))))
    (func (export "cause") (block $c (try_table (catch_all $c) (throw $deep (call $ref)))))
    (func (export "replace") (global.set $g (call $ref))
        (table.fill $kept (i32.const 0) (call $ref) (i32.const 4)))
    (func (export "trap") (drop (call $ref)) (unreachable))
    (func (export "give_back") (param exnref) (result exnref) (local.get 0))
    (func (export "rethrow") (param exnref) (throw_ref (local.get 0)))
    (func (export "drop_all") (global.set $g (ref.null exn))
        (table.fill $kept (i32.const 0) (ref.null exn) (i32.const 4))))"""


class Counting:
    """An instance of TEXT, and the objects that its exceptions hold."""

    def __init__(self, store: Store) -> None:
        self.referents: weakref.WeakSet[Referent] = weakref.WeakSet()
        self.raises = False
        self.store = store
        self.exports = Instance(store, Module(store, TEXT), [self.host]).exports

    def host(self) -> Referent:
        if self.raises:
            raise self.exception()
        return self.referent()

    def referent(self) -> Referent:
        referent = Referent()
        self.referents.add(referent)
        return referent

    def exception(self) -> WasmException:
        return WasmException(self.exports.t, self.referent())

    def left(self) -> int:
        """Drop what wasm code keeps, collect, and return how many exceptions are left."""
        self.exports.drop_all()
        for _ in range(2):
            self.exports.give_back(None)  # the frame of a call keeps its last values
            gc.collect()
            self.store.gc()
        return len(self.referents)


def passes(counting: Counting) -> None:
    exception = counting.exception()
    assert counting.exports.give_back(exception) is exception
    counting.exports.g.value = counting.exports.kept[1] = exception
    assert counting.exports.g.value is counting.exports.kept[1]


def thrown_back(counting: Counting) -> None:
    exception = counting.exports.ref()
    with pytest.raises(WasmException) as raised:
        counting.exports.rethrow(exception)
    assert raised.value is exception


def uncaught(counting: Counting) -> None:
    with pytest.raises(WasmException):
        counting.exports.throw()


def trap(counting: Counting) -> None:
    with pytest.raises(Trap, match="unreachable"):
        counting.exports.trap()


def raised(name: str) -> Callable[[Counting], None]:
    def use(counting: Counting) -> None:
        counting.raises = True
        counting.exports[name]()

    return use


def raised_and_uncaught(counting: Counting) -> None:
    counting.raises = True
    uncaught(counting)


def plain(name: str) -> Callable[[Counting], None]:
    return lambda counting: counting.exports[name]()


WAYS: dict[str, Callable[[Counting], object]] = {
    **{
        name: plain(name)
        for name in ("catch", "catch_all", "catch_ref", "ref", "again", "cause", "replace")
    },
    **{f"raised, {name}": raised(name) for name in ("catch", "catch_all", "catch_ref", "again")},
    **{f.__name__: f for f in (passes, thrown_back, uncaught, trap, raised_and_uncaught)},
    "new": Counting.exception,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_exception_is_left(store: Store, way: str) -> None:
    counting = Counting(store)
    for _ in range(200):
        WAYS[way](counting)
        counting.raises = False
    assert counting.left() == 0


def test_one_that_is_kept_is_left(store: Store) -> None:
    """The count finds an exception that is left over."""
    counting = Counting(store)
    kept = counting.exports.ref()
    assert counting.left() == 1
    assert isinstance(kept.values[0], Referent)
    del kept
    assert counting.left() == 0
