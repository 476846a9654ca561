"""Each function of WASI with extreme numbers: an errno, or a trap.

The numbers are at the limits of the memory, of 31 and 32 bits, and of the sizes at which arrays of
vectors and subscriptions overflow. The calls run in a process of its own, which must not crash.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import wasm_fixtures
from wasm_fixtures import (
    INVAL,
    PREVIEW1,
    SIGNATURES,
    UNSTABLE,
    WasiFunctions,
    in_process,
    wrapper_module,
)

import wamr

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("wat")]

I32 = (0, 1, 65535, 65536, 1 << 29, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFF)
I64 = (0, 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
BASES = (0, 3, 1024)  # a stream, a directory, an address

# Contents of the memory: zeros, a name, vectors that each have sixteen bytes at 1024.
FILLS = (bytes(65536), b"a" * 65536, struct.pack("<II", 1024, 16) * 8192)


def arguments(signature: str) -> Iterator[tuple[int, ...]]:
    """Yield arguments: all combinations if few, else plain ones with one or two extreme ones."""
    values = [I64 if kind == "I" else I32 for kind in signature]
    if len(values) <= 3:
        yield from product(*values)
        return
    places = range(len(values))
    for base in BASES:
        for one, other in combinations(places, 2):
            for a, b in product(values[one], values[other]):
                given = [min(base, 3) if kind == "I" else base for kind in signature]
                given[one], given[other] = a, b
                yield tuple(given)


def answers(abi: str, name: str, home: Path) -> set[object]:
    """Return all results of a function; a result that is no errno comes with its arguments."""
    seen: set[object] = set()
    (home / name).mkdir()
    for fill in FILLS:
        dirs = {"/": wamr.Dir(home / name, writable=True)}
        wasi = WasiFunctions(abi=abi, dirs=dirs, args=["a", "b"], env={"A": "b"})
        function = wasi.instance.exports[name]
        for given in arguments(SIGNATURES[name]):
            wasi.memory.write(0, fill)
            try:
                error = function.call(*given, timeout=0.01 if name == "poll_oneoff" else None)
            except wamr.TimeoutTrap:  # poll_oneoff may wait
                seen.add("timeout")
            except wamr.Trap as trap:
                bounds = trap.code is wamr.TrapCode.MEMORY_OUT_OF_BOUNDS
                seen.add("out of bounds" if bounds else (trap.message, given))
            else:
                seen.add("errno" if 0 <= error <= wasm_fixtures.NOTCAPABLE else (error, given))
    return seen


@pytest.mark.parametrize("abi", [PREVIEW1, UNSTABLE])
def test_every_answer_is_an_errno(abi: str, tmp_path: Path) -> None:
    own = ("fd_seek", "fd_filestat_get", "path_filestat_get", "poll_oneoff")
    names = own if abi == UNSTABLE else [name for name in SIGNATURES if name != "proc_exit"]
    in_process(
        """
        sys.path.insert(0, sys.argv[3])
        from test_extremes import answers
        for name in sys.argv[1].split():
            seen = answers(sys.argv[4], name, Path(sys.argv[2]))
            allowed = {"errno", "out of bounds"} | ({"timeout"} if name == "poll_oneoff" else set())
            assert seen <= allowed, (name, seen - allowed)
            assert "errno" in seen, name
        """,
        " ".join(names),
        tmp_path,
        Path(__file__).parent,
        abi,
    )


def test_a_wrong_answer_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(WasiFunctions):
        def __init__(self, **config: Any) -> None:
            super().__init__(**config)
            text = '(module (memory 1) (func (export "sched_yield") (result i32) (i32.const -1)))'
            self.instance = wamr.load(text)

    monkeypatch.setitem(globals(), "WasiFunctions", Wrong)
    assert answers(PREVIEW1, "sched_yield", tmp_path) == {(-1, ())}


@pytest.mark.parametrize("code", I32)
def test_exit_codes(code: int) -> None:
    with pytest.raises(wamr.ExitTrap) as caught:
        WasiFunctions().proc_exit(code)
    assert caught.value.exit_code == code


# ------------------------------------------------------------------ vectors
VECTORS = ("fd_read", "fd_write", "fd_pread", "fd_pwrite")


class Large(WasiFunctions):
    """An instance with a memory of 16 MiB."""

    def __init__(self, **config: Any) -> None:
        text = wrapper_module().replace(
            '(memory (export "memory") 1 1)', '(memory (export "memory") 256)'
        )
        self.instance = wamr.load(text, wasi=wamr.WasiConfig(**config))
        self.memory = self.instance.exports.memory

    def vectors(self, name: str, fd: int, count: int) -> int:
        """Call one of VECTORS; its array of `count` vectors is at 65536."""
        at = [0] if name in ("fd_pread", "fd_pwrite") else []
        self.memory.write(self.OUT, b"\xee" * 4)
        error: int = getattr(self, name)(fd, 65536, count, *at, self.OUT)
        return error


@pytest.fixture
def large(tmp_path: Path) -> Large:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 16)
    return Large(dirs={"/": wamr.Dir(tmp_path, writable=True)})


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_without_number(name: str, large: Large) -> None:
    error, fd = large.open(
        "file", rights=wasm_fixtures.READ | wasm_fixtures.WRITE | wasm_fixtures.SEEK
    )
    assert error == 0
    for count in (1 << 22, 1 << 28, (1 << 29) - 1, 1 << 29, (1 << 29) + 1, 1 << 31, 0xFFFFFFFF):
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            large.vectors(name, fd, count)
    assert large.vectors(name, fd, (1 << 20) + 1) == INVAL
    assert large.vectors(name, fd, 1 << 20) == 0  # all vectors are empty
    assert large.u32() == 0
    assert large.vectors(name, fd, 0) == 0
    assert large.u32() == 0


@pytest.mark.parametrize("name", VECTORS)
def test_more_vectors_than_a_system_takes(name: str, large: Large) -> None:
    error, fd = large.open(
        "file", rights=wasm_fixtures.READ | wasm_fixtures.WRITE | wasm_fixtures.SEEK
    )
    assert error == 0
    large.memory.write(65536, struct.pack("<II", 1024, 1) * 3000)
    assert large.vectors(name, fd, 3000) == 0
    assert large.u32() == 1024
    large.memory.write(65536, bytes(8 * 5000) + struct.pack("<II", 1024, 7))
    assert large.vectors(name, fd, 5001) == 0
    assert large.u32() == 7


def test_more_vectors_for_python() -> None:
    got: list[bytes] = []
    wasi = Large(stdout=got.append)
    wasi.memory.write(1024, b"x")
    wasi.memory.write(65536, struct.pack("<II", 1024, 1) * 3000)
    assert wasi.vectors("fd_write", 1, 3000) == 0
    assert wasi.u32() == len(b"".join(got)) == 1024


def test_more_than_32_bits_at_once() -> None:
    wasi = Large()
    size = 8 << 20
    wasi.memory.write(65536, struct.pack("<II", 1 << 20, size) * 1024)
    # 4 GiB, more than the count of written bytes can say.
    assert wasi.vectors("fd_write", 1, 512) == 0
    assert 0x7FFFF000 <= wasi.u32() < 0x7FFFF000 + size


def test_bad_vectors_among_good_ones() -> None:
    got: list[bytes] = []
    wasi = Large(stdout=got.append)
    for bad in ((0xFFFFFFFF, 1), (0, 0xFFFFFFFF), (256 * 65536, 1), (256 * 65536 - 1, 2)):
        wasi.memory.write(65536, struct.pack("<IIII", 1024, 1, *bad))
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            wasi.vectors("fd_write", 1, 2)
    assert got == []


# ------------------------------------------------------------------ other sizes
def test_long_paths(large: Large) -> None:
    toolong = 37
    for size, wanted in ((65537, toolong), (1 << 20, toolong), (65536, toolong), (100, 44)):
        large.memory.write(1 << 20, b"a" * size)
        assert large.path_unlink_file(3, 1 << 20, size) == wanted, size
    large.memory.write(1 << 20, b"./" * 32768)  # a path of the maximal length
    large.memory.write((1 << 20) + 65532, b"file")
    assert large.path_filestat_get(3, 1, 1 << 20, 65536, large.OUT) == 0
    large.memory.write(1 << 20, b"./" * 32768 + b"file")
    assert large.path_filestat_get(3, 1, 1 << 20, 65540, large.OUT) == toolong
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        large.path_unlink_file(3, 1 << 20, 0xFFFFFFFF)


@pytest.mark.parametrize("abi", [PREVIEW1, UNSTABLE])
def test_subscriptions_without_number(abi: str) -> None:
    wasi = Large()
    if abi == UNSTABLE:
        wasi.instance = wamr.load(
            wrapper_module(abi).replace(
                '(memory (export "memory") 1 1)', '(memory (export "memory") 256)'
            ),
            wasi=wamr.WasiConfig(),
        )
        wasi.memory = wasi.instance.exports.memory
    assert wasi.poll_oneoff(1 << 20, 8 << 20, 65537, wasi.OUT) == INVAL
    assert wasi.poll_oneoff(1 << 20, 8 << 20, 65536, wasi.OUT) == 0  # clocks that have expired
    assert wasi.u32() == 65536
    for count in (1 << 20, 1 << 27, 1 << 28, 1 << 31, 0xFFFFFFFF):
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            wasi.poll_oneoff(1 << 20, 8 << 20, count, wasi.OUT)


def test_arrays_that_just_fit() -> None:
    wasi = WasiFunctions(args=["one", "two"], env={"A": "b"})
    assert wasi.args_get(65536 - 8, 1024) == 0
    assert wasi.memory.read(wasi.u32(65536 - 4), 4) == b"two\0"
    assert wasi.environ_get(65536 - 4, 1024) == 0
    assert wasi.args_get(1024, 65536 - 8) == 0
    for call in (wasi.args_get, wasi.environ_get):
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            call(65536 - 3, 1024)
        with pytest.raises(wamr.Trap, match="out of bounds memory access"):
            call(1024, 65536 - 3)
