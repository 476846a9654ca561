"""One test for each patch that adds exceptions and the type exnref (cmake/patches/spec/).

Each fails without its patch: WAMR_WITHOUT_PATCH=name pip install -e ., then run it. The other tests
of exceptions are in tests/unit.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from mutants import leb, section

import wamr
from wamr import Instance, Module, Store, Tag, TagType, ValType, WasmException

Wat = Callable[[str], bytes]
HEADER = b"\0asm\1\0\0\0"


def vec(items: Iterable[bytes]) -> bytes:
    items = list(items)
    return leb(len(items)) + b"".join(items)


# ------------------------------------------------------------------ types

# exnref, (ref null exn) in its long form, and (ref exn)
SPELLINGS = {"exnref": b"\x69", "ref null exn": b"\x63\x69", "ref exn": b"\x64\x69"}


def body(code: bytes, locals_: bytes = b"\0") -> bytes:
    code = locals_ + code + b"\x0b"
    return leb(len(code)) + code


def passing(t: bytes, code: bytes, locals_: bytes = b"\0", *more: bytes) -> bytes:
    """Return a module whose function `f` takes an exnref and returns one.

    Type 0 is the type of `f`, type 1 that of a block that takes an exnref, type 2 that of a tag.
    `more` has whole sections, which are put where their numbers belong.
    """
    types = vec([b"\x60\1" + t + b"\1" + t, b"\x60\1" + t + b"\1" + t, b"\x60\1" + t + b"\0"])
    sections = [
        section(1, types),
        section(3, b"\1\0"),
        section(7, b"\1\1f\0\0"),
        section(10, vec([body(code, locals_)])),
        *more,
    ]
    order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]
    return HEADER + b"".join(sorted(sections, key=lambda each: order.index(each[0])))


GET = b"\x20\0"
NULL = b"\xd0\x69"
GLOBAL_IMPORT = b"\1m\1g\3"


def places(t: bytes) -> dict[str, bytes]:
    """Return a module for each place where the type `t` may stand, by the name of the place."""
    imported = section(2, vec([GLOBAL_IMPORT + t + b"\0"]))
    return {
        "parameter and result": passing(t, GET),
        "local": passing(t, GET + b"\x21\1\x20\1", b"\1\1" + t),
        "block": passing(t, b"\x02" + t + GET + b"\x0b"),
        "block's parameter": passing(t, GET + b"\x02\1\x0b"),
        "loop": passing(t, b"\x03" + t + GET + b"\x0b"),
        "loop's parameter": passing(t, GET + b"\x03\1\x0b"),
        "if": passing(t, b"\x41\1\x04" + t + GET + b"\x05" + GET + b"\x0b"),
        "if's parameter": passing(t, GET + b"\x41\1\x04\1\x05\x0b"),
        "try_table": passing(t, b"\x1f" + t + b"\0" + GET + b"\x0b"),
        "try_table's parameter": passing(t, GET + b"\x1f\1\0\x0b"),
        "select": passing(t, GET + GET + b"\x41\1\x1c\1" + t),
        "tag": passing(t, GET, b"\0", section(13, b"\1\0\2")),
        "imported global": passing(t, GET, b"\0", imported),
        "global": passing(t, GET, b"\0", imported, section(6, b"\1" + t + b"\0\x23\0\x0b")),
        "imported table": passing(t, GET, b"\0", section(2, vec([b"\1m\1t\1" + t + b"\0\1"]))),
        "passive elements": passing(
            t, GET, b"\0", imported, section(9, b"\1\5" + t + b"\1\x23\0\x0b")
        ),
        "declared elements": passing(
            t, GET, b"\0", imported, section(9, b"\1\7" + t + b"\1\x23\0\x0b")
        ),
        "active elements": passing(
            t,
            GET,
            b"\0",
            section(2, vec([GLOBAL_IMPORT + t + b"\0", b"\1m\1t\1" + t + b"\0\1"])),
            section(9, b"\1\6\0\x41\0\x0b" + t + b"\1\x23\0\x0b"),
        ),
    }


def nullable_places(t: bytes) -> dict[str, bytes]:
    """Return a module for each place whose value begins as a null of the type `t`."""
    return {
        "null local": passing(t, b"\x20\1\x1a" + GET, b"\1\1" + t),
        "table": passing(t, GET, b"\0", section(4, b"\1" + t + b"\0\1")),
        "null in a global": passing(t, GET, b"\0", section(6, b"\1" + t + b"\1" + NULL + b"\x0b")),
        "null in elements": passing(
            t, GET, b"\0", section(9, b"\1\5" + t + b"\1" + NULL + b"\x0b")
        ),
        "null": passing(t, b"\x02" + t + NULL + b"\x0b\x1a" + GET),
    }


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_exnref_wherever_a_type_may_stand(
    spelling: str, record_attempt: Callable[[object], None]
) -> None:
    t = SPELLINGS[spelling]
    modules = places(t)
    if spelling != "ref exn":
        modules |= nullable_places(t)
    for place, data in modules.items():
        record_attempt(place)
        store = Store()
        module = Module(store, data)
        thrown = WasmException(Tag(store, TagType([ValType.I32])), 42)
        provided: dict[str, Any] = {
            "g": wamr.Global(store, wamr.GlobalType(ValType.EXNREF), thrown),
            "t": wamr.Table(store, wamr.TableType(ValType.EXNREF, wamr.Limits(1)), thrown),
        }
        wanted = {item.name: provided[item.name] for item in module.imports}
        f = Instance(store, module, {"m": wanted}).exports.f
        assert f.type == wamr.FuncType([ValType.EXNREF], [ValType.EXNREF]), place
        passed = f(thrown)
        assert (passed.tag, passed.values) == (thrown.tag, (42,)), place
        assert spelling == "ref exn" or f(None) is None, place
    many = [b"\x60" + vec([t] * 300) + vec([b"\x7f"] * 300)]
    data = HEADER + section(1, vec(many)) + section(2, b"\1\1m\1f\0\0")
    (item,) = Module(Store(), data).imports
    assert item.type == wamr.FuncType([ValType.EXNREF] * 300, [ValType.I32] * 300)
    for place, data in places(b"\x63\x68").items():
        record_attempt(f"{place}, of no type")
        with pytest.raises(wamr.CompileError):
            Module(Store(), data)


# ------------------------------------------------------------------ tags

MANY_TAGS = """
import resource, sys, wamr
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), resource.RLIM_INFINITY))
try:
    wamr.Module(wamr.Store(), bytes.fromhex(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
@pytest.mark.parametrize("count", [2**32 - 1, 2**29, 2**27])
def test_more_tags_than_bytes(count: int) -> None:
    """The loader refuses the module before it allocates the tags: 1 GiB of addresses is enough."""
    data = HEADER + section(1, b"\1\x60\0\0") + section(13, leb(count) + b"\0\0")
    command = [sys.executable, "-c", MANY_TAGS, data.hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CompileError"), done.stdout
    assert "unexpected end" in done.stdout


@pytest.mark.parametrize("attribute", [1, 2, 0x7F, 0x80, 0xFF])
def test_an_attribute_that_no_exception_has(attribute: int) -> None:
    def tag(byte: int) -> tuple[bytes, bytes]:
        types = section(1, b"\1\x60\1\x7f\0")
        kind = bytes([byte]) + b"\0"
        return (
            HEADER + types + section(13, b"\1" + kind) + section(7, b"\1\1e\4\0"),
            HEADER + types + section(2, b"\1\1m\1e\4" + kind),
        )

    for good, bad in zip(tag(0), tag(attribute), strict=True):
        module = Module(Store(), good)
        assert (*module.imports, *module.exports)[0].type == TagType([ValType.I32])
        with pytest.raises(wamr.CompileError, match=r"attribute|malformed"):
            Module(Store(), bad)


# ------------------------------------------------------------------ clauses

THROWER = """
    (tag $e (param i32 i64)) (tag $f) (tag $g (param f64))
    (func $throw (param $which i32)
        (if (i32.eq (local.get $which) (i32.const 1))
            (then (throw $e (i32.const 7) (i64.const 8))))
        (if (i32.eq (local.get $which) (i32.const 2)) (then (throw $f)))
        (if (i32.eq (local.get $which) (i32.const 3)) (then (throw $g (f64.const 2.5))))
        (if (i32.eq (local.get $which) (i32.const 4)) (then unreachable)))"""
CLAUSES = f"""(module {THROWER}
    (func (export "catch") (param i32) (result i32 i64)
        (block $h (result i32 i64)
            (try_table (catch $e $h) (call $throw (local.get 0)))
            (i32.const 0) (i64.const 0)))
    (func (export "catch_ref") (param i32) (result i32 i64 exnref)
        (block $h (result i32 i64 exnref)
            (try_table (catch_ref $e $h) (call $throw (local.get 0)))
            (i32.const 0) (i64.const 0) (ref.null exn)))
    (func (export "catch_all") (param i32) (result i32)
        (block $h
            (try_table (catch_all $h) (call $throw (local.get 0)))
            (return (i32.const 0)))
        (i32.const 1))
    (func (export "catch_all_ref") (param i32) (result exnref)
        (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw (local.get 0)))
            (ref.null exn)))
    (func (export "again") (param i32)
        (throw_ref (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw (local.get 0)))
            (return))))
    (func (export "first") (param i32) (result i32)
        (block $all
            (block $f
                (drop (drop (block $e (result i32 i64)
                    (try_table (catch $e $e) (catch $f $f) (catch_all $all)
                        (call $throw (local.get 0)))
                    (return (i32.const 0)))))
                (return (i32.const 10)))
            (return (i32.const 20)))
        (i32.const 30)))"""


def values(call: Callable[..., Any], which: int) -> tuple[Any, ...]:
    """Return the values of the exception that leaves a call."""
    with pytest.raises(WasmException) as caught:
        call(which)
    return caught.value.values


def test_each_kind_of_clause(wat: Wat) -> None:
    exports = wamr.load(wat(CLAUSES)).exports
    assert [exports.catch(which) for which in (0, 1)] == [(0, 0), (7, 8)]
    assert values(exports.catch, 2) == ()
    assert values(exports.catch, 3) == (2.5,)
    assert exports.catch_ref(0) == (0, 0, None)
    number, long, exception = exports.catch_ref(1)
    assert (number, long, exception.values) == (7, 8, (7, 8))
    assert values(exports.catch_ref, 3) == (2.5,)
    assert [exports.catch_all(which) for which in range(4)] == [0, 1, 1, 1]
    assert exports.catch_all_ref(0) is None
    assert [exports.catch_all_ref(which).values for which in (1, 2, 3)] == [(7, 8), (), (2.5,)]
    assert exports.again(0) is None
    assert [values(exports.again, which) for which in (1, 2, 3)] == [(7, 8), (), (2.5,)]
    assert [exports.first(which) for which in range(4)] == [0, 10, 20, 30]
    for name in ("catch", "catch_ref", "catch_all", "catch_all_ref", "again", "first"):
        with pytest.raises(wamr.Trap, match="unreachable"):
            exports[name](4)


LEGACY = f"""(module {THROWER}
    (func (export "catch") (param i32) (result i32)
        try (result i32)
            local.get 0  call $throw  i32.const 0
        catch $e
            i32.wrap_i64 i32.add
        catch $g
            drop  i32.const 3
        end)
    (func (export "catch_all") (param i32) (result i32)
        try (result i32)
            local.get 0  call $throw  i32.const 0
        catch $f
            i32.const 2
        catch_all
            i32.const 9
        end)
    (func (export "rethrow") (param i32) (result i32)
        try (result i32)
            try (result i32)
                local.get 0  call $throw  i32.const 0
            catch $e
                drop drop rethrow 0
            catch_all
                try
                    i32.const 2  call $throw
                catch_all
                    rethrow 1
                end
                i32.const 5
            end
        catch $e
            i32.wrap_i64 i32.mul
        end)
    (func (export "delegate") (param i32) (result i32)
        try $outer (result i32)
            try (result i32)
                try
                    local.get 0  call $throw
                delegate $outer
                i32.const 0
            catch_all
                i32.const 77
            end
        catch $e
            i32.wrap_i64 i32.sub
        end)
    (func (export "delegate_out") (param i32) (result i32)
        try $outer (result i32)
            try
                local.get 0  call $throw
            delegate 1
            i32.const 0
        catch_all
            i32.const 77
        end)
    (func (export "bare") (param i32) (result i32)
        try (result i32)
            local.get 0  call $throw  i32.const 0
        end))"""


def test_each_kind_of_legacy_clause(wat: Wat) -> None:
    exports = wamr.load(wat(LEGACY)).exports
    assert [exports["catch"](which) for which in (0, 1, 3)] == [0, 15, 3]
    assert values(exports["catch"], 2) == ()
    assert [exports.catch_all(which) for which in range(4)] == [0, 9, 2, 9]
    assert [exports.rethrow(which) for which in (0, 1)] == [0, 56]
    assert values(exports.rethrow, 2) == ()
    assert values(exports.rethrow, 3) == (2.5,)
    assert [exports["delegate"](which) for which in (0, 1)] == [0, -1]
    assert values(exports["delegate"], 3) == (2.5,)
    assert exports.delegate_out(0) == 0
    assert values(exports.delegate_out, 1) == (7, 8)
    assert exports.bare(0) == 0
    assert values(exports.bare, 1) == (7, 8)
    for name in exports:
        with pytest.raises(wamr.Trap, match="unreachable"):
            exports[name](4)


# ------------------------------------------------------------------ results


class Referent:
    """An object that can be weakly referenced."""


# The frames of `nothing` and `another` lie where those of the other functions were, and have null
# locals there.
LOCALS = "(local externref)" * 40
RETURNING = f"""(module (import "m" "collect" (func $collect))
    (func (export "one") (param externref) (result externref) (local.get 0))
    (func (export "three") (param externref) (result externref externref externref)
        (local.get 0) (local.get 0) (local.get 0))
    (func (export "nothing") {LOCALS} (call $collect))
    (func (export "another") (result i32) {LOCALS} (call $collect) (i32.const 0)))"""


@pytest.mark.parametrize("later", ["nothing", "another"])
@pytest.mark.parametrize("name", ["one", "three"])
def test_what_a_call_has_returned_is_let_go(wat: Wat, name: str, later: str) -> None:
    """The object is let go while a later call runs, whose frame lies where the first one did."""
    store = Store()

    def collect() -> None:
        gc.collect()
        store.gc()

    exports = Instance(store, Module(store, wat(RETURNING)), [collect]).exports
    others = wamr.Table(store, wamr.TableType(ValType.EXTERNREF, wamr.Limits(500)))
    for number in range(500):
        # So the number of `referent` is large, and in no cell by chance.
        others[number] = Referent()
    referent = Referent()
    gone = weakref.ref(referent)
    result = exports[name](referent)
    assert result is referent or set(result) == {referent}
    del result, referent
    assert gone() is not None
    exports[later]()
    assert gone() is None
