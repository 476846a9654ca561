# ruff: noqa: E501 - lists of code
"""The input of Python code: sys.stdin, as text and as bytes."""

from __future__ import annotations

from sandboxes import python

from wamr.sandbox import Result


def run(code: str, **rest: object) -> Result:
    return python().run(code, **rest)


def test_input_is_what_stdin_has():
    assert run("[input(), input()]", stdin="one\ntwo\n").value == ["one", "two"]
    assert run("input()").exception.type == "EOFError"
    assert run("import sys; sys.stdin.read()", stdin="é\n").value == "é\n"


def test_line_endings_of_the_input_are_read_as_line_feeds():
    assert run("[input(), input(), input()]", stdin="one\r\ntwo\rthree").value == [
        "one",
        "two",
        "three",
    ]
    assert run("import sys\nlist(sys.stdin)", stdin="a\r\nb\n").value == ["a\n", "b\n"]


def test_input_can_be_read_as_bytes():
    code = "import sys\n[sys.stdin.buffer.readline().decode(), list(map(int, sys.stdin.buffer.read().split())), sys.stdin.encoding]"
    assert run(code, stdin="é\n1 2\n3").value == ["é\n", [1, 2, 3], "utf-8"]
    assert run("import sys\nsys.stdin.buffer.read()").value == "b''"
    assert run(
        "import sys\n[sys.stdin.buffer.read().decode(), sys.stdin.read()]", stdin="a\r\nb"
    ).value == ["a\r\nb", ""]
    rest = "import sys\n[input(), sys.stdin.buffer.read().decode(), sys.stdin.read()]"
    assert run(rest, stdin="one\ntwo\n").value == ["one", "two\n", ""]


def test_code_that_reads_the_descriptor_of_the_interpreter_is_told_what_to_read():
    for code in ("open(0).read()", "import os\nos.read(0, 1)"):
        result = run(code, stdin="one\n")
        assert result.exception.type == "SystemExit"
        assert result.exception.message == (
            "the code has read from descriptor 0, through which the interpreter gets what it runs: "
            "the code's input is sys.stdin in Python, readline() in JavaScript"
        )
