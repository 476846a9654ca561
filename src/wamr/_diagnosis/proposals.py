"""The proposals that a module may use, by the names of `wamr.FEATURES`: what they are called, and
what to do where a build has not got one.
"""

from __future__ import annotations

from wamr._version import FEATURES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# A feature's name: the proposal's, and what to do.
PROPOSALS: dict[str, tuple[str, str]] = {
    "bulk-memory": ("bulk memory operations", ""),
    "compact-imports": ("compact import sections", ""),
    "custom-descriptors": ("custom descriptors", ""),
    "custom-page-sizes": ("custom page sizes", ""),
    "exceptions": (
        "exception handling",
        "compile C++ without -fwasm-exceptions, Rust with panic=abort",
    ),
    "extended-const": ("extended constant expressions", ""),
    "function-references": ("typed function references", ""),
    "gc": (
        "garbage collection",
        "the compilers of Kotlin, Dart, Java, Scala and OCaml need it: their modules do not run",
    ),
    "legacy-exceptions": (
        "exception handling in its legacy form",
        "compile C++ without -fwasm-exceptions, Rust with panic=abort",
    ),
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
_ALWAYS = frozenset({"nontrapping-float-to-int"})  # of WebAssembly 2.0, never left out
_SECOND = frozenset(
    ["bulk-memory", "multi-value", "mutable-globals", "reference-types", "sign-extension", "simd"]
)


def supported(feature: str) -> bool:
    """Tell whether this build has a feature."""
    return feature in FEATURES or feature in _ALWAYS


def lacking(used: Iterable[str]) -> list[str]:
    """Return which of the features this build does not have."""
    return sorted([feature for feature in used if not supported(feature)])


def what_there_is() -> str:
    """Return what this build has, in words."""
    names = set(FEATURES)
    parts = []
    if names >= _SECOND:
        names -= _SECOND
        parts.append("WebAssembly 2.0")
    parts += [PROPOSALS[name][0] if name in PROPOSALS else name for name in sorted(names)]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def listed(parts: list[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
