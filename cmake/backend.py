"""The PEP 517 backend: that of setuptools, with CMake and Ninja as requirements where they lack.

Both are large downloads, and most machines with a compiler have them. So pyproject.toml does not
require them.
"""

from __future__ import annotations

from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

import iwasm

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


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what to install before a wheel is built."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *iwasm.missing_tools()]


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what to install before an editable installation is built."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *iwasm.missing_tools()]
