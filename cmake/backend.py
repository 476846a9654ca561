"""The PEP 517 backend: setuptools', which also asks for CMake and Ninja where there are none.

Both are big downloads and most machines that compile have them, so they are no fixed requirement.
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
