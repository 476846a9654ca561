"""Floating-point environments of a thread, set on purpose, as some libraries do to their hosts.

    with environment("daz+ftz"):
        …

ENVIRONMENTS has the names for this machine, "standard" first. Within the block, use ints and bytes
only: Python's own floats are computed in that environment, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from platforms import BITS, MACHINE, X87

_X86 = {  # MXCSR: flags, DAZ, masks, rounding, FTZ
    "standard": 0x1F80,
    "flags": 0x1FBF,  # all exception flags are set, which changes nothing
    "daz": 0x1FC0,
    "ftz": 0x9F80,
    "daz+ftz": 0x9FC0,
    "down": 0x3F80,
    "up": 0x5F80,
    "to zero": 0x7F80,
    "up, daz+ftz": 0xDFC0,
}
_ARM = {  # FPCR, and with 32 bits FPSCR: rounding from bit 22 on, FZ, DN
    "standard": 0,
    "ftz": 1 << 24,
    "default nan": 1 << 25,
    "up": 1 << 22,
    "down": 2 << 22,
    "to zero": 3 << 22,
}
_RISCV = {"standard": 0, "to zero": 1 << 5, "down": 2 << 5, "up": 3 << 5}  # FCSR: flags, rounding
_UNKNOWN = {"standard": 0}


def _processor() -> str:
    """Return the processor that programs of this process see: the kernel may have 64 bits."""
    if sys.platform != "linux":
        return ""
    if X87:
        return "i686"
    return "arm" if MACHINE.startswith("arm") or (MACHINE, BITS) == ("aarch64", 32) else MACHINE


_processor_name = _processor()
# The control words, their offset in the C library's fenv_t, and the bits that aren't sticky flags.
_WORDS, _AT, _MASK = {
    "x86_64": (_X86, 28, 0xFFC0),
    "i686": (_X86, 12, 0xFFC0),  # where the C library keeps MXCSR
    "aarch64": (_ARM, 0, 0xFFFFFFFF),
    "arm": (_ARM, 0, 0x07F79F00),
    "riscv64": (_RISCV, 0, 0xE0),
}.get(_processor_name, (_UNKNOWN, 0, 0xFFFFFFFF))

ENVIRONMENTS = tuple(_WORDS)
# Exceptions raise signals; None: it is not known how, or the processor has no such signals.
UNMASKED = {"x86_64": 0, "i686": 0, "aarch64": 0x9F00}.get(_processor_name)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    if not hasattr(library, "fegetenv"):  # musl has the functions in its only library
        library = ctypes.CDLL("libm.so.6")
    for function in (library.fegetenv, library.fesetenv):
        function.argtypes = [ctypes.c_char_p]
    return library


def word() -> int:
    """Return the control word of this thread, without the sticky exception flags."""
    if len(_WORDS) == 1:  # not known for this processor
        return 0
    state = ctypes.create_string_buffer(64)
    _library().fegetenv(state)
    return int(struct.unpack_from("<I", state, _AT)[0]) & _MASK


def set_word(value: int) -> None:
    """Set the control word of this thread, for good."""
    library, state = _library(), ctypes.create_string_buffer(64)
    library.fegetenv(state)
    struct.pack_into("<I", state, _AT, value)
    library.fesetenv(state)


@contextlib.contextmanager
def environment(name: str | int) -> Iterator[int]:
    """Set an environment for the block; yield its control word."""
    value = _WORDS[name] if isinstance(name, str) else name
    if value == 0 and len(_WORDS) == 1:
        yield 0
        return
    library = _library()
    before = ctypes.create_string_buffer(64)
    library.fegetenv(before)
    inside = ctypes.create_string_buffer(before.raw, 64)
    struct.pack_into("<I", inside, _AT, value)
    library.fesetenv(inside)
    try:
        yield value & _MASK
    finally:
        library.fesetenv(before)


def same_after(name: str, use: Callable[[], Any]) -> Any:
    """Return what `use` returns in an environment, which must be the same afterwards."""
    with environment(name) as set_:
        result = use()
        after = word()
    assert after == set_
    return result
