"""The features of this build: proposals of WebAssembly, and WASI."""

from __future__ import annotations

import sys

from .binding import lib

FEATURES: frozenset[str] = frozenset(
    {
        "atomics",
        "bulk-memory",
        "exceptions",
        "extended-const",
        "legacy-exceptions",
        "multi-value",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-extension",
        "tail-call",
        "wasi",
    }
)
if lib.wpy_has_simd():  # not for every processor
    FEATURES |= {"relaxed-simd", "simd"}
if sys.platform != "win32":  # see _wasi/host_directories.py
    FEATURES |= {"wasi-directories"}
