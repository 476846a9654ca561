"""Malformed modules, as an attacker would make: truncated, mutated, oversized.

Each fault has a clear error, and none crashes the process. Bytes are written by hand where the text
format can't express them; `mutants` mutates a module that uses everything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import mutants
import pytest
import throwing_modules
from mutants import exercise, leb, section

import wamr

pytestmark = pytest.mark.slow

Wat = Callable[[str], bytes]
RecordAttempt = Callable[[object], None]
HEADER = b"\0asm\1\0\0\0"
OUTCOMES = {"refused", "loaded", "ran"}


def module(*sections: bytes) -> bytes:
    return HEADER + b"".join(sections)


def function(
    code: bytes, params: bytes = b"", results: bytes = b"", locals_: bytes = b"\0"
) -> bytes:
    """Return a module that exports one function as `f`; the code lacks its end."""
    signature = b"\1\x60" + leb(len(params)) + params + leb(len(results)) + results
    body = locals_ + code + b"\x0b"
    return module(
        section(1, signature),
        section(3, b"\1\0"),
        section(7, b"\1\1f\0\0"),
        section(10, b"\1" + leb(len(body)) + body),
    )


# ------------------------------------------------------------------ truncated and mutated


TEXTS = {
    "everything": mutants.EVERYTHING,
    "exceptions": throwing_modules.NEW,
    "legacy": throwing_modules.LEGACY,
}


@pytest.fixture(scope="module", params=TEXTS)
def everything(wat: Wat, request: pytest.FixtureRequest) -> bytes:
    return wat(TEXTS[request.param])


def test_module_that_uses_everything_runs(everything: bytes) -> None:
    assert exercise(everything) == "ran"


def test_module_cut_at_every_byte(everything: bytes, record_attempt: RecordAttempt) -> None:
    whole_sections = set()
    at = 8
    for _, body in mutants.sections(everything):
        whole_sections.add(at)
        at += 1 + len(leb(len(body))) + len(body)
    for end in range(len(everything)):
        record_attempt(end)
        outcome = exercise(everything[:end])
        assert outcome == "refused" or end in whole_sections, end


def test_bits_flipped(everything: bytes, record_attempt: RecordAttempt) -> None:
    random = Random(1)
    for _ in range(1000):
        data = bytearray(everything)
        bit = random.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        record_attempt(bit)
        assert exercise(bytes(data)) in OUTCOMES, bit


@pytest.mark.parametrize("batch", range(4))
def test_mutants(everything: bytes, batch: int, record_attempt: RecordAttempt) -> None:
    counts = dict.fromkeys(OUTCOMES, 0)
    for seed in range(batch * 1000, batch * 1000 + 1000):
        record_attempt(seed)
        counts[exercise(mutants.mutant(everything, seed))] += 1
    assert counts["refused"] > 500
    assert counts["ran"] > 30


def test_sections_in_any_order_and_number(everything: bytes, record_attempt: RecordAttempt) -> None:
    parts = [section(*part) for part in mutants.sections(everything)]
    random = Random(2)
    for number in range(300):
        record_attempt(number)
        chosen = random.choices(parts, k=random.randrange(1, 2 * len(parts)))
        assert exercise(module(*chosen)) in OUTCOMES, number


# ------------------------------------------------------------------ bytes that are no module


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0", "ends after 1 byte"),
        (b"\0asm", "unexpected end"),
        (b"\0asm\1\0\0", "unexpected end"),
        (b"\0asm\2\0\0\0", "version"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0aot\3\0\0\0" + bytes(100), "AOT"),
        (b"hello", "no WebAssembly module"),
        (b"\x7fELF" + bytes(100), "ELF"),
        (b"PK\3\4" + bytes(100), "zip"),
        (b"\xff" * 1000, "no WebAssembly module"),
        (HEADER + b"\x0e\0", "section"),
        (HEADER + b"\x7f\1\0", "section"),
        (HEADER + b"\1", "unexpected end"),
        (HEADER + b"\1\xff\xff\xff\xff\x0f", "unexpected end"),
        (HEADER + b"\1\xff\xff\xff\xff\xff\x0f", "integer"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_module_says_so(data: bytes, words: str) -> None:
    with pytest.raises(wamr.CompileError, match=f"(?i){words}"):
        wamr.load(data)
    assert not wamr.Module.validate(wamr.Store(), data)


def test_paths_that_are_no_modules(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        wamr.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        wamr.load(tmp_path / "missing")
    (tmp_path / "empty").touch()
    with pytest.raises(wamr.CompileError, match="empty"):
        wamr.load(tmp_path / "empty")
    with pytest.raises(ValueError, match="NUL"):
        wamr.load("a\0b")


# ------------------------------------------------------------------ too many, too deep, too large


@pytest.mark.parametrize("kind", range(14))
@pytest.mark.parametrize("count", [2**14 - 1, 2**22 - 1, 2**31, 2**32 - 1])
def test_section_that_claims_more_than_it_has(kind: int, count: int) -> None:
    before = section(1, b"\1\x60\0\0") if kind != 1 else b""
    for rest in (b"", bytes(20), b"\x60\0\0" * 20, b"\xff" * 20):
        assert exercise(module(before, section(kind, leb(count) + rest))) in OUTCOMES


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (b"\x02\x40", b"\x0b"),
        (b"\x03\x40", b"\x0b"),
        (b"\x41\0\x04\x40", b"\x0b"),
        (b"\x41\0\x04\x40", b"\x05\x0b"),
    ],
    ids=["block", "loop", "if", "else"],
)
@pytest.mark.parametrize("depth", [1000, 100_000])
def test_deep_nesting(opening: bytes, closing: bytes, depth: int) -> None:
    data = function(opening * depth + closing * depth)
    if depth == 1000:
        wamr.load(data).exports.f()
    else:
        assert exercise(data) in {"refused", "ran"}
    with pytest.raises(wamr.CompileError):
        wamr.load(function(opening * depth))
    with pytest.raises(wamr.CompileError):
        wamr.load(function(closing * depth))


def test_70_000_functions_are_told_apart() -> None:
    count = 70_000
    exported = (5, 65_535, 65_536, 65_541, count - 1)
    names = b"".join(b"\x06" + b"f%05d" % i + b"\0" + leb(i) for i in exported)
    bodies = []
    for i in range(count):
        value = bytes([i & 0x7F | 0x80, i >> 7 & 0x7F | 0x80, i >> 14 & 0x7F])
        body = b"\0\x41" + value + b"\x0b"
        bodies.append(leb(len(body)) + body)
    exports = wamr.load(
        module(
            section(1, b"\1\x60\0\1\x7f"),
            section(3, leb(count) + bytes(count)),
            section(4, b"\1\x70\0\1"),
            section(7, leb(len(exported) + 1) + names + b"\1t\1\0"),
            section(9, b"\1\0\x41\0\x0b\1" + leb(65_541)),
            section(10, leb(count) + b"".join(bodies)),
        )
    ).exports
    assert [exports[f"f{i:05}"]() for i in exported] == list(exported)
    assert exports.t[0]() == 65_541
    assert exports.t[0] == exports.f65541


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64", "v128", "externref", "funcref"])
def test_300_parameters_and_results(kind: str) -> None:
    code = bytes([wamr.ValType(kind).code])
    gets = b"".join(b"\x20" + leb(i) for i in reversed(range(300)))
    exports = wamr.load(function(gets, code * 300, code * 300)).exports
    values: list[object] = [float(i) if kind[0] == "f" else i for i in range(300)]
    if kind == "v128":
        values = [bytes([i % 256]) * 16 for i in range(300)]
    elif kind == "externref":
        values = [f"object {i}" for i in range(300)]
    elif kind == "funcref":
        values = [exports.f if i % 3 else None for i in range(300)]
    assert exports.f(*values) == tuple(values[::-1])
    with pytest.raises(TypeError, match="takes 300 arguments, not 299"):
        exports.f(*values[1:])


@pytest.mark.parametrize("count", [32_767, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("kind", [b"\x7f", b"\x7e", b"\x7b"], ids=["i32", "i64", "v128"])
def test_more_parameters_than_fit(count: int, kind: bytes) -> None:
    for params, results in ((kind * count, b""), (b"", kind * count), (kind * count, kind)):
        assert exercise(function(b"\x00", params, results)) in {"refused", "ran"}


def test_functions_with_large_frames_overflow_the_stack_cleanly() -> None:
    for count in (1000, 10_000, 32_000):
        for stack in (4096, 1 << 20):
            data = function(b"\x10\0", locals_=b"\1" + leb(count) + b"\x7f")
            limits = wamr.ResourceLimits(stack_bytes=stack)
            with pytest.raises(wamr.StackOverflowTrap):
                wamr.load(data, limits=limits).exports.f()


def test_chain_of_instances_with_large_frames_is_off_the_native_stack(stack_factor: int) -> None:
    """The frames of all calls together would not fit on the native stack."""
    count = 8000  # v128 parameters: 128 KB, on the wasm stack and in C
    params = b"\x7b" * count
    signature = section(1, b"\1\x60" + leb(count) + params + b"\0")
    body = b"\0" + b"".join(b"\x20" + leb(i) for i in range(count)) + b"\x10\0\x0b"
    link = module(
        signature,
        section(2, b"\1\1m\1f\0\0"),
        section(3, b"\1\0"),
        section(7, b"\1\1f\0\1"),
        section(10, b"\1" + leb(len(body)) + body),
    )
    store = wamr.Store(limits=wamr.ResourceLimits(stack_bytes=1 << 20))
    last = wamr.Instance(store, wamr.Module(store, function(b"", params)))
    between = wamr.Module(store, link)
    for _ in range(200 if stack_factor == 1 else 100):
        last = wamr.Instance(store, between, {"m": last})
    assert last.exports.f(*[bytes(16)] * count) is None
