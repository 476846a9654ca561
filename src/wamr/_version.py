"""Which wamr this is, and which WAMR is in it."""

from __future__ import annotations

__version__ = "0.1.0"
WAMR_VERSION = "2.4.3"
WAMR_COMMIT = "978ce3f2397b738ff181f876225e4dbed07faee0"
FEATURES: frozenset[str] = frozenset(
    {
        "bulk-memory",
        "extended-const",
        "multi-value",
        "mutable-globals",
        "reference-types",
        "sign-extension",
        "simd",
        "tail-call",
        "wasi",
    }
)
