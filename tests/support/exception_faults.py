"""Scenarios of fault_injection.py with exceptions. Each takes a World, whose instances throw."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from many_exceptions import Referent, as_i32, instantiated

from wamr import (
    Global,
    GlobalType,
    Instance,
    Module,
    ResourceLimits,
    Store,
    Tag,
    TagType,
    ValType,
    WasmException,
)
from wamr.wat import wat2wasm

LEGACY = """(module (type $v (func)) (tag $t (param i32))
    (func (export "go") (result i32)
        try $outer (result i32)
            try (result i32)
                try (result i32) i32.const 7 throw $t catch $t drop rethrow 0 end
            delegate $outer
        catch_all i32.const 5
        end))"""
TAGS = wat2wasm("""(module
    (import "m" "t" (tag $t (param i32))) (import "m" "pair" (tag $pair (param exnref externref)))
    (tag $own (export "own") (param i64)) (tag $other (export "other"))
    (export "again" (tag $pair))
    (import "m" "kept" (table 0 exnref)) (import "m" "g" (global (mut exnref)))
    (func (export "go") (param i32) (result i32)
        (block $c (result i32)
            (try_table (catch $t $c) (throw $t (local.get 0))) (unreachable))))""")
_INNER = "(throw $t)"
for _ in range(40):
    _INNER = f"(block $c (try_table (catch_all $c) {_INNER}))"
NESTED = wat2wasm(f"""(module (tag $t) (func (export "go") (result i32) {_INNER} (i32.const 3))
    (table 0 exnref) (global (mut exnref) (ref.null exn)) (elem exnref (ref.null exn)))""")
OF_REFERENT = TagType([ValType.EXTERNREF])


class Throwing:
    """Instances of many_exceptions, one whose host function throws."""

    def __init__(self) -> None:
        self.store = Store(limits=ResourceLimits(memory_bytes=1 << 22))
        self.raised: BaseException | None = None
        self.exports = instantiated(self.store, self.fail)
        self.tag = Tag(self.store, OF_REFERENT)
        self.tags = Module(self.store, TAGS)
        self.referents: weakref.WeakSet[Referent] = weakref.WeakSet()

    def fail(self) -> None:
        if self.raised is not None:
            raise self.raised

    def referent(self) -> Referent:
        referent = Referent()
        self.referents.add(referent)
        return referent

    def check_none_is_left(self) -> None:
        """Raise if an exception that has a Referent is left, once all references are dropped."""
        exports, self.raised = self.exports, None
        exports.g.value = None
        exports.drop_all()
        for _ in range(2):  # the first may have begun with the old stack
            exports.join(None, None)  # instead of the results that are in the stack
            exports.catch_ref(1)
            gc.collect()
            self.store.gc()
        assert not self.referents, f"{len(self.referents)} exceptions are left"


def make_tags(world: Any) -> None:
    throwing = world.throwing
    for params in ([], [ValType.I32], [ValType.EXNREF, ValType.V128, ValType.EXTERNREF]):
        tag = Tag(throwing.store, TagType(params))
        assert len(tag.type.params) == len(params)


def link_tags(world: Any) -> None:
    throwing, exports = world.throwing, world.throwing.exports
    given = {name: exports[name] for name in ("t", "pair", "kept", "g")}
    with Instance(throwing.store, throwing.tags, {"m": given}) as instance:
        assert instance.exports.again == exports.pair
        assert instance.exports.own != instance.exports.other
        assert instance.exports.go(8) == 8


def throw_in_wasm(world: Any) -> None:
    exports = world.throwing.exports
    assert exports.catch(3) == 6
    assert exports.catch_ref(70) == as_i32(2485)  # so many that a collection is due
    exports.wide(3)
    assert exports.keep(5) >= 5
    exports.chain(5)
    world.throwing.check_none_is_left()


def throw_to_python(world: Any) -> None:
    throwing, exports = world.throwing, world.throwing.exports
    try:
        exports.throw(77)
    except WasmException as exception:
        assert (exception.tag, exception.values) == (exports.t, (77,))  # noqa: PT017
        del exception
    joined = exports.join(exports.ref(4), throwing.referent())
    assert joined.values[0].values == (4,)
    exports.g.value = joined
    assert exports.g.value is joined
    del joined
    throwing.check_none_is_left()


def throw_in_a_host_function(world: Any) -> None:
    throwing, exports = world.throwing, world.throwing.exports
    throwing.raised = WasmException(throwing.tag, throwing.referent())
    exports.host(2)
    try:
        exports.bare()
    except WasmException as exception:
        assert exception is throwing.raised  # noqa: PT017
        del exception
    else:
        raise AssertionError("nothing was raised")
    throwing.check_none_is_left()


def pass_exceptions(world: Any) -> None:
    """To places of other groups, which merge with the exception's, and back."""
    throwing, exports = world.throwing, world.throwing.exports
    store = throwing.store
    for _ in range(3):
        new = WasmException(Tag(store, OF_REFERENT), throwing.referent())
        slot = Global(store, GlobalType(ValType.EXNREF, mutable=True), new)
        try:
            assert slot.value is new
            exports.g.value = new
            back = exports.join(new, None)
            assert back.values[0] is new
            del back
        finally:
            slot.value = None  # the global stays in the group
        del slot, new
    throwing.check_none_is_left()


def load_handlers(world: Any) -> None:
    store = world.throwing.store
    for binary, result in ((NESTED, 3), (wat2wasm(LEGACY), 5)):
        with Instance(store, Module(store, binary)) as instance:
            assert instance.exports.go() == result


SCENARIOS = [
    make_tags, link_tags, throw_in_wasm, throw_to_python, throw_in_a_host_function,
    pass_exceptions, load_handlers,
]  # fmt: skip
