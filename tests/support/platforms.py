"""What a platform can't do: for each reason one mark, which skips a test and names the reason.

`make prove` sets PROVE_EMULATED where an emulator runs the tests (tools/prove).
"""

from __future__ import annotations

import os
import sys

import pytest

BITS = sys.maxsize.bit_length() + 1
EMULATED = bool(os.environ.get("PROVE_EMULATED"))

needs_64_bits = pytest.mark.skipif(
    BITS < 64, reason="32 bits: the address space has no room for it"
)
needs_address_limit = pytest.mark.skipif(
    EMULATED, reason="an emulator has no limit of the address space (RLIMIT_AS)"
)
