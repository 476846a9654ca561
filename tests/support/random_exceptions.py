"""Compares the outcomes of random programs with exceptions in this package and in wasmtime-py.

    python tests/support/random_exceptions.py [--show] [--threads N] COUNT START

runs the programs of the seeds from START on, each in both forms, and prints the differences. Each
function of a program is called with a few numbers. A call returns values, throws, or traps; then
the globals are compared. wasmtime-py can't pass exceptions to Python, so there the host functions
are those of a module, and the exports "c0", "c1" and so on catch the exceptions of "f0", "f1" and
so on (see `Program`). In this package the host functions are Python functions, and every second
call is one of "f0" itself, whose exception Python catches.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from exception_programs import LEFT, Program
from wasmtime_engines import cached_engine

import wamr
from wamr import Global, GlobalType, Limits, Table, TableType, Tag, TagType, ValType

FORMS = ("new", "legacy")
CALLED_WITH = (0, 1, -3)
OBJECTS = tuple(f"object {i}" for i in range(4))
Outcome = tuple[int, int] | str  # the tag, as in `Program`, and the digest; or "trap"

# The imports of `exception_programs.HOST`, as a module.
HOST = """(module
  (type $unary (func (param i32) (result i32)))
  (tag $h0 (export "h0") (param i32))
  (tag $h1 (export "h1") (param externref i64))
  (global (export "left") (mut i32) (i32.const 0))
  (table $table (export "table") 8 funcref)
  (func $throw (export "throw") (param i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (throw $h0 (local.get 0))))
    (throw $h1 (ref.null extern) (i64.extend_i32_s (local.get 0))))
  (func $pass (export "pass") (param i32 i32) (result i32)
    (call_indirect $table (type $unary) (local.get 0) (i32.and (local.get 1) (i32.const 7))))
  (func (export "catch") (param i32 i32) (result i32)
    (block $all
      (block $caught (result i32)
        (try_table (catch $h0 $caught) (catch_all $all)
          (return (call $pass (local.get 0) (local.get 1))))
        (unreachable))
      (return))
    (i32.const 77))
  (func (export "swap") (param i32 i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $h0 $caught) (return (call $pass (local.get 0) (local.get 1))))
      (unreachable))
    (local.set 0)
    (throw $h1 (ref.null extern) (i64.extend_i32_s (local.get 0))))
  (func (export "again") (param i32 i32) (result i32) (local $e exnref)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (return (call $pass (local.get 0) (local.get 1))))
      (unreachable))
    (local.set $e)
    (drop (call $pass (local.get 0) (i32.add (local.get 1) (i32.const 1))))
    (throw_ref (local.get $e))))"""


def object_of(number: int) -> str | None:
    return None if number % 5 == 4 else OBJECTS[number % 5]


def number_of(item: object) -> int:
    return 0 if item is None else 1 + OBJECTS.index(str(item))


def signed(bits: int, size: int = 64) -> int:
    return (bits + (1 << size - 1)) % (1 << size) - (1 << size - 1)


class Ours:
    """A program in this package."""

    def __init__(self, program: Program, library: bytes, main: bytes) -> None:
        self.program = program
        store = wamr.Store(_our_engine())
        i32 = ValType.I32
        h0, h1 = (Tag(store, TagType(t)) for t in ([i32], [ValType.EXTERNREF, ValType.I64]))
        self.h0 = h0
        self.left = Global(store, GlobalType(i32, mutable=True), 0)
        table = Table(store, TableType(ValType.FUNCREF, Limits(8)))

        def throw(number: int) -> None:
            if number & 1:
                raise wamr.WasmException(h0, number)
            raise wamr.WasmException(h1, None, number)

        def passed(number: int, index: int) -> Any:
            return table[index & 7](number)

        def catch(number: int, index: int) -> Any:
            try:
                return passed(number, index)
            except wamr.WasmException as caught:
                return caught.values[0] if caught.tag == h0 else 77

        def swap(number: int, index: int) -> Any:
            try:
                return passed(number, index)
            except wamr.WasmException as caught:
                if caught.tag != h0:
                    raise
                raise wamr.WasmException(h1, None, caught.values[0]) from None

        def again(number: int, index: int) -> Any:
            try:
                return passed(number, index)
            except wamr.WasmException:
                passed(number, index + 1)
                raise

        host: dict[str, Any] = {"h0": h0, "h1": h1, "left": self.left, "table": table}
        host |= {"throw": throw, "pass": passed, "catch": catch, "swap": swap, "again": again}
        imports: dict[str, Any] = {
            "host": host,
            "python": {"object": object_of, "number": number_of},
        }
        imports["lib"] = wamr.Instance(store, wamr.Module(store, library), imports)
        self.instance = wamr.Instance(store, wamr.Module(store, main), imports)
        self.exports = self.instance.exports
        self.tags = [self.exports[f"t{i}"] for i in range(len(program.tags))]

    def call(self, index: int, number: int, directly: bool) -> Outcome:
        self.left.value = LEFT
        try:
            if not directly:
                digest, which, state = self.exports[f"c{index}"](number)
                assert state == self.state()
                return which, digest
            types = self.program.functions[index]
            arguments = [self.argument(kind, number) for kind in types.params]
            found = self.exports[f"f{index}"](*arguments)
        except wamr.WasmException as thrown:
            return self.looked_at(thrown) if directly else "thrown"
        except (wamr.Trap, TypeError):  # TypeError: a host function has called a null reference
            return "trap"
        results = () if not types.results else (found,) if len(types.results) == 1 else found
        return 0, self.digest(types.results, results)

    def argument(self, kind: str, number: int) -> Any:
        match kind:
            case "f32" | "f64":
                return float(number)
            case "v128":
                return struct.pack("<qq", number, number)
            case "externref":
                return object_of(number)
            case "funcref":
                return self.exports["f0"]
            case "exnref" | "(ref exn)":
                return wamr.WasmException(self.h0, number)
        return number

    def looked_at(self, thrown: wamr.WasmException) -> tuple[int, int]:
        for i, (_, types) in enumerate(self.program.tags):
            if self.tags[i] == thrown.tag:
                return i + 1, self.digest(types, thrown.values)
        return -1, 0

    def digest(self, types: tuple[str, ...], values: Any) -> int:
        """Return the same digest of the values as the module."""
        total = 17
        for kind, value in zip(types, values, strict=True):
            total = total * 31 + self.bits(kind, value)
        return signed(total)

    def bits(self, kind: str, value: Any) -> int:
        match kind:
            case "f32":
                return signed(int.from_bytes(struct.pack("<f", value), "little"), 32)
            case "f64":
                return int.from_bytes(struct.pack("<d", value), "little")
            case "v128":
                low, high = struct.unpack("<qq", value)
                return int(low) + 7 * int(high)
            case "externref":
                return number_of(value)
            case "funcref":
                return int(value is None)
            case "exnref" | "(ref exn)":
                return 1 if value is None else sum(self.looked_at(value))
        return int(value)

    def state(self) -> int:
        kinds = self.program.kinds
        return self.digest(kinds, [self.exports[f"g_{kind}"].value for kind in kinds])


class Theirs:
    """A program in wasmtime-py, which knows the new form only."""

    def __init__(self, library: bytes, main: bytes) -> None:
        import wasmtime as w

        engine, host = _their_engine()
        self.w, self.store = w, w.Store(engine)
        linker = w.Linker(engine)
        i32, externref = w.ValType.i32(), w.ValType.externref()
        linker.define_func("python", "object", w.FuncType([i32], [externref]), object_of)
        linker.define_func("python", "number", w.FuncType([externref], [i32]), number_of)
        instance = linker.instantiate(self.store, host)
        linker.define_instance(self.store, "host", instance)
        instance = linker.instantiate(self.store, w.Module(engine, library))
        linker.define_instance(self.store, "lib", instance)
        instance = linker.instantiate(self.store, w.Module(engine, main))
        self.exports = instance.exports(self.store)

    def call(self, index: int, number: int) -> tuple[Outcome, int]:
        """Return the outcome, and the digest of the globals."""
        try:
            digest, which, state = self.exports[f"c{index}"](self.store, number)
        except self.w.Trap:
            return "trap", self.exports["state"](self.store)
        return (which, digest), state


@cache
def _our_engine() -> wamr.Engine:
    return wamr.Engine()


@cache
def _their_engine() -> tuple[Any, Any]:
    import wasmtime

    engine = cached_engine(
        wasm_exceptions=True, cranelift_opt_level="none", parallel_compilation=False
    )
    return engine, wasmtime.Module(engine, HOST)


@dataclass
class Tally:
    """Counts of programs and outcomes, which show whether the programs are worth running."""

    programs: int = 0
    functions: int = 0
    returned: int = 0
    thrown: int = 0
    trapped: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, str):
            self.trapped += 1
        elif outcome[0]:
            self.thrown += 1
        else:
            self.returned += 1

    def include(self, other: Tally) -> None:
        for name in ("programs", "functions", "returned", "thrown", "trapped", "differences"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        calls = f"{self.returned} calls returned, {self.thrown} threw, {self.trapped} trapped"
        programs = f"{self.programs} programs with {self.functions} functions"
        return f"{programs}: {calls}; {len(self.differences)} differences"


def compare(seed: int, form: str, tally: Tally, more: int = 0) -> None:
    """Compare the program of a seed; the form is "new" or "legacy".

    more: the number of additional calls of each function, which let exceptions be collected.
    """
    program = Program(seed, form)
    library, main = wamr.wat2wasm(program.library), wamr.wat2wasm(program.main)
    ours = Ours(program, library, main)
    if form == "legacy":
        translated = Program(seed, "translated")
        library, main = wamr.wat2wasm(translated.library), wamr.wat2wasm(translated.main)
    theirs = Theirs(library, main)
    tally.programs += 1
    tally.functions += len(program.functions)
    numbers = (*CALLED_WITH, *(7 * i % 23 - 9 for i in range(more)))
    for turn, number in enumerate(numbers):
        for index in range(len(program.functions)):
            expected, state = theirs.call(index, number)
            found = ours.call(index, number, form == "legacy" or (turn + index) % 2 == 1)
            tally.add(expected)
            if (found, ours.state()) != (expected, state):
                what = f"{form} {seed}: f{index}({number}): {found}, not {expected}"
                tally.differences.append(f"{what}; globals {ours.state()}, not {state}")
                return


def compare_all(
    seeds: Iterable[int], forms: Sequence[str], threads: int = 1, more: int = 0
) -> Iterator[Tally]:
    """Compare the programs of seeds, in several threads at once; return a tally of each."""

    def compared(seed: int) -> Tally:
        tally = Tally()
        for form in forms:
            try:
                compare(seed, form, tally, more)
            except wamr.WasmError as error:
                tally.differences.append(f"{form} {seed}: {type(error).__name__}: {error}")
        return tally

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(compared, seeds)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare programs with exceptions.")
    parser.add_argument("count", type=int)
    parser.add_argument("start", type=int)
    parser.add_argument("--form", choices=FORMS, action="append")
    parser.add_argument("--more", type=int, default=0, help="additional calls of each function")
    parser.add_argument("--threads", type=int, default=1, help="programs at a time")
    parser.add_argument("--show", action="store_true", help="print the programs, run nothing")
    options = parser.parse_args()
    seeds, forms = range(options.start, options.start + options.count), options.form or FORMS
    if options.show:
        for program in (Program(seed, form) for seed in seeds for form in forms):
            print(program.library, program.main, sep="\n")
        return 0
    total = Tally()
    tallies = compare_all(seeds, forms, options.threads, options.more)
    for seed, tally in zip(seeds, tallies, strict=True):
        total.include(tally)
        for line in tally.differences:
            print(line, flush=True)
        if (seed - options.start + 1) % 1000 == 0:
            print(f"up to {seed}: {total}", flush=True)
    print(total)
    return bool(total.differences)


if __name__ == "__main__":
    sys.exit(main())
