"""Mutants of a module that uses everything, and how to exercise them.

Mutations know sections, so that the loader checks most changes instead of refusing a wrong size. A
seed decides everything. `exercise` uses a module as a user could, and raises a WasmError or finds a
fault.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import wamr
from wamr import FuncType, GlobalType, MemoryType, TableType, TagType, ValType

EVERYTHING = """(module $everything
  (type $unary (func (param i32) (result i32)))
  (type $mixed (func (param i64 f32 f64) (result f64 i32)))
  (import "m" "f" (func $f (type $unary)))
  (import "m" "g" (func $g (param externref v128 funcref) (result externref v128 i64)))
  (import "m" "i" (global $i i32))
  (import "m" "r" (global $r funcref))
  (import "m" "mut" (global $mut (mut i64)))
  (import "m" "t" (table $t 5 20 funcref))
  (import "m" "e" (tag $e (param i32 externref)))
  (table $own (export "own") 4 funcref)
  (table $objects (export "objects") 2 8 externref)
  (table $thrown (export "thrown") 2 8 exnref)
  (tag $own_tag (export "tag") (param i64))
  (memory $mem (export "memory") 1 4)
  (global $sum (mut i32) (i32.add (global.get $i) (i32.const 5)))
  (global $vec (export "vec") (mut v128) (v128.const i64x2 1 2))
  (global $ref (export "ref") funcref (ref.func $fac))
  (global $f64 (export "f64") f64 (f64.const 2.5))
  (global $exn (export "exn") (mut exnref) (ref.null exn))
  (start $start)
  (elem $active (table $own) (i32.const 0) func $fac $f $fac)
  (elem (table $t) (global.get $i) funcref (ref.func $loop) (ref.null func) (global.get $r))
  (elem $passive funcref (ref.func $fac) (ref.null func))
  (elem $externs externref (ref.null extern))
  (elem declare func $mixed)
  (data $text (i32.const 8) "hello, world")
  (data $late "0123456789abcdef")
  (data (offset (i32.sub (i32.const 70) (global.get $i))) "\\ff")
  (func $start (global.set $mut (i64.const 1)))
  (func $fac (export "fac") (type $unary)
    (if (result i32) (i32.le_s (local.get 0) (i32.const 1))
      (then (i32.const 1))
      (else (i32.mul (local.get 0) (call $fac (i32.sub (local.get 0) (i32.const 1)))))))
  (func $loop (export "loop") (type $unary) (local $n i32) (local $d f64)
    (block $out (loop $again
      (br_if $out (i32.ge_u (local.get $n) (i32.const 10)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_table $again $out $again (i32.and (local.get 0) (i32.const 1)))))
    (i32.store offset=4 (i32.and (local.get 0) (i32.const 0xffc)) (local.get $n))
    (i32.load8_s offset=4 (i32.and (local.get 0) (i32.const 0xffc))))
  (func $mixed (export "mixed") (type $mixed)
    (local.get 2) (f64.promote_f32 (local.get 1)) (f64.add)
    (i32.wrap_i64 (local.get 0)) (i32.trunc_sat_f64_u (local.get 2)) (i32.xor))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect $own (type $unary) (i32.const 5) (local.get 0)))
  (func (export "tail") (param i32) (result i32)
    (return_call_indirect $t (type $unary) (i32.const 3) (local.get 0)))
  (func (export "tail_import") (type $unary) (return_call $f (local.get 0)))
  (func (export "refs") (param externref) (result externref v128 i64)
    (table.set $objects (i32.const 1) (local.get 0))
    (call $g (table.get $objects (i32.const 1)) (global.get $vec)
      (table.get $own (i32.const 0))))
  (func (export "bulk") (param i32)
    (memory.init $late (i32.const 100) (i32.const 1) (i32.const 9))
    (memory.copy (i32.const 200) (i32.const 8) (local.get 0))
    (memory.fill (i32.const 300) (i32.const 7) (local.get 0))
    (data.drop $late)
    (table.init $own $passive (i32.const 1) (i32.const 0) (i32.const 2))
    (table.copy $own $own (i32.const 0) (i32.const 1) (i32.const 2))
    (table.fill $objects (i32.const 0) (ref.null extern) (i32.const 2))
    (drop (table.grow $own (ref.func $fac) (i32.const 2)))
    (drop (memory.grow (i32.const 1)))
    (elem.drop $passive))
  (func (export "simd") (param v128 i32) (result v128)
    (v128.store offset=16 (i32.and (local.get 1) (i32.const 0xff0)) (local.get 0))
    (i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31
      (i32x4.add (local.get 0) (v128.load32_splat (local.get 1)))
      (f64x2.mul (local.get 0) (global.get $vec))))
  (func (export "relaxed") (param v128 v128) (result v128)
    (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 1)
      (f64x2.relaxed_nmadd (local.get 0) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))
        (f32x4.relaxed_min (local.get 0) (local.get 1)))))
  (func (export "atomic") (param i32 i64) (result i64)
    (i64.atomic.store offset=8 (i32.and (local.get 0) (i32.const 0xff8)) (local.get 1))
    (drop (memory.atomic.notify (i32.const 4)
      (i32.atomic.rmw16.xchg_u (i32.const 2) (local.get 0))))
    atomic.fence
    (i64.atomic.rmw32.cmpxchg_u offset=4 (i32.and (local.get 0) (i32.const 0xff8))
      (i64.atomic.rmw8.sub_u (i32.const 9) (local.get 1)) (i64.atomic.load (i32.const 16))))
  (func $throw (param i32)
    (if (local.get 0) (then (throw $e (local.get 0) (ref.null extern))))
    (throw $own_tag (i64.const 7)))
  (func (export "caught") (param i32 exnref) (result i64 exnref)
    (block $other (result exnref)
      (block $mine (result i64 exnref)
        (block $theirs (result i32 externref)
          (try_table (catch $e $theirs) (catch_ref $own_tag $mine) (catch_all_ref $other)
            (call $throw (local.get 0)))
          (unreachable))
        (drop) (i64.extend_i32_s) (local.get 1))
      (global.set $exn)
      (table.set $thrown (i32.const 1) (global.get $exn))
      (return (global.get $exn)))
    (throw_ref))
  (func (export "select") (param i32 i64 f32) (result i64)
    (select (result i64) (local.get 1) (i64.extend_i32_s (local.get 0)) (local.get 0))
    (i64.trunc_sat_f32_s (local.get 2)) (i64.rotl)))"""


def sections(module: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 8
    while at < len(module):
        size, body = number(module, at + 1)
        found.append((module[at], module[body : body + size]))
        at = body + size
    return found


def number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def leb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + leb(len(body)) + body


# Values that are likely to matter: opcodes, types, ends, numbers at limits.
BYTES = b"\x00\x01\x02\x03\x04\x05\x0b\x0f\x10\x11\x12\x13\x1a\x1c\x20\x23\x24\x25\x26\x28\x3f\x40"
BYTES += b"\x0a\x18\x19\x1f\x69"  # of exceptions
BYTES += b"\x41\x42\x60\x6a\x6f\x70\x7b\x7c\x7d\x7e\x7f\x80\xd0\xd1\xd2\xfc\xfd\xfe\xff"
NUMBERS = [b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\xff\xff\xff\xff\x07", b"\x80\x00"]
NUMBERS += [b"\xff\xff\x03", b"\x80\x80\x04", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\xff\x7f"]


def changed(random: Random, body: bytearray) -> None:
    """Change a few bytes at random places."""
    if not body:
        body += bytes(random.choices(BYTES, k=3))
        return
    at = random.randrange(len(body))
    match random.randrange(7):
        case 0:
            body[at] ^= 1 << random.randrange(8)
        case 1:
            body[at] = random.choice(BYTES)
        case 2:
            body[at:at] = bytes([random.choice(BYTES)])
        case 3:
            del body[at : at + random.randrange(1, 4)]
        case 4:
            body[at : at + 1] = random.choice(NUMBERS)
        case 5:
            end = min(len(body), at + random.randrange(1, 12))
            to = random.randrange(len(body))
            body[to:to] = body[at:end]
        case _:
            body[at] = (body[at] + random.choice((-1, 1))) & 0xFF


def mutant(module: bytes, seed: int) -> bytes:
    """Return the mutant of this seed."""
    random = Random(seed)
    parts = sections(module)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        choice = random.random()
        at = random.randrange(len(parts))
        kind, body = parts[at]
        if choice < 0.55 and kind == 10:
            body = changed_code(random, body)
        elif choice < 0.9:
            content = bytearray(body)
            changed(random, content)
            body = bytes(content)
        elif choice < 0.94:
            parts.insert(random.randrange(len(parts)), (kind, body))
        elif choice < 0.97:
            kind = random.randrange(14)
        else:
            body = body[: random.randrange(len(body) + 1)]
        parts[at] = (kind, body)
    data = bytearray(module[:8] + b"".join(section(*part) for part in parts))
    if random.random() < 0.1:
        changed(random, data)
    return bytes(data)


def changed_code(random: Random, body: bytes) -> bytes:
    """Change one function, and the size before it."""
    count, at = number(body, 0)
    functions = []
    for _ in range(count):
        try:
            size, start = number(body, at)
        except IndexError:  # the section was cut before
            break
        functions.append(bytearray(body[start : start + size]))
        at = start + size
    if functions:
        changed(random, random.choice(functions))
    return leb(count) + b"".join(leb(len(function)) + function for function in functions)


LIMITS = wamr.ResourceLimits(fuel=3000, timeout=5, memory_bytes=1 << 23, table_elements=1 << 16)
SAMPLES: dict[ValType, Any] = {
    ValType.I32: 3,
    ValType.I64: -(2**63),
    ValType.F32: 1e30,
    ValType.F64: -2.5,
    ValType.V128: bytes(range(16)),
    ValType.EXTERNREF: None,
    ValType.FUNCREF: None,
    ValType.EXNREF: None,
}


def given(store: wamr.Store, wanted: Any, tags: list[wamr.Tag]) -> Any:
    """Return an item for an import of this type. A tag is added to `tags`."""
    if isinstance(wanted, FuncType):
        results = tuple(SAMPLES[kind] for kind in wanted.results)
        answer = results[0] if len(results) == 1 else results or None
        calls = itertools.count()

        def answers(*_: object) -> Any:
            if tags and next(calls) % 3 == 2:
                raise exception_of(tags[-1])
            return answer

        return wamr.Func(store, wanted, answers)
    if isinstance(wanted, GlobalType):
        value = 2 if wanted.content in (ValType.I32, ValType.I64) else SAMPLES[wanted.content]
        return wamr.Global(store, wanted, value)
    if isinstance(wanted, MemoryType):
        return wamr.Memory(store, wanted)
    if isinstance(wanted, TagType):
        tags.append(wamr.Tag(store, wanted))
        return tags[-1]
    assert isinstance(wanted, TableType)
    return wamr.Table(store, wanted)


def exception_of(tag: wamr.Tag) -> wamr.WasmException:
    return wamr.WasmException(tag, *[SAMPLES[kind] for kind in tag.type.params])


def exercise(data: bytes) -> str:
    """Use a module in every way; return how far it got. Raise for faults only."""
    try:
        module = wamr.Module(wamr.Store(), data)
    except wamr.CompileError as error:
        return "refused" if str(error) else "an error without a text"
    text = [repr(module), module.name, *map(repr, (*module.imports, *module.exports))]
    assert all(line is None or isinstance(line, str) for line in text)
    store = wamr.Store(limits=LIMITS)
    try:
        tags: list[wamr.Tag] = []
        imports = [given(store, item.type, tags) for item in module.imports]
    except (wamr.MemoryLimitError, ValueError):  # a huge table or memory; a limit nobody can meet
        return "loaded"
    try:
        instance = wamr.Instance(store, module, imports)
    except wamr.WasmError as error:
        return "loaded" if str(error) else "an error without a text"
    for name in instance.exports:
        tried(functools.partial(lambda name: used(instance.exports[name]), name))
    instance.close()
    return "ran"


def used(item: Any) -> None:
    repr(item)
    if isinstance(item, wamr.Func):
        args = [SAMPLES[kind] for kind in item.type.params]
        tried(lambda: item(*args))
        tried(lambda: item.call(*args, fuel=50))
        ones = [
            1 if kind.value in "i32 i64 f32 f64" else SAMPLES[kind] for kind in item.type.params
        ]
        tried(lambda: item(*ones))
        if ValType.EXNREF in item.type.params:
            tag = wamr.Tag(item.store, TagType([ValType.I32, ValType.EXTERNREF]))
            thrown = wamr.WasmException(tag, 5, "object")
            samples = SAMPLES | {ValType.EXNREF: thrown}
            tried(lambda: item(*[samples[kind] for kind in item.type.params]))
    elif isinstance(item, wamr.Tag):
        assert len(exception_of(item).values) == len(item.type.params)
    elif isinstance(item, wamr.Memory):
        tried(lambda: item.grow(1))
        if len(item):
            item[-1] = item[0]
    elif isinstance(item, wamr.Table):
        for i in range(min(len(item), 8)):
            target = item[i]
            if isinstance(target, wamr.WasmException):
                assert len(target.values) == len(target.tag.type.params)
            if isinstance(target, wamr.Func):
                tried(functools.partial(used, target))
    elif isinstance(item, wamr.Global) and item.type.mutable:
        tried(lambda: setattr(item, "value", item.value))


def tried(action: Callable[[], object]) -> None:
    with suppress(wamr.WasmError, ValueError):
        action()
