"""The command line, run in processes, in a directory with programs."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ARITHMETIC, PROGRAMS

import wamr


@pytest.fixture(scope="session", autouse=True)
def same_package():
    """Let processes in other directories import this package: PYTHONPATH may be relative."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(wamr.__file__).parent.parent))
        yield


@pytest.fixture(scope="session")
def here(tmp_path_factory, wat):
    """Return a directory with the programs, in which the command line runs."""
    folder = tmp_path_factory.mktemp("cli")
    for name, text in PROGRAMS.items():
        (folder / f"{name}.wasm").write_bytes(wat(text))
    (folder / "text.wat").write_text(ARITHMETIC)
    (folder / "wrong.wat").write_text("(module\n  (fun))")
    (folder / "cut.wasm").write_bytes((folder / "args.wasm").read_bytes()[:-140])
    (folder / "zip.wasm").write_bytes(b"PK\x03\x04")
    (folder / "component.wasm").write_bytes(b"\0asm\x0d\0\1\0")
    (folder / "empty.wasm").write_bytes(b"")
    return folder


@pytest.fixture
def cli(here):
    """Return a function that runs the command line to its end."""

    def call(*args, **named):
        named = {"capture_output": True, "text": True, "timeout": 240, "cwd": here} | named
        return subprocess.run([sys.executable, "-m", "wamr", *args], check=False, **named)

    return call


@pytest.fixture
def started(here):
    """Return a function that starts the command line; what still runs is killed at the end."""
    running = []

    def start(*args, **named):
        process = subprocess.Popen([sys.executable, "-m", "wamr", *args], cwd=here, **named)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
