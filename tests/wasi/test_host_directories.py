"""Directories are refused where a program could leave them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import wamr
from wamr import Dir, UnavailableError, WasiConfig
from wamr._wasi import config, host_directories


def test_directories_are_available_where_the_features_say_so(tmp_path: Path) -> None:
    host_directories.check_available(frozenset({"wasi", "wasi-directories"}))
    if "wasi-directories" in wamr.FEATURES:
        WasiConfig(dirs={"/": tmp_path})
    else:
        with pytest.raises(UnavailableError):
            WasiConfig(dirs={"/": tmp_path})


def test_directories_are_refused_on_windows() -> None:
    assert ("wasi-directories" in wamr.FEATURES) is (sys.platform != "win32")
    with pytest.raises(UnavailableError, match=r"not available on Windows.*'C:/'"):
        host_directories.check_available(frozenset({"wasi"}))


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        config, "check_available", lambda: host_directories.check_available(frozenset({"wasi"}))
    )


@pytest.mark.usefixtures("on_windows")
def test_every_directory_of_the_host_is_refused(tmp_path: Path) -> None:
    for source in (tmp_path, str(tmp_path), Dir(tmp_path), Dir(tmp_path, writable=True)):
        for dirs in ({"/": source}, {"/": {}, "/host": source}):
            with pytest.raises(UnavailableError, match=r"^dirs is not available on Windows"):
                WasiConfig(dirs=dirs)  # type: ignore[arg-type]
    with pytest.raises(UnavailableError):
        WasiConfig(dirs={"/": tmp_path / "missing"})
    with pytest.raises(TypeError, match="must be a path, not NoneType"):
        WasiConfig(dirs={"/": None})  # type: ignore[dict-item]


@pytest.mark.usefixtures("on_windows", "wat")
def test_private_directories_are_not_refused() -> None:
    with wamr.load("(module)", wasi=WasiConfig(dirs={"/": {}, "/w": {"a": b"1"}})) as instance:
        assert dict(instance.files["/w"]) == {"a": b"1"}


@pytest.mark.usefixtures("on_windows", "wat")
def test_run_and_session_refuse_directories(tmp_path: Path) -> None:
    text = '(module (memory (export "memory") 1) (func (export "_start")))'
    program = wamr.Module(wamr.Engine(), text)
    with pytest.raises(UnavailableError):
        wamr.run([program], dirs={"/": tmp_path})
    with pytest.raises(UnavailableError):
        wamr.Session([program], dirs={"/": tmp_path})
    assert wamr.run([program], dirs={"/": {"a": b"1"}}).files["/"]["a"] == b"1"
    assert wamr.run([program]).returncode == 0


@pytest.mark.usefixtures("on_windows")
def test_without_directories_nothing_is_refused() -> None:
    for none in (None, {}):
        assert WasiConfig(dirs=none)._dirs == {}  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dirs must be a mapping"):
        WasiConfig(dirs=["/"])  # type: ignore[arg-type]


@pytest.mark.parametrize("writable", [None, 1, "no"])
def test_writable_is_a_bool(tmp_path: Path, writable: object) -> None:
    with pytest.raises(TypeError, match=f"writable must be a bool, not {type(writable).__name__}"):
        Dir(tmp_path, writable=writable)  # type: ignore[arg-type]
