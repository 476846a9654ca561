"""Where programs can't have directories, as on Windows, code runs without files."""

from __future__ import annotations

from functools import lru_cache

import pytest
import sandboxes

import wamr
from wamr.sandbox import JavaScript, Python, _folder


@pytest.fixture(autouse=True)
def without_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_folder, "FEATURES", wamr.FEATURES - {"wasi-directories"})


@lru_cache
def python() -> Python:
    """Return a sandbox of this file's own: its interpreter was started without directories."""
    module = sandboxes.python()._interpreter.module
    return Python(module)


@lru_cache
def javascript() -> JavaScript:
    return JavaScript(sandboxes.javascript()._interpreter.module)


@pytest.mark.parametrize("sandbox", [python, javascript])
def test_code_runs_and_sessions_keep_their_state(sandbox):
    with sandbox().session(files={}) as session:
        assert session.run("x = 20; x + 1").check().value == 21
        assert session.run("x + 22").check().value == 42
        copy = session.copy()
    with copy:
        result = copy.run("x")
    assert (result.value, result.files, result.removed) == (20, {}, ())
    assert sandbox().run("1", files=None).value == 1


def test_code_finds_no_files_and_can_make_none():
    code = "import os\n[os.path.exists('/work'), os.path.exists('C:/'), os.path.exists('/')]"
    assert python().run(code).check().value == [False, False, False]
    result = python().run("open('a', 'w')")
    assert result.exception.type == "FileNotFoundError"
    assert result.files == {}


@pytest.mark.parametrize("run", ["run", "session"])
def test_files_are_refused(run):
    sandbox = python()
    for files in ({"a": b"1"}, {"sub/b": "text"}):
        with pytest.raises(wamr.UnavailableError, match=r"^files is not available on Windows"):
            sandbox.run("1", files=files) if run == "run" else sandbox.session(files=files)
    with pytest.raises(TypeError, match="files must be a mapping"):
        sandbox.run("1", files=[])
    with sandbox.session() as session:
        with pytest.raises(wamr.UnavailableError, match="no 'a'"):
            session.run("1", files={"a": b""})
        assert session.run("2").value == 2
