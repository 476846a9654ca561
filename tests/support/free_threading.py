"""Free-threaded builds of CPython (PEP 703): which tests are about them, and which are not."""

from __future__ import annotations

import sys
import sysconfig

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

only_free_threaded = pytest.mark.skipif(
    not FREE_THREADED, reason="this build of CPython always has a GIL"
)
# A function that keeps the GIL during a call is a matter of builds that have one.
only_with_gil = pytest.mark.skipif(
    FREE_THREADED, reason="this build of CPython has no GIL that a call could keep"
)


def gil_is_on() -> bool:
    """Tell whether threads run one at a time."""
    return not FREE_THREADED or sys._is_gil_enabled()  # type: ignore[attr-defined,unused-ignore]
