"""How a thread computes with floats, changed on purpose: what libraries do to their hosts.

    with environment("daz+ftz"):
        …

ENVIRONMENTS has the names that this machine knows, "standard" first. Within the block, keep to ints
and bytes: Python's own floats are computed so, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import struct
import sys
from collections.abc import Iterator

_X86 = {  # MXCSR: flags, DAZ, masks, rounding, FTZ
    "standard": 0x1F80,
    "flags": 0x1FBF,  # all exceptions have happened: that changes nothing
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
# the words, and where the C library's fenv_t has them
_WORDS, _AT = {"x86_64": (_X86, 28), "aarch64": (_ARM, 0)}.get(_machine, ({"standard": 0}, 0))

ENVIRONMENTS = tuple(_WORDS)
UNMASKED = {"x86_64": 0, "aarch64": 0x9F00}.get(_machine)  # exceptions are signals; None: unknown
_MASK = {"x86_64": 0xFFC0}.get(_machine, 0xFFFFFFFF)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libm.so.6") if sys.platform == "linux" else ctypes.CDLL(None)
    for function in (library.fegetenv, library.fesetenv):
        function.argtypes = [ctypes.c_char_p]
    return library


def word() -> int:
    """What is set now, without the flags of what has happened."""
    state = ctypes.create_string_buffer(64)
    _library().fegetenv(state)
    return int(struct.unpack_from("<I", state, _AT)[0]) & _MASK


def set_word(value: int) -> None:
    """Set it for this thread, for good."""
    library, state = _library(), ctypes.create_string_buffer(64)
    library.fegetenv(state)
    struct.pack_into("<I", state, _AT, value)
    library.fesetenv(state)


@contextlib.contextmanager
def environment(name: str | int) -> Iterator[int]:
    """Let this thread compute so for the time being; what that sets is given."""
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
