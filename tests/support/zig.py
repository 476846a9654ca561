"""The compiler of the package ziglang, for programs in C and C++."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

from bounds import time_to_compile
from needs import needs


def compile_for_wasi(language: Literal["cc", "c++"], *arguments: str) -> None:
    """Run the compiler; skip the test without the extra wamr[test].

    The first time with some flags, the compiler compiles its libc for WASI, and keeps that in the
    user's cache. That can take minutes.
    """
    needs("ziglang", "test")
    command = [sys.executable, "-m", "ziglang", language, "-target", "wasm32-wasi", *arguments]
    with time_to_compile():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
