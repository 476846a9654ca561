"""The conversion of module text to bytes, and the error where the parser is missing."""

import pickle
import sys

import pytest

from wamr.errors import CompileError, UnavailableError
from wamr.wat import wat2wasm

EMPTY = b"\0asm\x01\0\0\0"

needs_parser = pytest.mark.usefixtures("wat")


@needs_parser
@pytest.mark.parametrize(
    "text",
    ["(module)", b"(module)", "  (module)\n", ";; a comment\n(module)", "(; another ;) (module)"],
)
def test_text_becomes_bytes(text):
    converted = wat2wasm(text)
    assert type(converted) is bytes
    assert converted == EMPTY


@needs_parser
def test_names_may_be_in_any_script():
    assert "größe".encode() in wat2wasm('(module (func (export "größe")))')


@needs_parser
@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("(module\n  (func i32.ad))", 2, 9, "unknown operator"),
        ("(module", 1, 8, r"expected `\)`"),
        ("(module) (module)", 1, 10, "extra tokens"),
        ("", 1, 1, "expected at least one module field"),
        ("(module\n (func $é", 2, 8, "empty identifier"),
        ("\0asm", 1, 1, "unexpected character"),
        ("(module\n \ud800)", 2, 2, "surrogate"),
        (b"(module)\n(\xff)", 2, 2, "not UTF-8"),
        ("é\n(é".encode() + b"\xff", 2, 3, "not UTF-8"),
    ],
)
def test_an_error_says_where_the_text_is_wrong(text, line, column, reason):
    with pytest.raises(CompileError, match=reason) as caught:
        wat2wasm(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"line {line}, column {column}" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).line == line


@needs_parser
def test_the_message_shows_the_line_with_a_caret():
    with pytest.raises(CompileError) as caught:
        wat2wasm("(module\n  (func i32.ad))")
    first, source, caret = str(caught.value).split("\n")
    assert first == "module text, line 2, column 9: unknown operator or unexpected token"
    assert source.index("i32.ad") == caret.index("^")


@needs_parser
@pytest.mark.parametrize("before", [0, 100, 100_000])
@pytest.mark.parametrize("after", [0, 100_000])
def test_the_message_shows_a_part_of_a_long_line(before, after):
    with pytest.raises(CompileError) as caught:
        wat2wasm("(module\n" + before * " (func)" + " (func i32.ad)" + after * " (func)" + ")")
    assert caught.value.column == 7 * before + 8
    _, source, caret = str(caught.value).split("\n")
    assert source[caret.index("^") :].startswith("i32.ad")
    assert len(source) < 200


@needs_parser
def test_a_position_far_to_the_right_in_a_line_with_wide_characters():
    with pytest.raises(CompileError, match="line 2, column 10015: unknown operator") as caught:
        wat2wasm("(module\n" + "(; \u65e5 ;)" + 10_000 * " " + "(func i32.ad))")
    assert (caught.value.line, caught.value.column) == (2, 10_015)


@pytest.mark.parametrize("bad", [None, 1, bytearray(b"(module)"), ["(module)"]])
def test_other_types_are_no_text(bad):
    with pytest.raises(TypeError, match="text must be a str or bytes, not"):
        wat2wasm(bad)


def test_without_the_parser_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(UnavailableError, match=r'pip install "wamr\[wat\]"'):
        wat2wasm("(module)")
