"""The legacy form of exceptions: try, catch, catch_all, rethrow and delegate.

Each body is one of a function (i32) -> i32, in a module with the tags and functions of PRELUDE.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from wamr import (
    CompileError,
    Func,
    FuncType,
    Instance,
    Module,
    Store,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmException,
    load,
    wat2wasm,
)

# `pick` throws by its argument: nothing for 0, $a (5), $b (6, 7), $c, a trap.
PRELUDE = """
    (tag $a (export "a") (param i32)) (tag $b (export "b") (param i32 i64)) (tag $c (export "c"))
    (global $g (mut i32) (i32.const 0))
    (func $pick (param i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $a (i32.const 5))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $b (i32.const 6) (i64.const 7))))
        (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $c)))
        (if (i32.eq (local.get 0) (i32.const 4)) (then unreachable)))
    (func $pick_or (param i32) (result i32) (call $pick (local.get 0)) (i32.const 100))"""
# Each case: its name, and the results for 0, 1, 2 and 3, where a, b or c means that an exception of
# that tag leaves the function; then the body. PICK calls $pick.
CASES = """
try without a catch: 1 a b c
    try PICK end i32.const 1
catch: 1 5 b c
    try (result i32) PICK i32.const 1 catch $a end
catch of two values: 1 a 13 c
    try (result i32) PICK i32.const 1 catch $b i32.wrap_i64 i32.add end
catch without values: 1 a b 2
    try (result i32) PICK i32.const 1 catch $c i32.const 2 end
catch_all: 1 2 2 2
    try (result i32) PICK i32.const 1 catch_all i32.const 2 end
several catches: 1 55 6 9
    try (result i32) PICK i32.const 1 catch $b drop catch $a i32.const 50 i32.add catch_all
    i32.const 9 end
the first of two catches of one tag: 1 5 b c
    try (result i32) PICK i32.const 1 catch $a catch $a drop i32.const 99 end
values below the try stay: 1001 1005 1002 1002
    i32.const 1000 try (result i32) PICK i32.const 1 catch $a catch_all i32.const 2 end
    i32.add
operands in the try are dropped: 15 5 b c
    try (result i32) i32.const 7 i32.const 8 PICK i32.add catch $a end
locals keep what the try has set: 5 4 4 4
    (local i32) i32.const 3 local.set 1 try i32.const 4 local.set 1 PICK i32.const 5
    local.set 1 catch_all end local.get 1
parameters of a try: 30 5 b c
    local.get 0 i32.const 30 try (param i32 i32) (result i32) i32.add PICK catch $a end
nested, caught inside: 1 5 2 2
    try (result i32) try (result i32) PICK i32.const 1 catch $a end catch_all i32.const 2
    end
a throw in a catch is not caught by its try: 1 4 3 3
    try (result i32) try (result i32) PICK i32.const 1 catch $a throw $c catch_all i32.const
    3 end catch $c i32.const 4 end
a try in a catch: 1 15 b c
    try (result i32) PICK i32.const 1 catch_all try (result i32) PICK i32.const 2 catch $a
    i32.const 10 i32.add end end
a try in unreachable code: 1 a b c
    block (result i32) PICK i32.const 1 br 0 try (result i32) i32.const 2 catch $a catch_all
    i32.const 3 end drop end
a throw in the try itself: 1 2 3 4
    try (result i32) local.get 0 throw $a catch $a i32.const 1 i32.add end
a branch out of a try: 1 8 8 8
    block try PICK br 1 catch_all i32.const 8 return end end i32.const 1
a branch to the end of a try: 3 4 4 4
    try (result i32) local.get 0 if i32.const 4 br 1 end i32.const 3 catch_all i32.const 9
    end
a branch out of a catch: 1 5 7 7
    block (result i32) try PICK catch $a br 1 catch_all i32.const 7 br 1 end i32.const 1 end
a loop that a catch continues: 100 103 103 103
    (local i32) loop $l (result i32) try (result i32) local.get 0 call $pick_or catch_all
    local.get 1 i32.const 1 i32.add local.set 1 local.get 1 i32.const 3 i32.ge_s if
    i32.const 0 local.set 0 end br $l end local.get 1 i32.add end
a return in a catch: 1 5 1 1
    try PICK catch $a return catch_all end i32.const 1
rethrow: 1 a b c
    try PICK catch $a drop rethrow 0 end i32.const 1
rethrow to an outer catch: 1 45 42 c
    try (result i32) try (result i32) PICK i32.const 1 catch $b drop drop rethrow 0
    catch_all rethrow 0 end catch $a i32.const 40 i32.add catch $b i32.wrap_i64 i32.mul end
rethrow of the outer one of two: 1 a b c
    try (result i32) PICK i32.const 1 catch_all try (result i32) throw $c catch $c rethrow 1
    end end
rethrow of the inner one of two: 1 6 6 6
    try (result i32) try (result i32) PICK i32.const 1 catch_all try (result i32) throw $c
    catch $c rethrow 0 end end catch $c i32.const 6 end
rethrow within blocks of the catch: 1 a b c
    try (result i32) PICK i32.const 1 catch $a block loop rethrow 2 end end end
rethrow in a try within the catch: 1 25 b c
    try (result i32) PICK i32.const 1 catch $a drop try (result i32) rethrow 1 catch $a
    i32.const 20 i32.add end end
rethrow of an exception that is caught twice: 1 5 2 2
    try (result i32) try (result i32) PICK i32.const 1 catch_all rethrow 0 end catch_all try
    (result i32) rethrow 1 catch $a catch_all i32.const 2 end end
delegate to the try around: 1 5 b c
    try $t (result i32) try PICK delegate $t i32.const 1 catch $a end
delegate past a try: 1 5 3 3
    try $t (result i32) try (result i32) try PICK delegate $t i32.const 1 catch_all
    i32.const 99 end catch $a catch_all i32.const 3 end
delegate to the caller: 1 a b c
    try (result i32) try PICK delegate 1 i32.const 1 catch_all i32.const 99 end
delegate to a block: 1 5 b c
    try (result i32) block $b try (result i32) try PICK delegate $b i32.const 0 catch_all
    i32.const 99 end drop end i32.const 1 catch $a end
delegate to a loop: 1 2 2 2
    try (result i32) loop try PICK delegate 0 end i32.const 1 catch_all i32.const 2 end
delegate to a catch: 1 2 2 2
    try (result i32) try throw $c catch $c try PICK delegate 0 end i32.const 1 catch_all
    i32.const 2 end
delegate to a try that delegates: 1 2 2 2
    try $t (result i32) try $u try PICK delegate $u delegate $t i32.const 1 catch_all
    i32.const 2 end
delegate with a result: 100 2 2 2
    try $t (result i32) try (result i32) local.get 0 call $pick_or delegate $t catch_all
    i32.const 2 end
a branch out of a delegating try: 1 a b 4
    try $t (result i32) block try br 1 delegate $t end PICK i32.const 1 catch $c i32.const 4
    end
a tail call leaves the try: 100 a b c
    try (result i32) local.get 0 return_call $pick_or catch_all i32.const 99 end
"""
BODIES = {
    found[1]: (found[3].replace("PICK", "local.get 0 call $pick"), found[2].split())
    for found in re.finditer(r"^(\S.*): (.*)\n((?:    .*\n)+)", CASES, re.MULTILINE)
}


def test_all_cases_are_read() -> None:
    assert len(BODIES) == CASES.count(": ") == 38
    assert all(len(expected) == 4 for _, expected in BODIES.values())


def function(body: str) -> str:
    return f'(module {PRELUDE} (func (export "f") (param i32) (result i32) {body}))'


@pytest.mark.parametrize("name", BODIES)
def test_body(name: str) -> None:
    body, expected = BODIES[name]
    exports = load(function(body)).exports
    for _ in range(2):
        for number, result in enumerate(expected):
            if result.isdigit():
                assert exports.f(number) == int(result)
                continue
            with pytest.raises(WasmException) as caught:
                exports.f(number)
            assert caught.value.tag == exports[result]
            assert caught.value.values == {"a": (5,), "b": (6, 7), "c": ()}[result]
    if "$pick" in body:
        with pytest.raises(Trap, match="unreachable"):
            exports.f(4)


KINDS: dict[str, Any] = {
    "i32": -7,
    "i64": 2**40,
    "f32": 1.5,
    "f64": 0.1,
    "v128": bytes(range(16)),
    "externref": "object",
    "funcref": None,
    "exnref": None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_each_type(kind: str) -> None:
    exports = load(f"""(module (tag $t (param {kind} i32 {kind}))
        (func (export "f") (param {kind} {kind}) (result {kind} i32 {kind})
            try (result {kind} i32 {kind})
                local.get 0 i32.const 9 local.get 1 throw $t
            catch $t
            end))""").exports
    value = KINDS[kind]
    assert exports.f(value, value) == (value, 9, value)


BOTH_FORMS = """(module (tag $t (export "t") (param i32)) (import "m" "h" (func $h))
    (func $legacy (export "legacy") (result i32)
        try (result i32) call $h i32.const -1 catch $t end)
    (func $new (export "new") (result i32)
        (block $b (result i32) (try_table (catch $t $b) (call $h)) (i32.const -1)))
    (func (export "new_in_legacy") (result i32)
        try (result i32)
            (block $b (try_table (catch_all $b) (throw $t (i32.const 1))))
            call $h i32.const -1
        catch $t i32.const 10 i32.add end)
    (func (export "legacy_in_new") (result i32)
        (block $b (result i32 exnref)
            (try_table (catch_ref $t $b)
                try call $h catch $t drop rethrow 0 end)
            (i32.const -1) (ref.null exn))
        drop i32.const 20 i32.add)
    (func (export "rethrown") try call $h catch_all rethrow 0 end))"""


def test_both_forms_in_one_module() -> None:
    store = Store()
    actions: list[Any] = [None]

    def host() -> None:
        if actions[0] is not None:
            raise actions[0]

    exports = Instance(store, Module(store, BOTH_FORMS), [host]).exports
    names = ["legacy", "new", "new_in_legacy", "legacy_in_new"]
    assert [exports[name]() for name in names] == [-1, -1, -1, 19]
    actions[0] = thrown = WasmException(exports.t, 7)
    assert [exports[name]() for name in names] == [7, 7, 17, 27]
    with pytest.raises(WasmException) as caught:
        exports.rethrown()
    assert caught.value is thrown
    actions[0] = KeyError("of Python")
    for name in (*names, "rethrown"):
        with pytest.raises(KeyError):
            exports[name]()


def test_forms_of_two_modules() -> None:
    """Each catches the exceptions of the other."""
    store = Store()
    tag = Tag(store, TagType([ValType.I32]))
    legacy = """(module (import "m" "t" (tag $t (param i32))) (import "m" "f" (func $f (param i32)))
        (func (export "throw") (param i32) try local.get 0 throw $t catch $t drop rethrow 0 end)
        (func (export "catch") (param i32) (result i32)
            try (result i32) local.get 0 call $f i32.const -1 catch $t end))"""
    new = """(module (import "m" "t" (tag $t (param i32))) (import "m" "f" (func $f (param i32)))
        (func (export "throw") (param i32)
            (throw_ref (block $b (result exnref)
                (try_table (catch_all_ref $b) (throw $t (local.get 0))) (unreachable))))
        (func (export "catch") (param i32) (result i32)
            (block $b (result i32)
                (try_table (catch $t $b) (call $f (local.get 0))) (i32.const -1))))"""
    nothing = Func(store, FuncType([ValType.I32]), lambda number: None)
    for thrower, catcher in ((legacy, new), (new, legacy), (legacy, legacy)):
        throw = Instance(store, Module(store, thrower), [tag, nothing]).exports.throw
        exports = Instance(store, Module(store, catcher), [tag, throw]).exports
        assert exports["catch"](7) == 7


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("try (result i32) end", "type mismatch"),
        ("try (result i32) i64.const 1 end", "type mismatch"),
        ("try (result i32) i32.const 1 catch $c end", "type mismatch"),
        ("try (result i32) i32.const 1 catch $b end", "type mismatch"),
        ("try (result i32) i32.const 1 catch_all i64.const 1 end", "type mismatch"),
        ("try i32.const 1 catch_all end i32.const 1", "type mismatch"),
        ("try catch_all i32.const 1 end i32.const 1", "type mismatch"),
        ("try catch 9 end i32.const 1", "unknown tag 9"),
        ("try catch_all catch $c end i32.const 1", "catch found without matched try"),
        ("try catch_all catch_all end i32.const 1", "catch found without matched try"),
        ("block catch_all end i32.const 1", "catch found without matched try"),
        ("catch $c i32.const 1", "catch found without matched try"),
        ("try try catch_all end rethrow 0 end i32.const 1", "invalid rethrow label"),
        ("try catch_all end rethrow 0", "invalid rethrow label"),
        ("try catch_all rethrow 9 end i32.const 1", "unknown label"),
        ("try delegate 1 i32.const 1", "unknown label"),
        ("try catch_all delegate 0 i32.const 1", "delegate found without matched try"),
        ("block delegate 0 i32.const 1", "delegate found without matched try"),
        ("throw $a", "type mismatch"),
        ("i64.const 1 throw $a", "type mismatch"),
        ("throw 9", "unknown tag 9"),
    ],
)
def test_invalid_body(body: str, words: str) -> None:
    data = wat2wasm(function(body))
    with pytest.raises(CompileError, match=words):
        Module(Store(), data)
