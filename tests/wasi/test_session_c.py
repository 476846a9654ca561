"""Sessions and programs in C: stdio, a select() loop, random state that is drawn again."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import PIPE, TimeoutExpired
from typing import TYPE_CHECKING

import pytest
from needs import needs

import wamr

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

__attribute__((export_name("wamr_restored"))) void
reseed(void)
{
    unsigned seed;
    getentropy(&seed, sizeof seed);
    srand(seed);
}

/* Waits for input or 50 ms, as an event loop with a timer does. */
static int
ticks(void)
{
    int count = 0;
    for (;;) {
        struct timeval time = {0, 50000};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        if (select(1, &set, NULL, NULL, &time) > 0)
            return count;
        count++;
    }
}

int
main(int argc, char **argv)
{
    char line[100];

    reseed();
    printf("hello %s\n", argc > 1 ? argv[1] : "nobody");
    fprintf(stderr, "log\n");
    while (fgets(line, sizeof line, stdin)) {
        if (!strcmp(line, "random\n"))
            printf("%d\n", rand());
        else if (!strcmp(line, "ticks\n")) {
            printf("waiting\n");
            fflush(stdout);
            printf("%d\n", ticks());
        } else
            printf("you said %s", line);
        fflush(stdout);
    }
    puts("the end");
    return 3;
}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> wamr.Module:
    needs("ziglang", "test")
    folder: Path = tmp_path_factory.mktemp("session")
    (folder / "main.c").write_text(SOURCE)
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1"]
    command += [str(folder / "main.c"), "-o", str(folder / "main.wasm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return wamr.Module(wamr.Engine(), folder / "main.wasm")


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


def test_a_timeout_in_the_loop(module: wamr.Module) -> None:
    program = wamr.Program([module])
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stdin, os.fdopen(theirs, "wb") as feeds:
        feeds.write(b"ticks\n")
        feeds.flush()
        with pytest.raises(TimeoutExpired) as caught:
            program.run(stdin=stdin, capture_output=True, timeout=0.3)
        assert caught.value.stdout == b"hello nobody\nwaiting\n"
