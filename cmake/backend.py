"""The PEP 517 backend: that of setuptools, with three additions.

CMake and Ninja are requirements where this machine lacks them. Both are large downloads, and most
machines with a compiler have them, so pyproject.toml does not require them. Where there is no
compiler, an error says so before anything is downloaded. Nor does pyproject.toml require cffi:
where cffi refuses the interpreter, this says so first.

A folder that can't be written to, as a read-only mount or the checkout of another user, is built in
a temporary copy, since setuptools and the build write into the source folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import setuptools
from setuptools import build_meta

import iwasm
import toolchain

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

# Folders that the build writes to.
WRITTEN = (".", "build", "src", "src/wamr", "src/wamr/_capi", "src/wamr.egg-info")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.so", "*.pyd")

# As in pyproject.toml.
SETUPTOOLS, SIMDE = "setuptools>=77", "simde-py>=0.8.2,<0.9"
# For code generation; free-threaded CPython needs cffi 2, the newest.
CFFI = ["cffi>=1.17", "pycparser>=2.22"]

Settings = dict[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return what to install before a wheel is built."""
    check_interpreter()
    _check_toolchain()
    with _writable():
        needed = build_meta.get_requires_for_build_wheel(config_settings)
    return [*needed, *CFFI, *iwasm.missing_tools()]


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata of the wheel."""
    _check_installed()
    with _writable():
        return build_meta.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel and return its name."""
    _check_installed()
    with _writable():
        return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    """Return what to install before an sdist is built."""
    with _writable():
        return build_meta.get_requires_for_build_sdist(config_settings)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build the sdist and return its name."""
    with _writable():
        return build_meta.build_sdist(sdist_directory, config_settings)


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Return what to install before an editable installation is built."""
    if not _can_write(Path.cwd()):
        raise iwasm.BuildError(
            f"{Path.cwd()} can't be written, and an editable installation writes into it. Leave "
            "--editable out, or copy the folder first."
        )
    check_interpreter()
    _check_toolchain()
    needed = build_meta.get_requires_for_build_editable(config_settings)
    return [*needed, *CFFI, *iwasm.missing_tools()]


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata of the editable installation, next to the sources."""
    _check_installed()
    return build_meta.prepare_metadata_for_build_editable(metadata_directory, config_settings)


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build next to the sources, and return the name of a wheel that refers to them."""
    _check_installed()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def _check_installed() -> None:
    """Raise BuildError where a requirement is missing: --no-build-isolation does not check them."""
    check_interpreter()
    _check_toolchain()
    found = tuple(int(part) for part in re.findall(r"\d+", setuptools.__version__)[:1])
    missing = [SETUPTOOLS] if found < (77,) else []
    missing += [each for each in CFFI if not find_spec(each.partition(">")[0])]
    missing += [] if iwasm.has_simde() else [SIMDE]
    missing += iwasm.missing_tools()
    if missing:
        words = " ".join(shlex.quote(each) for each in missing)
        raise iwasm.BuildError(
            f"\nThe build of wamr needs more packages. Type:\n  pip install {words}\n"
            "or leave --no-build-isolation out, and pip installs them for the build only.\n"
        )


def check_interpreter() -> None:
    """Raise BuildError where there is no cffi: on free-threaded CPython before 3.14.

    If cffi is installed all the same, such as a build of it without its check, it is used.
    """
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    if free_threaded and sys.version_info < (3, 14) and not find_spec("cffi"):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise iwasm.BuildError(
            f"wamr can't be installed for free-threaded CPython {version} ({version}t): it needs "
            f"cffi, which supports free-threaded CPython from 3.14 on. Use python{version} with a "
            "GIL, or python3.14t"
        )


def _check_toolchain() -> None:
    if os.name == "nt":
        iwasm.clang_cl()
    if lacks := toolchain.missing(os.environ):
        raise iwasm.BuildError(f"\n{lacks}\n")


def _can_write(root: Path) -> bool:
    folders = [root / name for name in WRITTEN]
    return all(os.access(folder, os.W_OK) for folder in folders if folder.is_dir())


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    """Work in this folder, or in a copy of it where it can't be written to."""
    root = Path.cwd()
    if _can_write(root):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="wamr-") as scratch:
        copy = Path(scratch) / "wamr"

        def left_out(folder: str, names: list[str]) -> set[str]:
            top = {"build", "dist"} if Path(folder) == root else set()
            return NOT_COPIED(folder, names) | top

        shutil.copytree(root, copy, ignore=left_out, copy_function=_copy)
        for folder, _names, _files in os.walk(copy):
            Path(folder).chmod(0o755)
        os.chdir(copy)
        try:
            yield
        finally:
            os.chdir(root)


def _copy(source: str, target: str) -> str:
    """Copy a file, which may be written to afterwards."""
    shutil.copy2(source, target)
    path = Path(target)
    path.chmod(path.stat().st_mode | 0o200)
    return target
