"""Sources of modules, and the errors for other objects."""

import os
from pathlib import Path

import pytest

from wamr._runtime.source import source_bytes
from wamr.errors import CompileError

EMPTY = b"\0asm\x01\0\0\0"
AOT = b"\0aot\x03\0\0\0"


@pytest.fixture
def file(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "module.wasm"
        path.write_bytes(content)
        return path

    return write


class BytesPath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


@pytest.mark.parametrize("make", [str, Path, BytesPath])
@pytest.mark.parametrize("content", [EMPTY, AOT])
def test_a_path_is_read(file, make, content):
    assert source_bytes(make(file(content))) == content


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("content", [EMPTY, AOT, EMPTY[:5], b"\0asm"])
def test_bytes_come_back_as_bytes(make, content):
    returned = source_bytes(make(content))
    assert type(returned) is bytes
    assert returned == content


def test_a_view_may_have_steps():
    spread = bytes([byte for pair in zip(EMPTY, EMPTY, strict=True) for byte in pair])
    assert source_bytes(memoryview(spread)[::2]) == EMPTY


@pytest.mark.usefixtures("wat")
@pytest.mark.parametrize(
    "text", ["(module)", " \n\t(module)", b"(module)", b"\xef\xbb\xbf(module)", b";; hi\n(module)"]
)
def test_text_is_converted(text):
    assert source_bytes(text) == EMPTY


@pytest.mark.usefixtures("wat")
def test_a_file_may_hold_text(file):
    assert source_bytes(file(b"\n(module)")) == EMPTY


@pytest.mark.usefixtures("wat")
def test_an_error_in_a_text_file_keeps_its_line(file):
    with pytest.raises(CompileError, match="line 3, column 1"):
        source_bytes(file(b"\n;; a comment\n)"))


@pytest.mark.usefixtures("wat")
def test_the_text_of_a_component_is_no_module():
    for text in ("(component)", b"(component)"):
        with pytest.raises(CompileError, match="WAMR runs core modules"):
            source_bytes(text)


@pytest.mark.parametrize("path", ["", "there-is-no-such.wasm", "; (module)"])
def test_a_missing_file_is_not_found(path):
    with pytest.raises(FileNotFoundError):
        source_bytes(path)
    with pytest.raises(FileNotFoundError):
        source_bytes(Path("nowhere") / "at-all")


def test_a_directory_is_a_directory(tmp_path):
    for path in (tmp_path, str(tmp_path)):
        with pytest.raises(IsADirectoryError):
            source_bytes(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"\0as", r"it ends after 3 bytes, b'\\x00as'"),
        (b"\x7fELF\x02\x01", "an ELF file"),
        (b"MZ\x90\0", "a Windows program"),
        (b"PK\x03\x04", "a zip file"),
        (b"\x1f\x8b\x08", "gzip data"),
        (b"#!/bin/sh", "a script"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        ("(module)".encode("utf-16"), "UTF-16 text"),
        (b"hello", "it begins with b'hello'"),
        (b"0123456789abcdefXYZ", "it begins with b'0123456789abcdef' …"),
        (b"\0\0\0\0asm", r"it begins with b'\\x00\\x00"),
        (b"\0asm\x0d\0\x01\0", "component"),
    ],
)
def test_what_is_no_module_is_told_by_its_looks(file, content, told):
    for source in (content, file(content)):
        with pytest.raises(CompileError, match=told):
            source_bytes(source)


@pytest.mark.parametrize("bad", [None, 3, 0, [EMPTY], object(), open])
def test_other_types_are_no_source(bad):
    with pytest.raises(TypeError, match="source must be a path, the bytes of a module or its text"):
        source_bytes(bad)
