"""Programs that end in each way, in sequence and in parallel: nothing leaks or is mixed up."""

import contextlib
import os
import threading
from pathlib import Path
from subprocess import PIPE, TimeoutExpired

import pytest
from wasm_fixtures import descriptors, program

import wamr

pytestmark = pytest.mark.usefixtures("wat")

OPENED = """(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4)
    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)))"""
ENDINGS = {
    "returns": "(call $say (i32.const 1024) (i32.const 4))",
    "exits": "(call $say (i32.const 1024) (i32.const 4)) (call $proc_exit (i32.const 3))",
    "traps": "(call $say (i32.const 1024) (i32.const 4)) (unreachable)",
    "reads beyond its memory": "(drop (call $args_get (i32.const -1) (i32.const -1)))",
    "leaves files open": OPENED * 20,
    "leaves files open and traps": OPENED * 20 + "(unreachable)",
    "runs on": "(loop $on (br $on))",
    "is stopped by its output": "(loop $on (call $say (i32.const 1024) (i32.const 4)) (br $on))",
}
EXPECTED = {
    "traps": wamr.Trap,
    "reads beyond its memory": wamr.Trap,
    "leaves files open and traps": wamr.Trap,
    "runs on": TimeoutExpired,
    "is stopped by its output": ZeroDivisionError,
}


def run(module, ending, folder):
    said = []

    def stdout(data):
        said.append(data)
        if ending == "is stopped by its output" and len(said) == 3:
            raise ZeroDivisionError

    timeout = 0.002 if ending == "runs on" else 20
    expected = EXPECTED.get(ending)
    with pytest.raises(expected) if expected else contextlib.nullcontext():
        done = wamr.run([module], stdout=stdout, stdin=b"x", dirs={"/": folder}, timeout=timeout)
        assert done.returncode == (3 if ending == "exits" else 0)
    return b"".join(said)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x")
    return tmp_path


def test_thousands_of_runs_leave_nothing(folder, times, resident):
    engine = wamr.Engine()
    modules = {name: wamr.Module(engine, program(body, "file")) for name, body in ENDINGS.items()}

    def once():
        for ending, module in modules.items():
            run(module, ending, folder)

    for _ in range(20):
        once()
    before, memory = (threading.active_count(), descriptors()), resident()
    for _ in range(times(4000) // len(modules)):
        once()
    assert (threading.active_count(), descriptors()) == before
    assert resident() - memory < 1 << 20


def test_eight_programs_in_eight_threads(tmp_path, times):
    """Each program has its own files, output, environment and end; all share the module."""
    body = """(local $n i32)
        (drop (call $environ_get (i32.const 2048) (i32.const 2064)))
        (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 1) (i32.const 32)))
        (loop $again
            (call $say (i32.const 2064) (i32.const 3))
            (call $say_to (i32.load (i32.const 32)) (i32.const 2064) (i32.const 3))
            (drop (call $sched_yield))
            (br_if $again (i32.lt_u
                (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100))))
        (call $proc_exit (i32.sub (i32.load8_u (i32.const 2066)) (i32.const 48)))"""
    module = wamr.Module(wamr.Engine(), program(body, "file"))
    failed = []
    streams = [os.fstat(fd).st_ino for fd in range(3)]

    def one(number):
        try:
            folder = tmp_path / str(number)
            folder.mkdir()
            for _ in range(times(10)):
                (folder / "file").unlink(missing_ok=True)
                dirs = {"/": wamr.Dir(folder, writable=True)}
                done = wamr.run([module], stdout=PIPE, env={"N": str(number)}, dirs=dirs)
                assert done.returncode == number
                assert done.stdout == f"N={number}".encode() * 100
                assert (folder / "file").read_bytes() == done.stdout
        except BaseException as error:
            failed.append(error)

    before = descriptors()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert descriptors() == before
    assert [os.fstat(fd).st_ino for fd in range(3)] == streams
