"""WASI preview 1, as in its public test suite: a program in C (program/*.c) calls each function and
prints the expected results; under wasmtime it gets the same, except for the differences listed
here.

A check is a line "what = got / wanted". Tests with a special host (stdio, directories that lead
out, races, waiting) are in tests/wasi/test_sandbox.py, test_stdio.py and test_wasi_waiting.py.
"""

from __future__ import annotations

import re
import select
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from needs import needs_engine

import wamr
from wamr._backend.binding import lib

MANY = 200_000  # stops at each check; after these, the program stops at every 997th check

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="expects the errnos of Linux"),
]

GROUPS = [
    "descriptors",
    "positions",
    "sizes",
    "timestamps",
    "flags",
    "rights",
    "renumbering",
    "listing",
    "opening",
    "creating",
    "following",
    "links",
    "directories",
    "renaming",
    "slashes",
    "clocks",
    "polling",
    "sockets",
    "libc",
    "meaningless",
]
# wasmtime knows no rights, and traps where a number is invalid.
TRAPS = ["rights", "meaningless"]

# So its errors come from the access mode or from a path that leads out of the directory.
BADF, INVAL, PERM, NOTSUP, NOTCAPABLE = 8, 28, 63, 58, 76
FOR_RIGHTS = {BADF, INVAL, PERM, NOTSUP}

# Other differences of wasmtime: it reads and writes one vector at a time, which is allowed. It
# lacks fd_allocate and the flags of synchronous writing. pwrite uses its offset in a file that is
# opened for appending. Polling no descriptor is an error, and so is a slash after a directory that
# is to be removed.
OTHERWISE: dict[str, dict[str, int]] = {
    "positions": {
        "read so many": 3,
        "read the last": -1,
        "the position moves": 3,
        "is nothing": 3,
        "pread so many": 3,
        "pread does not move": 9,
        "pwrite so many": 2,
        "pwrite does not move": 9,
        "pwritten": -1,
        "appends, too": -1,
    },
    "sizes": {
        "allocate within": NOTSUP,
        "allocate beyond": NOTSUP,
        "makes it longer": 100,
        "allocate nothing": NOTSUP,
        "allocate far too much": NOTSUP,
        "keeps its size": 100,
        "size as before": 100,
    },
    "flags": {
        "open to write through": NOTSUP,
        "close what writes through": BADF,
        "open to write data through": NOTSUP,
        "close that, too": BADF,
    },
    "opening": {"nor does it hold any": BADF},
    "renumbering": {"prestat: no room": 37, "nor has it a name": 54},
    "directories": {"remove with a slash": INVAL, "nothing": 51},
    "slashes": {
        "unlink a link to a directory": 31,
        "make over a dangling link": 20,
        "remove a link to a directory": INVAL,
        "remove a directory": INVAL,
    },
    "polling": {
        "no descriptor": BADF,
        "no descriptor: one event": 99,
        "no descriptor: whose": 0,
        "no descriptor: error": 0,
    },
}


class Step(NamedTuple):
    got: int
    wanted: int


def steps(output: str) -> dict[str, Step]:
    found: dict[str, Step] = {}
    for line in output.splitlines():
        match = re.fullmatch(r"(.+) = (-?\d+) / (-?\d+)", line)
        assert match, line
        assert match[1] not in found, f"two steps are called {match[1]}"
        found[match[1]] = Step(int(match[2]), int(match[3]))
    return found


@pytest.fixture(scope="session")
def module(conformance: Path) -> wamr.Module:
    return wamr.Module(wamr.Engine(), conformance)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def run(module: wamr.Module, work: Path, *args: str) -> Any:
    dirs = {"/": wamr.Dir(work, writable=True)}
    return wamr.run([module, *args], dirs=dirs, env={"NAME": "value"}, capture_output=True)


def run_with_stops(module: wamr.Module, work: Path, group: str) -> tuple[str, int]:
    """Run in an execution that stops at each check; return the output and the number of stops."""
    output: list[bytes] = []
    config = wamr.WasiConfig(
        args=["conformance", group],
        env={"NAME": "value"},
        dirs={"/": wamr.Dir(work, writable=True)},
        stdout=output.append,
    )
    stops = 0
    with wamr.Instance(wamr.Store(module.engine), module, wasi=config) as instance:
        lib.wpy_debug_set_slice(1)
        try:
            for event in instance.exports["_start"].execution(slice=0):
                if event.kind == "slice":
                    stops += 1
                    if stops == MANY:
                        lib.wpy_debug_set_slice(997)
                else:
                    wait_for(event)
        except wamr.ExitTrap as trap:
            if trap.exit_code:
                raise
        finally:
            lib.wpy_debug_set_slice(0)
    return b"".join(output).decode(), stops


def wait_for(event: wamr.Event) -> None:
    wait = None if event.until is None else max(0.0, event.until - time.monotonic())
    reading, writing = (
        [fd for fd, output in event._descriptors if output == wanted] for wanted in (False, True)
    )
    select.select(reading, writing, [], wait)


def run_under_wasmtime(program: Any, work: Path, group: str) -> str:
    import wasmtime

    config = wasmtime.WasiConfig()
    config.argv = ["conformance", group]
    config.env = [("NAME", "value")]
    config.preopen_dir(str(work), "/")
    config.stdout_file = str(work.parent / "stdout")
    store = wasmtime.Store(program[0])
    store.set_wasi(config)
    linker = wasmtime.Linker(program[0])
    linker.define_wasi()
    start: Any = linker.instantiate(store, program[1]).exports(store)["_start"]
    start(store)
    return (work.parent / "stdout").read_text()


@pytest.fixture(scope="session")
def theirs(conformance: Path) -> tuple[Any, Any]:
    needs_engine()
    import wasmtime

    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, conformance.read_bytes())


# ------------------------------------------------------------------ the tests
@pytest.mark.parametrize("group", GROUPS)
def test_every_step_answers_what_it_should(group: str, module: wamr.Module, work: Path) -> None:
    done = run(module, work, group)
    found = steps(done.stdout.decode())
    assert done.returncode == 0, done.stdout
    assert len(found) > 10
    assert {what: step for what, step in found.items() if step.got != step.wanted} == {}
    outside = {path.name for path in work.parent.iterdir()}
    assert outside == {"work"}, "it has made something outside"


@pytest.mark.parametrize("group", GROUPS)
def test_every_step_answers_the_same_with_a_stop_at_each_check(
    group: str, module: wamr.Module, work: Path
) -> None:
    output, stops = run_with_stops(module, work, group)
    found = steps(output)
    assert len(found) > 10
    assert {what: step for what, step in found.items() if step.got != step.wanted} == {}
    assert stops > 1000


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in TRAPS])
def test_wasmtime_agrees(group: str, theirs: Any, work: Path) -> None:
    found = steps(run_under_wasmtime(theirs, work, group))
    differing = {what: step.got for what, step in found.items() if step.got != step.wanted}
    for what, got in list(differing.items()):
        if found[what].wanted == NOTCAPABLE and got in FOR_RIGHTS:
            del differing[what]
    assert differing == OTHERWISE.get(group, {})


def test_a_wrong_answer_is_seen(module: wamr.Module, work: Path) -> None:
    found = steps(run(module, work, "wrong").stdout.decode())
    assert found == {"right": Step(0, 0), "wrong": Step(BADF, 0)}
    with pytest.raises(AssertionError, match="no such group"):
        steps(run(module, work, "no such group").stdout.decode())


def test_what_a_group_needs_it_must_get(module: wamr.Module, work: Path) -> None:
    (work / "file").mkdir()  # the program expects a file of this name
    done = run(module, work, "positions")
    assert done.returncode == 2
    assert done.stdout.startswith(b"can't create file: errno 31")


@pytest.mark.parametrize("code", [0, 1, 2, 125, 126, 255, 4_000_000_000])
def test_exit_codes(code: int, module: wamr.Module, work: Path) -> None:
    assert run(module, work, "exit", str(code)).returncode == code
