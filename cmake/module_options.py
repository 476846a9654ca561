"""How the module wamr._wamr is compiled: setup.py and tools/prove/windows/build.py ask here.

It consists of cffi's source, which build_ffi.py makes, and of src/native/cpython on CPython. The
libraries that it is linked with are iwasm.py's. This module knows no Python that it builds for.
"""

from __future__ import annotations

from pathlib import Path

# The stable ABI of CPython 3.10 and later.
STABLE_ABI = ("Py_LIMITED_API", "0x030A0000")


def own_sources(native: Path) -> list[Path]:
    """Return the sources beside cffi's, on CPython."""
    return sorted((native / "cpython").glob("*.c"))


def for_all(*, abi3: bool, cl: bool = False) -> list[str]:
    """Return options for each source; cl: for clang-cl, which takes those of cl.exe."""
    first = ["/FI" if cl else "-include", "cpython/refcounts.h"]  # before cffi's functions
    options = first if abi3 else []
    if cl:
        return options
    # cffi's source has hundreds of functions. It compiles in half the time without -O3.
    return [*options, "-O1", "-fvisibility=hidden", "-Werror=implicit-function-declaration"]


def for_own(*, strict: bool) -> list[str]:
    """Return options for own_sources, after those for all: as the rest of our C is compiled."""
    return ["-O2", "-Wall", "-Wextra", *(["-Werror"] if strict else [])]
