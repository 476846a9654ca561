"""Lets files of this folder import one another, and skips where instructions can't be counted."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import counting  # noqa: E402


@pytest.fixture(scope="session")
def skip_if_unfit():
    """Call a function; if it raises Unfit, skip, or fail where counts are required."""

    def call(function, *arguments):
        try:
            return function(*arguments)
        except counting.Unfit as reason:
            if os.environ.get("WAMR_INSTRUCTION_COUNTS") == "required":
                pytest.fail(f"nothing was compared: {reason}")
            pytest.skip(str(reason))

    return call
