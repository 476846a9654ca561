"""Stdio of a WASI program, with each kind of stream."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import wasm_fixtures
from platforms import directory_descriptor, needs_terminals
from wasm_fixtures import WasiFunctions, program

import wamr
from wamr import WasiConfig

pytestmark = pytest.mark.usefixtures("wat")


def start(text: str, **config: object) -> None:
    """Run a program's _start."""
    wamr.load(text, wasi=WasiConfig(**config)).exports._start()


# ------------------------------------------------------------------ output
HELLO = program("(call $say (i32.const 1024) (i32.const 6))", "hello\\n")
BOTH = program(
    "(call $say (i32.const 1024) (i32.const 4)) (call $say_to (i32.const 2) (i32.const 1028) "
    "(i32.const 4)) (call $say (i32.const 1024) (i32.const 4))",
    "out\\nerr\\n",
)


def test_output_goes_to_a_callable() -> None:
    got: list[bytes] = []
    start(HELLO, stdout=got.append)
    assert got == [b"hello\n"]
    got.clear()
    start(program("(call $say (i32.const 1024) (i32.const 5))", "\\00%s%n"), stderr=got.append)
    assert got == []


def test_output_comes_as_it_is_written() -> None:
    seen: list[int] = []
    start(BOTH, stdout=lambda data: seen.append(1), stderr=lambda data: seen.append(2))
    assert seen == [1, 2, 1]


def test_output_goes_to_files_of_every_kind(tmp_path: Path) -> None:
    start(BOTH, stdout=str(tmp_path / "out"), stderr=tmp_path / "err")
    assert (tmp_path / "out").read_text() == "out\nout\n"
    assert (tmp_path / "err").read_text() == "err\n"
    start(BOTH, stdout=tmp_path / "out", stderr=subprocess.STDOUT)
    assert (tmp_path / "out").read_text() == "out\nerr\nout\n"
    with (tmp_path / "out").open("wb") as file:
        file.write(b"before\n")
        start(BOTH, stdout=file, stderr=file)
        file.write(b"after\n")
    assert (tmp_path / "out").read_text() == "before\nout\nerr\nout\nafter\n"
    with (tmp_path / "out").open("w", encoding="utf-8") as text:
        start(BOTH, stdout=text.fileno(), stderr=subprocess.DEVNULL)
    assert (tmp_path / "out").read_text() == "out\nout\n"
    memory, text_memory = io.BytesIO(), io.StringIO()
    start(BOTH, stdout=memory, stderr=text_memory)
    assert (memory.getvalue(), text_memory.getvalue()) == (b"out\nout\n", "err\n")
    for newline in (
        "\n",
        "\r\n",
    ):  # only what Python writes is converted
        wrapper = io.TextIOWrapper(io.BytesIO(), "utf-8", newline=newline)
        wrapper.write("before\n")
        start(BOTH, stdout=wrapper, stderr=subprocess.STDOUT)
        assert wrapper.buffer.getvalue() == b"before" + newline.encode() + b"out\nerr\nout\n"


def test_a_character_may_come_in_two_pieces() -> None:
    text = io.StringIO()
    start(
        program(
            "(call $say (i32.const 1024) (i32.const 1)) (call $say (i32.const 1025) (i32.const 2))",
            "\\c3\\a9!",
        ),
        stdout=text,
    )
    assert text.getvalue() == "é!"


def test_a_file_that_takes_little_at_once_gets_all() -> None:
    class Slow(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            self.data += data[:2]
            return len(data[:2])

    slow = Slow()
    start(HELLO, stdout=slow)
    assert slow.data == b"hello\n"


def test_inherit_is_the_descriptor_not_sys_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    start(BOTH, stdout="inherit", stderr="inherit")
    assert capfd.readouterr() == ("out\nout\n", "err\n")


def test_a_descriptor_that_the_program_closes_stays_open_here(
    capfd: pytest.CaptureFixture[str],
) -> None:
    wasi = WasiFunctions(stdin="inherit", stdout="inherit", stderr="inherit")
    for fd in range(3):
        assert wasi.fd_close(fd) == 0
        os.fstat(fd)
    assert wasi.write(1, b"x") == wasm_fixtures.BADF
    os.write(1, b"ours\n")
    assert capfd.readouterr().out == "ours\n"


def test_a_host_without_descriptors() -> None:
    code = (
        f"import os; os.closerange(0, 3)\nimport wamr\n\ntext = {BOTH!r}\n"
        """
config = wamr.WasiConfig(stdin="inherit", stdout="inherit", stderr="inherit")
wamr.load(text, wasi=config).exports._start()
got = []
wamr.load(text, wasi=wamr.WasiConfig(stdout=got.append)).exports._start()
os._exit(7 if got == [b"out\\n"] * 2 else 8)
"""
    )
    assert (
        subprocess.run([sys.executable, "-c", code], close_fds=False, check=False).returncode == 7
    )


def test_streams_stay_what_they_are_when_renumbered(tmp_path: Path) -> None:
    got: list[bytes] = []
    (tmp_path / "file").write_text("")
    wasi = WasiFunctions(dirs={"/": wamr.Dir(tmp_path, writable=True)}, stdout=got.append)
    error, fd = wasi.open("file", rights=wasm_fixtures.WRITE)
    assert error == 0
    assert wasi.fd_renumber(1, fd) == 0
    assert wasi.write(fd, b"to the callable") == 0
    assert wasi.write(1, b"nowhere") == wasm_fixtures.BADF
    assert got == [b"to the callable"]
    assert (tmp_path / "file").read_text() == ""


def test_vectors_are_checked() -> None:
    got: list[bytes] = []
    wasi = WasiFunctions(stdout=got.append)
    vectors = [(8192, 3), (8195, 0), (8195, 4)]
    wasi.memory.write(
        64, b"".join(a.to_bytes(4, "little") + n.to_bytes(4, "little") for a, n in vectors)
    )
    wasi.memory.write(8192, b"one two")
    assert wasi.fd_write(1, 64, 3, wasi.OUT) == 0
    assert wasi.u32() == 7
    assert b"".join(got) == b"one two"
    got.clear()
    for at, size in [(65530, 10), (0xFFFFFFFF, 2), (0, 0xFFFFFFFF)]:
        wasi.memory.write(64, at.to_bytes(4, "little") + size.to_bytes(4, "little"))
        for call in (wasi.fd_write, wasi.fd_read):
            with pytest.raises(wamr.Trap, match="out of bounds memory access"):
                call(1 if call is wasi.fd_write else 0, 64, 1, wasi.OUT)
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wasi.fd_write(1, 65535, 1, wasi.OUT)
    with pytest.raises(wamr.Trap, match="out of bounds memory access"):
        wasi.fd_write(1, 64, 0x10000000, wasi.OUT)
    assert got == []


def test_reading_no_bytes_waits_for_none() -> None:
    ours, theirs = os.pipe()
    try:
        for stdin in (ours, lambda size: None):
            wasi = WasiFunctions(stdin=stdin)
            for count in (0, 1, 3):
                wasi.memory.write(64, bytes(8 * count))
                wasi.memory.write(wasi.OUT, b"\xff" * 4)
                assert wasi.fd_read(0, 64, count, wasi.OUT, timeout=5) == 0
                assert wasi.u32() == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_callable_that_raises_ends_the_program_with_that() -> None:
    class Full(Exception):
        pass

    error, seen = Full("no room"), []

    def refuse(data: bytes) -> None:
        seen.append(data)
        raise error

    instance = wamr.load(BOTH, wasi=WasiConfig(stdout=refuse))
    for _ in range(2):
        with pytest.raises(Full) as caught:
            instance.exports._start()
        assert caught.value is error
    assert seen == [b"out\n"] * 2


def test_a_callable_may_exit_and_interrupt() -> None:
    def leave(data: bytes) -> None:
        raise wamr.ExitTrap(5)

    with pytest.raises(wamr.ExitTrap) as caught:
        start(BOTH, stdout=leave)
    assert caught.value.exit_code == 5
    instance = wamr.load(BOTH, wasi=WasiConfig(stdout=lambda data: instance.interrupt()))
    with pytest.raises(wamr.Trap, match="interrupted"):
        instance.exports._start()


def test_a_callable_may_use_and_close_the_instance() -> None:
    got: list[int] = []

    def look(data: bytes) -> None:
        memory = instance.exports.memory
        got.append(memory[1024])
        assert memory.grow(1) >= 4
        if len(got) == 2:
            instance.close()

    instance = wamr.load(BOTH, wasi=WasiConfig(stdout=look))
    instance.exports._start()
    assert got == [ord("o")] * 2
    with pytest.raises(wamr.ClosedError):
        instance.exports._start()


# ------------------------------------------------------------------ input
def all_input(wasi: WasiFunctions, size: int = 7) -> list[bytes]:
    pieces = []
    while piece := wasi.read(0, size):
        assert isinstance(piece, bytes)
        pieces.append(piece)
    assert wasi.read(0) == b""
    return pieces


def test_input_comes_from_a_callable() -> None:
    asked: list[int] = []
    source = io.BytesIO(b"one two three")

    def give(size: int) -> bytes:
        asked.append(size)
        return source.read(min(size, 4))

    assert all_input(WasiFunctions(stdin=give)) == [b"one ", b"two ", b"thre", b"e"]
    assert set(asked) == {7, 4096}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    both_ends = os.open(path, os.O_RDWR)  # so that nothing here waits for the other end
    opened = []
    real = os.open

    def recorded(name: object, *args: int, **options: int) -> int:
        opened.append(name)
        return real(name, *args, **options)  # type: ignore[arg-type]

    try:
        os.write(both_ends, b"input")
        monkeypatch.setattr(os, "open", recorded)
        wasi = WasiFunctions(stdin=path)
        assert opened.count(path) == 1
        assert wasi.read(0, timeout=60) == b"input"
    finally:
        os.close(both_ends)


def test_input_comes_from_files_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"0123456789")
    pieces = [b"0123456", b"789"]
    for stdin in (
        b"0123456789",
        bytearray(b"0123456789"),
        str(path),
        path,
        io.BytesIO(b"0123456789"),
    ):
        assert all_input(WasiFunctions(stdin=stdin)) == pieces
    assert all_input(WasiFunctions(stdin=io.StringIO("012345é"))) == [b"012345\xc3", b"\xa9"]
    with path.open("rb") as file:
        assert all_input(WasiFunctions(stdin=file)) == pieces
    with path.open("rb") as file:
        assert all_input(WasiFunctions(stdin=file.fileno())) == pieces
    for nothing in (None, subprocess.DEVNULL, b""):
        assert all_input(WasiFunctions(stdin=nothing)) == []
    views = iter([memoryview(b"0.1.2.")[::2], memoryview(b"43")[::-1]])
    assert all_input(WasiFunctions(stdin=lambda size: next(views, b""))) == [b"012", b"34"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"x" * 101, ValueError, "101 bytes where at most 100"),
        ("text", TypeError, "str where bytes"),
        (None, TypeError, "NoneType where bytes"),
    ],
)
def test_bad_answers_of_a_callable(answer: object, error: type, words: str) -> None:
    wasi = WasiFunctions(stdin=lambda size: answer)
    with pytest.raises(error, match=words):
        wasi.read(0, 100)
    assert wasi.write(1, b"the instance lives") == 0


def test_directions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    with path.open("r+b") as file:
        wasi = WasiFunctions(stdin=file, stdout=file, stderr=lambda data: None)
        assert wasi.write(0, b"x") == wasm_fixtures.NOTCAPABLE
        assert wasi.read(1) == wasm_fixtures.NOTCAPABLE
        assert wasi.read(2) == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_filestat_set_size(1, 0) == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_filestat_set_times(1, 0, 0, 8) == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_fdstat_set_flags(0, 4) == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_allocate(1, 0, 100) == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_seek(1, 2, 0, wasi.OUT) == 0
        assert wasi.write(1, b"TA") == 0
        assert (
            wasi.fd_fdstat_set_rights(1, wasm_fixtures.ALL, wasm_fixtures.ALL)
            == wasm_fixtures.NOTCAPABLE
        )
    assert path.read_bytes() == b"daTA"


def test_a_directory_is_no_way_out(tmp_path: Path) -> None:
    descriptor = directory_descriptor(tmp_path)
    try:
        wasi = WasiFunctions(stdin=descriptor)
        assert wasi.open("x", dir=0)[0] == wasm_fixtures.NOTCAPABLE
        assert wasi.fd_readdir(0, 1024, 1024, 0, wasi.OUT) == wasm_fixtures.NOTCAPABLE
    finally:
        os.close(descriptor)


def test_nothing_is_a_terminal() -> None:
    wasi = WasiFunctions(stdin=lambda size: b"", stdout=None, stderr=lambda data: None)
    for fd in range(3):
        assert wasi.filetype(fd) != 2
        assert wasi.fd_seek(fd, 0, 0, wasi.OUT) == wasm_fixtures.NOTCAPABLE


@needs_terminals
def test_a_terminal_is_one() -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        wasi = WasiFunctions(stdin=theirs, stdout=theirs)
        for fd in (0, 1):  # by these, libc detects a terminal
            assert wasi.filetype(fd) == 2
            assert wasi.rights(fd)[0] & (wasm_fixtures.SEEK | wasm_fixtures.TELL) == 0
        assert wasi.write(1, b"prompt> ") == 0
        assert os.read(ours, 100) == b"prompt> "
        os.write(ours, b"line\n")
        assert wasi.read(0) == b"line\n"
    finally:
        os.close(ours)
        os.close(theirs)
