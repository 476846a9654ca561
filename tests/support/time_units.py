"""Tests of timeouts that must end something in time: with longer times on a busy machine."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

UNITS = (0.05, 0.5, 5.0)


def in_units(test: Callable[..., None]) -> Callable[..., None]:
    """Pass `unit`, in seconds, to a test all of whose times are multiples of it.

    A process may stop for longer than any short timeout, for example before the timeout can be
    extended. A test that has failed is repeated with ten times the unit; it fails if that of 5
    seconds does. Use it only where the order of two times is what is tested.
    """

    @functools.wraps(test)
    def repeated(**arguments: Any) -> None:
        for unit in UNITS[:-1]:
            try:
                return test(unit=unit, **arguments)
            except (Exception, pytest.fail.Exception) as error:
                print(f"with {unit} s: {error!r}")
        return test(unit=UNITS[-1], **arguments)

    signature = inspect.signature(test)
    rest = [each for name, each in signature.parameters.items() if name != "unit"]
    repeated.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
    return repeated
