"""The clock of timeouts and waits: the one that our C reads.

This is `time.monotonic`, except on Windows before Python 3.13: `time.monotonic` has ticks of 16 ms
there, and our C reads the clock of `time.perf_counter`.
"""

from __future__ import annotations

import sys

if sys.platform == "win32" and sys.version_info < (3, 13):
    from time import perf_counter as monotonic
    from time import perf_counter_ns as monotonic_ns
else:
    from time import monotonic, monotonic_ns

__all__ = ["monotonic", "monotonic_ns"]
