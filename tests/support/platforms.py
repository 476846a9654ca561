"""What a platform can't do: for each reason one mark, which skips a test and names the reason.

`make prove` sets PROVE_EMULATED where an emulator runs the tests, and WAMR_LABELS=0 for a build
whose interpreter has a switch (tools/prove). Also a pytest plugin: on a build without SIMD it skips
a test whose module is refused for that reason, and on Windows one that gives programs directories.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
import threading
from collections.abc import Generator

import pytest

BITS = sys.maxsize.bit_length() + 1
# Whether the interpreter pairs instructions: it jumps by addresses of labels, which stand anywhere
# in its code, since the processor reads addresses from any place.
SWITCH = os.environ.get("WAMR_LABELS") == "0"
MACHINE = platform.machine().lower()  # the kernel's: it may run programs of 32 bits
X86 = MACHINE in {"x86_64", "amd64", "x86", "i386", "i486", "i586", "i686"}
PAIRS = not SWITCH and (X86 or (BITS == 64 and MACHINE in {"aarch64", "arm64"}))
EMULATED = bool(os.environ.get("PROVE_EMULATED"))

# 32-bit x86: C functions return a double in a register that makes a signalling NaN quiet.
X87 = BITS < 64 and X86
needs_64_bits = pytest.mark.skipif(
    BITS < 64, reason="32 bits: the address space has no room for it"
)
keeps_memories = pytest.mark.skipif(
    BITS < 64, reason="32 bits: a freed memory gives its addresses back"
)
needs_short_calls = pytest.mark.skipif(
    MACHINE in {"armv7l", "armv8l", "riscv64"},
    reason="a call and the entry are two checks: no unaligned accesses on this processor",
)
needs_system_call_filter = pytest.mark.skipif(
    EMULATED, reason="an emulator has no filter of system calls (seccomp)"
)
needs_address_limit = pytest.mark.skipif(
    EMULATED, reason="an emulator has no limit of the address space (RLIMIT_AS)"
)
needs_ssl = pytest.mark.skipif(
    importlib.util.find_spec("_ssl") is None,
    reason="this Python has no ssl, which uvloop, trio and anyio import",
)
needs_windows = pytest.mark.skipif(
    os.name != "nt", reason="about names and handles that only Windows has"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
needs_modes = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
needs_links = pytest.mark.skipif(os.name == "nt", reason="a program on Windows can make no links")
portable_code_needs_gil = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="the code for implementations without CPython's C API relies on a GIL",
)
needs_terminals = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no pseudo-terminals that Python can make"
)
CPYTHON = sys.implementation.name == "cpython"
# How deep calls of host functions can surely be nested: PyPy's stack has 768 KiB, unless
# sys.setrecursionlimit says more, and CPython counts to 1000.
NESTED_CALLS = 150 if CPYTHON else 90
# CPython 3.12 and later don't count references to None, but a wheel for 3.10 and later does.
COUNTS_NONE = sys.version_info < (3, 12)
has_c_types = pytest.mark.skipif(
    not CPYTHON, reason="the package is without the types of CPython's C API already"
)
builtins_lack_signatures = pytest.mark.skipif(
    not CPYTHON, reason="PyPy's builtin functions all have signatures"
)
needs_superinstructions = pytest.mark.skipif(
    not PAIRS, reason="the interpreter has a switch, or the processor needs aligned addresses"
)
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
only_free_threaded = pytest.mark.skipif(
    not FREE_THREADED, reason="this build of CPython always has a GIL"
)
only_with_gil = pytest.mark.skipif(
    FREE_THREADED, reason="this build of CPython has no GIL that a call could keep"
)
# CPython 3.13 without a GIL: once a second thread has run, no class and no function of a module is
# ever freed, nor is what they refer to.
KEEPS_CLASSES = FREE_THREADED and sys.version_info < (3, 14)
finalizes_at_exit = pytest.mark.skipif(
    not CPYTHON, reason="PyPy runs no finalizers when the process ends"
)
finalizes_before_modules_go = pytest.mark.skipif(
    FREE_THREADED,
    reason="without a GIL, CPython clears the modules at exit before it runs the last finalizers",
)


NO_SIMD = "this build has no SIMD: WAMR has none for this processor"
NO_DIRECTORIES = "Windows: programs can't have directories of the host (wasi-directories)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skipped_without_a_feature())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skipped_without_a_feature())


def _skipped_without_a_feature() -> Generator[None, object, object]:
    import wamr

    try:
        return (yield)
    except wamr.CompileError as error:
        if "simd" not in wamr.FEATURES and "SIMD" in str(error):
            pytest.skip(NO_SIMD)
        raise
    except wamr.UnavailableError as error:
        if "wasi-directories" not in wamr.FEATURES and "is not available on Windows" in str(error):
            pytest.skip(NO_DIRECTORIES)
        raise


def needs_simd() -> None:
    """Skip the test or the file on a build without SIMD."""
    import wamr

    if "simd" not in wamr.FEATURES:
        pytest.skip(NO_SIMD, allow_module_level=True)


def smallest_stack() -> int:
    """Return the least size of a thread's stack that the system allows, in bytes."""
    before = threading.stack_size()
    for kib in (32, 64, 128, 256):
        try:
            threading.stack_size(kib << 10)
        except ValueError:
            continue
        threading.stack_size(before)
        return kib << 10
    raise AssertionError("no thread can have a stack of 256 KiB")


def directory_descriptor(path: os.PathLike[str]) -> int:
    """Return a new descriptor of a directory, for which Windows' `os.open` has no flag."""
    if sys.platform != "win32":
        return os.open(path, os.O_RDONLY)
    import _winapi
    import msvcrt

    all_share, backup_semantics = 7, 0x02000000
    handle = _winapi.CreateFile(
        os.fspath(path),
        _winapi.GENERIC_READ,
        all_share,
        0,
        _winapi.OPEN_EXISTING,
        backup_semantics,
        0,
    )
    return msvcrt.open_osfhandle(handle, os.O_RDONLY)
