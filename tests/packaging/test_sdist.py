"""What is in the source distribution. That it builds alone is shown by the fixture `wheel`."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import iwasm
import sources

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def names(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        paths = [PurePosixPath(member.name) for member in archive if member.isfile()]
    return {path.relative_to(path.parts[0]).as_posix() for path in paths}


def test_it_carries_the_proven_tree_and_its_licence(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    tree = unpacked / "wamr-src"
    assert sources.tree_id(tree / "core") == sources.CORE_TREE
    assert sorted(path.name for path in tree.iterdir()) == sorted(sources.PARTS)


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "NOTICE",
        "README.md",
        "build_ffi.py",
        "cmake/CMakeLists.txt",
        "cmake/backend.py",
        "cmake/patches/series",
        "cmake/upstream.json",
        "codegen/header.py",
        "src/native/include/wpy.h",
        "src/native/runtime/runtime.c",
        "src/wamr/py.typed",
        "tests/packaging/test_sdist.py",
    ],
)
def test_it_has_what_building_and_testing_need(names: set[str], name: str) -> None:
    assert name in names


def test_it_has_nothing_that_was_built(names: set[str]) -> None:
    ours = {name for name in names if not name.startswith("wamr-src/")}
    endings = (".so", ".pyd", ".o", ".a", ".pyc", ".wasm", ".aot")
    assert not [name for name in ours if name.endswith(endings)]
    assert not [name for name in ours if name.startswith(("build/", "dist/", ".venv", ".git/"))]
    assert "src/wamr/_capi/_generated.py" not in ours
    assert "src/wamr/_wamr_version.py" not in ours


def test_it_is_small(sdist: Path) -> None:
    assert sdist.stat().st_size < 4_000_000  # WAMR has two of them


@pytest.mark.parametrize("populated", [False, True])
def test_a_checkout_without_the_tree_builds_one_with_every_licence_and_no_warning(
    root: Path, tmp_path: Path, run: Callable[..., Any], populated: bool
) -> None:
    tree = sources.resolve(root, iwasm.layout(root).build).path
    clean, built = tmp_path / "clean", tmp_path / "built"
    left = shutil.ignore_patterns("build", "dist", ".*", "wamr-src", "*.egg-info", "*.so", "tests")
    shutil.copytree(root, clean, ignore=left)
    if populated:
        for part in sources.PARTS:
            copy = shutil.copytree if (tree / part).is_dir() else shutil.copy2
            (clean / "wamr-src").mkdir(exist_ok=True)
            copy(tree / part, clean / "wamr-src" / part)
    done = run(
        *(sys.executable, "-m", "build", "--sdist", "-nx", "--outdir", built, clean),
        env=os.environ | {"WAMR_SRC": "" if populated else str(tree)},
    )
    output = done.stdout + done.stderr
    assert "running sdist" in output
    assert "DeprecationWarning" not in output
    assert "did not match" not in output
    (archive,) = built.iterdir()
    with tarfile.open(archive) as unpacked:
        unpacked.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("wamr-*")
    assert (folder / "LICENSE").read_text() == (folder / "wamr-src" / "LICENSE").read_text()
    listed = [
        line.partition(": ")[2]
        for line in (folder / "PKG-INFO").read_text().splitlines()
        if line.startswith("License-File: ")
    ]
    assert listed == ["LICENSE", "NOTICE"]
