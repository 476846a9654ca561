"""wamr.run, which resembles subprocess.run, with small programs; test_python.py runs CPython."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess

import pytest
from wasm_fixtures import descriptors, program, took, wrapper_module

import wamr

pytestmark = pytest.mark.usefixtures("wat")

GREETING = program(
    "(call $say (i32.const 1024) (i32.const 4)) (call $say_to (i32.const 2) (i32.const 1028) "
    "(i32.const 5)) (call $proc_exit (i32.const 3))",
    "out\\nerr\\0d\\n",
)
ECHO = program(
    """(i32.store (i32.const 24) (i32.const 65536)) (i32.store (i32.const 28) (i32.const 65536))
    (loop $again
        (drop (call $fd_read (i32.const 0) (i32.const 24) (i32.const 1) (i32.const 32)))
        (call $say (i32.const 65536) (i32.load (i32.const 32)))
        (br_if $again (i32.load (i32.const 32))))"""
)
FOREVER = program("(call $say (i32.const 1024) (i32.const 7)) (loop $again (br $again))", "partial")
SLEEPER = program(
    """(call $say (i32.const 1024) (i32.const 7)) (i64.store (i32.const 2064) (i64.const 1))
    (i64.store (i32.const 2072) (i64.const 1000000000000))
    (drop (call $poll_oneoff (i32.const 2048) (i32.const 4096) (i32.const 1) (i32.const 8192)))""",
    "partial",
)


@pytest.fixture(scope="module")
def greeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "greeting.wasm"
    path.write_bytes(wamr.wat2wasm(GREETING))
    return path


def test_captured_output(greeting: Path) -> None:
    done = wamr.run([greeting, "argument"], capture_output=True)
    assert isinstance(done, CompletedProcess)
    assert done.args == [greeting, "argument"]
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\r\n")
    with pytest.raises(subprocess.CalledProcessError, match="non-zero exit status 3"):
        done.check_returncode()


def test_text(greeting: Path) -> None:
    for how in ({"text": True}, {"encoding": "latin-1"}, {"errors": "replace"}):
        done = wamr.run([str(greeting)], stdout=PIPE, stderr=PIPE, **how)
        assert (done.stdout, done.stderr) == ("out\n", "err\n")
    done = wamr.run([ECHO], input="é\r\n", capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("é\n", "", 0)
    done = wamr.run([ECHO], input="é", capture_output=True, encoding="utf-16")
    assert done.stdout == "é"
    with pytest.raises(UnicodeDecodeError):
        wamr.run([ECHO], input=b"\xff", stdout=PIPE, stderr=DEVNULL).stdout.decode()
    assert wamr.run([ECHO], stdin=b"\xff", stdout=PIPE, errors="replace").stdout == "\ufffd"


def test_output_is_inherited(greeting: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = wamr.run([greeting])
    assert (done.stdout, done.stderr) == (None, None)
    assert capfd.readouterr() == ("out\n", "err\r\n")


def test_output_goes_where_subprocess_would_send_it(greeting: Path, tmp_path: Path) -> None:
    done = wamr.run([greeting], stdout=PIPE, stderr=STDOUT)
    assert (done.stdout, done.stderr) == (b"out\nerr\r\n", None)
    done = wamr.run([greeting], stdout=DEVNULL, stderr=PIPE)
    assert (done.stdout, done.stderr) == (None, b"err\r\n")
    with (tmp_path / "out").open("wb") as file:
        done = wamr.run([greeting], stdout=file, stderr=DEVNULL)
    assert done.stdout is None
    assert (tmp_path / "out").read_bytes() == b"out\n"
    got: list[bytes] = []
    wamr.run([greeting], stdout=got.append, stderr=got.append)
    assert got == [b"out\n", b"err\r\n"]
    memory = io.BytesIO()
    wamr.run([greeting], stdout=memory, stderr=DEVNULL)
    assert memory.getvalue() == b"out\n"


def test_input() -> None:
    assert wamr.run([ECHO], input=b"data", stdout=PIPE).stdout == b"data"
    assert wamr.run([ECHO], stdin=io.BytesIO(b"data"), stdout=PIPE).stdout == b"data"
    for nothing in (PIPE, DEVNULL, b""):
        assert wamr.run([ECHO], stdin=nothing, stdout=PIPE).stdout == b""
    ours, theirs = os.pipe()
    os.write(theirs, b"through a pipe")
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        assert wamr.run([ECHO], stdin=file, stdout=PIPE).stdout == b"through a pipe"


def test_a_hundred_megabytes_stream() -> None:
    size = 100_000_000
    given = took_in = 0
    block = bytes(range(256)) * 256

    def give(most: int) -> bytes:
        nonlocal given
        piece = block[: min(most, size - given)]
        given += len(piece)
        return piece

    def take(data: bytes) -> None:
        nonlocal took_in
        assert len(data) <= len(block)
        took_in += len(data)

    with took(20):
        assert wamr.run([ECHO], stdin=give, stdout=take).returncode == 0
    assert given == took_in == size


def test_a_program_may_be_a_module() -> None:
    module = wamr.Module(wamr.Engine(), ECHO)
    for word in (b"one", b"two"):
        done = wamr.run([module], input=word, stdout=PIPE, check=True)
        assert done.stdout == word
        assert done.args == [module]


def test_check(greeting: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        wamr.run([greeting, "x"], capture_output=True, text=True, check=True)
    error = caught.value
    assert (error.returncode, error.cmd) == (3, [greeting, "x"])
    assert (error.stdout, error.stderr) == ("out\n", "err\n")
    wamr.run([ECHO], input=b"", stdout=PIPE, check=True)


@pytest.mark.parametrize("text", [FOREVER, SLEEPER], ids=["loop", "sleep"])
def test_timeout(text: str) -> None:
    with took(0.5, 0.2), pytest.raises(subprocess.TimeoutExpired) as caught:
        wamr.run([text, "x"], capture_output=True, text=True, timeout=0.2)
    error = caught.value
    assert (error.cmd, error.timeout) == ([text, "x"], 0.2)
    assert (error.output, error.stdout, error.stderr) == (b"partial", b"partial", None)


def test_timeout_of_reading() -> None:
    ours, theirs = os.pipe()
    try:
        with took(0.4, 0.1), pytest.raises(subprocess.TimeoutExpired) as caught:
            wamr.run([ECHO], stdin=ours, timeout=0.1)
        assert caught.value.output is None
    finally:
        os.close(ours)
        os.close(theirs)


def test_timeout_holds_for_start_functions() -> None:
    text = '(module (func $s (loop $l (br $l))) (start $s) (func (export "_start")))'
    with took(0.4, 0.1), pytest.raises(subprocess.TimeoutExpired):
        wamr.run([text], timeout=0.1)


def test_limits() -> None:
    limits = wamr.ResourceLimits(timeout=0.1, fuel=10**12)
    with took(0.4, 0.1), pytest.raises(wamr.TimeoutTrap):
        wamr.run([FOREVER], limits=limits, stdout=DEVNULL)
    with took(0.4, 0.1), pytest.raises(subprocess.TimeoutExpired):
        wamr.run([FOREVER], limits=wamr.ResourceLimits(timeout=100), timeout=0.1, stdout=DEVNULL)
    with pytest.raises(wamr.FuelTrap):
        wamr.run([FOREVER], limits=wamr.ResourceLimits(fuel=1000), timeout=100, stdout=DEVNULL)
    assert limits.timeout == 0.1


def test_a_trap_comes_out_as_one() -> None:
    with pytest.raises(wamr.Trap, match="unreachable"):
        wamr.run([program("unreachable")], stdout=DEVNULL)
    with pytest.raises(wamr.StackOverflowTrap):
        wamr.run(['(module (memory (export "memory") 1) (func $f (export "_start") (call $f)))'])


def test_what_a_callable_raises_comes_out() -> None:
    class Full(Exception):
        pass

    def refuse(data: bytes) -> None:
        raise Full

    with pytest.raises(Full):
        wamr.run([FOREVER], stdout=refuse, timeout=100)

    def late(data: bytes) -> None:
        raise wamr.TimeoutTrap("a trap of its own")

    with pytest.raises(wamr.TimeoutTrap, match="of its own"):
        wamr.run([FOREVER], stdout=late, timeout=100)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(module)", "no function _start: it is not a WASI command"),
        ('(module (func (export "_initialize")))', "it is a reactor"),
        (
            '(module (func (export "_start") (param i32)))',
            r"_start must be a function \(\) -> \(\)",
        ),
        ('(module (memory (export "_start") 1))', "not a memory of at least 1 page"),
        ('(module (import "env" "f" (func)) (func (export "_start")))', "env.f is missing"),
    ],
)
def test_what_is_no_command(text: str, words: str) -> None:
    with pytest.raises(wamr.LinkError, match=words):
        wamr.run([text])


def test_a_command_needs_nothing_of_wasi() -> None:
    assert wamr.run(['(module (func (export "_start")))']).returncode == 0


@pytest.mark.parametrize(
    ("args", "options", "error", "words"),
    [
        ("prog.wasm", {}, TypeError, r'must be a sequence, as \["program.wasm"'),
        (Path("prog.wasm"), {}, TypeError, "must be a sequence"),
        ([], {}, ValueError, "args is empty"),
        ([1], {}, TypeError, r"args\[0\] must be a path or a Module"),
        ([b"x"], {}, TypeError, r"args\[0\] must be a path or a Module"),
        ([ECHO, 1], {}, TypeError, r"args\[1\] must be a str or a path"),
        ([ECHO, "\0"], {}, ValueError, "NUL"),
        (["no/such.wasm"], {}, FileNotFoundError, "no/such.wasm"),
        ([os.curdir], {}, IsADirectoryError, "directory"),
        ([__file__], {}, wamr.CompileError, "no WebAssembly module"),
        ([ECHO], {"input": b"", "stdin": PIPE}, ValueError, "stdin and input can't both"),
        ([ECHO], {"capture_output": True, "stderr": PIPE}, ValueError, "with capture_output"),
        ([ECHO], {"input": "text"}, TypeError, "input must be bytes, or str with text=True"),
        ([ECHO], {"input": b"x", "text": True}, TypeError, "input must be a str in text mode"),
        ([ECHO], {"stdout": STDOUT}, ValueError, "STDOUT is for stderr"),
        ([ECHO], {"stdin": STDOUT}, ValueError, "stdin must be a descriptor"),
        ([ECHO], {"stdout": b"x"}, TypeError, "stdout must be"),
        ([ECHO], {"timeout": -1}, ValueError, "timeout must not be negative"),
        ([ECHO], {"timeout": "1"}, TypeError, "timeout must be a number"),
        ([ECHO], {"limits": 1}, TypeError, "limits must be ResourceLimits"),
        ([ECHO], {"env": {"A": 1}}, TypeError, "env"),
        ([ECHO], {"input": "", "encoding": 3}, TypeError, "encoding must be a str or None"),
        ([ECHO], {"input": "", "errors": 3}, TypeError, "errors must be a str or None"),
        ([ECHO], {"dirs": {"/": "no/such"}}, FileNotFoundError, "no/such"),
    ],
)
def test_bad_arguments(args: object, options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wamr.run(args, **options)


def test_the_host_s_folders_are_its_own(tmp_path: Path) -> None:
    text = program(
        """(drop (call $args_sizes_get (i32.const 32) (i32.const 36)))
        (drop (call $args_get (i32.const 2048) (i32.const 4096)))
        (call $say (i32.const 4096) (i32.load (i32.const 36)))"""
    )
    path = tmp_path / "a program.wasm"
    path.write_bytes(wamr.wat2wasm(text))
    done = wamr.run([path, "one", Path("two/three")], stdout=PIPE)
    assert done.stdout == b"a program.wasm\0one\0two/three\0"
    assert wamr.run([text], stdout=PIPE).stdout == b"program\0"
    named = wamr.Module(wamr.Engine(), text.replace("(module", "(module $tool", 1))
    assert wamr.run([named], stdout=PIPE).stdout == b"tool\0"


def test_runs_leave_nothing_behind(greeting: Path, tmp_path: Path) -> None:
    module = wamr.Module(wamr.Engine(), greeting)

    def once() -> None:
        wamr.run([module], capture_output=True, dirs={"/": tmp_path}, stdin=DEVNULL)

    once()
    threads, before = threading.active_count(), descriptors()
    for _ in range(100):
        once()
    assert (threading.active_count(), descriptors()) == (threads, before)


def test_reactors_are_loaded_instead() -> None:
    wamr.load(wrapper_module(), wasi=wamr.WasiConfig())
