"""The build backend: a folder that can't be written to is built in a copy, and left as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import backend

import iwasm

posix = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source folder, where the test runs as a hook does."""
    for name in ("setup.py", "src/wamr/a.py", "build/x/old.o", ".git/HEAD", "src/build/kept.py"):
        path = tmp_path / "sources é" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "sources é" / "setup.py").chmod(0o500)
    monkeypatch.chdir(tmp_path / "sources é")
    return tmp_path / "sources é"


def test_a_folder_that_can_be_written_to_is_used_itself(folder: Path) -> None:
    with backend._writable():
        assert Path.cwd() == folder


def test_another_one_is_copied_without_what_was_built(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_can_write", lambda root: False)
    with pytest.raises(KeyError), backend._writable():
        copy = Path.cwd()
        assert copy != folder
        files = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()}
        assert files == {"setup.py", "src/wamr/a.py", "src/build/kept.py"}
        (copy / "setup.py").write_text("changed")
        raise KeyError
    assert Path.cwd() == folder
    assert not copy.exists()
    assert (folder / "setup.py").read_text() == "setup.py"


@pytest.mark.parametrize("name", backend.WRITTEN)
def test_each_folder_that_is_written_to_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    assert backend._can_write(folder)
    # Root may write whatever the modes are, so the modes would prove nothing.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder / name)
    assert not backend._can_write(folder)


def test_a_machine_without_a_compiler_is_told_before_anything_is_downloaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.toolchain, "missing", lambda environment: "no compiler here")
    for hook in (backend.get_requires_for_build_wheel, backend.get_requires_for_build_editable):
        with pytest.raises(iwasm.BuildError, match="no compiler here"):
            hook()


def test_an_editable_installation_there_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_can_write", lambda root: False)
    with pytest.raises(iwasm.BuildError, match="Leave --editable out, or copy the folder"):
        backend.get_requires_for_build_editable()


BUILD = """
import os, sys
sys.path.insert(0, "cmake")
import backend
if os.geteuid() == 0:  # may write in spite of the modes
    backend._can_write = lambda root: False
print(backend.build_sdist(sys.argv[1]))
"""


@posix
@pytest.mark.packaging
def test_an_sdist_is_built_where_nothing_can_be_written(
    sdist: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("wamr-*")
    out = tmp_path / "out"
    out.mkdir()
    before = sorted(source.rglob("*"))
    for path in [source, *before]:
        path.chmod(path.stat().st_mode & 0o555)
    try:
        done = run(sys.executable, "-B", "-c", BUILD, out, cwd=source)
    finally:
        for path in [source, *before]:
            path.chmod(path.stat().st_mode | 0o200)
    (built,) = out.iterdir()
    assert built.name == done.stdout.splitlines()[-1]
    assert sorted(source.rglob("*")) == before
"""The backend of the build: what it asks for, and where it refuses the interpreter."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import backend

import iwasm


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that pretends another interpreter, with or without cffi."""
    real = sysconfig.get_config_var

    def pretend(version: tuple[int, int], free_threaded: object, *, cffi: bool) -> None:
        monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
        variables = {"Py_GIL_DISABLED": free_threaded}
        monkeypatch.setattr(
            sysconfig, "get_config_var", lambda name: variables.get(name, real(name))
        )
        monkeypatch.setattr(backend, "find_spec", lambda name: object() if cffi else None)

    return pretend


@pytest.mark.parametrize(
    ("version", "free_threaded", "cffi"),
    [
        ((3, 10), None, False),
        ((3, 13), 0, False),
        ((3, 13), 1, True),
        ((3, 14), 0, False),
        ((3, 14), 1, False),
        ((3, 15), 1, False),
    ],
)
def test_other_interpreters_are_taken(
    interpreter: Any, version: tuple[int, int], free_threaded: object, cffi: bool
) -> None:
    interpreter(version, free_threaded, cffi=cffi)
    backend.check_interpreter()


def test_free_threaded_3_13_is_refused_with_what_would_be_right(interpreter: Any) -> None:
    interpreter((3, 13), 1, cffi=False)
    for hook in (backend.get_requires_for_build_wheel, backend.get_requires_for_build_editable):
        with pytest.raises(iwasm.BuildError) as raised:
            hook()
        assert str(raised.value) == (
            "wamr can't be installed for free-threaded CPython 3.13 (3.13t): it needs cffi, which "
            "supports free-threaded CPython from 3.14 on. Use python3.13 with a GIL, or python3.14t"
        )


@pytest.mark.parametrize(
    "hook",
    [
        backend.prepare_metadata_for_build_wheel,
        backend.build_wheel,
        backend.prepare_metadata_for_build_editable,
        backend.build_editable,
    ],
)
def test_what_is_missing_without_isolation_is_named_in_one_command(
    monkeypatch: pytest.MonkeyPatch, hook: Any
) -> None:
    monkeypatch.setattr(backend.setuptools, "__version__", "66.1.1")
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    monkeypatch.setattr(backend.iwasm, "has_simde", lambda: False)
    monkeypatch.setattr(backend.iwasm, "missing_tools", lambda: ["cmake>=3.16", "ninja"])
    with pytest.raises(iwasm.BuildError) as raised:
        hook("nowhere")
    assert (
        "pip install 'setuptools>=77' 'cffi>=1.17' 'pycparser>=2.22' 'simde-py>=0.8.2,<0.9' "
        "'cmake>=3.16' ninja\n"
    ) in str(raised.value)
    assert "or leave --no-build-isolation out" in str(raised.value)


@pytest.mark.parametrize("version", ["77.0.3", "78", "84.2.1.post1", "100.1"])
def test_a_new_setuptools_will_do(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(backend.setuptools, "__version__", version)
    monkeypatch.setattr(backend, "find_spec", lambda name: object())
    monkeypatch.setattr(backend.iwasm, "has_simde", lambda: True)
    monkeypatch.setattr(backend.iwasm, "missing_tools", list)
    backend._check_installed()


def test_the_requirements_are_those_of_pyproject(root: Path) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    (required,) = [line for line in text.splitlines() if line.startswith("requires = ")]
    assert backend.SETUPTOOLS in required
    assert backend.SIMDE in required
