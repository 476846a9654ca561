"""Linked instances share functions, memories, tables and globals."""

import gc

import pytest
from small_modules import CALLS, double

from wamr import (
    ClosedError,
    Func,
    FuncType,
    Global,
    GlobalType,
    Instance,
    Limits,
    LinkError,
    Memory,
    MemoryType,
    Module,
    Table,
    TableType,
    Trap,
    ValType,
)


# ------------------------------------------------------------------ sharing is real
def test_functions_call_across_without_python(store):
    text = """(module (global $n (mut i32) (i32.const 0))
        (func (export "f") (param i32) (result i32)
            (global.set $n (i32.add (global.get $n) (local.get 0))) (global.get $n))
        (func (export "trap") (param i32) (result i32) unreachable))"""
    provider = Instance(store, Module(store, text))
    user = Instance(store, Module(store, CALLS), {"env": provider})
    assert [user.exports.go(5), provider.exports.f(1), user.exports.go(10)] == [5, 6, 16]
    trapping = Instance(store, Module(store, CALLS), [provider.exports.trap])
    with pytest.raises(Trap) as caught:
        trapping.exports.go(1)
    assert [frame.func_name for frame in caught.value.frames][-1] == "go"
    instances = [frame.instance for frame in caught.value.frames]
    assert (instances[0], instances[-1]) == (provider, trapping)


def test_a_chain_of_instances(store):
    module = Module(store, CALLS)
    func = double
    chain = []
    for _ in range(30):
        chain.append(Instance(store, module, {"env": {"f": func}}))
        func = chain[-1].exports.go
    del chain
    gc.collect()
    assert func(21) == 42


def test_the_provider_lives_as_long_as_its_users(store):
    text = """(module (import "m" "h" (func $h (result i32)))
        (func (export "f") (param i32) (result i32) (call $h)))"""
    user = Instance(
        store,
        Module(store, CALLS),
        {"env": Instance(store, Module(store, text), [lambda: 8])},
    )
    gc.collect()
    assert user.exports.go(1) == 8


def test_a_closed_provider_is_closed_for_its_users(store):
    provider = Instance(
        store, Module(store, '(module (func (export "f") (param i32) (result i32) (i32.const 1)))')
    )
    user = Instance(store, Module(store, CALLS), {"env": provider})
    assert user.exports.go(0) == 1
    provider.close()
    for _ in range(2):
        with pytest.raises(ClosedError):
            user.exports.go(0)


def test_a_memory_shared_by_three(store):
    memory = Memory(store, MemoryType(Limits(1, 4)))
    text = """(module (import "a" "m" (memory $m 1)) (export "m" (memory $m))
        (func (export "put") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
        (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "grow") (result i32) (memory.grow (i32.const 1)))
        (func (export "size") (result i32) (memory.size)))"""
    one, other = (Instance(store, Module(store, text), [memory]).exports for _ in range(2))
    one.put(10, 5)
    assert other.peek(10) == memory[10] == one.m[10] == 5
    memory[11] = 6
    assert one.peek(11) == other.peek(11) == 6
    assert one.grow() == 1
    assert [other.size(), memory.pages, other.m.pages] == [2, 2, 2]
    memory.grow(1)
    other.put(3 * 65_536 - 1, 9)
    assert one.peek(3 * 65_536 - 1) == memory[-1] == 9
    assert one.m == other.m == memory
    with pytest.raises(Trap):
        one.peek(3 * 65_536)


def test_a_memory_outlives_the_instance_that_made_it(store):
    maker = Instance(
        store, Module(store, '(module (memory (export "m") 1) (data (i32.const 0) "kept"))')
    )
    text = """(module (import "a" "m" (memory 1))
        (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    user = Instance(store, Module(store, text), {"a": maker})
    maker.close()
    assert user.exports.peek(0) == ord("k")


def test_a_table_shared_by_three(store):
    table = Table(store, TableType(ValType.FUNCREF, Limits(3)))
    fills = """(module (import "a" "t" (table 3 funcref))
        (func $f (result i32) (i32.const %d)) (elem (i32.const %d) $f))"""
    for position, number in enumerate((11, 22)):
        Instance(store, Module(store, fills % (number, position)), [table])
    table[2] = Func(store, FuncType([], [ValType.I32]), lambda: 33)
    calls = """(module (import "a" "t" (table 3 funcref)) (type $t (func (result i32)))
        (func (export "call") (param i32) (result i32)
            (call_indirect (type $t) (local.get 0))))"""
    user = Instance(store, Module(store, calls), [table]).exports
    gc.collect()
    assert [user.call(i) for i in range(3)] == [11, 22, 33]
    assert [func() for func in table] == [11, 22, 33]


def test_imports_and_exports_of_one_module_with_itself(store):
    text = """(module (import "a" "f" (func $f (param i32) (result i32)))
        (func (export "f") (param i32) (result i32)
            (i32.add (i32.const 1) (call $f (local.get 0)))))"""
    module = Module(store, text)
    first = Instance(store, module, [double])
    second = Instance(store, module, {"a": first})
    third = Instance(store, module, {"a": second})
    assert [i.exports.f(10) for i in (first, second, third)] == [21, 22, 23]


def test_the_module_is_not_changed_by_linking(store):
    module = Module(store, CALLS)
    doubled = Instance(store, module, [double])
    tripled = Instance(store, module, [lambda x: 3 * x])
    assert [doubled.exports.go(5), tripled.exports.go(5)] == [10, 15]
    with pytest.raises(LinkError):
        Instance(store, module)


def test_a_global_of_an_extended_type_is_one_of_its_type(store):
    class Named(GlobalType):
        pass

    module = Module(store, '(module (import "m" "g" (global (mut i32))) (export "g" (global 0)))')
    given = Global(store, Named(ValType.I32, mutable=True), 7)
    assert Instance(store, module, [given]).exports.g.value == 7
    constant = Global(store, Named(ValType.I32), 7)
    with pytest.raises(LinkError, match="must be a global mutable i32, not a global constant i32"):
        Instance(store, module, [constant])
