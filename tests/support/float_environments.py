"""Floating-point environments of a thread, set on purpose, as some libraries do to their hosts.

    with environment("daz+ftz"):
        …

ENVIRONMENTS has the names for this machine, "standard" first. Within the block, use ints and bytes
only: Python's own floats are computed in that environment, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

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
_ARM = {  # FPCR: rounding from bit 22 on, FZ, DN
    "standard": 0,
    "ftz": 1 << 24,
    "default nan": 1 << 25,
    "up": 1 << 22,
    "down": 2 << 22,
    "to zero": 3 << 22,
}
_machine = platform.machine().lower() if sys.platform == "linux" else ""
# the control words, and their offset in the C library's fenv_t
_WORDS, _AT = {"x86_64": (_X86, 28), "aarch64": (_ARM, 0)}.get(_machine, ({"standard": 0}, 0))

ENVIRONMENTS = tuple(_WORDS)
UNMASKED = {"x86_64": 0, "aarch64": 0x9F00}.get(_machine)  # exceptions raise signals; None: unknown
_MASK = {"x86_64": 0xFFC0}.get(_machine, 0xFFFFFFFF)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libm.so.6") if sys.platform == "linux" else ctypes.CDLL(None)
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
