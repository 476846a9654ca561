"""The output that `run` has captured when it raises an exception."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import pickle
import subprocess
import sys
import traceback
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

import pytest
from wasm_fixtures import program

import wamr

pytestmark = pytest.mark.usefixtures("wat")

SAY = """(call $say (i32.const 1024) (i32.const 4))
    (call $say_to (i32.const 2) (i32.const 1028) (i32.const 13)) """
DATA = "out\\nthe reason: \\c3\\a9?\\0a"
SAY = SAY.replace("13", "16")
ERR = "the reason: é?\n"


def failing(how: str) -> str:
    """Return a program that writes to both outputs, then fails."""
    return program(SAY + how, DATA)


DEEP = failing("(call $deep)").removesuffix(")") + "(func $deep (call $deep)))"
LOOP = failing("(loop $again (br $again))")
THROWS = failing("(throw $t (i32.const 7))").removesuffix(")") + "(tag $t (param i32)))"
WAYS: dict[str, tuple[str, dict[str, Any], type[wamr.Trap]]] = {
    "unreachable": (failing("unreachable"), {}, wamr.Trap),
    "memory": (failing("(drop (i32.load (i32.const -1)))"), {}, wamr.Trap),
    "stack": (DEEP, {}, wamr.StackOverflowTrap),
    "fuel": (LOOP, {"fuel": 1000}, wamr.FuelTrap),
    "timeout": (LOOP, {"timeout": 0.2}, wamr.TimeoutTrap),
}


@pytest.mark.parametrize("text", [False, True])
def test_an_uncaught_exception_hands_on_what_was_captured(text: bool) -> None:
    with pytest.raises(wamr.WasmException) as caught:
        wamr.run([THROWS], capture_output=True, text=text)
    exception = caught.value
    wanted: Any = ("out\n", ERR) if text else (b"out\n", ERR.encode())
    assert (exception.stdout, exception.stderr) == wanted
    assert exception.output == exception.stdout
    assert exception.values == (7,)
    lines = str(exception).splitlines()
    assert lines[0] == "uncaught exception (i32): (7)"
    assert lines[-2:] == ["The program's stderr ended with:", "  the reason: é?"]
    assert not hasattr(exception, "__notes__")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [False, True])
def test_a_trap_hands_on_what_was_captured(way: str, text: bool) -> None:
    source, limits, class_ = WAYS[way]
    with pytest.raises(class_) as caught:
        wamr.run([source], capture_output=True, text=text, limits=wamr.ResourceLimits(**limits))
    trap = caught.value
    wanted: Any = ("out\n", ERR) if text else (b"out\n", ERR.encode())
    assert (trap.stdout, trap.stderr) == wanted
    assert trap.output == trap.stdout
    assert str(trap).startswith(trap.message + "\n")
    assert str(trap).endswith("The program's stderr ended with:\n  the reason: é?")
    for same in (pickle.loads(pickle.dumps(trap)), copy.copy(trap)):
        assert (same.stdout, same.stderr, same.output) == (*wanted, wanted[0])
        assert str(same) == str(trap)


def test_what_is_not_captured_is_none() -> None:
    source = failing("unreachable")
    for stdio, wanted in (
        ({"stdout": DEVNULL, "stderr": DEVNULL}, (None, None)),
        ({"stdout": PIPE, "stderr": DEVNULL}, (b"out\n", None)),
        ({"stdout": DEVNULL, "stderr": PIPE}, (None, ERR.encode())),
    ):
        with pytest.raises(wamr.Trap) as caught:
            wamr.run([source], **stdio)
        assert (caught.value.stdout, caught.value.stderr) == wanted
    trap = wamr.Trap("made by hand")
    assert (trap.stdout, trap.stderr, trap.output, str(trap)) == (None, None, None, "made by hand")
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([program("unreachable")], capture_output=True)
    assert (caught.value.stdout, caught.value.stderr) == (b"", b"")
    assert "stderr" not in str(caught.value)


def test_stderr_in_stdout() -> None:
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([failing("unreachable")], stdout=PIPE, stderr=STDOUT)
    assert (caught.value.stdout, caught.value.stderr) == (b"out\n" + ERR.encode(), None)
    ending = "The program's stdout and stderr ended with:\n  out\n  the reason: é?"
    assert str(caught.value).endswith(ending)


def test_what_can_not_be_decoded_hides_no_trap() -> None:
    source = program("(call $say (i32.const 1024) (i32.const 2)) unreachable", "a\\ff")
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([source], capture_output=True, text=True)
    assert caught.value.stdout == "a\\xff"
    with pytest.raises(UnicodeDecodeError) as failed:  # if the program does not trap
        wamr.run([source.replace("unreachable", "")], capture_output=True, text=True)
    assert (failed.value.stdout, failed.value.stderr) == ("a\\xff", "")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options", [{"errors": "xmlcharrefreplace"}, {"encoding": "idna"}, {"encoding": "utf-32"}]
)
def test_an_encoding_that_can_not_escape_hides_no_trap(options: dict[str, str]) -> None:
    source = program("(call $say (i32.const 1024) (i32.const 2)) unreachable", "a\\ff")
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([source], capture_output=True, **options)
    assert "\\xff" in caught.value.stdout


@pytest.mark.parametrize(
    "options", [{"encoding": "none-such"}, {"encoding": "hex"}, {"errors": "none-such"}]
)
def test_an_unknown_encoding_is_refused_before_the_program_runs(options: dict[str, str]) -> None:
    with pytest.raises(LookupError, match=r"none-such|'hex' is not a text encoding"):
        wamr.run([failing("unreachable")], capture_output=True, **options)
    with pytest.raises(LookupError, match=r"none-such|'hex' is not a text encoding"):
        wamr.Session([failing("unreachable")], **options)


@pytest.mark.parametrize("name", ["encoding", "errors"])
def test_an_encoding_is_a_str(name: str) -> None:
    options: dict[str, Any] = {name: 5}
    with pytest.raises(TypeError, match=f"{name} must be a str or None, not int"):
        wamr.run([failing("unreachable")], **options)


def test_only_the_end_is_shown_and_nothing_that_a_terminal_obeys() -> None:
    body = """(local $i i32) (loop $again
        (call $say_to (i32.const 2) (i32.const 1024) (i32.const 6))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))
        (call $say_to (i32.const 2) (i32.const 1030) (i32.const 6)) unreachable"""
    with pytest.raises(wamr.Trap) as caught:
        wamr.run([program(body, "line.\\0a\\1b[2Jx\\0a")], stderr=PIPE)
    assert caught.value.stderr == b"line.\n" * 1000 + b"\x1b[2Jx\n"
    shown = str(caught.value).partition("ended with:\n")[2].split("\n")
    assert shown == ["  line."] * 19 + ["  \\x1b[2Jx"]


# ------------------------------------------------------------------ other exceptions
class Full(Exception):
    pass


def raised_by_a_callable(error: BaseException, **options: Any) -> Any:
    def refuse(data: bytes) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        wamr.run(
            [failing("(call $say (i32.const 1024) (i32.const 4))")],
            **options,
            **{"stdout" if options.get("stderr") else "stderr": refuse},
        )
    assert caught.value is error
    return error


def test_what_a_callable_raised_has_them_too() -> None:
    error = raised_by_a_callable(Full("no room"), stdout=PIPE)
    assert (error.stdout, error.stderr, error.output) == (b"out\n", None, b"out\n")
    error = raised_by_a_callable(KeyboardInterrupt(), stdout=PIPE, text=True)
    assert (error.stdout, error.stderr) == ("out\n", None)
    assert not getattr(error, "__notes__", [])
    # The same exception from a later run has the output of that run.
    again = raised_by_a_callable(error, stderr=PIPE)
    assert (again.stdout, again.stderr) == (None, b"")


def test_a_note_shows_the_end_of_stderr() -> None:
    def late(data: bytes) -> None:
        raise Full("no room")

    source = program(
        "(call $say_to (i32.const 2) (i32.const 1024) (i32.const 4)) "
        "(call $say (i32.const 1024) (i32.const 4))",
        "why\\n",
    )
    with pytest.raises(Full) as caught:
        wamr.run([source], stdout=late, stderr=PIPE)
    shown = "".join(traceback.format_exception(caught.value))
    if sys.version_info >= (3, 11):
        assert shown.endswith("no room\nThe program's stderr ended with:\n  why\n")
    else:
        assert shown.endswith("no room\n")
    assert caught.value.stderr == b"why\n"  # type: ignore[attr-defined]


def test_an_exception_keeps_what_it_has_of_its_own() -> None:
    class Theirs(Exception):
        def __init__(self) -> None:
            self.stdout = "theirs"

    assert raised_by_a_callable(Theirs(), stdout=PIPE).stdout == "theirs"
    theirs = subprocess.CalledProcessError(1, ["other"], b"other's")
    assert raised_by_a_callable(theirs, stdout=PIPE).stdout == b"other's"


def test_an_exception_that_nothing_can_be_set_on() -> None:
    @dataclasses.dataclass(frozen=True)
    class Frozen(Exception):
        reason: str

    assert raised_by_a_callable(Frozen("why"), stdout=PIPE).stdout == b"out\n"


def test_an_exception_that_nothing_can_be_set_on_in_asyncio() -> None:
    @dataclasses.dataclass(frozen=True)
    class Frozen(Exception):
        reason: str

    error = Frozen("why")

    def stderr(data: bytes) -> None:
        raise error

    with pytest.raises(Frozen) as caught:
        asyncio.run(wamr.run_async([failing("unreachable")], stdout=PIPE, stderr=stderr))
    assert caught.value is error


def test_subprocess_s_own_exceptions() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        wamr.run([failing("(call $proc_exit (i32.const 3))")], capture_output=True, check=True)
    assert (failed.value.stdout, failed.value.stderr) == (b"out\n", ERR.encode())
    with pytest.raises(subprocess.TimeoutExpired) as late:
        wamr.run([LOOP], capture_output=True, timeout=0.2)
    assert (late.value.stdout, late.value.stderr) == (b"out\n", ERR.encode())


def test_what_went_wrong_before_it_ran() -> None:
    source = '(module (import "env" "f" (func)) (func (export "_start")))'
    with pytest.raises(wamr.LinkError) as caught:
        wamr.run([source], stdout=PIPE)
    assert (caught.value.stdout, caught.value.stderr) == (b"", None)
