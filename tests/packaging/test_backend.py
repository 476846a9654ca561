"""The backend of the build: what it asks for, and where it refuses the interpreter."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
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


def test_a_missing_clang_cl_is_said_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> str:
        raise iwasm.BuildError("no clang-cl")

    monkeypatch.setattr(backend, "os", SimpleNamespace(name="nt", environ={}))
    monkeypatch.setattr(iwasm, "clang_cl", missing)
    for hook in (backend.get_requires_for_build_wheel, backend._check_installed):
        with pytest.raises(iwasm.BuildError, match="no clang-cl"):
            hook()
