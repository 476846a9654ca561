"""A str is module text or a path, depending on its beginning, as in bytes and files."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import wamr
from wamr import CompileError, Engine, Module
from wamr._runtime.source import source_bytes

EMPTY = b"\0asm\x01\0\0\0"
TEXTS = [
    "(module)",
    " \t\r\n (module)",
    ";; a comment\n(module)",
    "  ;; one\n  ;; two\r\n\n(module)",
    ";;\n(module)",
    ";;; (module $commented)\n(module)",
    "(; a comment ;)(module)",
    "(; one (; in another ;) ;)\n(module)",
    "(;;)(module)",
    "\n(; over\nlines ;)\n;; and one\n(module)",
    "\ufeff(module)",
    "\ufeff ;; a comment\n(module)",
    "\ufeff\n(; a comment ;) (module)",
]
NEITHER = r'and no module text either, which begins with "\(" or ";;"'


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_text_however_it_begins(text: str, tmp_path: Path) -> None:
    file = tmp_path / "module.wat"
    file.write_bytes(text.encode())
    for source in (text, text.encode(), bytearray(text, "utf-8"), file, str(file)):
        assert source_bytes(source) == EMPTY
    assert wamr.wat2wasm(text) == EMPTY
    assert wamr.wat2wasm(text.encode()) == EMPTY


@pytest.mark.usefixtures("wat")
def test_fields_alone_are_a_module() -> None:
    text = ';; no (module …) around it\n(func (export "f") (result i32) (i32.const 7))'
    assert wamr.load(text).exports.f() == 7


@pytest.mark.usefixtures("wat")
def test_text_is_taken_wherever_a_source_is() -> None:
    text = """;; a program
    (module (func (export "_start")) (func (export "f") (result i32) (i32.const 1)))"""
    assert wamr.load(text).exports.f() == 1
    assert len(Module(Engine(), text).exports) == 2
    assert Module.validate(Engine(), text) is True
    assert Module.validate(Engine(), ";; a comment\n(module (func (result i32)))") is False
    assert wamr.run([text], capture_output=True).returncode == 0


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize(
    "text", [";; only", "(; only ;)", "\ufeff;;", "(; open", ";; one\n )", "()"]
)
def test_what_begins_as_text_and_is_none_is_a_compile_error(text: str) -> None:
    for source in (text, text.encode()):
        with pytest.raises(CompileError, match=r"^module text, line"):
            source_bytes(source)


@pytest.mark.usefixtures("wat")
def test_the_line_of_an_error_counts_comments() -> None:
    with pytest.raises(CompileError) as caught:
        source_bytes(";; one\n(; two\n;)\n(module nonsense)")
    assert caught.value.line == 4


@pytest.mark.usefixtures("wat")
def test_a_program_of_text_has_no_path_for_a_name() -> None:
    out = io.BytesIO()
    text = """;; C:/secret/program
    (module
      (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\40\\00\\00\\00\\07\\00\\00\\00")
      (func (export "_start")
        (drop (call $get (i32.const 32) (i32.const 64)))
        (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    wamr.run([text], stdout=out)
    assert out.getvalue() == b"program"


# ------------------------------------------------------------------ paths
@pytest.mark.skipif(os.name == "nt", reason="names that Windows has not")
@pytest.mark.parametrize("name", [";;name", "(name", "(; name ;)", " (name"])
def test_a_path_object_is_always_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(EMPTY)
    monkeypatch.chdir(tmp_path)
    assert source_bytes(Path(name)) == EMPTY
    assert source_bytes(str(Path(tmp_path, name))) == EMPTY
    assert source_bytes(f"./{name}") == EMPTY


def test_a_path_with_such_characters_inside_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "a (1) ;; b.wasm"
    file.write_bytes(EMPTY)
    assert source_bytes(str(file)) == EMPTY


@pytest.mark.parametrize("source", ["", " ", "; x", "no-such.wasm", "module (func)", "\ufeff"])
def test_a_str_that_is_neither_says_both(source: str) -> None:
    with pytest.raises(FileNotFoundError, match=NEITHER) as caught:
        source_bytes(source)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == source


def test_a_missing_path_object_is_just_missing() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        source_bytes(Path("no-such.wasm"))
    assert "module text" not in str(caught.value)


def test_a_long_str_that_is_neither_is_cut() -> None:
    for source in ("module (func)\n" * 10_000, "x" * 100_000):
        with pytest.raises(OSError, match=NEITHER) as caught:
            source_bytes(source)
        assert len(str(caught.value)) < 400


def test_a_long_path_that_is_missing_is_shown_whole(tmp_path: Path) -> None:
    path = str(tmp_path.joinpath(*["folder"] * 30, "a.wasm"))
    with pytest.raises(FileNotFoundError) as caught:
        source_bytes(path)
    assert caught.value.filename == path


def test_a_str_with_nul_is_neither() -> None:
    with pytest.raises(ValueError, match=f"contains NUL, {NEITHER}: 'a.x00b'$"):
        source_bytes("a\0b")
    with pytest.raises(ValueError, match=r"A binary module is given as bytes$"):
        source_bytes(EMPTY.decode())
    with pytest.raises(ValueError, match="null"):
        source_bytes(Path("a\0b"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a name may be encoded")
def test_a_str_that_no_path_can_be_is_neither() -> None:
    with pytest.raises(ValueError, match=f"^this str is no path, {NEITHER}"):
        source_bytes("\ud800")


# ------------------------------------------------------------------ the command line
@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize("text", TEXTS)
def test_the_command_line_reads_it_from_files_and_stdin(
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from wamr._cli.command import main

    file = tmp_path / "module.wat"
    file.write_bytes(text.encode())
    assert main(["validate", str(file)]) == 0
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert main(["validate", "-"]) == 0
    assert capsys.readouterr().out.endswith("stdin: valid\n")
