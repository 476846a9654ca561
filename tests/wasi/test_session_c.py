"""Sessions and programs in C: stdio, a select() loop, random state that is drawn again."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import PIPE, TimeoutExpired

import pytest
from time_units import in_units
from zig import compile_for_wasi

import wamr

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).with_name("session") / "lines.c"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> wamr.Module:
    program = tmp_path_factory.mktemp("session") / "main.wasm"
    compile_for_wasi("cc", "-O1", str(SOURCE), "-o", str(program))
    return wamr.Module(wamr.Engine(), program)


def test_a_session(module: wamr.Module) -> None:
    with wamr.Session([module, "there"], text=True, stderr=PIPE) as session:
        assert session.feed("") == "hello there\n"
        assert session.stderr == "log\n"
        assert session.feed("one") == ""
        assert session.feed(" line\ntwo\n") == "you said one line\nyou said two\n"
        assert session.feed("line" * 30 + "\n") == "you said " + "line" * 24 + "lin" + (
            "you said " + "e" + "line" * 5 + "\n"
        )
        done = session.end()
        assert (done.returncode, done.stdout) == (3, "the end\n")


def test_a_loop_that_waits_for_input_or_a_timer(module: wamr.Module) -> None:
    with wamr.Session([module], text=True, stderr=PIPE) as session:
        assert session.feed("ticks\n") == "hello nobody\nwaiting\n"
        assert session.waiting == "stdin"
        assert session.feed("one\n").splitlines()[-1] == "you said one"


def test_random_numbers_are_drawn_again(module: wamr.Module) -> None:
    with wamr.Program([module, "you"]) as program:
        assert (program.stdout, program.stderr) == (b"hello you\n", b"log\n")
        numbers = set()
        for _ in range(5):
            done = program.run(input=b"random\n", capture_output=True)
            first, number, last = done.stdout.splitlines()
            assert (first, last, done.returncode, done.stderr) == (
                b"hello you",
                b"the end",
                3,
                b"log\n",
            )
            numbers.add(number)
        assert len(numbers) == 5


@in_units
def test_a_timeout_in_the_loop(module: wamr.Module, unit: float) -> None:
    program = wamr.Program([module])
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stdin, os.fdopen(theirs, "wb") as feeds:
        feeds.write(b"ticks\n")
        feeds.flush()
        with pytest.raises(TimeoutExpired) as caught:
            program.run(stdin=stdin, capture_output=True, timeout=unit)
        assert caught.value.stdout == b"hello nobody\nwaiting\n"
