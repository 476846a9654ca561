"""The program of the conformance tests (program/*.c), private directories, and full pipes.

The program is built once a session, with zig's compiler.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wasm_fixtures import WasiFunctions
from zig import compile_for_wasi

from wamr._wasi import private, private_paths, private_trees

SOURCES = Path(__file__).with_name("program")
FLAGS = ["-O1", "-g0", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="session")
def conformance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, compiled."""
    target = tmp_path_factory.mktemp("conformance") / "conformance.wasm"
    sources = sorted(map(str, SOURCES.glob("*.c")))
    compile_for_wasi("cc", *FLAGS, *sources, "-o", str(target))
    return target


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make temporary directories in this folder, which is empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


TREES = {"paths": private_paths, "descriptors": private_trees}


@pytest.fixture(params=["paths"] if os.name == "nt" else TREES)
def trees(request, monkeypatch):
    """Run the test with each kind of access to private directories that this system has.

    Windows has the one by paths, which also works elsewhere, unless a program makes links.
    """
    monkeypatch.setattr(private, "trees", TREES[request.param])
    return request.param


@pytest.fixture
def wasi():
    made = []

    def make(files: Any, **config: Any) -> Any:
        made.append(WasiFunctions(dirs={"/w": files}, **config))
        return made[-1], made[-1].instance.files["/w"]

    yield make
    for each in made:
        each.instance.close()


@pytest.fixture(params=["blocking", "non-blocking"])
def full(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A pipe without room; its owner may have made it non-blocking, which no program notices."""
    ours, theirs = os.pipe()
    set_blocking(theirs, False)
    for size in (4096, 512, 1):
        with contextlib.suppress(OSError):  # BlockingIOError; from Wine's C library, EINVAL
            while os.write(theirs, b"x" * size):
                pass
    set_blocking(theirs, request.param == "blocking")
    yield ours, theirs
    for descriptor in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def set_blocking(descriptor: int, blocking: bool) -> None:
    """Do as os.set_blocking, which accepts pipes on Windows only since Python 3.12."""
    try:
        os.set_blocking(descriptor, blocking)
    except (AttributeError, OSError):
        pytest.skip("this Python can't make pipes non-blocking")
