"""`wamr run` in pipes and terminals: Ctrl-C, closed pipes, full disks."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


@posix
@pytest.mark.parametrize("args", [("--invoke", "busy", "busy.wasm"), ("busy.wasm",), ("cat.wasm",)])
def test_ctrl_c(started, args):
    process = started("run", *args, stdin=-1, stdout=-1, stderr=-1)
    process.stdin.write(b"y")  # a program that copies its input then waits for more
    process.stdin.flush()
    assert process.stdout.read(1) == b"y"
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 130
    assert process.stderr.read() == b""


@posix
@pytest.mark.parametrize("command", ["run", "inspect"])
def test_who_stops_reading_ends_it_quietly(started, here, wat, command):
    name = "yes.wasm"
    if command == "inspect":
        name = "wide.wasm"
        exports = "".join([f'(export "name-{i}" (func 0))' for i in range(20_000)])
        (here / name).write_bytes(wat(f"(module (func) {exports})"))
    process = started(command, name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(2)
    process.stdout.close()
    assert process.wait(100) == -signal.SIGPIPE
    assert process.stderr.read() == b""


@posix
def test_without_any_stdio(cli, here):
    for args, code in [
        (("run", "args.wasm"), 7),
        (("run", "cat.wasm"), 0),
        (("run", "nowhere.wasm"), 2),
        (("inspect", "args.wasm"), 0),
        (("validate", "-"), 2),
    ]:
        command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "wamr", *args]
        assert subprocess.run(command, cwd=here, check=False, timeout=240).returncode == code, args


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(cli):
    with Path("/dev/full").open("w") as full:
        done = cli("inspect", "args.wasm", stdout=full, capture_output=False, stderr=-1)
    assert done.returncode == 2
    assert done.stderr == "wamr inspect: No space left on device\n"


@posix
def test_in_a_terminal(here):
    import pty

    ours, theirs = pty.openpty()
    # The process gets a session whose controlling terminal is the pty, so b"\x03" is Ctrl-C.
    code = "import os, sys, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    code += "os.execv(sys.executable, [sys.executable, '-m', 'wamr', 'run', 'cat.wasm'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=here,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        os.close(theirs)
        os.write(ours, b"typed\n")
        # From the terminal's echo, then from cat.
        assert _until(ours, b"typed\r\ntyped\r\n") == b"typed\r\ntyped\r\n"
        os.write(ours, b"\x03")
        assert process.wait(100) == 130
        assert b"Traceback" not in _until(ours, b"\0")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _until(descriptor, wanted):
    seen = b""
    while wanted not in seen and select.select([descriptor], [], [], 100)[0]:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        seen += piece
    return seen
