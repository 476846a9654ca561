"""A directory where a file is needed is the same error on each system, and for each function."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import wamr
import wamr.ffi
from wamr._base.opening import opened

OPENS: dict[str, Callable[[Path], object]] = {
    "opened": opened,
    "load": wamr.load,
    "snapshot": lambda path: wamr.Snapshot.load(path, wamr.Module(wamr.Engine(), b"\0asm\1\0\0\0")),
    "stdin": lambda path: wamr.WasiConfig(stdin=path),
    "stdout": lambda path: wamr.WasiConfig(stdout=path),
    "C API": lambda path: wamr.ffi.load_module_file(None, path),
}


@pytest.fixture(params=["as here", "as on Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def deny(path: object, *args: object, **named: object) -> object:
        if isinstance(path, Path) and (path.is_dir() or path.suffix == ".denied"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **named)  # type: ignore[call-overload]

    if request.param == "as on Windows":
        monkeypatch.setattr(builtins, "open", deny)


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", OPENS)
def test_a_directory_is_a_directory(name: str, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        OPENS[name](tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_the_command_tells_of_a_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wamr", "validate", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Is a directory" in done.stderr


def test_other_errors_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "missing")
    with pytest.raises(TypeError):
        opened(None)  # type: ignore[arg-type]

    def deny(path: object, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "file").touch()
    monkeypatch.setattr(builtins, "open", deny)
    with pytest.raises(PermissionError):
        opened(tmp_path / "file")
