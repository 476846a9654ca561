"""The version of this package, that of WAMR, and the features of this build."""

from __future__ import annotations

from ._wamr_version import WAMR_COMMIT, WAMR_VERSION

__all__ = ["FEATURES", "WAMR_COMMIT", "WAMR_VERSION", "__version__"]

__version__ = "0.1.0"
FEATURES: frozenset[str] = frozenset(
    {
        "atomics",
        "bulk-memory",
        "exceptions",
        "extended-const",
        "legacy-exceptions",
        "multi-value",
        "mutable-globals",
        "reference-types",
        "relaxed-simd",
        "sign-extension",
        "simd",
        "tail-call",
        "wasi",
    }
)
