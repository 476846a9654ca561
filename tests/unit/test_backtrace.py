"""The frames of a trap: names, offsets, instances."""

from __future__ import annotations

import pickle

import pytest

import wamr
from wamr import Frame, Instance, Module, Store, Trap
from wamr.wat import wat2wasm

TEXT = """
(module $calc
  (import "e" "h" (func $h))
  (memory 1)
  (table 1 funcref)
  (elem (i32.const 0) $div)
  (func $div (param i32 i32) (result i32) (local i64)
    local.get 0 local.get 1 i32.div_s)
  (func $middle (param i32) (result i32)
    (local.get 0) drop
    (call $div (i32.const 7) (local.get 0)) (i32.const 1) i32.add)
  (func (export "go") (param i32) (result i32) (block (br 0)) (call $middle (local.get 0)))
  (func (export "load") (result i32) (i32.load offset=65536 (i32.const 0)))
  (func (export "host") (call $h) unreachable)
  (func (export "indirect") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call_indirect (param i32 i32) (result i32)
        (i32.const 1) (i32.const 0) (i32.const 0)))
      (else (i32.const 1))))
  (func $deep (export "deep") (result i32) (i32.add (call $deep) (i32.const 1)))
  (func (export "spin") (loop (br 0))))
"""
DIV_S, CALL, CALL_INDIRECT, LOAD, UNREACHABLE, BR = 0x6D, 0x10, 0x11, 0x28, 0x00, 0x0C


@pytest.fixture(scope="module")
def code() -> bytes:
    return wat2wasm(TEXT)


@pytest.fixture
def instance(code: bytes) -> Instance:
    return wamr.load(code, {"e": {"h": lambda: None}})


def trap_of(instance: Instance, name: str, *args: int) -> Trap:
    with pytest.raises(Trap) as caught:
        instance.exports[name](*args)
    return caught.value


@pytest.mark.parametrize(
    ("name", "args", "names", "opcodes"),
    [
        ("go", (0,), ["div", "middle", "go"], [DIV_S, CALL, CALL]),
        ("load", (), ["load"], [LOAD]),
        ("host", (), ["host"], [UNREACHABLE]),
        ("indirect", (1,), ["div", "indirect"], [DIV_S, CALL_INDIRECT]),
    ],
)
def test_frames_tell_where_the_trap_was(
    code: bytes,
    instance: Instance,
    name: str,
    args: tuple[int, ...],
    names: list[str],
    opcodes: list[int],
) -> None:
    frames = trap_of(instance, name, *args).frames
    assert [frame.func_name for frame in frames] == names
    assert [code[frame.module_offset or 0] for frame in frames] == opcodes
    assert {frame.module_name for frame in frames} == {"calc"}
    assert {frame.instance for frame in frames} == {instance}


def test_offsets_within_the_body_begin_with_its_locals(instance: Instance) -> None:
    frame = trap_of(instance, "go", 0).frames[0]
    # a count of local groups, one group of 2 bytes, two local.get of 2 bytes each
    assert frame.func_offset == 1 + 2 + 2 + 2


def test_a_stopped_loop_is_found(code: bytes, instance: Instance) -> None:
    with pytest.raises(wamr.TimeoutTrap) as caught:
        instance.exports.spin.call(timeout=0.05)
    (frame,) = caught.value.frames
    assert code[frame.module_offset or 0] == BR


def test_code_that_is_stopped_where_a_function_begins_is_found() -> None:
    text = wat2wasm("""(module (func $g (param i32 i32) (result i32) (local i64)
        (i32.add (local.get 1) (local.get 0)))
        (func $wide (param i64) (result i64 i64) (i64.eqz (local.get 0)) drop
            (local.get 0) (local.get 0))
        (func (export "short") (result i32) (call $g (i32.const 1) (i32.const 2)))
        (func (export "long") (result i64 i64) (call $wide (i64.const 1))))""")
    instance, add, eqz = wamr.load(text), 0x6A, 0x50
    for name, inner, opcode in (("short", "g", add), ("long", "wide", eqz)):
        for fuel, names, opcodes in (
            (2, [inner, name], [opcode, CALL]),
            (0, [name], [CALL]),
        ):
            with pytest.raises(wamr.FuelTrap) as caught:
                instance.exports[name].call(fuel=fuel)
            frames = caught.value.frames
            assert [frame.func_name for frame in frames] == names
            assert [text[frame.module_offset or 0] for frame in frames] == opcodes


def test_an_exhausted_stack_has_its_innermost_frames(code: bytes, instance: Instance) -> None:
    trap = trap_of(instance, "deep")
    assert len(trap.frames) > 100
    assert {frame.func_name for frame in trap.frames} == {"deep"}
    assert {code[frame.module_offset or 0] for frame in trap.frames} <= {CALL}
    assert "the same" in str(trap)


def test_the_traceback_shows_names_and_offsets(instance: Instance) -> None:
    trap = trap_of(instance, "go", 0)
    text = str(trap)
    assert text.startswith("integer divide by zero\n")
    assert [line.split()[1] for line in text.splitlines()[2:]] == ["div", "middle", "go"]
    assert f"byte {trap.frames[0].module_offset:#x}" in text


def test_frames_cross_instances(code: bytes) -> None:
    store = Store()
    inner = Instance(store, Module(store, code), {"e": {"h": lambda: None}})
    text = """(module $outer (import "calc" "go" (func $go (param i32) (result i32)))
      (func (export "run") (result i32) (call $go (i32.const 0))))"""
    outer = Instance(store, Module(store, text), {"calc": inner})
    frames = trap_of(outer, "run").frames
    assert [(frame.module_name, frame.func_name) for frame in frames] == [
        ("calc", "div"),
        ("calc", "middle"),
        ("calc", "go"),
        ("outer", "run"),
    ]
    assert [frame.instance for frame in frames] == [inner, inner, inner, outer]
    assert all(frame.module_offset for frame in frames)


def test_a_trap_through_a_host_function_has_the_inner_frames_only(code: bytes) -> None:
    seen: list[Trap] = []

    def host() -> None:
        try:
            other.exports.go(0)
        except Trap as trap:
            seen.append(trap)

    other = wamr.load(code, {"e": {"h": lambda: None}})
    outer = wamr.load(code, {"e": {"h": host}})
    trap = trap_of(outer, "host")
    assert [frame.func_name for frame in seen[0].frames] == ["div", "middle", "go"]
    assert [frame.func_name for frame in trap.frames] == ["host"]


def test_functions_without_a_name_are_called_by_their_export_or_number() -> None:
    bare = wat2wasm('(module (func unreachable) (func (export "shown") (call 0)))')
    frames = trap_of(wamr.load(bare), "shown").frames
    assert [frame.func_name for frame in frames] == [None, "shown"]
    assert str(frames[0]).startswith("function 0")
    assert frames[0].module_name is None


def test_frames_are_values(instance: Instance) -> None:
    frame = trap_of(instance, "go", 0).frames[0]
    same = Frame(1, "div", frame.func_offset, frame.module_offset, "calc", instance)
    assert frame == same
    assert hash(frame) == hash(same)
    assert pickle.loads(pickle.dumps(frame)) == Frame(
        1, "div", frame.func_offset, frame.module_offset, "calc"
    )
    with pytest.raises(AttributeError):
        frame.func_offset = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        _ = frame.nothing  # type: ignore[attr-defined]


def test_a_trap_outlives_its_instance(code: bytes) -> None:
    trap = trap_of(wamr.load(code, {"e": {"h": lambda: None}}), "go", 0)
    assert code[trap.frames[0].module_offset or 0] == DIV_S
