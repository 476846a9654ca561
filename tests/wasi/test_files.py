"""File objects as stdio: a program reads and writes the same as their methods."""

from __future__ import annotations

import codecs
import gzip
import importlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import threading
import zipfile
from pathlib import Path
from typing import IO, Any

import pytest
from wasm_fixtures import WasiFunctions, program

import wamr
from wamr._wasi.files import descriptor_of

pytestmark = pytest.mark.usefixtures("wat")

ECHO = program(
    """(i32.store (i32.const 24) (i32.const 65536)) (i32.store (i32.const 28) (i32.const 65536))
    (loop $again
        (drop (call $fd_read (i32.const 0) (i32.const 24) (i32.const 1) (i32.const 32)))
        (call $say (i32.const 65536) (i32.load (i32.const 32)))
        (br_if $again (i32.load (i32.const 32))))"""
)
LINES = b"".join(b"line %d of some that compress well\n" % i for i in range(2000))


@pytest.fixture(scope="module")
def echo() -> wamr.Module:
    return wamr.Module(wamr.Engine(), ECHO)


def read_by(echo: wamr.Module, file: Any, **options: Any) -> bytes:
    """Return the data that the program reads from a file object."""
    out: bytes = wamr.run([echo], stdin=file, stdout=subprocess.PIPE, check=True, **options).stdout
    return out


# ------------------------------------------------------------------ compressed files
@pytest.mark.parametrize("module", ["gzip", "bz2", "lzma"])
@pytest.mark.parametrize("mode", ["b", "t"])
def test_compressed_files(echo: wamr.Module, tmp_path: Path, module: str, mode: str) -> None:
    pytest.importorskip(module, reason=f"this Python has no {module}", exc_type=ImportError)
    open_ = importlib.import_module(module).open
    path = tmp_path / "file"
    with open_(path, "w" + mode) as file:
        assert isinstance(file.fileno(), int), "it has a descriptor, of something else"
        done = wamr.run([echo], input=LINES, stdout=file, check=True)
    assert done.stdout is None
    with open_(path, "r" + mode) as file:
        assert read_by(echo, file) == LINES
    with open_(path, "r" + mode) as file:
        first = file.readline()
        assert (first if mode == "b" else first.encode()) + read_by(echo, file) == LINES


def test_members_of_archives(echo: wamr.Module, tmp_path: Path) -> None:
    (tmp_path / "member").write_bytes(LINES)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "member", "before")
        tar.add(tmp_path / "member", "member")
    with tarfile.open(tmp_path / "a.tar") as tar, tar.extractfile("member") as member:  # type: ignore[union-attr]
        assert read_by(echo, member) == LINES
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("member", "w") as writable:
            wamr.run([echo], input=LINES, stdout=writable, check=True)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("member") as member:
        assert read_by(echo, member) == LINES


# ------------------------------------------------------------------ wrappers
class Upper:
    """A typical wrapper: one method of its own, and all others of the file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> Any:
        return self._file.read(size).upper()

    def write(self, data: Any) -> Any:
        return self._file.write(data.upper())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_wrapper_with_an_encoding_may_give_bytes(echo: wamr.Module) -> None:
    class Response:
        encoding = "utf-8"

        def __init__(self, data: bytes | str) -> None:
            self.read = io.BytesIO(data).read if isinstance(data, bytes) else io.StringIO(data).read

    assert read_by(echo, Response(b"\xff")) == b"\xff"
    assert read_by(echo, Response("é")) == "é".encode()


@pytest.mark.parametrize("mode", ["b", ""])
def test_wrappers_that_delegate(echo: wamr.Module, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file"
    with path.open("w" + mode) as file:
        wamr.run([echo], input=LINES, stdout=Upper(file), check=True)
    assert path.read_bytes() == LINES.upper()
    path.write_bytes(LINES)
    with path.open("r" + mode) as file:
        assert read_by(echo, Upper(file)) == LINES.upper()


class Reader(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


class Raw(io.FileIO):
    def write(self, data: Any, /) -> int:
        return super().write(bytes(data).upper())


class Text(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        return super().write(text.upper())


def test_subclasses(echo: wamr.Module, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LINES)
    with Reader(io.FileIO(path)) as reader:
        assert read_by(echo, reader) == LINES.upper()
    for file in (Raw(path, "w"), io.BufferedWriter(Raw(path, "w")), Text(path.open("wb"))):
        with file:
            wamr.run([echo], input=LINES, stdout=file, check=True)
        assert path.read_bytes() == LINES.upper(), type(file)
    with io.TextIOWrapper(io.BufferedWriter(Raw(path, "w"))) as text:
        wamr.run([echo], input=LINES, stdout=text, check=True)
    assert path.read_bytes() == LINES.upper()


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_method_that_was_replaced(echo: wamr.Module, tmp_path: Path, mode: str) -> None:
    got: list[Any] = []
    with (tmp_path / "file").open(mode) as file:
        file.write = got.append  # type: ignore[method-assign]
        wamr.run([echo], input=b"data", stdout=file, check=True)
    assert got == [b"data" if mode == "wb" else "data"]
    assert (tmp_path / "file").read_bytes() == b""


def opened(path: Path, mode: str, encoding: str) -> codecs.StreamReaderWriter:
    """Return what codecs.open returns, which is deprecated from Python 3.14 on."""
    info = codecs.lookup(encoding)
    return codecs.StreamReaderWriter(path.open(mode), info.streamreader, info.streamwriter)


def test_files_of_codecs(echo: wamr.Module, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as binary:
        wamr.run([echo], input="é\n".encode(), stdout=codecs.getwriter("latin-1")(binary))
    assert path.read_bytes() == b"\xe9\n"
    with path.open("rb") as binary:
        assert read_by(echo, codecs.getreader("latin-1")(binary)) == "é\n".encode()
    path.write_bytes("éé".encode())
    with path.open("rb") as binary, opened(path, "rb", "utf-8") as both:
        for read in (codecs.getreader("utf-8")(binary), both):
            wasi = WasiFunctions(stdin=read)
            pieces = [wasi.read(0, 1) for _ in range(5)]
            assert pieces == [b"\xc3", b"\xa9", b"\xc3", b"\xa9", b""]
    with opened(path, "wb", "utf-16-le") as both:
        wamr.run([echo], input=b"text", stdout=both)
    assert path.read_bytes() == "text".encode("utf-16-le")
    with path.open("wb") as binary:
        recoder = codecs.EncodedFile(binary, "utf-8", "latin-1")
        wamr.run([echo], input="é".encode(), stdout=recoder)
    assert path.read_bytes() == b"\xe9"


def test_temporary_files(echo: wamr.Module, tmp_path: Path) -> None:
    for mode in ("w+b", "w+"):
        with tempfile.NamedTemporaryFile(mode, dir=tmp_path) as file:
            assert descriptor_of(file, True) == file.fileno()
            wamr.run([echo], input=LINES, stdout=file, check=True)
            file.seek(0)
            assert read_by(echo, file) == LINES
    with tempfile.SpooledTemporaryFile() as spooled:
        wamr.run([echo], input=LINES, stdout=spooled, check=True)
        spooled.seek(0)
        assert read_by(echo, spooled) == LINES
        assert not spooled._rolled, "asking for its descriptor wrote it to the disk"


def test_what_pytest_captures(echo: wamr.Module, capsys: pytest.CaptureFixture[str]) -> None:
    print("before")
    wamr.run([echo], input=b"hello\n", stdout=sys.stdout, stderr=sys.stderr, check=True)
    print("after")
    assert capsys.readouterr().out == "before\nhello\nafter\n"


# ------------------------------------------------------------------ plain files
@pytest.mark.parametrize("buffering", [0, -1, 1])
def test_a_descriptor_is_used_where_it_is_as_good(tmp_path: Path, buffering: int) -> None:
    path = tmp_path / "file"
    mode = "w" if buffering == 1 else "wb"
    with path.open(mode, buffering) as out:
        assert descriptor_of(out, True) == out.fileno()
    with path.open("r" if buffering == 1 else "rb", buffering) as given:
        assert descriptor_of(given, False) == given.fileno()
    with gzip.open(path, "wb") as compressed:
        assert descriptor_of(compressed, True) is None


@pytest.mark.parametrize("mode", ["r+b", "r+", "rb", "r"])
def test_what_was_read_ahead_is_the_programs(echo: wamr.Module, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(LINES)
    with path.open(mode) as file:
        first: Any = file.readline()
        assert (first if "b" in mode else first.encode()) + read_by(echo, file) == LINES
        assert file.read() == ("" if "b" not in mode else b"")
    with path.open(mode) as file:
        first = next(iter(file))
        assert (first if "b" in mode else first.encode()) + read_by(echo, file) == LINES
    with path.open(mode) as file:
        file.seek(6)
        assert read_by(echo, file) == LINES[6:]


def test_text_that_was_read_partly_keeps_its_encoding(echo: wamr.Module, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xe9\n\xe8\n")
    with path.open(encoding="latin-1") as file:
        assert file.readline() == "é\n"
        assert read_by(echo, file) == b"\xe8\n"
    with path.open(encoding="latin-1") as file:
        assert read_by(echo, file) == b"\xe9\n\xe8\n"


@pytest.mark.parametrize("mode", ["rb", "r"])
def test_pipes_that_were_read_partly(echo: wamr.Module, mode: str) -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, mode) as file:
        os.write(theirs, b"one\ntwo\n")
        assert descriptor_of(file, False) == ours
        assert file.readline() in ("one\n", b"one\n")
        assert descriptor_of(file, False) is None
        wasi = WasiFunctions(stdin=file)
        assert wasi.read(0) == b"two\n"
        threading.Timer(0.05, os.write, (theirs, b"three\n")).start()
        assert wasi.read(0) == b"three\n"
        with pytest.raises(wamr.TimeoutTrap):  # the call does not block in Python
            wasi.read(0, timeout=0.05)
        os.write(theirs, b"four\n")
        os.close(theirs)
        assert wasi.read(0) == b"four\n"
        assert wasi.read(0) == b""
        assert vars(file).keys() <= {"mode", "_name"}, "something of ours was left in it"


def test_files_of_sockets(echo: wamr.Module) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as given, theirs.makefile("wb") as out:
        wamr.run([echo], input=LINES[:1000], stdout=out, check=True)
        out.flush()
        theirs.shutdown(socket.SHUT_WR)
        assert descriptor_of(given, False) == ours.fileno()
        assert read_by(echo, given) == LINES[:1000]
        assert descriptor_of(ours, False) == ours.fileno()  # a socket has no method `read`
        ours.settimeout(5)
        assert descriptor_of(given, False) is None


@pytest.mark.parametrize("binary", [True, False])
def test_output_stands_where_the_file_is(echo: wamr.Module, tmp_path: Path, binary: bool) -> None:
    def text(data: bytes) -> Any:
        return data if binary else data.decode()

    path, b = tmp_path / "file", "b" if binary else ""
    file: IO[Any]
    with path.open("w" + b) as file:
        file.write(text(b"before "))
        wamr.run([echo], input=b"program ", stdout=file, check=True)
        file.write(text(b"after "))
    with path.open("a" + b) as file:
        wamr.run([echo], input=b"appended", stdout=file, check=True)
    assert path.read_bytes() == b"before program after appended"
    if binary:
        with path.open("r+b") as file:
            assert file.read(7) == b"before "
            wamr.run([echo], input=b"PROGRAM", stdout=file, check=True)
            assert file.read(6) == b" after"
        assert path.read_bytes() == b"before PROGRAM after appended"


def test_standard_streams_of_python(tmp_path: Path) -> None:
    """sys.stdin with data read ahead, and sys.stdout with unflushed data."""
    code = f"""
        import sys, wamr
        text = {ECHO!r}
        print(sys.stdin.readline().strip().upper())
        wamr.run([text], stdin=sys.stdin, stdout=sys.stdout, check=True)
        print("after")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input=b"first\nsecond\nthird\n",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (b"FIRST\nsecond\nthird\nafter\n", b"")


# ------------------------------------------------------------------ unusable objects
@pytest.mark.parametrize(
    ("stream", "mode", "words"),
    [
        ("stdout", "rb", "stdout is not open for writing"),
        ("stderr", "r", "stderr is not open for writing"),
        ("stdin", "ab", "stdin is not open for reading"),
        ("stdin", "a", "stdin is not open for reading"),
    ],
)
def test_the_wrong_direction(tmp_path: Path, stream: str, mode: str, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    with path.open(mode) as file:
        with pytest.raises(io.UnsupportedOperation, match=words):
            wamr.WasiConfig(**{stream: file})
        with pytest.raises(ValueError, match=words):
            wamr.run([ECHO], **{stream: file})
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_closed_files(tmp_path: Path, stream: str) -> None:
    with (tmp_path / "file").open("w+b") as file:
        config = wamr.WasiConfig(**{stream: file})
    with pytest.raises(ValueError, match=f"{stream} is a closed file"):
        wamr.WasiConfig(**{stream: file})
    with pytest.raises(ValueError, match="closed file"):
        wamr.load(ECHO, wasi=config)
