"""Partial writes, reads that return wrong objects, and text for callables."""

from __future__ import annotations

import codecs
import io
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from wasm_fixtures import WasiFunctions, program

import wamr
from wamr._wasi import streams

pytestmark = pytest.mark.usefixtures("wat")

HELLO = program("(call $say (i32.const 1024) (i32.const 6))", "hello\\n")
PIECES = program(  # é and a line ending in two pieces each, and half of a character at the end
    """(call $say (i32.const 1024) (i32.const 1)) (call $say (i32.const 1025) (i32.const 2))
    (call $say (i32.const 1027) (i32.const 3))""",
    "\\c3\\a9\\0d\\0a.\\c3",
)


class Scripted(io.RawIOBase):
    """A raw file whose writes return given numbers, and take as many bytes."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> Any:
        answer = self.answers.pop(0) if self.answers else len(data)
        self.data += bytes(data[: answer or 0])
        return answer


# ------------------------------------------------------------------ writing
@pytest.mark.parametrize(
    "answers", [(), (2, 2), (1, 1, 1), (0,), (0, 3, 0, 0, 1), (None,), (3, None, None, 2)]
)
def test_a_raw_file_that_takes_a_part_gets_the_rest(answers: tuple[Any, ...]) -> None:
    raw = Scripted(*answers)
    wamr.run([HELLO], stdout=raw, check=True)
    assert raw.data == b"hello\n"
    assert raw.answers == []


def test_a_callable_that_takes_a_part_gets_the_rest() -> None:
    raw = Scripted(2, 0, 1)
    wamr.run([HELLO], stdout=lambda data: raw.write(data), check=True)
    assert raw.data == b"hello\n"
    got: list[bytes] = []
    for answer in (None, "all of it", object(), True, False, 6):
        wamr.run([HELLO], stdout=lambda data, a=answer: got.append(data) or a)
    assert got == [b"hello\n"] * 6


def test_a_file_of_nobody_s_class_that_returns_nothing_has_taken_all() -> None:
    class Tee:
        got = b""

        def write(self, data: bytes) -> None:
            self.got += data

    tee = Tee()
    wamr.run([HELLO], stdout=tee, check=True)
    assert tee.got == b"hello\n"


def test_a_buffered_file_that_would_block_says_how_much_it_has_taken() -> None:
    class Full(io.BufferedIOBase):
        got, full = b"", True

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            if self.full:
                self.full = False
                self.got += data[:2]
                raise BlockingIOError(11, "it is full", 2)
            self.got += data
            return len(data)

    full = Full()
    wamr.run([HELLO], stdout=full, check=True)
    assert full.got == b"hello\n"


@pytest.mark.parametrize("answer", [0, None])
def test_what_never_takes_anything_is_an_error(
    answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_MAX_RETRIES", 3)
    for target in (Scripted(*[answer] * 99), Scripted(*[0] * 99).write):
        with pytest.raises(BlockingIOError, match="stdout has taken none of 6 bytes"):
            wamr.run([HELLO], stdout=target)


def test_a_timeout_ends_the_waiting() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        wamr.run([HELLO], stdout=Scripted(*[None] * 9999), timeout=0.1)
    wasi = WasiFunctions(stdout=lambda data: 0)
    with pytest.raises(wamr.TimeoutTrap):
        wasi.write(1, b"data", timeout=0.05)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (7, ValueError, "stdout says that it has taken 7 of 6 bytes"),
        (-1, ValueError, "stdout says that it has taken -1 of 6 bytes"),
        (1 << 80, ValueError, "of 6 bytes"),
        (6.0, TypeError, "stdout's write returned float: it must return the number of bytes"),
        ("6", TypeError, "stdout's write returned str"),
        (True, TypeError, "stdout's write returned bool"),
    ],
)
def test_bad_answers(answer: Any, error: type[Exception], words: str) -> None:
    class Bad:
        def write(self, data: bytes) -> Any:
            return answer

    with pytest.raises(error, match=words):
        wamr.run([HELLO], stdout=Bad())
    if error is ValueError:
        with pytest.raises(error, match=words):
            wamr.run([HELLO], stdout=lambda data: answer)


def test_text_files_take_a_part_too() -> None:
    class Slow(io.TextIOBase):
        got = ""

        def write(self, text: str, /) -> int:
            self.got += text[:1]
            return 1

    slow = Slow()
    wamr.run([PIECES], stdout=slow)
    assert slow.got == "é\r\n.\ufffd"


def test_half_a_character_at_the_end_is_not_lost() -> None:
    text = io.StringIO(newline="")
    wamr.run([PIECES], stdout=text)
    assert text.getvalue() == "é\r\n.\ufffd"
    text = io.StringIO(newline="")
    with pytest.raises(wamr.Trap):
        wamr.run([PIECES.removesuffix("))") + " unreachable))"], stdout=text)
    assert text.getvalue() == "é\r\n.\ufffd"


def test_a_write_that_raised_leaves_nothing_for_the_next() -> None:
    got: list[str] = []

    class Failing(io.TextIOBase):
        def write(self, text: str, /) -> int:
            if text == "one":
                raise OSError("no room")
            got.append(text)
            return len(text)

    wasi = WasiFunctions(stdout=Failing())
    with pytest.raises(OSError, match="no room"):
        wasi.write(1, b"one")
    assert wasi.write(1, b"two") == 0
    assert got == ["two"]


# ------------------------------------------------------------------ reading
class Given(io.RawIOBase):
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> Any:
        return self.answers.pop(0) if self.answers else b""


def test_a_raw_file_that_has_nothing_yet_is_asked_again() -> None:
    wasi = WasiFunctions(stdin=Given(None, None, b"data", None))
    assert (wasi.read(0), wasi.read(0)) == (b"data", b"")
    wasi = WasiFunctions(stdin=Given(*[None] * 9999))
    with pytest.raises(wamr.TimeoutTrap):
        wasi.read(0, timeout=0.05)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"x" * 101, ValueError, "101 bytes where at most 100"),
        ("text", TypeError, "str where bytes are needed"),
        (5, TypeError, "int where bytes are needed"),
    ],
)
def test_bad_answers_of_a_read(answer: Any, error: type[Exception], words: str) -> None:
    class Bad:
        def read(self, size: int) -> Any:
            return answer

    for source in (Given(answer), Bad(), lambda size: answer):
        with pytest.raises(error, match=words):
            WasiFunctions(stdin=source).read(0, 100)


def test_none_is_no_answer_of_what_is_not_raw() -> None:
    class Bad:
        def read(self, size: int) -> None:
            return None

    for source in (Bad(), lambda size: None):
        with pytest.raises(TypeError, match=r"None.* where bytes are needed"):
            WasiFunctions(stdin=source).read(0)


# ------------------------------------------------------------------ text=True and callables
def test_a_callable_gets_str_in_text_mode() -> None:
    for options in ({"text": True}, {"encoding": "utf-8"}, {"errors": "replace"}):
        got: list[Any] = []
        wamr.run([HELLO], stdout=got.append, **options)
        assert got == ["hello\n"]
    got = []
    wamr.run([HELLO], stdout=got.append)
    assert got == [b"hello\n"]


def test_characters_and_line_endings_in_pieces() -> None:
    got: list[str] = []
    wamr.run([PIECES], stdout=got.append, text=True, errors="replace")
    assert "".join(got) == "é\n.\ufffd"
    assert all(got)
    assert got[0] == "é"
    got.clear()
    with pytest.raises(UnicodeDecodeError):  # as for captured output
        wamr.run([PIECES], stdout=got.append, text=True)
    got.clear()
    wamr.run([PIECES], stdout=got.append, encoding="latin-1")
    assert "".join(got) == "Ã©\n.Ã"


def test_both_outputs_in_one_callable() -> None:
    both = program(
        "(call $say (i32.const 1024) (i32.const 1)) "
        "(call $say_to (i32.const 2) (i32.const 1025) (i32.const 1))",
        "\\c3\\a9",
    )
    got: list[str] = []
    wamr.run([both], stdout=got.append, stderr=subprocess.STDOUT, text=True)
    assert got == ["é"]


ECHO = program(
    """(i32.store (i32.const 24) (i32.const 65536)) (i32.store (i32.const 28) (i32.const 3))
    (loop $again
        (drop (call $fd_read (i32.const 0) (i32.const 24) (i32.const 1) (i32.const 32)))
        (call $say (i32.const 65536) (i32.load (i32.const 32)))
        (br_if $again (i32.load (i32.const 32))))"""
)


def test_a_callable_gives_str_in_text_mode() -> None:
    def given(*items: Any) -> Callable[[int], Any]:
        rest = list(items)
        return lambda size: rest.pop(0) if rest else items[0][:0]

    done = wamr.run([ECHO], stdin=given("éé", "é"), stdout=subprocess.PIPE, text=True)
    assert done.stdout == "ééé"
    with pytest.raises(TypeError, match="stdin gave bytes where str is needed, in text mode"):
        wamr.run([ECHO], stdin=given(b"x"), text=True)
    with pytest.raises(TypeError, match="stdin gave str where bytes are needed"):
        wamr.run([ECHO], stdin=given("x"))
    done = wamr.run([ECHO], stdin=given("é"), stdout=subprocess.PIPE, encoding="latin-1")
    assert done.stdout == "é"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "iso2022_jp"])
def test_text_in_an_encoding_with_a_mark_or_a_state_ends(encoding: str) -> None:
    text = "a\u65e5\n\u65e5"
    encoded = text.encode(encoding)

    def pieces() -> Callable[[int], str]:
        rest = [*text]
        return lambda size: rest.pop(0) if rest else ""

    wrapper = io.TextIOWrapper(io.BytesIO(encoded), encoding=encoding)
    done = wamr.run([ECHO], stdin=wrapper, stdout=subprocess.PIPE)
    assert done.stdout == encoded
    given: list[dict[str, Any]] = [{"stdin": pieces()}, {"input": text}]
    for options in given:
        out = io.BytesIO()
        wamr.run([ECHO], stdout=out, encoding=encoding, **options)
        assert out.getvalue() == encoded
    empty = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert wamr.run([ECHO], stdin=empty, stdout=subprocess.PIPE).stdout == b""


def test_a_piece_of_text_of_which_nothing_is_left_is_not_the_end() -> None:
    rest = ["a", "\u65e5", "b"]
    done = wamr.run(
        [ECHO],
        stdin=lambda size: rest.pop(0) if rest else "",
        stdout=subprocess.PIPE,
        encoding="ascii",
        errors="ignore",
    )
    assert done.stdout == "ab"


def test_print_is_what_one_expects_in_text_mode(capsys: pytest.CaptureFixture[str]) -> None:
    wamr.run([HELLO], stdout=lambda text: print(text, end=""), text=True)
    assert capsys.readouterr().out == "hello\n"


def test_text_files_are_files_in_both_modes() -> None:
    for text in (True, False):
        into = io.StringIO()
        wamr.run([ECHO], stdin=io.StringIO("é"), stdout=into, text=text)
        assert into.getvalue() == "é"
        encoded = io.BytesIO()
        wamr.run([ECHO], stdin=io.BytesIO(b"e"), stdout=codecs.getwriter("utf-8")(encoded))
        assert encoded.getvalue() == b"e"


@pytest.mark.parametrize(
    ("encoding", "first", "takes", "taken"),
    [
        ("utf-8", "one", [0], 0),
        ("utf-8", "o\u20acne", [2, 0], 4),
        ("utf-16", "one", [1, 1, 0], 6),  # the mark at the beginning has two bytes
        ("cp932", "\u3042\u3044", [1, 0], 2),
    ],
)
def test_what_was_not_taken_when_a_call_ended_is_not_taken_for_written(
    encoding: str, first: str, takes: list[int], taken: int
) -> None:
    """The call may end between two tries, by a timeout. The next write writes something else."""
    said: list[str] = []

    def write(text: str) -> int:
        count = takes.pop(0) if takes else len(text)
        said.append(text[:count])
        return count

    writer = streams.TextWriter(
        streams.Sink("stdout", write, None, "characters"), streams.text_decoder(encoding, "strict")
    )
    data = first.encode(encoding)
    assert writer(data) == taken
    second = "two".encode(encoding)[2 if encoding == "utf-16" else 0 :]
    assert writer(second) == len(second)
    writer.end()
    assert "".join(said) == data[:taken].decode(encoding) + "two"


def test_what_is_left_of_the_text_of_one_byte_is_written_first() -> None:
    said, takes = [], [2, 0, 0]

    def write(text: str) -> int:
        count = takes.pop(0) if takes else len(text)
        said.append(text[:count])
        return count

    writer = streams.TextWriter(
        streams.Sink("stdout", write, None, "characters"),
        streams.text_decoder("ascii", "backslashreplace"),
    )
    assert writer(b"\xff.") == 1  # as \xff, of which two characters were taken
    assert writer(b".") == 0
    assert writer(b"!") == 1
    assert "".join(said) == "\\xff!"
    takes += [0]
    assert writer(b"\xfe") == 0
    takes += [1, 0]
    assert writer(b"\xfe") == 1
    writer.end()
    assert "".join(said) == "\\xff!\\xfe"
