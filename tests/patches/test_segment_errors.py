"""The error for a segment out of bounds says which one, where it is, and how much room there is."""

from __future__ import annotations

import pytest

from wamr import (
    Global,
    GlobalType,
    Instance,
    Limits,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    Trap,
    TrapCode,
    ValType,
)

pytestmark = pytest.mark.usefixtures("wat")

MEMORY, TABLE = "out of bounds memory access: ", "out of bounds table access: "


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            '(memory 1) (data (i32.const 0) "a") (data (i32.const 65534) "abc")',
            f"{MEMORY}data segment 1 puts 3 bytes at address 65534, in a memory of 65536 bytes",
        ),
        (
            '(memory 0) (data (i32.const -1) "")',
            f"{MEMORY}data segment 0 puts 0 bytes at address 4294967295, in a memory of 0 bytes",
        ),
        (
            '(memory 0) (data "passive") (data (i32.const 0) "ab")',
            f"{MEMORY}data segment 1 puts 2 bytes at address 0, in a memory of 0 bytes",
        ),
        (
            "(table 3 funcref) (func $f) (elem (i32.const 2) $f $f)",
            f"{TABLE}element segment 0 puts 2 elements at index 2, in a table of 3",
        ),
        (
            "(table 3 funcref) (func $f) (elem func $f) (elem (i32.const 4))",
            f"{TABLE}element segment 1 puts 0 elements at index 4, in a table of 3",
        ),
    ],
)
def test_a_segment_out_of_bounds_is_named(store: Store, fields: str, message: str) -> None:
    with pytest.raises(Trap) as caught:
        Instance(store, Module(store, f"(module {fields})"))
    memory = message.startswith(MEMORY)
    code = TrapCode.MEMORY_OUT_OF_BOUNDS if memory else TrapCode.TABLE_OUT_OF_BOUNDS
    assert (caught.value.message, str(caught.value), caught.value.code) == (message, message, code)


def test_of_an_imported_memory_and_table_at_an_imported_address(store: Store) -> None:
    imports = {
        "env": {
            "memory": Memory(store, MemoryType(Limits(2))),
            "table": Table(store, TableType(ValType.FUNCREF, Limits(1))),
            "base": Global(store, GlobalType(ValType.I32), 131_072),
            "first": Global(store, GlobalType(ValType.I32), 0),
        }
    }
    code = """(module
        (import "env" "memory" (memory 1)) (import "env" "table" (table 1 funcref))
        (import "env" "base" (global i32)) (import "env" "first" (global i32))
        (func $f) %s)"""
    with pytest.raises(Trap) as caught:
        Instance(store, Module(store, code % '(data (global.get 0) "x")'), imports)
    assert caught.value.message == (
        f"{MEMORY}data segment 0 puts 1 bytes at address 131072, in a memory of 131072 bytes"
    )
    with pytest.raises(Trap) as caught:  # there is an instance, whose functions the table has
        Instance(store, Module(store, code % "(elem (global.get 1) $f $f)"), imports)
    assert caught.value.message == (
        f"{TABLE}element segment 0 puts 2 elements at index 0, in a table of 1"
    )


def test_the_longest_numbers_are_whole(store: Store) -> None:
    last = '(data (i32.const -1) "")'
    with pytest.raises(Trap) as caught:
        Instance(store, Module(store, f"(module (memory 65535) {'(data)' * 99_999} {last})"))
    assert caught.value.message == (
        f"{MEMORY}data segment 99999 puts 0 bytes at address 4294967295, in a memory of "
        "4294901760 bytes"
    )
