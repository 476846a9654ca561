"""Proposals that a module may use, by their names in `wamr.FEATURES`.

Each has advice for users of a build without it.
"""

from __future__ import annotations

from .._backend.features import FEATURES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Feature -> the name of the proposal, and advice.
PROPOSALS: dict[str, tuple[str, str]] = {
    # Of the proposal "threads", the part that needs no shared memory.
    "atomics": ("atomic instructions on memories that are not shared", "compile without -matomics"),
    "bulk-memory": ("bulk memory operations", ""),
    "compact-imports": ("compact import sections", ""),
    "custom-descriptors": ("custom descriptors", ""),
    "custom-page-sizes": ("custom page sizes", ""),
    "exceptions": ("exception handling", ""),
    "extended-const": ("extended constant expressions", ""),
    "function-references": ("typed function references", ""),
    "gc": (
        "garbage collection",
        "the compilers of Kotlin, Dart, Java, Scala and OCaml need it: their modules do not run",
    ),
    "legacy-exceptions": ("exception handling in its legacy form", ""),
    "memory64": ("64-bit memories and tables (memory64)", "compile for wasm32"),
    "multi-memory": ("multiple memories", ""),
    "multi-value": ("multiple values", ""),
    "mutable-globals": ("importing and exporting mutable globals", ""),
    "nontrapping-float-to-int": ("non-trapping conversions of floats to integers", ""),
    "reference-types": ("reference types", ""),
    "relaxed-simd": ("relaxed SIMD", "compile without -mrelaxed-simd"),
    "shared-everything-threads": ("shared-everything threads", ""),
    "sign-extension": ("sign extension", ""),
    "simd": ("fixed-width SIMD", "compile without -msimd128"),
    "stack-switching": ("stack switching", ""),
    "tail-call": ("tail calls", ""),
    "threads": (
        "threads, with their shared memories and atomic instructions",
        "compile without -pthread and -matomics, for a target without threads",
    ),
    "wasi": ("WASI", ""),
    "wide-arithmetic": ("wide arithmetic", "compile without -mwide-arithmetic"),
}
_WEBASSEMBLY_2 = frozenset(
    [
        "bulk-memory",
        "multi-value",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-extension",
        "simd",
    ]
)


def supported(feature: str) -> bool:
    """Tell whether this build has a feature."""
    return feature in FEATURES


def lacking(used: Iterable[str]) -> list[str]:
    """Return those of the features that this build lacks, sorted."""
    return sorted([feature for feature in used if not supported(feature)])


def what_there_is() -> str:
    """Return the features of this build as text."""
    names = set(FEATURES)
    parts = []
    if names >= _WEBASSEMBLY_2:
        names -= _WEBASSEMBLY_2
        parts.append("WebAssembly 2.0")
    parts += [PROPOSALS[name][0] if name in PROPOSALS else name for name in sorted(names)]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def listed(parts: list[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
