"""Builds the program of the conformance tests (program/*.c) once a session, with zig's compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from needs import needs

SOURCES = Path(__file__).with_name("program")
FLAGS = ["-target", "wasm32-wasi", "-O1", "-g0", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="session")
def conformance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, compiled. Zig keeps its libc for WASI in the user's cache."""
    needs("ziglang", "test")
    target = tmp_path_factory.mktemp("conformance") / "conformance.wasm"
    sources = sorted(map(str, SOURCES.glob("*.c")))
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *sources, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target
