"""Results of 64 bits: a program may ask for them at any address, odd ones too."""

from __future__ import annotations

from pathlib import Path

import pytest
from wasm_fixtures import BADF, PREVIEW1, UNSTABLE, WasiFunctions

from wamr import Dir, Trap

pytestmark = pytest.mark.usefixtures("wat")

OUT = WasiFunctions.OUT
SIZES = {"fd_filestat_get": 64, "path_filestat_get": 64}  # in bytes; others have 8


@pytest.fixture(params=[PREVIEW1, UNSTABLE])
def calls(request: pytest.FixtureRequest, tmp_path: Path):
    """Return WASI's functions, and for each function its arguments and the size of its result."""
    (tmp_path / "f").write_bytes(b"abc")
    wasi = WasiFunctions(abi=request.param, dirs={"/": Dir(tmp_path)})
    error, fd = wasi.open("f")
    assert error == 0
    wasi.memory.write(1024, b"f")
    arguments = {
        "clock_res_get": (0,),
        "clock_time_get": (0, 1),
        "fd_filestat_get": (fd,),
        "fd_seek": (fd, 2, 0 if request.param == UNSTABLE else 1),
        "fd_tell": (fd,),
        "path_filestat_get": (3, 0, 1024, 1),
    }
    shorter = 8 if request.param == UNSTABLE else 0
    return wasi, [
        (name, given, SIZES[name] - shorter if name in SIZES else 8)
        for name, given in arguments.items()
    ]


def test_they_are_the_same_at_each_address_and_nothing_else_is_written(calls) -> None:
    wasi, functions = calls
    for name, given, size in functions:
        found = []
        for at in range(OUT, OUT + 8):
            wasi.memory.write(OUT - 8, b"\xaa" * 128)
            assert getattr(wasi, name)(*given, at) == 0, name
            around = wasi.memory.read(OUT - 8, 128)
            assert around[: at - OUT + 8] == b"\xaa" * (at - OUT + 8), name
            assert around[at - OUT + 8 + size :] == b"\xaa" * (120 - size - (at - OUT)), name
            found.append(wasi.memory.read(at, size))
        numbers = [int.from_bytes(data[:8], "little") for data in found]
        if name == "fd_seek":  # by 2 each time
            assert numbers == [2, 4, 6, 8, 10, 12, 14, 16]
        elif name == "clock_time_get":
            assert numbers == sorted(numbers)
            assert numbers[0] > 10**18  # nanoseconds since 1970
        else:
            assert len(set(found)) == 1, name


def test_one_that_ends_beyond_the_memory_is_a_trap(calls) -> None:
    wasi, functions = calls
    end = len(wasi.memory)
    for name, given, size in functions:
        assert getattr(wasi, name)(*given, end - size) == 0, name
        with pytest.raises(Trap, match="out of bounds memory access"):
            getattr(wasi, name)(*given, end - size + 1)


def test_a_function_that_fails_writes_nothing(calls) -> None:
    wasi, functions = calls
    wasi.memory.write(OUT, b"\xaa" * 64)
    for name, given, _ in functions:
        if not name.startswith("clock"):
            assert getattr(wasi, name)(99, *given[1:], OUT) == BADF, name
    assert wasi.memory.read(OUT, 64) == b"\xaa" * 64
