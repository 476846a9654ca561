"""A machine that can't compile the package gets a sentence that says what to install."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

import toolchain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the compilers of POSIX")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


@pytest.fixture
def include(tmp_path: Path) -> str:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "Python.h").touch()
    return str(tmp_path / "include")


def program(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_this_machine_lacks_nothing() -> None:
    assert toolchain.missing(os.environ) == ""
    assert Path(sysconfig.get_path("include"), "Python.h").is_file()


@pytest.mark.parametrize("name", toolchain.COMPILERS)
def test_each_compiler_will_do(tools: Path, include: str, name: str) -> None:
    program(tools, name)
    assert toolchain.missing(os.environ, include) == ""


@pytest.mark.parametrize(("tool", "command"), toolchain.INSTALL.items())
def test_without_a_compiler_the_command_of_the_system_is_named(
    tools: Path, include: str, tool: str, command: str
) -> None:
    program(tools, tool)
    said = toolchain.missing(os.environ, include)
    assert said.startswith("wamr is compiled from its sources here, and this machine has no C comp")
    assert f"Type:  {command}" in said
    assert "pip install --upgrade pip" in said


def test_without_a_known_system_the_packages_are_named(tools: Path, include: str) -> None:
    assert "Install a C compiler and the headers" in toolchain.missing(os.environ, include)


def test_headers_of_python_are_asked_for(tools: Path, tmp_path: Path) -> None:
    program(tools, "cc")
    said = toolchain.missing(os.environ, str(tmp_path))
    assert "the headers of Python 3." in said
    assert f"{tmp_path}/Python.h" in said


def test_a_compiler_that_is_named_must_exist(tools: Path, include: str) -> None:
    program(tools, "mine")
    program(tools, "cc")
    here = dict(os.environ)
    assert toolchain.missing(here | {"CC": "mine -m64"}, include) == ""
    said = toolchain.missing(here | {"CC": "none -m64"}, include)
    assert said.startswith("wamr is compiled from its sources, and CC=none -m64 names no program.")
