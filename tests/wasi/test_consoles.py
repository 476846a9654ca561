"""Streams of Windows' consoles, whose class of files is FileIO here."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from wasm_fixtures import WasiFunctions

from wamr import WasiConfig, load
from wamr._wasi import config, console, stdio

pytestmark = pytest.mark.usefixtures("wat")


@pytest.fixture
def pipe() -> object:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "CONSOLE", io.FileIO)
    monkeypatch.setattr(config, "CONSOLE", io.FileIO)


@pytest.mark.usefixtures("consoles")
def test_characters_are_written_whole(pipe: tuple[int, int]) -> None:
    wasi = WasiFunctions(stdout=pipe[1])
    data = "é€😀".encode()
    for i in range(len(data)):
        assert wasi.write(1, data[i : i + 1]) == 0
        if i in (0, 2, 4, 7):  # in the middle of a character
            os.write(pipe[1], b"|")
    assert os.read(pipe[0], 100).decode().replace("|", "") == "é€😀"


@pytest.mark.usefixtures("consoles")
def test_what_is_no_utf8_is_replaced(pipe: tuple[int, int]) -> None:
    write = console.console_writer(pipe[1])
    assert write is not None
    write(b"a\xffb")
    assert os.read(pipe[0], 100).decode() == "a\ufffdb"


@pytest.mark.usefixtures("consoles")
def test_reading_from_a_console(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], "zeilé\n".encode())
    assert WasiFunctions(stdin=pipe[0]).read(0) == "zeilé\n".encode()


@pytest.mark.skipif(os.name == "nt", reason="the twin of the tests above, without consoles")
def test_other_systems_have_no_consoles(pipe: tuple[int, int]) -> None:
    assert console.CONSOLE is None
    assert console.console_writer(pipe[1]) is None
    assert console.console_reader(pipe[0]) is None


@pytest.mark.usefixtures("consoles")
def test_another_class_is_no_console(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "CONSOLE", io.BytesIO)
    assert console.console_writer(pipe[1]) is None
    assert console.console_reader(pipe[0]) is None


@pytest.mark.usefixtures("consoles")
def test_a_closed_descriptor_is_no_console(pipe: tuple[int, int]) -> None:
    closed = os.dup(pipe[0])
    os.close(closed)
    assert console.console_writer(closed) is None
    assert console.console_reader(closed) is None
    for stream in ({"stdin": closed}, {"stdout": closed}):
        with pytest.raises(OSError) as caught:
            WasiConfig(**stream)
        assert caught.value.errno == errno.EBADF


@pytest.mark.usefixtures("consoles")
@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_descriptor_that_is_closed_later_is_an_error(pipe: tuple[int, int], stream: str) -> None:
    copy = os.dup(pipe[0 if stream == "stdin" else 1])
    wasi = WasiConfig(**{stream: copy})
    os.close(copy)
    with pytest.raises(OSError, match=f"descriptor {copy}"):
        load("(module)", wasi=wasi)


def test_a_directory_is_none_where_opening_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a directory fails on Windows. The error for any other denied file is unchanged."""

    def deny(path: str, flags: int, mode: int = 0) -> int:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "file").touch()
    monkeypatch.setattr(stdio.os, "open", deny)
    with pytest.raises(IsADirectoryError):
        WasiConfig(stdin=tmp_path)
    with pytest.raises(PermissionError):
        WasiConfig(stdin=tmp_path / "file")
